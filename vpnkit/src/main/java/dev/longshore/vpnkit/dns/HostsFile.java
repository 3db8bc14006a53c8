package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.ip.IpPlan;
import io.netty.channel.EventLoop;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the host's hosts file says (hosts(5)), for the guest: a name in it has the addresses in it, and no other record. What is the
 * host's loopback there is the host's address here, or the guest would call itself. Names of the loopback itself stay what they are. Confined
 * to the link's event loop; the file is looked at once in two seconds, when somebody asks, and read by another thread when it has changed.
 */
public final class HostsFile {
    private static final Logger LOG = LoggerFactory.getLogger(HostsFile.class);
    private static final long LOOK_NANOS = TimeUnit.SECONDS.toNanos(2);
    private static final long MAX_BYTES = 16 << 20;
    private static final int MAX_NAMES = 300_000;
    private static final int MAX_ADDRESSES = 64; // of a name
    private static final int MAX_NAME = 253;
    private static final int MAX_ADDRESS = 45; // characters
    private static final String REVERSE = ".in-addr.arpa";
    private static final String REVERSE6 = ".ip6.arpa";
    private static final Pattern BLANKS = Pattern.compile("\\s+");
    private static final Pattern NAME = Pattern.compile("[a-z0-9_-]{1,63}(\\.[a-z0-9_-]{1,63})*");

    /** Debian, macOS, Fedora: the loopback and IPv6's groups by other names. */
    private static final Set<String> NOT_TAKEN = Set.of(
            "localhost",
            "localhost.localdomain",
            "localhost4",
            "localhost4.localdomain4",
            "localhost6",
            "localhost6.localdomain6",
            "broadcasthost",
            "ip6-localhost",
            "ip6-loopback",
            "ip6-localnet",
            "ip6-mcastprefix",
            "ip6-allnodes",
            "ip6-allrouters",
            "ip6-allhosts");

    private final @Nullable Path file;
    private final NameTable.Place host;
    private final EventLoop loop;
    private final Executor reader;
    private final LongSupplier nanoClock;
    private Table table = new Table(Map.of(), Map.of());
    private @Nullable Object seen;
    private long lookedAt;
    private boolean looked;
    private int readings;

    /** What a file says. Immutable. */
    record Table(Map<String, List<IpAddress>> byName, Map<IpAddress, String> byAddress) {}

    /**
     * One of a file; null for none.
     *
     * @param host what the host's loopback is for the guest
     * @param reader runs what blocks
     */
    HostsFile(@Nullable Path file, NameTable.Place host, EventLoop loop, Executor reader, LongSupplier nanoClock) {
        this.file = file;
        this.host = host;
        this.loop = loop;
        this.reader = reader;
        this.nanoClock = nanoClock;
    }

    /** One for the guests of a network; null for none. Changes are read by threads of their own. */
    public static HostsFile of(@Nullable Path file, IpPlan plan, EventLoop loop, LongSupplier nanoClock) {
        Executor reader =
                task -> Thread.ofPlatform().daemon().name("hosts-file").start(task);
        return new HostsFile(file, NameTable.standard(plan).host(), loop, reader, nanoClock);
    }

    /** Addresses of a name in lower case without a last dot; null if the file does not have it. */
    @Nullable
    List<IpAddress> addresses(String name) {
        look();
        return table.byName.get(name);
    }

    /** The first name of the address that a reverse name means; null if the file does not have it. */
    @Nullable
    String pointer(String name) {
        look();
        if (table.byAddress.isEmpty()) {
            return null;
        }
        IpAddress address = reverse(name);
        return address == null ? null : table.byAddress.get(address);
    }

    private void look() {
        Path path = file;
        long now = nanoClock.getAsLong();
        if (path == null || (looked && now - lookedAt < LOOK_NANOS)) {
            return;
        }
        looked = true;
        lookedAt = now;
        Object version = version(path);
        if (version.equals(seen)) {
            return;
        }
        boolean first = seen == null;
        seen = version;
        if (first) {
            table = read(path, host); // the first question is not to miss it
        } else {
            int reading = ++readings;
            reader.execute(() -> {
                Table read = read(path, host);
                loop.execute(() -> {
                    if (reading == readings) { // a slower reader of what was there before does not count
                        table = read;
                    }
                });
            });
        }
    }

