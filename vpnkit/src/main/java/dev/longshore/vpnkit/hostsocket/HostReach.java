package dev.longshore.vpnkit.hostsocket;

import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.nio.channels.DatagramChannel;
import java.nio.channels.UnresolvedAddressException;

/** Whether the host has a way to the IPv6 Internet. Thread-safe: no state. */
public final class HostIpv6 {
    /** 2000::1, the first of the global unicast addresses (RFC 4291 §2.4); nobody has it, and nothing is sent there. */
    private static final byte[] GLOBAL = {0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

    private static final int ANY_PORT = 9;

    private HostIpv6() {}

    /**
     * Asks the kernel to route to a global address, by a UDP socket that is connected and closed again: no packet leaves,
     * nothing blocks. True if there is a route and an address to send from that is not for the link only.
     */
    public static boolean hasRoute() {
        try (DatagramChannel channel = DatagramChannel.open(StandardProtocolFamily.INET6)) {
            channel.connect(new InetSocketAddress(InetAddress.getByAddress(GLOBAL), ANY_PORT));
            return channel.getLocalAddress() instanceof InetSocketAddress own
                    && own.getAddress() instanceof Inet6Address a
                    && !a.isLinkLocalAddress()
                    && !a.isLoopbackAddress()
                    && !a.isAnyLocalAddress();
        } catch (IOException | UnsupportedOperationException | UnresolvedAddressException e) {
            return false; // no route, no IPv6, or no descriptor left
        }
    }
}
