package dev.longshore.proxy.pac;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.time.DayOfWeek;
import java.time.LocalDate;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The functions that scripts find: Netscape's of 1996 as browsers do them today, and Microsoft's for IPv6. Without any of the
 * interpreter, so that they can be tried by themselves. Confined to one call at a time.
 */
final class PacHelpers {
    private static final List<String> DAYS = List.of("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT");
    private static final List<String> MONTHS =
            List.of("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC");
    private static final int MAX_PATTERN = 4096;

    private final Net net;
    private final Supplier<ZonedDateTime> clock;

    /** What scripts see of the network. */
    interface Net {
        /** Empty if there are none, or they took too long. */
        List<InetAddress> addressesOf(String name);

        /** This host's, that it would use for the world first; never empty. */
        List<InetAddress> own();
    }

    PacHelpers(Net net, Supplier<ZonedDateTime> clock) {
        this.net = net;
        this.clock = clock;
    }

    boolean isPlainHostName(String host) {
        return host.indexOf('.') < 0 && host.indexOf(':') < 0;
    }

    boolean dnsDomainIs(String host, String domain) {
        return lower(host).endsWith(lower(domain));
    }

    boolean localHostOrDomainIs(String host, String hostDomain) {
        String h = lower(host);
        String d = lower(hostDomain);
        return h.equals(d) || (h.indexOf('.') < 0 && d.startsWith(h + "."));
    }

    int dnsDomainLevels(String host) {
        return (int) host.chars().filter(c -> c == '.').count();
    }

    boolean isResolvable(String host) {
        return dnsResolve(host) != null;
    }

    boolean isResolvableEx(String host) {
        return !addresses(host).isEmpty();
    }

    /** The first IPv4 address: scripts compare it as text. */
    @Nullable
    String dnsResolve(String host) {
        return addresses(host).stream()
                .filter(Inet4Address.class::isInstance)
                .findFirst()
                .map(PacHelpers::text)
                .orElse(null);
    }

    /** All addresses, separated by semicolons; empty if there are none. */
    String dnsResolveEx(String host) {
        return String.join(
                ";", addresses(host).stream().map(PacHelpers::text).distinct().toList());
    }

    String myIpAddress() {
        return net.own().stream()
                .filter(Inet4Address.class::isInstance)
                .findFirst()
                .map(PacHelpers::text)
                .orElse("127.0.0.1");
    }

    String myIpAddressEx() {
        return String.join(
                ";", net.own().stream().map(PacHelpers::text).distinct().toList());
    }

    boolean isInNet(String host, String pattern, String mask) {
        InetAddress network = literal(pattern);
        InetAddress bits = literal(mask);
        if (!(network instanceof Inet4Address) || !(bits instanceof Inet4Address)) {
            return false;
        }
        String address = literal(host) == null ? dnsResolve(host) : host;
        InetAddress a = address == null ? null : literal(address);
        return a instanceof Inet4Address && (number(a) & number(bits)) == (number(network) & number(bits));
    }

    /** {@code prefix} as in {@code 10.0.0.0/8} and {@code fd00::/8}; any address of the host fits. */
    boolean isInNetEx(String host, String prefix) {
        int slash = prefix.indexOf('/');
        InetAddress network = slash < 0 ? null : literal(prefix.substring(0, slash));
        if (network == null) {
            return false;
        }
        int length;
        try {
            length = Integer.parseInt(prefix.substring(slash + 1).strip());
        } catch (NumberFormatException e) {
            return false;
        }
        byte[] wanted = network.getAddress();
        if (length < 0 || length > wanted.length * 8) {
            return false;
        }
        return addresses(host).stream().anyMatch(a -> startsWith(a.getAddress(), wanted, length));
    }

