package dev.longshore.virtio.vsock;

import java.time.Duration;

/**
 * Bounds of a {@link VsockHost}. Immutable.
 *
 * @param streamsFromGuest streams the guest may have opened at a time; more are answered by RST
 * @param streamsToGuest streams the host may have opened at a time, apart from those, so that the guest cannot use them up
 * @param bufferBytes bytes the guest may have under way and unread on one stream: our buf_alloc
 * @param connectTimeout for the guest's answer to a REQUEST
 * @param closeTimeout for the guest's RST after we closed a stream; then it gets one. Linux waits 8 s on its side.
 */
public record VsockLimits(
        int streamsFromGuest, int streamsToGuest, int bufferBytes, Duration connectTimeout, Duration closeTimeout) {
    public static final VsockLimits DEFAULT =
            new VsockLimits(1024, 1024, 256 * 1024, Duration.ofSeconds(5), Duration.ofSeconds(10));

    public VsockLimits {
        if (streamsFromGuest < 0 || streamsToGuest < 0 || bufferBytes < 4 || bufferBytes > SendCredit.MAX_WINDOW) {
            throw new IllegalArgumentException("limits of vsock out of range");
        }
    }
}
