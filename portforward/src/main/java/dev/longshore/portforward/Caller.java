package dev.longshore.portforward;

import dev.longshore.packet.wire.IpAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * Who called a published port. Immutable. Of a Unix socket that is loopback; what the guest can't see, the connector replaces
 * by the gateway.
 *
 * @param port 0 where there is none
 */
record Caller(IpAddress address, int port) {
    private static final Caller LOOPBACK = new Caller(IpAddress.v4(0x7F00_0001), 0);

    static Caller of(@Nullable SocketAddress remote) {
        return remote instanceof InetSocketAddress a && a.getAddress() != null
                ? new Caller(IpAddress.of(a.getAddress()), a.getPort())
                : LOOPBACK;
    }
}