    private static boolean startsWith(byte[] address, byte[] prefix, int bits) {
        if (address.length != prefix.length) {
            return false;
        }
        for (int i = 0; i * 8 < bits; i++) {
            int mask = bits - i * 8 >= 8 ? 0xFF : 0xFF00 >>> (bits - i * 8) & 0xFF;
            if (((address[i] ^ prefix[i]) & mask) != 0) {
                return false;
            }
        }
        return true;
    }

    double convertAddr(String address) {
        InetAddress a = literal(address);
        return a instanceof Inet4Address ? number(a) & 0xFFFF_FFFFL : 0;
    }

    /** IPv6 before IPv4, then by number; empty if one is no address. */
    String sortIpAddressList(String list) {
        List<InetAddress> all = new ArrayList<>();
        for (String part : list.split(";", -1)) {
            InetAddress a = literal(part.strip());
            if (a == null) {
                return "";
            }
            all.add(a);
        }
        all.sort(Comparator.<InetAddress>comparingInt(a -> -a.getAddress().length)
                .thenComparing(InetAddress::getAddress, Arrays::compareUnsigned));
        return String.join(";", all.stream().map(PacHelpers::text).toList());
    }

    String getClientVersion() {
        return "1.0";
    }

    /** {@code *} for any characters, {@code ?} for one. */
    boolean shExpMatch(String text, String pattern) {
        if (pattern.length() > MAX_PATTERN) {
            return false;
        }
        int p = 0;
        int t = 0;
        int star = -1;
        int starText = 0;
        while (t < text.length()) {
            char c = p < pattern.length() ? pattern.charAt(p) : 0;
            if (p < pattern.length() && c == '*') {
                star = p++;
                starText = t;
            } else if (p < pattern.length() && (c == '?' || c == text.charAt(t))) {
                p++;
                t++;
            } else if (star >= 0) {
                p = star + 1;
                t = ++starText;
            } else {
                return false;
            }
        }
        while (p < pattern.length() && pattern.charAt(p) == '*') {
            p++;
        }
        return p == pattern.length();
    }

    // ---- the time; the last argument may be "GMT"

    boolean weekdayRange(List<String> arguments) {
        List<String> a = withoutGmt(arguments);
        int today = now(arguments).getDayOfWeek().getValue() % DayOfWeek.values().length;
        int from = a.isEmpty() ? -1 : DAYS.indexOf(a.getFirst().toUpperCase(Locale.ROOT));
        int to = a.size() < 2 ? from : DAYS.indexOf(a.get(1).toUpperCase(Locale.ROOT));
        return from >= 0 && to >= 0 && a.size() <= 2 && isBetween(from, to, today);
    }

    /** Hours, hours and minutes, or with seconds: one instant's unit, or two that include all from one to the other. */
    boolean timeRange(List<String> arguments) {
        List<Integer> n = new ArrayList<>();
        for (String argument : withoutGmt(arguments)) {
            Integer number = number(argument);
            if (number == null) {
                return false;
            }
            n.add(number);
        }
        LocalTime time = now(arguments).toLocalTime();
        int second = time.toSecondOfDay();
        return switch (n.size()) {
            case 1 -> time.getHour() == n.getFirst();
            case 2 -> isBetween(n.get(0) * 3600, n.get(1) * 3600 + 3599, second);
            case 4 -> isBetween(at(n.get(0), n.get(1), 0), at(n.get(2), n.get(3), 59), second);
            case 6 -> isBetween(at(n.get(0), n.get(1), n.get(2)), at(n.get(3), n.get(4), n.get(5)), second);
            default -> false;
        };
    }

    private static int at(int hour, int minute, int second) {
        return hour * 3600 + minute * 60 + second;
    }

