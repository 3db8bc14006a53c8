package dev.longshore.virtio.vsock;

/**
 * Who may leave how much unread: each stream's buf_alloc, for its whole life, since the protocol knows no way to take credit
 * back. Confined to the device's event loop.
 *
 * <p>A stream gets its least share and a sixteenth of what is left beyond the least shares of all that may still come. So a few
 * streams get as much as one may have, a flood gets little each, and the next one always gets something.
 *
 * <p>Invariant: {@code granted + leastBufferBytes * (streams that may still be opened) <= unreadBytes}.
 */
final class UnreadShares {
    private static final int PART = 16;

    private final VsockLimits limits;
    private final int most;
    private int streams;
    private int granted;

    UnreadShares(VsockLimits limits) {
        this.limits = limits;
        most = limits.streamsFromGuest() + limits.streamsToGuest();
    }

    /** The share of a new stream, which {@link #giveBack} ends; there are fewer than the limits allow. */
    int grant() {
        assert streams < most;
        int least = limits.leastBufferBytes();
        int spare = limits.unreadBytes() - granted - least * (most - streams);
        int share = Math.min(limits.bufferBytes(), least + spare / PART);
        streams++;
        granted += share;
        assert checkInvariants();
        return share;
    }

    void giveBack(int share) {
        streams--;
        granted -= share;
        assert checkInvariants();
    }

    int granted() {
        return granted;
    }

    private boolean checkInvariants() {
        return streams >= 0
                && granted >= 0
                && granted + (long) limits.leastBufferBytes() * (most - streams) <= limits.unreadBytes();
    }
}
