package dev.longshore.vpnkit.tcp;

import io.netty.util.internal.PlatformDependent;

/**
 * What one guest may use. Immutable.
 *
 * @param flows at once, in any state
 * @param dials host connections being opened at once
 * @param bufferedBytes in all flows together and each way; a flow gets its share of it, within 64 KiB..1 MiB
 */
public record TcpLimits(int flows, int dials, long bufferedBytes) {
    /**
     * Within the file descriptors a service may open (524,288 on systemd's defaults), and, for both directions, two fifths of
     * the direct memory this process may use: the rest is for reads on top of that, frames, vsock streams and the allocator's
     * rounding.
     */
    public static TcpLimits defaults() {
        long buffered = Math.clamp(PlatformDependent.maxDirectMemory() / 5, 16L << 20, 256L << 20);
        return new TcpLimits(32_768, 2048, buffered);
    }
}
