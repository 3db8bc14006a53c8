package dev.longshore.proxy.route;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import java.net.IDN;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What is reached without a proxy: the one reader of {@code exclude}, {@code no_proxy} and the desktops' lists. Immutable.
 *
 * <p>There is no standard for these lists, and tools differ; this takes what any of them does, as Go reads it where they
 * contradict each other. Entries are separated by commas or blanks; case and a trailing dot do not count.
 *
 * <table>
 * <caption>Entries</caption>
 * <tr><td>{@code *}</td><td>everything</td></tr>
 * <tr><td>{@code example.com}</td><td>it, and what is below it</td></tr>
 * <tr><td>{@code .example.com}, {@code *.example.com}</td><td>only what is below it</td></tr>
 * <tr><td>{@code 10.*}, {@code db-*.corp}</td><td>a name, or an address's text, with anything in place of each {@code *}</td></tr>
 * <tr><td>{@code 192.0.2.1}, {@code 2001:db8::1}, {@code [2001:db8::1]}</td><td>the address</td></tr>
 * <tr><td>{@code 10.0.0.0/8}, {@code 169.254/16}, {@code fd00::/8}</td><td>the network's addresses</td></tr>
 * <tr><td>{@code <local>}</td><td>names without a dot</td></tr>
 * <tr><td>any of these but the last and networks, with {@code :port}</td><td>that port only</td></tr>
 * </table>
 *
 * <p>Addresses and networks fit hosts that are given as an address, or whose address is known already: nothing is looked up, since
 * a name that a proxy is to resolve must not be told to another resolver.
 */
public final class ExclusionList {
    /** Without entries. */
    public static final ExclusionList NONE = new ExclusionList(List.of(), List.of());

    /** More is not anybody's list. */
    static final int MAX_ENTRIES = 10_000;

    private static final Pattern SEPARATORS = Pattern.compile("[,\\s]+");
    private static final Pattern PORT = Pattern.compile("[0-9]{1,5}");
    private static final Pattern LITERAL =
            Pattern.compile("[0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*");
    private static final Pattern SHORT_V4 = Pattern.compile("[0-9]{1,3}(\\.[0-9]{1,3}){0,2}");
    private static final int MAX_PORT = 65_535;
    private static final int MAX_LITERAL = 45;

    private final List<Entry> entries;
    private final List<String> ignored;

    private ExclusionList(List<Entry> entries, List<String> ignored) {
        this.entries = List.copyOf(entries);
        this.ignored = List.copyOf(ignored);
    }

    /**
     * One entry.
     *
     * @param text as written
     * @param port the only one; 0 for all
     */
    private record Entry(String text, What what, int port) {
        boolean fits(String host, @Nullable IpAddress address, int at) {
            return (port == 0 || port == at) && what.fits(host, address);
        }
    }

    /** What an entry means. */
    private sealed interface What {
        boolean fits(String host, @Nullable IpAddress address);

        record All() implements What {
            @Override
            public boolean fits(String host, @Nullable IpAddress address) {
                return true;
            }
        }

        /** {@code name} begins with a dot; {@code itself} for the name without it, too. */
        record Below(String name, boolean itself) implements What {
            @Override
            public boolean fits(String host, @Nullable IpAddress address) {
                return host.endsWith(name)
                        ? host.length() > name.length()
                        : itself && host.length() == name.length() - 1 && name.endsWith(host);
            }
        }

        record Wild(String pattern) implements What {
            @Override
            public boolean fits(String host, @Nullable IpAddress address) {
                return Wildcard.fits(pattern, host) || (address != null && Wildcard.fits(pattern, address.toString()));
            }
        }

        record Network(OwnAddresses.Subnet subnet) implements What {
            @Override
            public boolean fits(String host, @Nullable IpAddress address) {
                return address != null && subnet.contains(address);
            }
        }

        record Local() implements What {
            @Override
            public boolean fits(String host, @Nullable IpAddress address) {
                return host.indexOf('.') < 0 && host.indexOf(':') < 0;
            }
        }
    }

    /** Never fails: what can't be understood is {@link #ignored}. */
    public static ExclusionList parse(String text) {
        return parse(List.of(text));
    }

    /** Of several lists in one. */
    public static ExclusionList parse(List<String> texts) {
        List<Entry> entries = new ArrayList<>();
        List<String> ignored = new ArrayList<>();
        for (String text : texts) {
            for (String word : SEPARATORS.split(text, -1)) {
                if (!word.isEmpty() && entries.size() + ignored.size() < MAX_ENTRIES) {
                    Entry entry = entry(word);
                    if (entry == null) {
                        ignored.add(word);
                    } else {
                        entries.add(entry);
                    }
                }
            }
        }
        return entries.isEmpty() && ignored.isEmpty() ? NONE : new ExclusionList(entries, ignored);
    }

