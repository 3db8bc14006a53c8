package dev.longshore.vpnkit.dns;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The host's resolvers: a fixed list, or what /etc/resolv.conf says now (resolv.conf(5)). Confined to the link's event
 * loop; looking at a small local file once in two seconds, and only when somebody asks, is all it does there.
 */
public final class Resolvers {
    private static final Logger LOG = LoggerFactory.getLogger(Resolvers.class);
    private static final long LOOK_NANOS = TimeUnit.SECONDS.toNanos(2);
    private static final int PORT = 53;
    private static final int MAX_SERVERS = 8;
    private static final int MAX_DOMAINS = 6;
    private static final int MAX_DOMAINS_CHARACTERS = 256;
    private static final Pattern DOMAIN = Pattern.compile("(?i)[a-z0-9_-]{1,63}(\\.[a-z0-9_-]{1,63})*");
    private static final int MAX_DOMAIN = 253;
    private static final Pattern V4 = Pattern.compile("[0-9]{1,3}(\\.[0-9]{1,3}){3}");
    /** 45 characters of an address, a percent sign and an interface. */
    private static final int MAX_LITERAL = 80;

    private static final long MAX_FILE_BYTES = 64 << 10;

    /** What the C library asks where nothing is configured. */
    private static final List<InetSocketAddress> DEFAULT =
            List.of(new InetSocketAddress(InetAddress.getLoopbackAddress(), PORT));

    /** Where systemd-resolved has those that it asks itself. */
    private static final Path BEHIND_STUB = Path.of("/run/systemd/resolve/resolv.conf");

    /** Says whom the host's own programs ask for names. */
    private static final Path SWITCH = Path.of("/etc/nsswitch.conf");

    /** nss-resolve(8) as a word of the line "hosts": these programs ask systemd-resolved, whatever resolv.conf says. */
    private static final Pattern ASKS_RESOLVED = Pattern.compile("\\s*hosts:(.*\\s)?resolve(\\s.*)?");

