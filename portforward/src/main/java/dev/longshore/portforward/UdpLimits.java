package dev.longshore.portforward;

import java.time.Duration;

/**
 * How much a UDP port remembers. Immutable.
 *
 * @param idle a client that neither sent nor received for this long is forgotten; docker-proxy has 90 s, and clients that
 *     saw their source port change have reported it as a bug, so longer
 * @param maxClients per port; beyond it the one idle for longest is forgotten
 */
public record UdpLimits(Duration idle, int maxClients) {
    public static final UdpLimits DEFAULT = new UdpLimits(Duration.ofMinutes(2), 4096);
}
