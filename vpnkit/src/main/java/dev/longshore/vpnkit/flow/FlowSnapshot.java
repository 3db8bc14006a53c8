package dev.longshore.vpnkit.flow;

import dev.longshore.packet.wire.IpAddress;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * One flow as it was at one moment. Immutable.
 *
 * @param protocol of {@link dev.longshore.packet.wire.IpProtocol}
 * @param remotePort 0 for pings, whose identifier is {@code guestPort}
 * @param hostAddress what the host socket is bound to; null for services inside the daemon, and before it is connected
 * @param intoGuest who dialled: true if the host did, by a published port; false if the guest did
 * @param state the transport's word for it: RFC 9293's for TCP, "asking" or "answered" for datagrams
 * @param bytesFromGuest payload in order
 * @param bytesToGuest payload acknowledged
 * @param retransmissions segments that went to the guest more than once
 * @param smoothedRttNanos SRTT of RFC 6298 between us and the guest, or -1 before the first measurement
 * @param mss largest payload of one segment to the guest on the wire, in bytes, less the options of each segment
 * @param guestWindow what the guest allows us to have in flight, in bytes
 * @param ourWindow what the guest was told that it may send, in bytes
 * @param queuedToGuest bytes that wait for the guest or for its acknowledgment
 * @param openedAt the link's clock (nanoseconds of no origin) at its first packet: with the addresses, a flow's identity
 * @param ageNanos since then
 * @param owner the container that had the guest's address at the first packet; null for the guest itself, and where nobody knows
 */
public record FlowSnapshot(
        int protocol,
        IpAddress guest,
        int guestPort,
        IpAddress remote,
        int remotePort,
        @Nullable InetSocketAddress hostAddress,
        boolean intoGuest,
        String state,
        long bytesFromGuest,
        long bytesToGuest,
        int retransmissions,
        long smoothedRttNanos,
        int mss,
        int guestWindow,
        int ourWindow,
        int queuedToGuest,
        long openedAt,
        long ageNanos,
        @Nullable ContainerIdentity owner) {
    /**
     * A flow of datagrams, which have no windows and are not sent again.
     *
     * @param remote whom the first datagram went to or came from; ports are 0 for pings
     * @param openedAt see the record
     * @param now on the same clock
     * @param owner see the record
     */
    public static FlowSnapshot ofDatagrams(
            int protocol,
            IpAddress guest,
            int guestPort,
            IpAddress remote,
            int remotePort,
            @Nullable InetSocketAddress hostAddress,
            boolean intoGuest,
            String state,
            long bytesFromGuest,
            long bytesToGuest,
            long openedAt,
            long now,
            @Nullable ContainerIdentity owner) {
        return new FlowSnapshot(
                protocol,
                guest,
                guestPort,
                remote,
                remotePort,
                hostAddress,
                intoGuest,
                state,
                bytesFromGuest,
                bytesToGuest,
                0,
                -1,
                0,
                0,
                0,
                0,
                openedAt,
                now - openedAt,
                owner);
    }
}
