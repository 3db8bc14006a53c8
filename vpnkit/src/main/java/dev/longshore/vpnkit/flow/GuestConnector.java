package dev.longshore.vpnkit.flow;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.hostsocket.DialResult;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;

/**
 * Opens flows into the guest, for published ports. Confined to the link's event loop, except {@link #loop()}.
 *
 * <p>The guest itself, called by either of its two addresses, is called at that of the caller's family if it has been heard
 * there, and then, if nobody listens, at the other one. A container's address is taken literally.
 */
public interface GuestConnector {
    /** The link's event loop; host sockets that are joined to the guest's flows are registered here. */
    EventLoop loop();

    /**
     * Joins an accepted host connection to a new TCP flow into the guest: SYN to {@code guest}, and when it answers, bytes
     * both ways with half-close, RST and back-pressure. On refusal the host connection is reset, on silence closed.
     *
     * @param host registered on {@link #loop()}, auto-read off; owned by the flow from now on
     * @param guest the container's own address, or the guest's
     * @param source who calls, as the guest shall see it. If (source, sourcePort) is in use, or is an address of ours, of
     *     loopback, of the guest's networks or of another family, or one to which the guest has no route, the gateway's
     *     address and a free port are used instead.
     */
    void forwardTcp(DuplexChannel host, IpAddress guest, int guestPort, IpAddress source, int sourcePort);

    /**
     * Opens a TCP flow into the guest as a channel (a FlowChannel on {@link #loop()}, auto-read off), from the gateway's
     * address: for probes and in-process clients.
     */
    Future<DialResult> connectTcp(IpAddress guest, int guestPort);

    /** Remembers a pair of UDP addresses; what the guest sends back on the same pair goes to {@code replies}. */
    UdpFlow openUdp(IpAddress guest, int guestPort, IpAddress source, int sourcePort, UdpReplies replies);

    /** One (remote, published port) pair into the guest. Confined to the link's event loop. */
    interface UdpFlow {
        /** {@code len} bytes at {@code at} of {@code b}, borrowed: 0..65,507. Dropped, and counted, where the guest has no room. */
        void sendToGuest(ByteBuf b, int at, int len);

        /** Forgets the pair. Idempotent. */
        void close();
    }

    /** What the guest answers on a {@link UdpFlow}. Called on the link's event loop. */
    interface UdpReplies {
        /** {@code len} bytes at {@code at} of {@code b}, borrowed. */
        void onReply(ByteBuf b, int at, int len);

        /** The guest answered with ICMP port unreachable. */
        void onUnreachable();
    }
}