    private static Object version(Path path) {
        try {
            BasicFileAttributes a = Files.readAttributes(path, BasicFileAttributes.class);
            return List.of(a.lastModifiedTime(), a.size(), Objects.toString(a.fileKey()));
        } catch (IOException e) {
            return "";
        }
    }

    private static Table read(Path path, NameTable.Place host) {
        List<String> lines = new ArrayList<>();
        try {
            if (Files.size(path) > MAX_BYTES) {
                LOG.warn("{} has more than {} bytes; guests have nothing of it", path, MAX_BYTES);
                return parse(List.of(), host);
            }
            try (BufferedReader in = Files.newBufferedReader(path, StandardCharsets.ISO_8859_1)) {
                in.lines().forEach(lines::add);
            }
        } catch (NoSuchFileException e) {
            LOG.debug("{} is not there", path);
        } catch (IOException | java.io.UncheckedIOException e) {
            LOG.debug("{} can't be read: {}", path, e.toString());
        }
        Table read = parse(lines, host);
        LOG.debug("{}: {} names", path, read.byName.size());
        return read;
    }

    /** Lines of address, name and more names; what is none is left out. */
    static Table parse(List<String> lines, NameTable.Place host) {
        Map<String, List<IpAddress>> byName = new HashMap<>();
        Map<IpAddress, String> byAddress = new HashMap<>();
        for (String line : lines) {
            int comment = line.indexOf('#');
            List<String> words = List.of(BLANKS.split((comment < 0 ? line : line.substring(0, comment)).strip()));
            IpAddress written = words.size() < 2 ? null : address(words.getFirst());
            if (written == null) {
                continue;
            }
            boolean loopback = isLoopback(written);
            IpAddress address = loopback ? hostAddress(written, host) : written;
            for (String word : words.subList(1, words.size())) {
                String name = word.toLowerCase(Locale.ROOT);
                String plain = name.endsWith(".") ? name.substring(0, name.length() - 1) : name;
                if (NOT_TAKEN.contains(plain) || !isName(plain) || byName.size() >= MAX_NAMES) {
                    continue;
                }
                List<IpAddress> all = byName.computeIfAbsent(plain, _ -> new ArrayList<>(1));
                if (address != null && !all.contains(address) && all.size() < MAX_ADDRESSES) {
                    all.add(address);
                }
                if (!loopback) {
                    byAddress.putIfAbsent(written, plain);
                }
            }
        }
        return new Table(byName, byAddress);
    }

    /** Its length first: the pattern takes a piece of the stack for each label. */
    private static boolean isName(String text) {
        return text.length() <= MAX_NAME && NAME.matcher(text).matches();
    }

    private static @Nullable IpAddress address(String text) {
        if (text.length() > MAX_ADDRESS) {
            return null;
        }
        try {
            return IpAddress.parse(text);
        } catch (IllegalArgumentException e) {
            return null; // with a scope, too: it means nothing to a guest
        }
    }

    private static boolean isLoopback(IpAddress a) {
        return a.isV4() ? (int) a.lo() >>> 24 == 127 : a.hi() == 0 && a.lo() == 1;
    }

    /** Null if the guest has no such address. */
    private static @Nullable IpAddress hostAddress(IpAddress loopback, NameTable.Place host) {
        return loopback.isV4() ? IpAddress.v4(host.v4()) : host.v6();
    }

    /** RFC 1035 §3.5, RFC 3596 §2.5; null if the name means no address. */
    static @Nullable IpAddress reverse(String name) {
        if (name.endsWith(REVERSE)) {
            List<String> labels =
                    List.of(name.substring(0, name.length() - REVERSE.length()).split("\\.", -1));
            return labels.size() == 4 ? address(String.join(".", labels.reversed())) : null;
        }
        int end = name.length() - REVERSE6.length();
        if (!name.endsWith(REVERSE6) || end != 63) {
            return null;
        }
        long hi = 0;
        long lo = 0;
        for (int i = 0; i < 32; i++) {
            int nibble = Character.digit(name.charAt(2 * i), 16);
            if (nibble < 0 || (i < 31 && name.charAt(2 * i + 1) != '.')) {
                return null;
            }
            if (i < 16) {
                lo |= (long) nibble << (4 * i);
            } else {
                hi |= (long) nibble << (4 * (i - 16));
            }
        }
        return new IpAddress(hi, lo);
    }
}
