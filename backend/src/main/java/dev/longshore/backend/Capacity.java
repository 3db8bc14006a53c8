package dev.longshore.backend;

import com.sun.management.UnixOperatingSystemMXBean;
import dev.longshore.config.Settings;
import io.netty.util.internal.PlatformDependent;
import java.lang.management.ManagementFactory;

/**
 * How many flows a guest may have open and what they may keep, within what this process may have. Whatever the guest does,
 * descriptors and memory stay for the Docker socket, the control socket and published ports.
 *
 * @param tcpFlows at most as many as the settings say
 * @param udpFlows at most as many as the settings say
 * @param idleOrigins connections that the HTTP proxy keeps for its guests' next requests
 * @param bufferedBytes what TCP keeps for slow receivers, each way
 */
record Capacity(int tcpFlows, int udpFlows, int idleOrigins, long bufferedBytes) {
    /**
     * For the Docker socket (2048 connections), the control plane, published ports (1024 streams), DNS questions under way (2048
     * sockets) and files.
     */
    private static final int KEPT_DESCRIPTORS = 6144;

    /** What a TCP flow and its host socket take of the heap, generously. */
    private static final int HEAP_PER_FLOW = 16 << 10;

    /** One read of a host socket that nobody has asked for yet. */
    private static final int DIRECT_PER_FLOW = 32 << 10;

    private static final int LEAST_FLOWS = 16;
    private static final int LEAST_IDLE_ORIGINS = 4;
    private static final int MOST_IDLE_ORIGINS = 1024;

    static Capacity ofProcess(Settings.Limits wanted) {
        long descriptors = ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean os
                ? os.getMaxFileDescriptorCount()
                : Long.MAX_VALUE;
        return of(wanted, descriptors, Runtime.getRuntime().maxMemory(), PlatformDependent.maxDirectMemory());
    }

    static Capacity of(Settings.Limits wanted, long descriptors, long heapBytes, long directBytes) {
        long free = descriptors - Math.min(KEPT_DESCRIPTORS, descriptors / 2);
        int idle = Math.clamp(free / 32, LEAST_IDLE_ORIGINS, MOST_IDLE_ORIGINS);
        free = Math.max(0, free - idle);
        // A TCP flow has one descriptor, or two while it is dialed; the proxy's own have none but those of the origin.
        // A UDP flow has two, if it has several remotes. Three quarters for the one, a quarter for the other.
        long tcp = Math.min(free / 8 * 3, Math.min(heapBytes / HEAP_PER_FLOW, directBytes / DIRECT_PER_FLOW));
        return new Capacity(
                Math.clamp(tcp, LEAST_FLOWS, wanted.tcpFlows()),
                Math.clamp(free / 8, LEAST_FLOWS, wanted.udpFlows()),
                idle,
                Math.min(256L << 20, directBytes / 8));
    }
}
