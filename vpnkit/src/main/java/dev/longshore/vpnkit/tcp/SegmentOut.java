package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.Checksum;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.packet.wire.TcpOptions;
import dev.longshore.vpnkit.ip.IpOutput;
import io.netty.buffer.ByteBuf;

/**
 * Writes TCP segments to the guest: headers, options, payload by reference, checksum (partial where the guest completes
 * it), and one large segment for many where the guest takes those.
 *
 * <p>Confined to the link's event loop. False and -1 mean that the link has no room: nothing was sent.
 */
final class SegmentOut {
    private final IpOutput out;

    SegmentOut(IpOutput out) {
        this.out = out;
    }

    /** Largest payload of one segment that crosses whole, for our MSS option: RFC 9293 §3.7.1, MMS_R - 20. */
    int ownMss(boolean v4) {
        return out.mtu() - (v4 ? 40 : 60);
    }

    /** Largest payload of a segment to send at once, not below {@code mss}. */
    int maxPayload(boolean v4, int mss) {
        return Math.max(mss, out.maxGsoPayload(v4));
    }

    /** A SYN or SYN-ACK with our options. {@code windowScale}: -1 for none. */
    boolean syn(TcpFlow f, int seq, int ack, int flags, int window, int windowScale) {
        OutFrame frame = begin(f);
        ByteBuf h = frame.head();
        int at = h.writerIndex();
        TcpHeader.write(h, f.remotePort, f.guestPort, seq, ack, flags, window);
        TcpOptions.writeMss(h, ownMss(f.isV4()));
        if (f.options().isSack()) {
            TcpOptions.writeSackPermitted(h);
        }
        f.options().writeTimestamps(h, f.now());
        if (windowScale >= 0) {
            TcpOptions.writeWindowScale(h, windowScale);
        }
        TcpHeader.finishHeader(h, at);
        return end(frame, at, f.remoteHi, f.remoteLo, f.guestHi, f.guestLo);
    }

    /** A segment without text; an acknowledgment tells by SACK what has come ahead of its turn. */
    boolean control(TcpFlow f, int seq, int ack, int flags, int window) {
        OutFrame frame = begin(f);
        ByteBuf h = frame.head();
        int at = h.writerIndex();
        TcpHeader.write(h, f.remotePort, f.guestPort, seq, ack, flags, window);
        f.options().writeTimestamps(h, f.now());
        if (flags == TcpHeader.ACK) {
            f.options().writeSack(h, f.receiver());
        }
        TcpHeader.finishHeader(h, at);
        return end(frame, at, f.remoteHi, f.remoteLo, f.guestHi, f.guestLo);
    }

    /**
     * Text of {@code queue}, from position {@code from}: {@code length} bytes, or less where they lie in too many pieces.
     *
     * @param lastFlags flags besides ACK if all {@code length} bytes are in it: PSH, FIN
     * @return how many bytes were sent, or -1
     */
    int text(TcpFlow f, int seq, int ack, int window, SendQueue queue, int from, int length, int lastFlags, int mss) {
        OutFrame frame = begin(f);
        ByteBuf h = frame.head();
        int at = h.writerIndex();
        int sent = length == 0 ? 0 : queue.addTo(frame, from, length);
        int flags = sent == length ? TcpHeader.ACK | lastFlags : TcpHeader.ACK;
        TcpHeader.write(h, f.remotePort, f.guestPort, seq, ack, flags, window);
        f.options().writeTimestamps(h, f.now());
        TcpHeader.finishHeader(h, at);
        if (sent > mss) {
            if (f.isV4()) {
                frame.gsoTcp4(mss, h.writerIndex());
            } else {
                frame.gsoTcp6(mss, h.writerIndex());
            }
        }
        return end(frame, at, f.remoteHi, f.remoteLo, f.guestHi, f.guestLo) ? sent : -1;
    }

    /** A reset of something that is no flow. */
    boolean reset(
            long guestHi,
            long guestLo,
            int guestPort,
            long remoteHi,
            long remoteLo,
            int remotePort,
            int seq,
            int ack,
            int flags) {
        OutFrame frame = out.begin(remoteHi, remoteLo, guestHi, guestLo, TcpHeader.PROTOCOL);
        int at = frame.head().writerIndex();
        TcpHeader.write(frame.head(), remotePort, guestPort, seq, ack, flags | TcpHeader.RST, 0);
        return end(frame, at, remoteHi, remoteLo, guestHi, guestLo);
    }

    private OutFrame begin(TcpFlow f) {
        return out.begin(f.remoteHi, f.remoteLo, f.guestHi, f.guestLo, TcpHeader.PROTOCOL);
    }

    private boolean end(OutFrame frame, int at, long fromHi, long fromLo, long toHi, long toLo) {
        ByteBuf h = frame.head();
        int headerBytes = h.writerIndex() - at;
        int length = headerBytes + frame.payloadBytes();
        long sum = Checksum.pseudoHeader(fromHi, fromLo, toHi, toLo, TcpHeader.PROTOCOL, length);
        if (out.checksumOffload()) {
            TcpHeader.setChecksum(h, at, Checksum.fold(sum));
            frame.needsChecksum(at, TcpHeader.CHECKSUM_OFFSET);
        } else {
            TcpHeader.setChecksum(h, at, Checksum.finish(sum + sum(frame, at, headerBytes)));
        }
        return out.end(frame);
    }

    private static long sum(OutFrame frame, int at, int headerBytes) {
        long sum = Checksum.sum(frame.head(), at, headerBytes);
        int before = headerBytes;
        for (int i = 0; i < frame.pieces(); i++) {
            sum = Checksum.append(sum, before, Checksum.sum(frame.piece(i), frame.pieceAt(i), frame.pieceBytes(i)));
            before += frame.pieceBytes(i);
        }
        return sum;
    }

    static boolean isV4(long hi, long lo) {
        return IpAddress.isV4(hi, lo);
    }

    /** As {@link IpOutput#doubt}. */
    void doubt(long guestHi, long guestLo) {
        out.doubt(guestHi, guestLo);
    }

    void flush() {
        out.flush();
    }

    boolean isWritable() {
        return out.isWritable();
    }
}