    /** Days, months and years, alone or together, once or as a range. */
    boolean dateRange(List<String> arguments) {
        List<String> a = withoutGmt(arguments);
        LocalDate today = now(arguments).toLocalDate();
        if (a.size() == 1 || a.size() == 3) {
            return isDate(a, today);
        }
        if (a.size() != 2 && a.size() != 4 && a.size() != 6) {
            return false;
        }
        DatePart from = DatePart.of(a.subList(0, a.size() / 2));
        DatePart to = DatePart.of(a.subList(a.size() / 2, a.size()));
        if (from == null || to == null || !from.sameFields(to)) {
            return false;
        }
        int at = DatePart.key(today, from);
        return from.year > 0 ? from.key() <= at && at <= to.key() : isBetween(from.key(), to.key(), at);
    }

    private static boolean isDate(List<String> words, LocalDate today) {
        DatePart part = DatePart.of(words);
        return part != null && part.key() == DatePart.key(today, part);
    }

    /** What of a date is given; 0 for what is not. */
    private record DatePart(int day, int month, int year) {
        static @Nullable DatePart of(List<String> words) {
            int day = 0;
            int month = 0;
            int year = 0;
            for (String word : words) {
                int named = MONTHS.indexOf(word.toUpperCase(Locale.ROOT)) + 1;
                Integer n = named > 0 ? Integer.valueOf(0) : number(word);
                if (n == null) {
                    return null;
                }
                if (named > 0 && month == 0) {
                    month = named;
                } else if (named == 0 && n > 31 && year == 0) {
                    year = n;
                } else if (named == 0 && n >= 1 && n <= 31 && day == 0) {
                    day = n;
                } else {
                    return null;
                }
            }
            return new DatePart(day, month, year);
        }

        boolean sameFields(DatePart other) {
            return (day > 0) == (other.day > 0) && (month > 0) == (other.month > 0) && (year > 0) == (other.year > 0);
        }

        int key() {
            return key(day, month, year);
        }

        private static int key(int day, int month, int year) {
            return (year * 16 + month) * 32 + day;
        }

        /** Of a day, as far as {@code like} has fields. */
        static int key(LocalDate day, DatePart like) {
            return key(
                    like.day > 0 ? day.getDayOfMonth() : 0,
                    like.month > 0 ? day.getMonthValue() : 0,
                    like.year > 0 ? day.getYear() : 0);
        }
    }

    /** Both included; a range that ends before it begins goes over the end of the week, the day or the year. */
    private static boolean isBetween(int from, int to, int at) {
        return from <= to ? from <= at && at <= to : at >= from || at <= to;
    }

    private ZonedDateTime now(List<String> arguments) {
        return isGmt(arguments) ? clock.get().withZoneSameInstant(ZoneOffset.UTC) : clock.get();
    }

    private static boolean isGmt(List<String> arguments) {
        return !arguments.isEmpty() && arguments.getLast().equalsIgnoreCase("GMT");
    }

    private static List<String> withoutGmt(List<String> arguments) {
        return isGmt(arguments) ? arguments.subList(0, arguments.size() - 1) : arguments;
    }

    private static @Nullable Integer number(String text) {
        try {
            double value = Double.parseDouble(text);
            return value >= 0 && value <= 100_000 && value == Math.rint(value) ? (int) value : null;
        } catch (NumberFormatException e) {
            return null;
        }
    }

    // ---- addresses

    private List<InetAddress> addresses(String host) {
        InetAddress literal = literal(host);
        return literal == null ? net.addressesOf(host) : List.of(literal);
    }

    /** With or without brackets. */
    static @Nullable InetAddress literal(String text) {
        boolean bracketed = text.startsWith("[") && text.endsWith("]");
        String bare = bracketed ? text.substring(1, text.length() - 1) : text;
        if (!bare.matches("[0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")) {
            return null;
        }
        try {
            return InetAddress.ofLiteral(bare);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private static int number(InetAddress v4) {
        return java.nio.ByteBuffer.wrap(v4.getAddress()).getInt();
    }

    /** Without a scope. */
    static String text(InetAddress address) {
        return dev.longshore.packet.wire.IpAddress.of(address).toString();
    }

    private static String lower(String text) {
        return text.toLowerCase(Locale.ROOT);
    }
}
