package dev.longshore.cli;

import dev.longshore.proto.control.v1.Endpoint;
import dev.longshore.proto.control.v1.Protocol;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What the user writes for a port: {@code [HOST-IP:]HOST-PORT[:[GUEST-IP:]GUEST-PORT][/tcp|/udp]}, IPv6 in brackets; or
 * {@code unix:PATH[:[GUEST-IP:]GUEST-PORT]} for a socket in the host's file system.
 * Immutable.
 *
 * @param guest port 0 if it was not given
 */
record PortSpec(Protocol protocol, Endpoint host, Endpoint guest) {
    private static final String IP = "(?:\\[([0-9a-fA-F:.]+)]|([0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+)):";
    private static final Pattern FORM =
            Pattern.compile("(?:" + IP + ")?([0-9]{1,5})(?::(?:" + IP + ")?([0-9]{1,5}))?(?:/(tcp|udp))?");
    private static final Pattern UNIX_FORM = Pattern.compile("unix:(.+?)(?::(?:" + IP + ")?([0-9]{1,5}))?");
    private static final int MAX_PORT = 65_535;

    static PortSpec parse(String text) {
        Matcher unix = UNIX_FORM.matcher(text);
        if (unix.matches()) {
            String path = Path.of(unix.group(1)).toAbsolutePath().normalize().toString();
            return new PortSpec(
                    Protocol.PROTOCOL_UNIX,
                    Endpoint.newBuilder().setAddress(path).build(),
                    endpoint(unix.group(2), unix.group(3), unix.group(4)));
        }
        Matcher m = FORM.matcher(text);
        if (!m.matches()) {
            throw CliException.wrongArguments(
                    "'" + text
                            + "' is not a port: [HOST-IP:]HOST-PORT[:[GUEST-IP:]GUEST-PORT][/tcp|/udp], IPv6 in brackets, or unix:PATH[:…]");
        }
        Protocol protocol = "udp".equals(m.group(7)) ? Protocol.PROTOCOL_UDP : Protocol.PROTOCOL_TCP;
        return new PortSpec(
                protocol, endpoint(m.group(1), m.group(2), m.group(3)), endpoint(m.group(4), m.group(5), m.group(6)));
    }

    private static Endpoint endpoint(@Nullable String v6, @Nullable String v4, @Nullable String port) {
        int number = port == null ? 0 : Integer.parseInt(port);
        if (number > MAX_PORT) {
            throw CliException.wrongArguments(number + " is not a port: they end at " + MAX_PORT);
        }
        String address = v6 != null ? v6 : v4 != null ? v4 : "";
        return Endpoint.newBuilder().setAddress(address).setPort(number).build();
    }

    static String text(Endpoint endpoint) {
        String address = endpoint.getAddress();
        if (address.startsWith("/")) {
            return address;
        }
        return (address.contains(":") ? "[" + address + "]" : address) + ":" + endpoint.getPort();
    }

    static String word(Protocol protocol) {
        return switch (protocol) {
            case PROTOCOL_TCP -> "tcp";
            case PROTOCOL_UDP -> "udp";
            case PROTOCOL_UNIX -> "unix";
            case PROTOCOL_UNSPECIFIED, UNRECOGNIZED -> "?";
        };
    }
}
