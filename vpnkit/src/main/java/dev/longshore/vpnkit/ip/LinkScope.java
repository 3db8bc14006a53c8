package dev.longshore.vpnkit.ip;

import io.netty.buffer.ByteBuf;

/**
 * What the gateway does for stations that speak to a group of the link, since they know no address of ours yet: router
 * discovery and DHCPv6. Confined to the link's event loop; nothing a guest sends may make a method throw.
 */
public interface LinkScope {
    /** A checked router solicitation from this address, which may be :: (RFC 4861 §6.2.6). */
    void onRouterSolicitation(long guestHi, long guestLo);

    /** A checked datagram to DHCPv6's servers: {@code len} bytes at {@code at}. Borrowed. */
    void onDhcp(ByteBuf b, int at, int len, long guestHi, long guestLo);

    /** See {@link TransportInput}. */
    void onWritable();

    /** See {@link TransportInput}. */
    void onLinkState(boolean up);
}
