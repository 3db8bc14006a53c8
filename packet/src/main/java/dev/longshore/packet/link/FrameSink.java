package dev.longshore.packet.link;

import io.netty.buffer.ByteBuf;

/** Takes what a {@link Link} carries from the guest. Confined to the link's event loop; no method may throw. */
public interface FrameSink {
    /** The L4 checksum field holds only the pseudo-header's sum; the sender is trusted to be a kernel that would fill it in. */
    int CHECKSUM_PARTIAL = 1;

    /** The carrier vouches for the L4 checksum. */
    int CHECKSUM_VALID = 2;

    /** The frame is one large TCP segment that a network card would have cut up (HOST_TSO4/6): it may exceed the MTU. */
    int LARGE_SEGMENT = 4;

    /**
     * One Ethernet II frame, without FCS, from the reader index to the writer index of {@code frame}: 14 to 65,550 bytes.
     * Borrowed: a sink that needs it after the call retains it or a slice of it. The bytes are the daemon's own copy,
     * which the guest cannot change any more; their content is untrusted.
     *
     * @param offload {@link #CHECKSUM_PARTIAL}, {@link #CHECKSUM_VALID} and {@link #LARGE_SEGMENT}, or 0
     */
    void onFrame(ByteBuf frame, int offload);

    /** The frames of one wake-up have all been delivered: the moment to flush host sockets and the link. */
    void onBatchEnd();

    /** There is room again after {@link Link#send} returned false. */
    void onWritable();

    /** The guest's device became ready (true; features are negotiated) or went away (false). */
    void onLinkState(boolean up);
}