    private static @Nullable Entry entry(String text) {
        String word = text.toLowerCase(Locale.ROOT);
        if (word.equals("<local>")) {
            return new Entry(text, new What.Local(), 0);
        }
        if (word.indexOf('/') >= 0) {
            What network = network(word);
            return network == null ? null : new Entry(text, network, 0);
        }
        if (isLiteral(word)) {
            What host = address(word);
            return host == null ? null : new Entry(text, host, 0);
        }
        int colon = word.startsWith("[") ? word.indexOf(':', Math.max(0, word.indexOf(']'))) : word.indexOf(':');
        int port = 0;
        String host = word;
        if (colon >= 0) {
            String digits = word.substring(colon + 1);
            port = PORT.matcher(digits).matches() ? Integer.parseInt(digits) : 0;
            host = word.substring(0, colon);
            if (port < 1 || port > MAX_PORT) {
                return null;
            }
        }
        What what = host(host);
        return what == null ? null : new Entry(text, what, port);
    }

    private static @Nullable What host(String host) {
        if (host.startsWith("[")) {
            return host.endsWith("]") ? address(host.substring(1, host.length() - 1)) : null;
        }
        if (isLiteral(host)) {
            return address(host);
        }
        String name = host.endsWith(".") ? host.substring(0, host.length() - 1) : host;
        if (name.equals("*")) {
            return new What.All();
        }
        boolean below = name.startsWith("*.") || name.startsWith(".");
        String bare = below ? name.substring(name.indexOf('.') + 1) : name;
        if (bare.indexOf('*') >= 0) {
            return new What.Wild(name);
        }
        String ascii = ascii(bare);
        return ascii.isEmpty() || ascii.startsWith(".") ? null : new What.Below("." + ascii, !below);
    }

    /** Names of other scripts as requests carry them: RFC 5890's A-labels. */
    private static String ascii(String name) {
        if (name.chars().allMatch(c -> c > ' ' && c < 0x7F)) {
            return name;
        }
        try {
            return IDN.toASCII(name, IDN.ALLOW_UNASSIGNED).toLowerCase(Locale.ROOT);
        } catch (IllegalArgumentException e) {
            return "";
        }
    }

    private static @Nullable What address(String literal) {
        try {
            IpAddress address = IpAddress.parse(literal);
            return new What.Network(new OwnAddresses.Subnet(address, address.isV4() ? 32 : 128));
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private static @Nullable What network(String text) {
        int slash = text.indexOf('/');
        String base = text.substring(0, slash);
        String length = text.substring(slash + 1);
        if (base.startsWith("[") && base.endsWith("]")) {
            base = base.substring(1, base.length() - 1);
        }
        StringBuilder whole = new StringBuilder(base);
        if (SHORT_V4.matcher(base).matches()) { // as macOS writes 169.254/16
            for (long dots = base.chars().filter(c -> c == '.').count(); dots < 3; dots++) {
                whole.append(".0");
            }
        }
        try {
            return new What.Network(
                    new OwnAddresses.Subnet(IpAddress.parse(whole.toString()), Integer.parseUnsignedInt(length)));
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    /**
     * The first entry that fits, as written; null if none does.
     *
     * @param host a name, or an address literal without brackets
     * @param address the host's, if known; a literal's need not be given
     * @param port 1..65535
     */
    public @Nullable String match(String host, @Nullable IpAddress address, int port) {
        if (entries.isEmpty()) {
            return null;
        }
        String lower = host.toLowerCase(Locale.ROOT);
        String name = lower.endsWith(".") ? lower.substring(0, lower.length() - 1) : lower;
        IpAddress known = address != null ? address : literal(name);
        for (Entry e : entries) {
            if (e.fits(name, known, port)) {
                return e.text;
            }
        }
        return null;
    }

    /** Its length first: the pattern takes the cube of it. */
    private static boolean isLiteral(String text) {
        return text.length() <= MAX_LITERAL && LITERAL.matcher(text).matches();
    }

    /** The address that a literal is; null for a name. */
    static @Nullable IpAddress literal(String host) {
        if (!isLiteral(host)) {
            return null;
        }
        try {
            return IpAddress.parse(host);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    /** Entries that mean nothing, as written. */
    public List<String> ignored() {
        return ignored;
    }

    /** The entries that count, as written, in their order. */
    public List<String> entries() {
        return entries.stream().map(Entry::text).toList();
    }

    public boolean isEmpty() {
        return entries.isEmpty();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ExclusionList l && l.entries.equals(entries) && l.ignored.equals(ignored);
    }

    @Override
    public int hashCode() {
        return entries.hashCode();
    }

    @Override
    public String toString() {
        return String.join(",", entries());
    }
}