    /** resolved.conf(5), DNSStubListener. */
    private static final List<InetSocketAddress> STUB =
            List.of(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.53"), PORT));

    private final @Nullable Path file;
    private final Path behindStub;
    private final Path nameSwitch;
    private final LongSupplier nanoClock;
    private List<InetSocketAddress> servers;
    private List<InetSocketAddress> lastResort = List.of();
    private List<String> searchDomains = List.of();
    private @Nullable Object seen;
    private long lookedAt;
    private boolean looked;

    /** An address names an interface, which may come, go, or come back as another one, without a change of the file. */
    private boolean scoped;

    private List<InetSocketAddress> chosen = List.of();

    private Resolvers(
            @Nullable Path file,
            Path behindStub,
            Path nameSwitch,
            List<InetSocketAddress> servers,
            LongSupplier nanoClock) {
        this.file = file;
        this.behindStub = behindStub;
        this.nameSwitch = nameSwitch;
        this.servers = servers;
        this.nanoClock = nanoClock;
    }

    /** Always these: a setting, or a test. */
    public static Resolvers fixed(List<InetSocketAddress> servers) {
        return new Resolvers(null, BEHIND_STUB, SWITCH, List.copyOf(servers), () -> 0);
    }

    /** The same with {@link #lastResort}. */
    static Resolvers fixed(List<InetSocketAddress> servers, List<InetSocketAddress> lastResort) {
        Resolvers made = fixed(servers);
        made.lastResort = List.copyOf(lastResort);
        return made;
    }

    /** Those in {@code file}, which is read again when it changes: replaced, rewritten, or its symbolic link moved. */
    public static Resolvers ofFile(Path file, LongSupplier nanoClock) {
        return ofFile(file, BEHIND_STUB, SWITCH, nanoClock);
    }

    /**
     * @param behindStub see {@link #lastResort}
     * @param nameSwitch nsswitch.conf(5)
     */
    static Resolvers ofFile(Path file, Path behindStub, Path nameSwitch, LongSupplier nanoClock) {
        return new Resolvers(file, behindStub, nameSwitch, DEFAULT, nanoClock);
    }

    /**
     * Those to ask where none of {@link #servers} can be reached: what systemd-resolved asks, if they are only its stub. That knows
     * domains of VPNs, multicast DNS and DNSSEC, so it is asked as long as it is there; which it may not be, in a container or switched off,
     * while resolv.conf still names it.
     */
    List<InetSocketAddress> lastResort() {
        List<InetSocketAddress> first = servers();
        return chosen.isEmpty() && first.stream().allMatch(Resolvers::isStub) ? lastResort : List.of();
    }

    /** resolved.conf(5), DNSStubListener. */
    private static boolean isStub(InetSocketAddress server) {
        byte[] a = server.getAddress().getAddress();
        return a.length == 4 && a[0] == 127 && a[1] == 0 && a[2] == 0 && (a[3] == 53 || a[3] == 54);
    }

    /**
     * The host's search list, for guests: at most {@link #MAX_DOMAINS} domains of {@link #MAX_DOMAINS_CHARACTERS} characters
     * in all, as resolv.conf(5) has it; none with fixed resolvers.
     */
    public List<String> searchDomains() {
        servers();
        return chosen.isEmpty() ? searchDomains : List.of();
    }

    /** From now on these, whatever the file says; its own again with none. */
    public void choose(List<InetSocketAddress> instead) {
        chosen = List.copyOf(instead);
    }

    /** In the order in which to ask; never empty unless a fixed list is. */
    List<InetSocketAddress> servers() {
        if (!chosen.isEmpty()) {
            return chosen;
        }
        Path path = file;
        long now = nanoClock.getAsLong();
        if (path != null && (!looked || now - lookedAt >= LOOK_NANOS)) {
            looked = true;
            lookedAt = now;
            look(path);
        }
        return servers;
    }

    private void look(Path path) {
        try {
            Object version = List.of(version(path), versionIfThere(behindStub), versionIfThere(nameSwitch));
            if (version.equals(seen) && !scoped) {
                return;
            }
            seen = version;
            List<String> lines = lines(path);
            List<InetSocketAddress> found = parse(lines);
            searchDomains = parseSearch(lines);
            scoped = lines.stream().anyMatch(l -> l.indexOf('%') >= 0);
            List<InetSocketAddress> before = servers;
            servers = found.isEmpty() ? DEFAULT : leadsPastStub(path) ? STUB : found;
            lastResort = servers.stream().allMatch(Resolvers::isStub) && Files.exists(behindStub)
                    ? parse(lines(behindStub))
                    : List.of();
            if (!servers.equals(before)) {
                LOG.info("resolvers: {}{}", servers, lastResort.isEmpty() ? "" : ", else " + lastResort);
            }
        } catch (IOException e) {
            LOG.debug("{} can't be read, the resolvers stay {}: {}", path, servers, e.toString());
        }
    }

    /**
     * True if resolv.conf is the list of all links' servers together, and the host's programs ask systemd-resolved, which knows which domain
     * is which link's. So do we: then a VPN's names are asked of the VPN's servers, and no others are.
     */
    private boolean leadsPastStub(Path path) {
        try {
            return Files.exists(behindStub)
                    && Files.isSameFile(path, behindStub)
                    && lines(nameSwitch).stream()
                            .map(line -> line.replaceFirst("#.*", ""))
                            .anyMatch(line -> ASKS_RESOLVED.matcher(line).matches());
        } catch (IOException e) {
            return false; // no such file: they ask whom resolv.conf says
        }
    }

    private static Object versionIfThere(Path path) throws IOException {
        return Files.exists(path) ? version(path) : "";
    }

    private static Object version(Path path) throws IOException {
        BasicFileAttributes a = Files.readAttributes(path, BasicFileAttributes.class);
        return List.of(a.lastModifiedTime(), a.size(), Objects.toString(a.fileKey()));
    }

    private static List<String> lines(Path path) throws IOException {
        return Files.size(path) > MAX_FILE_BYTES
                ? List.of()
                : Files.readString(path).lines().toList();
    }

    /** The {@code nameserver} lines; whatever is no address literal is left out. */
    static List<InetSocketAddress> parse(List<String> lines) {
        List<InetSocketAddress> found = new ArrayList<>();
        for (String line : lines) {
            String[] words = line.strip().split("\\s+", 3);
            if (words.length >= 2 && words[0].equals("nameserver") && found.size() < MAX_SERVERS) {
                InetAddress address = literal(words[1]);
                if (address != null) {
                    found.add(new InetSocketAddress(address, PORT));
                }
            }
        }
        return List.copyOf(found);
    }

    /** The last {@code search} or {@code domain} line; whatever is no domain name is left out. */
    static List<String> parseSearch(List<String> lines) {
        List<String> found = new ArrayList<>();
        for (String line : lines) {
            List<String> words = List.of(line.strip().split("\\s+"));
            if (words.size() < 2
                    || !(words.getFirst().equals("search") || words.getFirst().equals("domain"))) {
                continue;
            }
            found.clear();
            int characters = 0;
            for (String domain : words.subList(1, words.size())) {
                String name = domain.endsWith(".") ? domain.substring(0, domain.length() - 1) : domain;
                // Its length first: the pattern takes a piece of the stack for each label.
                if (name.length() > MAX_DOMAIN || !DOMAIN.matcher(name).matches()) {
                    LOG.debug("no search domain: {}", domain);
                } else if (found.size() < MAX_DOMAINS && characters + name.length() + 1 <= MAX_DOMAINS_CHARACTERS) {
                    characters += name.length() + 1;
                    found.add(name);
                } else {
                    LOG.warn("the host's search domain {} is one too many for guests and left out", name);
                }
            }
        }
        return List.copyOf(found);
    }

    /** With a scope as in {@code fe80::1%eth0} (RFC 4007 §11.2): null while there is no such interface. */
    private static @Nullable InetAddress literal(String text) {
        if (text.length() > MAX_LITERAL
                || (text.indexOf(':') < 0 && !V4.matcher(text).matches())) {
            return null;
        }
        try {
            return InetAddress.ofLiteral(text); // getByName would look 1.2.3.999 up, and wait for that
        } catch (IllegalArgumentException e) {
            return null; // an interface that is gone, or an octet over 255
        }
    }
}
