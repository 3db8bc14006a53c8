package dev.longshore.vpnkit.flow;

import dev.longshore.packet.wire.IpAddress;

/**
 * One flow as it was at one moment. Immutable.
 *
 * @param intoGuest true if the host opened it
 * @param state the transport's word for it: RFC 9293's for TCP
 * @param bytesFromGuest payload in order
 * @param bytesToGuest payload acknowledged
 * @param ageNanos since its first packet
 */
public record FlowSnapshot(
        IpAddress guest,
        int guestPort,
        IpAddress remote,
        int remotePort,
        boolean intoGuest,
        String state,
        long bytesFromGuest,
        long bytesToGuest,
        int retransmissions,
        long ageNanos) {}
