package dev.longshore.packet.link;

/**
 * Carries Ethernet frames between one guest and the daemon.
 *
 * <p>Confined to the link's event loop: every method is called on it, and so is the {@link FrameSink}.
 */
public interface Link {
    /** Starts delivering frames from the guest to {@code fromGuest}. Called once. */
    void open(FrameSink fromGuest);

    /**
     * Sends one frame to the guest; it is copied or written out before this returns, so the caller keeps everything in
     * {@code frame} (borrows). The guest may be notified only at {@link #flush}.
     *
     * @return false if the guest has no room now: nothing was sent, and {@link FrameSink#onWritable} follows once there
     *     is room. A frame that can never be sent (see {@link #maxFrameBytes}) is counted, dropped and reported as sent.
     */
    boolean send(OutFrame frame);

    /** Makes the frames sent so far visible to the guest, with at most one notification for all of them. */
    void flush();

    /** False between a {@link #send} that had no room and {@link FrameSink#onWritable}, and while the link is down. */
    boolean isWritable();

    /** Largest frame the guest accepts in one piece, in bytes with the Ethernet header: 14 + MTU, or up to 65,550 with TSO. */
    int maxFrameBytes();

    /** True if the guest segments TCP/IPv4 itself: {@link OutFrame#gsoTcp4} may be used. Virtio's GUEST_TSO4. */
    boolean tso4ToGuest();

    /** True if the guest segments TCP/IPv6 itself: {@link OutFrame#gsoTcp6} may be used. Virtio's GUEST_TSO6. */
    boolean tso6ToGuest();

    /** True if the guest completes partial checksums: {@link OutFrame#needsChecksum} may be used. Virtio's GUEST_CSUM. */
    boolean checksumOffloadToGuest();

    /** Stops delivering, releases what the link holds. Idempotent. */
    void close();
}
