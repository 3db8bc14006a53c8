package dev.longshore.vpnkit.udp;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.UdpHeader;
import dev.longshore.vpnkit.flow.FlowOwner;
import dev.longshore.vpnkit.flow.FlowSnapshot;
import dev.longshore.vpnkit.flow.GuestConnector.UdpFlow;
import dev.longshore.vpnkit.flow.GuestConnector.UdpReplies;
import io.netty.buffer.ByteBuf;

/** One remote of a published UDP port, as the guest sees it. Confined to the link's event loop. */
final class InboundUdp implements UdpFlow {
    final IpAddress guest;
    final int guestPort;
    final IpAddress remote;
    final int remotePort;
    final UdpReplies replies;
    private final InboundFlows flows;
    private final long openedAt;
    private final FlowOwner owner;
    private long bytesFromGuest;
    private long bytesToGuest;
    private boolean closed;

    InboundUdp(
            InboundFlows flows,
            IpAddress guest,
            int guestPort,
            IpAddress remote,
            int remotePort,
            UdpReplies replies,
            long openedAt,
            FlowOwner owner) {
        this.flows = flows;
        this.guest = guest;
        this.guestPort = guestPort;
        this.remote = remote;
        this.remotePort = remotePort;
        this.replies = replies;
        this.openedAt = openedAt;
        this.owner = owner;
    }

    void onReply(ByteBuf b, int at, int len) {
        bytesFromGuest += len;
        owner.countFromGuest(len);
        replies.onReply(b, at, len);
    }

    @Override
    public void sendToGuest(ByteBuf b, int at, int len) {
        if (closed) {
            return; // its owner has said so
        }
        if (len > UdpHeader.MAX_PAYLOAD_V4) {
            flows.onTooLarge();
            return;
        }
        bytesToGuest += len;
        owner.countToGuest(len);
        flows.send(this, b, at, len);
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            flows.forget(this);
            owner.end();
        }
    }

    FlowSnapshot snapshot(long now) {
        return FlowSnapshot.ofDatagrams(
                IpProtocol.UDP,
                guest,
                guestPort,
                remote,
                remotePort,
                null,
                true,
                bytesFromGuest == 0 ? "asking" : "answered",
                bytesFromGuest,
                bytesToGuest,
                openedAt,
                now,
                owner.identity());
    }
}
