package dev.longshore.portforward;

import dev.longshore.packet.wire.IpAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * Who the guest sees as caller of a published port. Immutable.
 *
 * <p>The real one, except where the guest's side of the forward has another family: docker-proxy forwards the host's
 * {@code [::]:80} to the container's IPv4 address. Then, and for Unix sockets, loopback is said, which the connector
 * replaces by the gateway.
 *
 * @param port 0 where there is none
 */
record Caller(IpAddress address, int port) {
    private static final Caller LOOPBACK_V4 = new Caller(IpAddress.v4(0x7F000001), 0);
    private static final Caller LOOPBACK_V6 = new Caller(new IpAddress(0, 1), 0);

    static Caller of(@Nullable SocketAddress remote, IpAddress guest) {
        if (remote instanceof InetSocketAddress a && a.getAddress() != null) {
            return of(IpAddress.of(a.getAddress()), a.getPort(), guest);
        }
        return loopback(guest);
    }

    static Caller of(IpAddress address, int port, IpAddress guest) {
        return address.isV4() == guest.isV4() ? new Caller(address, port) : loopback(guest);
    }

    private static Caller loopback(IpAddress guest) {
        return guest.isV4() ? LOOPBACK_V4 : LOOPBACK_V6;
    }
}
