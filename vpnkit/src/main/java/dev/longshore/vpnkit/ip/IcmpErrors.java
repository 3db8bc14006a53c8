package dev.longshore.vpnkit.ip;

import io.netty.buffer.ByteBuf;

/** Tells the guest by ICMP that a packet of its could not be delivered. Rate-limited. Confined to the link's event loop. */
public interface IcmpErrors {
    /**
     * Destination unreachable for a packet that is gone already: its header is rebuilt from what identifies the flow.
     *
     * @param protocol of the packet: {@link dev.longshore.packet.wire.IpProtocol}; {@code ICMP} for both families
     * @param code {@link dev.longshore.packet.wire.IcmpHeader}{@code .CODE_NET}, {@code CODE_HOST}, {@code CODE_PORT}, …
     *     for both families; the guest gets what corresponds to it in IPv6
     * @param fifthToEighthByte of the transport header: TCP's sequence number (of the SYN), UDP's length and checksum
     */
    void unreachable(
            int protocol,
            int code,
            long guestHi,
            long guestLo,
            int guestPort,
            long remoteHi,
            long remoteLo,
            int remotePort,
            int fifthToEighthByte);

    /**
     * Passes on what a router or the remote said of a packet of the guest's: destination unreachable, too big, time
     * exceeded, in the numbers of the packet's family. The packet's IP header is rebuilt, what followed it is quoted. Does
     * nothing unless there is a way to the guest.
     *
     * @param info the MTU of what is too big, else 0
     * @param offenderHi {@code offenderLo} too: who said it; both 0, or an address the guest's network knows nothing of, for
     *     the gateway
     * @param protocol of the packet: {@code ICMP} for both families
     * @param b borrowed: the transport header, at least 8 bytes, and what is known of its payload, {@code len} bytes at
     *     {@code at}
     */
    default void pass(
            int type,
            int code,
            int info,
            long offenderHi,
            long offenderLo,
            int protocol,
            long guestHi,
            long guestLo,
            long remoteHi,
            long remoteLo,
            ByteBuf b,
            int at,
            int len) {}
}
