package dev.longshore.proxy;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.message.BadMessage;
import dev.longshore.proxy.message.Chars;
import dev.longshore.vpnkit.hostsocket.Destination;
import org.jspecify.annotations.Nullable;

/**
 * {@code host[:port]} of a URI, a CONNECT target or a Host field (RFC 3986 §3.2), without user information. Immutable.
 *
 * @param name in lower case, without a trailing dot; null for an address
 * @param address null for a name
 * @param port 1..65535, or 0 if none was given
 */
record Authority(@Nullable String name, @Nullable IpAddress address, int port) {
    /** 400 for anything that is not plainly a name or an address. */
    static Authority parse(String text) throws BadMessage {
        int colon = text.indexOf(':', text.startsWith("[") ? text.indexOf(']') + 1 : 0);
        String host = colon < 0 ? text : text.substring(0, colon);
        int port = colon < 0 ? 0 : parsePort(text.substring(colon + 1));
        if (host.startsWith("[")) {
            return new Authority(null, parseV6(host), port);
        }
        if (HostNames.endsInNumber(host)) { // must be four plain ones
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

    private static IpAddress parseV4(String host) throws BadMessage {
        if (!HostNames.stripDot(host).matches("((0|[1-9][0-9]{0,2})\\.){3}(0|[1-9][0-9]{0,2})")) {
            throw BadMessage.badRequest("invalid IPv4 address");
        }
        int bits = 0;
        for (String part : HostNames.stripDot(host).split("\\.", -1)) {
            int octet = Integer.parseInt(part);
            if (octet > 255) {
                throw BadMessage.badRequest("invalid IPv4 address");
            }
            bits = bits << 8 | octet;
        }
        return IpAddress.v4(bits);
    }

    private static String parseName(String host) throws BadMessage {
        String name = HostNames.plain(host);
        if (name == null) {
            throw BadMessage.badRequest("invalid host name");
        }
        return name;
    }
}
