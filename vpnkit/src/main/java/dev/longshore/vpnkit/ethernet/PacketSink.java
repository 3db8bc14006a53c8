package dev.longshore.vpnkit.ethernet;

import io.netty.buffer.ByteBuf;

/** Takes the IP packets out of the guest's frames. Confined to the link's event loop; no method may throw. */
public interface PacketSink {
    /**
     * What should be an IPv4 packet: {@code len} bytes at {@code at}, unchecked, possibly with padding. Borrowed.
     *
     * @param offload the bits of {@link dev.longshore.packet.link.FrameSink}
     */
    void onIpv4(ByteBuf b, int at, int len, int offload);

    /** Like {@link #onIpv4}, for IPv6. */
    void onIpv6(ByteBuf b, int at, int len, int offload);

    /** See {@link dev.longshore.packet.link.FrameSink}. The link is flushed afterwards. */
    void onBatchEnd();

    /** See {@link dev.longshore.packet.link.FrameSink}. */
    void onWritable();

    /** See {@link dev.longshore.packet.link.FrameSink}. */
    void onLinkState(boolean up);

    /** Packets for the guest that had to go through this station are lost, and more would be. */
    void onNobody(LostHop hop);
}
