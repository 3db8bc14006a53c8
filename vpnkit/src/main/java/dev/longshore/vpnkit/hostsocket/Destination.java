package dev.longshore.vpnkit.hostsocket;

import dev.longshore.packet.wire.IpAddress;
import org.jspecify.annotations.Nullable;

/**
 * Where a guest wants to go, as far as it said. Immutable.
 *
 * @param name the host name, if the guest gave one (through the proxy), without a trailing dot
 * @param address the address the guest gave, or null if it gave only a name
 * @param port 1..65535
 * @param hops how far the first packet may go (TTL or hop limit), or 0 for as far as the host's packets go
 * @param source who wants to: the guest's or a container's address, or null if that is not known
 */
public record Destination(
        @Nullable String name,
        @Nullable IpAddress address,
        int port,
        int hops,
        @Nullable IpAddress source) {
    public Destination {
        if (name == null && address == null) {
            throw new IllegalArgumentException("neither name nor address");
        }
    }

    public Destination(@Nullable String name, @Nullable IpAddress address, int port) {
        this(name, address, port, 0, null);
    }

    public static Destination of(IpAddress address, int port) {
        return new Destination(null, address, port);
    }

    public static Destination named(String name, int port) {
        return new Destination(name, null, port);
    }

    /** For who wants to know the way there. */
    public Destination withHops(int newHops) {
        return new Destination(name, address, port, newHops, source);
    }

    /** For who is known. */
    public Destination from(IpAddress newSource) {
        return new Destination(name, address, port, hops, newSource);
    }

    /** For logs: name or address, and port. */
    @Override
    public String toString() {
        IpAddress a = address;
        String host = name != null ? name : a == null || a.isV4() ? String.valueOf(a) : "[" + a + "]";
        return host + ":" + port;
    }
}
