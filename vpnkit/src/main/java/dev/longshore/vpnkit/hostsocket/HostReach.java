package dev.longshore.vpnkit.hostsocket;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.StandardProtocolFamily;
import java.net.UnknownHostException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.UnresolvedAddressException;

/** Whether the host has a way to the Internet, by each family. Thread-safe: no state. */
public final class HostReach {
    /** 2000::1, the first of the global unicast addresses (RFC 4291 §2.4); nobody has it, and nothing is sent there. */
    private static final byte[] GLOBAL_V6 = {0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

    /** 11.0.0.1: global unicast, without a meaning of its own that a host could have a route for. Nothing is sent there. */
    private static final byte[] GLOBAL_V4 = {11, 0, 0, 1};

    private static final int ANY_PORT = 9;

    private HostReach() {}

    /** As {@link #hasIpv6}, for IPv4. */
    public static boolean hasIpv4() {
        return hasRoute(StandardProtocolFamily.INET, GLOBAL_V4);
    }

    /**
     * Asks the kernel to route to a global address, by a UDP socket that is connected and closed again: no packet leaves,
     * nothing blocks. True if there is a route and an address to send from that is not for the link only.
     */
    public static boolean hasIpv6() {
        return hasRoute(StandardProtocolFamily.INET6, GLOBAL_V6);
    }

    private static boolean hasRoute(ProtocolFamily family, byte[] global) {
        try (DatagramChannel channel = DatagramChannel.open(family)) {
            channel.connect(new InetSocketAddress(InetAddress.getByAddress(global), ANY_PORT));
            return channel.getLocalAddress() instanceof InetSocketAddress own
                    && !own.getAddress().isLinkLocalAddress()
                    && !own.getAddress().isLoopbackAddress()
                    && !own.getAddress().isAnyLocalAddress();
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e); // only for a wrong length
        } catch (IOException | UnsupportedOperationException | UnresolvedAddressException e) {
            return false; // no route, not this family, or no descriptor left
        }
    }
}
