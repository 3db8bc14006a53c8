package dev.longshore.control;

import dev.longshore.proto.control.v1.FlowFilter;
import dev.longshore.proto.control.v1.FlowOpener;
import java.net.InetAddress;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Which flows a caller asked for: a {@code FlowFilter}, checked. Immutable. */
final class FlowQuery {
    private static final int MAX_PORT = 65_535;

    /** Digits of an id that {@code docker ps} shows. */
    private static final int SHORT_ID = 12;

    private final Set<Flows.Protocol> protocols;
    private final @Nullable Prefix prefix;
    private final int port;
    private final Set<String> states;
    private final Flows.@Nullable Opener opener;
    private final String container;

    private FlowQuery(
            Set<Flows.Protocol> protocols,
            @Nullable Prefix prefix,
            int port,
            Set<String> states,
            Flows.@Nullable Opener opener,
            String container) {
        this.protocols = protocols;
        this.prefix = prefix;
        this.port = port;
        this.states = states;
        this.opener = opener;
        this.container = container;
    }

    /** Throws IllegalArgumentException for the user. */
    static FlowQuery of(FlowFilter filter) {
        Set<Flows.Protocol> protocols = EnumSet.noneOf(Flows.Protocol.class);
        filter.getProtocolsList()
                .forEach(p -> protocols.add(
                        switch (p) {
                            case FLOW_PROTOCOL_TCP -> Flows.Protocol.TCP;
                            case FLOW_PROTOCOL_UDP -> Flows.Protocol.UDP;
                            case FLOW_PROTOCOL_ICMP -> Flows.Protocol.ICMP;
                            case FLOW_PROTOCOL_UNSPECIFIED, UNRECOGNIZED ->
                                throw new IllegalArgumentException("a protocol of the filter is not known here");
                        }));
        if (filter.getPort() < 0 || filter.getPort() > MAX_PORT) {
            throw new IllegalArgumentException("a port is at most 65535");
        }
        Set<String> states = new HashSet<>();
        filter.getStatesList().forEach(s -> states.add(s.toUpperCase(Locale.ROOT)));
        Prefix prefix = filter.getAddress().isEmpty() ? null : Prefix.parse(filter.getAddress());
        return new FlowQuery(
                protocols, prefix, filter.getPort(), states, opener(filter.getOpener()), filter.getContainer());
    }

    private static Flows.@Nullable Opener opener(FlowOpener opener) {
        return switch (opener) {
            case FLOW_OPENER_UNSPECIFIED -> null;
            case FLOW_OPENER_GUEST -> Flows.Opener.GUEST;
            case FLOW_OPENER_HOST -> Flows.Opener.HOST;
            case UNRECOGNIZED -> throw new IllegalArgumentException("the opener of the filter is not known here");
        };
    }

    boolean matches(Flows.Flow f) {
        return (protocols.isEmpty() || protocols.contains(f.protocol()))
                && (port == 0 || f.guest().port() == port || f.remote().port() == port)
                && (states.isEmpty() || states.contains(f.state().toUpperCase(Locale.ROOT)))
                && (opener == null || opener == f.opener())
                && (container.isEmpty() || isOf(f))
                && (prefix == null
                        || prefix.has(f.guest().address())
                        || prefix.has(f.remote().address()));
    }

    /** By the container's name, by its id as far as Docker shows it or farther, or by Compose's project; short ids could be names. */
    private boolean isOf(Flows.Flow f) {
        Flows.Container c = f.owner();
        return c != null
                && (c.name().equals(container)
                        || container.equals(c.project())
                        || (container.length() >= SHORT_ID && c.id().startsWith(container)));
    }

    /** Addresses that begin alike. */
    private static final class Prefix {
        private final byte[] bytes;
        private final int bits;

        Prefix(byte[] bytes, int bits) {
            this.bytes = bytes;
            this.bits = bits;
        }

        static Prefix parse(String text) {
            int slash = text.indexOf('/');
            byte[] bytes = literal(slash < 0 ? text : text.substring(0, slash));
            String length = slash < 0 ? String.valueOf(bytes.length * 8) : text.substring(slash + 1);
            if (!length.matches("[0-9]{1,3}") || Integer.parseInt(length) > bytes.length * 8) {
                throw new IllegalArgumentException("'" + text + "' is not an address or ADDRESS/BITS");
            }
            return new Prefix(bytes, Integer.parseInt(length));
        }

        private static byte[] literal(String text) {
            try {
                return InetAddress.ofLiteral(text).getAddress();
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("'" + text + "' is no IP address (names are not looked up)", e);
            }
        }

        boolean has(String address) {
            byte[] other = InetAddress.ofLiteral(address).getAddress();
            if (other.length != bytes.length) {
                return false;
            }
            for (int bit = 0; bit < bits; bit++) {
                int mask = 0x80 >> (bit & 7);
                if ((other[bit >> 3] & mask) != (bytes[bit >> 3] & mask)) {
                    return false;
                }
            }
            return true;
        }
    }
}
