package dev.longshore.vpnkit.udp;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.UdpHeader;
import dev.longshore.vpnkit.flow.FlowSnapshot;
import dev.longshore.vpnkit.flow.GuestConnector.UdpFlow;
import dev.longshore.vpnkit.flow.GuestConnector.UdpReplies;
import io.netty.buffer.ByteBuf;

/** One remote of a published UDP port, as the guest sees it. Confined to the link's event loop. */
final class InboundUdp implements UdpFlow {
    final long guestKey;
    final long remoteKey;
    final UdpReplies replies;
    final long openedAt;
    long bytesFromGuest;
    long bytesToGuest;
    private final UdpLayer layer;
    private boolean closed;

    InboundUdp(UdpLayer layer, long guestKey, long remoteKey, UdpReplies replies, long openedAt) {
        this.layer = layer;
        this.guestKey = guestKey;
        this.remoteKey = remoteKey;
        this.replies = replies;
        this.openedAt = openedAt;
    }

    @Override
    public void sendToGuest(ByteBuf payload) {
        try {
            if (!closed && payload.readableBytes() <= UdpHeader.MAX_PAYLOAD_V4) {
                layer.sendInbound(this, payload);
            }
        } finally {
            payload.release();
        }
    }

    FlowSnapshot snapshot(long now) {
        return FlowSnapshot.ofDatagrams(
                IpAddress.v4((int) (guestKey >>> 16)),
                (int) guestKey & 0xFFFF,
                IpAddress.v4((int) (remoteKey >>> 16)),
                (int) remoteKey & 0xFFFF,
                true,
                bytesFromGuest == 0 ? "asking" : "answered",
                bytesFromGuest,
                bytesToGuest,
                openedAt,
                now);
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            layer.closeInbound(this);
        }
    }
}
