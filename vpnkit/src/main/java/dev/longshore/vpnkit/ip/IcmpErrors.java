package dev.longshore.vpnkit.ip;

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
}
