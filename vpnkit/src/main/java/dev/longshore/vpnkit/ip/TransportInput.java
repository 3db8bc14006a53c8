package dev.longshore.vpnkit.ip;

import dev.longshore.vpnkit.ethernet.LostHop;
import io.netty.buffer.ByteBuf;

/**
 * A transport protocol as the network layer sees it: whole, reassembled packets from the guest. Addresses are 128 bits,
 * IPv4 mapped (see {@link dev.longshore.packet.wire.IpAddress}).
 *
 * <p>Confined to the link's event loop. Nothing a guest sends may make a method throw.
 */
public interface TransportInput {
    /**
     * One transport segment or datagram: {@code len} bytes at {@code at} of {@code b}, which is borrowed (retain it, or a
     * slice, to keep it; the bytes never change). Its header is not checked yet.
     *
     * @param guestHi {@code guestLo} too: the source address, a unicast address of the guest or its containers
     * @param remoteHi {@code remoteLo} too: the destination, possibly one of our own addresses; never multicast
     * @param offload the bits of {@link dev.longshore.packet.link.FrameSink}: verify no checksum that is partial or valid;
     *     and above them {@link PacketTraits}
     */
    void onSegment(ByteBuf b, int at, int len, long guestHi, long guestLo, long remoteHi, long remoteLo, int offload);

    /**
     * The guest says by ICMP that a packet of ours, from (remote, remotePort) to (guest, guestPort), can't be delivered. Any
     * pair may be named, ours or not.
     *
     * @param code of ICMP destination unreachable: {@link dev.longshore.packet.wire.IcmpHeader}{@code .CODE_}…
     */
    void onUnreachable(
            long guestHi, long guestLo, int guestPort, long remoteHi, long remoteLo, int remotePort, int code);

    /**
     * The guest, or a router behind it, says by ICMP that a packet of ours, from (remote, remotePort) to (guest, guestPort),
     * was too big and was dropped: fragmentation needed (RFC 1191) or packet too big (RFC 8201). Any pair may be named, ours
     * or not.
     *
     * @param seq bytes 4..7 of the quoted transport header: TCP's sequence number, by which a flow knows that it sent the
     *     packet (RFC 5927 §4.1)
     * @param mtu what crosses, in bytes of IP packet, as told and not checked; 0 if the router does not say (RFC 1191 §5)
     */
    default void onPacketTooBig(
            long guestHi,
            long guestLo,
            int guestPort,
            long remoteHi,
            long remoteLo,
            int remotePort,
            int seq,
            int mtu) {}

    /** The frames of one wake-up have been delivered. The link is flushed after all transports returned from this. */
    void onBatchEnd();

    /** {@link IpOutput#end} may be tried again after it returned false. */
    void onWritable();

    /** The guest's device became ready or went away. After false nothing of the old guest is left: flows end at once. */
    void onLinkState(boolean up);

    /** Nobody on the link answers for the station behind which some of the guest's addresses are: calls to them have failed. */
    default void onNobody(LostHop hop) {}
}
