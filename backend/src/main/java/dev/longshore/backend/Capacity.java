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
 * @param dials connections of the guest to the host being opened at a time
 * @param udpFlows at most as many as the settings say
 * @param idleOrigins connections that the HTTP proxy keeps for its guests' next requests
 * @param bufferedBytes what TCP keeps for slow receivers, each way
 * @param fileNodes files and folders of the host that the file server keeps at hand; it opens others when they are asked for
 * @param fileHandles files and folders of the host that the guest may have open
 */
record Capacity(
        int tcpFlows, int dials, int udpFlows, int idleOrigins, long bufferedBytes, int fileNodes, int fileHandles) {
    /** Files and folders of the host that the guest's kernel may remember: heap, not descriptors. */
    static final int MOST_NODES = 4_000_000;

    /**
     * For the Docker socket (2048 connections), the control plane, published ports (1024 streams) and DNS questions under way (2048
     * sockets).
     */
    private static final int KEPT_DESCRIPTORS = 6144;

    /** What a TCP flow and its host socket take of the heap, generously. */
    private static final int HEAP_PER_FLOW = 16 << 10;

    /** What has come and can't go on yet: host sockets are read only when there is room, so it is little on average. */
    private static final int DIRECT_PER_FLOW = 16 << 10;

    /** The file server's part of the descriptors, two thirds of it for what the guest has open. */
    private static final int FILES_SHARE = 6;

    private static final int LEAST_FILES = 64;
    private static final int MOST_FILE_NODES = 10_000;
    private static final int MOST_FILE_HANDLES = 100_000;

    /** UDP's part of the descriptors. */
    private static final int UDP_SHARE = 6;

    private static final int LEAST_FLOWS = 16;
    private static final int MOST_DIALS = 2048;
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
        long files = free / FILES_SHARE;
        int fileNodes = Math.clamp(files / 3, LEAST_FILES, MOST_FILE_NODES);
        int fileHandles = Math.clamp(files - fileNodes, LEAST_FILES, MOST_FILE_HANDLES);
        free = Math.max(0, free - idle - fileNodes - fileHandles);
        // A UDP flow has two descriptors if it has several remotes. A TCP flow has one, and another while it is dialed,
        // which are
        // few at a time; the proxy's own have none but those of the origin.
        long udp = free / UDP_SHARE / 2;
        int dials = Math.clamp(free / 16, LEAST_FLOWS, MOST_DIALS);
        long tcp = free - 2 * udp - dials;
        tcp = Math.min(tcp, Math.min(heapBytes / HEAP_PER_FLOW, directBytes / DIRECT_PER_FLOW));
        return new Capacity(
                Math.clamp(tcp, LEAST_FLOWS, wanted.tcpFlows()),
                dials,
                Math.clamp(udp, LEAST_FLOWS, wanted.udpFlows()),
                idle,
                Math.min(256L << 20, directBytes / 8),
                fileNodes,
                fileHandles);
    }
}
