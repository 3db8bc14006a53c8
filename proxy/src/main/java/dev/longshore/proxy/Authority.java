package dev.longshore.proxy;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.hostsocket.Destination;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * {@code host[:port]} of a URI, a CONNECT target or a Host field (RFC 3986 §3.2), without user information. Immutable.
 *
 * @param name in lower case, without a trailing dot; null for an address
 * @param address null for a name
 * @param port 1..65535, or 0 if none was given
 */
record Authority(@Nullable String name, @Nullable IpAddress address, int port) {
    private static final int MAX_NAME = 253; // RFC 1035 §2.3.4, as text

    /** 400 for anything that is not plainly a name or an address. */
    static Authority parse(String text) throws BadMessage {
        int colon = text.indexOf(':', text.startsWith("[") ? text.indexOf(']') + 1 : 0);
        String host = colon < 0 ? text : text.substring(0, colon);
        int port = colon < 0 ? 0 : parsePort(text.substring(colon + 1));
        if (host.startsWith("[")) {
            return new Authority(null, parseV6(host), port);
        }
        if (endsInNumber(host)) {
            return new Authority(null, parseV4(host), port);
        }
        return new Authority(parseName(host), null, port);
    }

    /** For a dial: the port given or {@code defaultPort}. */
    Destination destination(int defaultPort) {
        return new Destination(name, address, port == 0 ? defaultPort : port);
    }

    /** As a Host field wants it: without the port where it is the default of http. */
    String hostField() {
        IpAddress a = address;
        String host = name != null ? name : a == null || a.isV4() ? String.valueOf(a) : "[" + a + "]";
        return port == 0 || port == 80 ? host : host + ":" + port;
    }

    private static int parsePort(String text) throws BadMessage {
        int port = Chars.isDigits(text) && text.length() <= 5 ? Integer.parseInt(text) : 0;
        if (port < 1 || port > 65_535) {
            throw BadMessage.badRequest("invalid port");
        }
        return port;
    }

    private static IpAddress parseV6(String bracketed) throws BadMessage {
        try {
            if (!bracketed.endsWith("]") || bracketed.indexOf(':') < 0) {
                throw BadMessage.badRequest("invalid IPv6 address");
            }
            return IpAddress.parse(bracketed.substring(1, bracketed.length() - 1));
        } catch (IllegalArgumentException e) {
            throw BadMessage.badRequest("invalid IPv6 address");
        }
    }

    /** Resolvers read 127.1, 0x7f.1 and 2130706433 as addresses: what ends in a number must be four plain ones. */
    private static boolean endsInNumber(String host) {
        String h = stripDot(host);
        String last = h.substring(h.lastIndexOf('.') + 1);
        return Chars.isDigits(last) || last.regionMatches(true, 0, "0x", 0, 2);
    }

    private static IpAddress parseV4(String host) throws BadMessage {
        if (!stripDot(host).matches("((0|[1-9][0-9]{0,2})\\.){3}(0|[1-9][0-9]{0,2})")) {
            throw BadMessage.badRequest("invalid IPv4 address");
        }
        int bits = 0;
        for (String part : stripDot(host).split("\\.", -1)) {
            int octet = Integer.parseInt(part);
            if (octet > 255) {
                throw BadMessage.badRequest("invalid IPv4 address");
            }
            bits = bits << 8 | octet;
        }
        return IpAddress.v4(bits);
    }

    private static String parseName(String host) throws BadMessage {
        String name = stripDot(host).toLowerCase(Locale.ROOT);
        boolean valid = !name.isEmpty()
                && name.length() <= MAX_NAME
                && !name.startsWith(".")
                && !name.endsWith(".")
                && !name.contains("..")
                && name.chars().allMatch(c -> Chars.isAlphanumeric(c) || c == '.' || c == '-' || c == '_');
        if (!valid) {
            throw BadMessage.badRequest("invalid host name");
        }
        return name;
    }

    private static String stripDot(String host) {
        return host.endsWith(".") ? host.substring(0, host.length() - 1) : host;
    }
}
