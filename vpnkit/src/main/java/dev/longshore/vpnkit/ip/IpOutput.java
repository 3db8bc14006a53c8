package dev.longshore.vpnkit.ip;

import dev.longshore.packet.link.OutFrame;

/**
 * The way of an IP packet to the guest. Addresses are 128 bits, IPv4 mapped (see
 * {@link dev.longshore.packet.wire.IpAddress}).
 *
 * <p>Confined to the link's event loop; one packet at a time: {@code begin}, fill, {@code end}.
 */
public interface IpOutput {
    /**
     * Starts a packet: the returned frame is cleared and holds the Ethernet header (to the guest's MAC) and the IP
     * header; the transport appends its own header to {@link OutFrame#head} and its payload as pieces.
     * {@code head().writerIndex()} is where the transport header starts.
     */
    OutFrame begin(long sourceHi, long sourceLo, long destinationHi, long destinationLo, int protocol);

    /** Sets the TTL or hop limit of a packet that was begun, which is 64 otherwise: 1..255. */
    default void setHops(OutFrame frame, int hops) {}

    /**
     * Completes lengths and the IP header's checksum and sends. The transport checksum is the caller's: complete, or
     * partial with {@link OutFrame#needsChecksum} where {@link #checksumOffload()}.
     *
     * @return false if the link has no room: nothing was sent, {@code onWritable} follows. A packet above the MTU that is
     *     not marked GSO is sent as fragments, which is for datagrams only, with a complete checksum.
     */
    boolean end(OutFrame frame);

    /** One notification for all packets since the last flush. */
    void flush();

    /** False after {@link #end} returned false, until the link has room again. */
    boolean isWritable();

    /** Largest IP packet that crosses without fragments or GSO, in bytes. */
    int mtu();

    /** Largest TCP payload of a GSO segment over this family, in bytes; 0 if the guest doesn't take any. */
    int maxGsoPayload(boolean v4);

    boolean checksumOffload();

    /** Packets to this address of the guest are not answered: is its station still there? If not, {@link TransportInput#onNobody}. */
    default void doubt(long guestHi, long guestLo) {}
}
