package dev.longshore.virtio.vsock;

import java.time.Duration;

/**
 * Bounds of a {@link VsockHost}. Immutable.
 *
 * @param streamsFromGuest streams the guest may have opened at a time; more are answered by RST
 * @param streamsToGuest streams the host may have opened at a time, apart from those, so that the guest cannot use them up
 * @param bufferBytes bytes the guest may have under way and unread on one stream: our buf_alloc, while few streams are open
 * @param unreadBytes the same on all streams together, however many there are: new ones get less when it comes to its end
 * @param connectTimeout for the guest's answer to a REQUEST
 * @param closeTimeout for the guest's RST after we closed a stream; then it gets one. Linux waits 8 s on its side.
 */
public record VsockLimits(
        int streamsFromGuest,
        int streamsToGuest,
        int bufferBytes,
        int unreadBytes,
        Duration connectTimeout,
        Duration closeTimeout) {
    /** 32 MiB unread, and as much again at most for buffers that are not full: a third of the daemon's direct memory. */
    public static final VsockLimits DEFAULT =
            new VsockLimits(1024, 2304, 256 << 10, 32 << 20, Duration.ofSeconds(5), Duration.ofSeconds(10));

    /** A stream that may send less at a time is of no use. */
    private static final int LEAST_BUFFER_BYTES = 4;

    public VsockLimits {
        if (streamsFromGuest < 0 || streamsToGuest < 0 || bufferBytes < 4 || bufferBytes > SendCredit.MAX_WINDOW) {
            throw new IllegalArgumentException("limits of vsock out of range");
        }
        if (unreadBytes / LEAST_BUFFER_BYTES / 2 < Math.max(1, streamsFromGuest + streamsToGuest)) {
            throw new IllegalArgumentException("too few unread bytes for so many vsock streams");
        }
    }

    /** What every stream gets, even if all that may be open are. */
    int leastBufferBytes() {
        return Math.min(bufferBytes, unreadBytes / 2 / Math.max(1, streamsFromGuest + streamsToGuest));
    }
}
