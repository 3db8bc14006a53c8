package dev.longshore.vpnkit.udp;

import java.time.Duration;

/**
 * How many flows, and for how long. Immutable.
 *
 * @param maxFlows ports of the guest with a host socket (or two); beyond it the least recently used one ends
 * @param dnsIdle for ports that asked port 53: one question, one answer
 * @param shortIdle while only one side, or one datagram each way, was heard: Linux nf_conntrack_udp_timeout doubled four
 *     times, since RFC 4787 (4.3) wants at least two minutes
 * @param streamIdle once more went both ways: RFC 4787's recommendation of five minutes
 */
public record UdpLimits(int maxFlows, Duration dnsIdle, Duration shortIdle, Duration streamIdle) {
    public static UdpLimits standard() {
        return new UdpLimits(4096, Duration.ofSeconds(10), Duration.ofSeconds(120), Duration.ofSeconds(300));
    }
}
