package dev.longshore.vpnkit.ip;

import io.netty.buffer.ByteBuf;

/** Takes ICMPv6 that is not about the link itself. Confined to the link's event loop; nothing a guest sends may make it throw. */
public interface Icmpv6Input {
    /**
     * One message with a right checksum: {@code len} bytes at {@code at} of {@code b}, which is borrowed.
     *
     * @param remoteHi {@code remoteLo} too: the destination, or our own address if it was a group of the link
     * @param traits as in {@link TransportInput#onSegment}
     */
    void onMessage(ByteBuf b, int at, int len, long guestHi, long guestLo, long remoteHi, long remoteLo, int traits);
}
