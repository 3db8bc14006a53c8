package dev.longshore.testkit;

import dev.longshore.packet.wire.Checksum;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.packet.wire.TcpOptions;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;

/**
 * One TCP connection of a {@link GuestEnd}, by hand: a test says which segments the guest sends and what it must receive.
 * Sequence numbers are absolute. Confined to the test's thread.
 */
public final class TcpGuest {
    /** In {@link #sends}: no window scale option. */
    public static final int NONE = -1;

    private final GuestEnd guest;
    private final int port;
    private final IpAddress remote;
    private final int remotePort;
    private int window = 0xFFFF;

    public TcpGuest(GuestEnd guest, int port, IpAddress remote, int remotePort) {
        this.guest = guest;
        this.port = port;
        this.remote = remote;
        this.remotePort = remotePort;
    }

    /** The window field of the segments sent from now on. */
    public TcpGuest window(int field) {
        window = field;
        return this;
    }

    // ---- sending

    public void sendsSyn(int seq, int mss, int windowScale) {
        ByteBuf b = Unpooled.buffer();
        TcpHeader.write(b, port, remotePort, seq, 0, TcpHeader.SYN, window);
        writeSynOptions(b, mss, windowScale);
        sends(b);
    }

    public void sendsSynAck(int seq, int ack, int mss, int windowScale) {
        ByteBuf b = Unpooled.buffer();
        TcpHeader.write(b, port, remotePort, seq, ack, TcpHeader.SYN | TcpHeader.ACK, window);
        writeSynOptions(b, mss, windowScale);
        sends(b);
    }

    private static void writeSynOptions(ByteBuf b, int mss, int windowScale) {
        if (mss >= 0) {
            TcpOptions.writeMss(b, mss);
        }
        if (windowScale >= 0) {
            TcpOptions.writeWindowScale(b, windowScale);
        }
        TcpHeader.finishHeader(b, 0);
    }

    /** Any segment, and the end of its batch. */
    public void sends(int flags, int seq, int ack, TcpGuestOptions options, byte... payload) {
        ByteBuf b = Unpooled.buffer();
        TcpHeader.write(b, port, remotePort, seq, ack, flags, window);
        options.writeTo(b);
        TcpHeader.finishHeader(b, 0);
        b.writeBytes(payload);
        sends(b);
    }

    /** Any segment without options, and the end of its batch. */
    public void sends(int flags, int seq, int ack, byte... payload) {
        sends(segment(flags, seq, ack, payload));
    }

    public void sends(int flags, int seq, int ack, String payload) {
        sends(flags, seq, ack, payload.getBytes(StandardCharsets.ISO_8859_1));
    }

    /** Like {@link #sends}, with more to follow in the same batch. */
    public void sendsInBatch(int flags, int seq, int ack, byte... payload) {
        guest.link().deliverInBatch(frame(segment(flags, seq, ack, payload)), 0);
    }

    /** A segment with its checksum, to be changed and sent by {@link #sendsRaw}. */
    public ByteBuf segment(int flags, int seq, int ack, byte... payload) {
        ByteBuf b = Unpooled.buffer();
        TcpHeader.write(b, port, remotePort, seq, ack, flags, window);
        b.writeBytes(payload);
        complete(b);
        return b;
    }

    /** Takes ownership of a whole segment, as it is. */
    public void sendsRaw(ByteBuf segment, int offload) {
        guest.link().deliver(frame(segment), offload);
    }

    private void sends(ByteBuf segment) {
        complete(segment);
        sendsRaw(segment, 0);
    }

    private ByteBuf frame(ByteBuf segment) {
        return guest.ip(IpProtocol.TCP, guest.addressFor(remote), remote, 64, segment);
    }

    private void complete(ByteBuf b) {
        TcpHeader.setChecksum(b, 0, 0);
        IpAddress from = guest.addressFor(remote);
        long pseudo = Checksum.pseudoHeader(
                from.hi(), from.lo(), remote.hi(), remote.lo(), TcpHeader.PROTOCOL, b.writerIndex());
        TcpHeader.setChecksum(b, 0, Checksum.finish(pseudo + Checksum.sum(b, 0, b.writerIndex())));
    }

    // ---- receiving

    /** A segment as the guest received it, one character of {@code text} a byte. Immutable. */
    public record Segment(int flags, int seq, int ack, int window, TcpGuestOptions options, String text) {
        public int mss() {
            return options.mss();
        }

        public int windowScale() {
            return options.windowScale();
        }

        public boolean has(int flag) {
            return (flags & flag) != 0;
        }

        public byte[] payload() {
            return text.getBytes(StandardCharsets.ISO_8859_1);
        }

        @Override
        public String toString() {
            String names = "FSRPAU";
            StringBuilder s = new StringBuilder("[");
            for (int i = 0; i < names.length(); i++) {
                if ((flags >> i & 1) != 0) {
                    s.append(names.charAt(i));
                }
            }
            return s.append("] seq ")
                    .append(Integer.toUnsignedString(seq))
                    .append(" ack ")
                    .append(Integer.toUnsignedString(ack))
                    .append(" win ")
                    .append(window)
                    .append(" len ")
                    .append(text.length())
                    .append(' ')
                    .append(options)
                    .toString();
        }
    }

    /** The next frame must be a segment of this connection. */
    public Segment receives() {
        Received r = guest.receive();
        int at = r.transportAt();
        boolean ours = r.isIp(IpProtocol.TCP)
                && r.source().equals(remote)
                && r.destination().equals(guest.addressFor(remote))
                && TcpHeader.isValid(r.frame(), at, r.transportLen())
                && TcpHeader.sourcePort(r.frame(), at) == remotePort
                && TcpHeader.destinationPort(r.frame(), at) == port;
        if (!ours) {
            throw new AssertionError("not of this connection: " + r);
        }
        ByteBuf b = r.frame();
        return new Segment(
                TcpHeader.flags(b, at),
                TcpHeader.seq(b, at),
                TcpHeader.ack(b, at),
                TcpHeader.window(b, at),
                TcpGuestOptions.of(b, at),
                new String(r.bytesFrom(at + TcpHeader.headerBytes(b, at)), StandardCharsets.ISO_8859_1));
    }

    /** The next frame must be this segment; PSH and the window are not looked at. */
    public Segment receives(int flags, int seq, int ack, String payload) {
        Segment s = receives();
        boolean same = (s.flags & ~TcpHeader.PSH) == (flags & ~TcpHeader.PSH)
                && s.seq == seq
                && s.ack == ack
                && s.text().equals(payload);
        if (!same) {
            throw new AssertionError("received " + s + " '" + s.text() + "', expected flags " + flags + " seq "
                    + Integer.toUnsignedString(seq) + " ack " + Integer.toUnsignedString(ack) + " '" + payload + "'");
        }
        return s;
    }

    public Segment receives(int flags, int seq, int ack) {
        return receives(flags, seq, ack, "");
    }

    public void receivesNothing() {
        guest.receivesNothing();
    }
}
