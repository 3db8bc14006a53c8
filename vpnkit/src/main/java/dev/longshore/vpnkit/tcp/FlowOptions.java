package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.packet.wire.TcpOptions;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * What both ends of one flow speak beyond RFC 9293, agreed on by their SYNs: window scaling and timestamps (RFC 7323), SACK
 * (RFC 2018).
 *
 * <p>Confined to the link's event loop.
 */
final class FlowOptions {
    private boolean scaled;
    private boolean sack; // or it is not known yet
    private @Nullable Timestamps stamps; // or it is not known yet

    /** For our SYN, before the guest's: we speak everything. */
    void offer(Timestamps ours) {
        scaled = true;
        sack = true;
        stamps = ours;
    }

    /** The guest's SYN at {@code at}. {@code ours}: timestamps, should both ends speak them. */
    void onSyn(ByteBuf b, int at, Timestamps ours, long now) {
        scaled = TcpOptions.windowScale(b, at) >= 0;
        sack = TcpOptions.sackPermitted(b, at);
        int stampsAt = TcpOptions.timestampsIndex(b, at);
        if (stampsAt >= 0) {
            ours.onSyn(b.getInt(stampsAt), TcpHeader.seq(b, at) + 1, now);
            stamps = ours;
        } else {
            stamps = null;
        }
    }

    boolean isScaled() {
        return scaled;
    }

    boolean isSack() {
        return sack;
    }

    boolean isStamped() {
        return stamps != null;
    }

    /** Bytes of the options in every segment with text. */
    int bytes() {
        return stamps == null ? 0 : TcpOptions.TIMESTAMPS_BYTES;
    }

    /** Index of the first SACK block, or -1. Nearly all segments have timestamps and nothing else, or no option at all. */
    int sackIndex(ByteBuf b, int at) {
        boolean more = sack && TcpHeader.headerBytes(b, at) > TcpHeader.MIN_BYTES + bytes();
        return more ? TcpOptions.sackIndex(b, at) : -1;
    }

    /** PAWS: the segment is from the past. Not for RST. */
    boolean isOld(ByteBuf b, int at, long now) {
        Timestamps s = stamps;
        int i = s == null ? -1 : TcpOptions.timestampsIndex(b, at);
        return s != null && i >= 0 && s.isOld(b.getInt(i), now);
    }

    /** A segment that is acceptable. */
    void onSegment(ByteBuf b, int at, long now) {
        Timestamps s = stamps;
        int i = s == null ? -1 : TcpOptions.timestampsIndex(b, at);
        if (s != null && i >= 0) {
            s.onSegment(b.getInt(i), TcpHeader.seq(b, at), now);
        }
    }

    /** An acknowledgment of something new: tells {@code sender} which segment it answers. */
    void onNewAck(ByteBuf b, int at, long now, Sender sender) {
        Timestamps s = stamps;
        int i = s == null ? -1 : TcpOptions.timestampsIndex(b, at);
        if (s != null && i >= 0) {
            int echo = b.getInt(i + 4);
            sender.onEcho(echo, s.roundTrip(echo, now));
        }
    }

    /** A segment with this acknowledgment goes out. */
    void onAckSent(int rcvNxt) {
        Timestamps s = stamps;
        if (s != null) {
            s.onAckSent(rcvNxt);
        }
    }

    /** True if a SYN with these options is from after this connection, as timestamps show: RFC 6191. */
    boolean isBefore(ByteBuf b, int at) {
        Timestamps s = stamps;
        int i = s == null ? -1 : TcpOptions.timestampsIndex(b, at);
        return s != null && i >= 0 && s.isNewer(b.getInt(i));
    }

    /** TSval of a segment that goes out now; 0 without timestamps. */
    int stamp(long now) {
        Timestamps s = stamps;
        return s == null ? 0 : s.value(now);
    }

    /** Appends timestamps, if both ends speak them or we are asking. */
    void writeTimestamps(ByteBuf h, long now) {
        Timestamps s = stamps;
        if (s != null) {
            TcpOptions.writeTimestamps(h, s.value(now), s.recent());
        }
    }

    /** Appends SACK blocks, if both ends speak them and there is something to tell. */
    void writeSack(ByteBuf h, Receiver receiver) {
        if (sack) {
            receiver.writeSack(h, stamps == null ? TcpOptions.MAX_SACK_BLOCKS : TcpOptions.MAX_SACK_BLOCKS - 1);
        }
    }
}
