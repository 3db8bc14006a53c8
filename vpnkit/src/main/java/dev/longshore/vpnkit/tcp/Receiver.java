package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.wire.Seq;
import dev.longshore.packet.wire.TcpOptions;
import dev.longshore.vpnkit.flow.HostSide;
import io.netty.buffer.ByteBuf;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The receive sequence space of one flow (RFC 9293 §3.3.1, Figure 3), its window, and text out of order.
 *
 * <p>Confined to the link's event loop.
 *
 * <pre>
 *     taken             acceptable              not yet allowed
 *  ------------|-----------------------------|------------------
 *           RCV.NXT                        edge
 * </pre>
 *
 * The edge never moves back; the window told to the guest can be up to 2^scale - 1 bytes smaller than the distance to it,
 * since the field has units.
 */
final class Receiver {
    /** Units of 256 bytes, windows up to 16 MiB: RFC 7323 §2.3. */
    static final int OUR_SCALE = 8;

    /** The field of a SYN is never scaled, RFC 7323 §2.2. */
    private static final int MAX_UNSCALED = 0xFFFF;

    /** What a flow may use at once: enough for a gigabit a second and 8 ms. */
    private static final int FIRST_BUFFER = 1 << 20;

    private static final long ROUND = TimeUnit.MILLISECONDS.toNanos(250);

    private final int mss;
    private int growth = FIRST_BUFFER;
    private long roundBegan;
    private long bytesThen;
    private int irs;
    private int rcvNxt;
    private int edge;
    private int scale;
    private @Nullable Reassembly early;
    private boolean finSeen;
    private int finSeq;

    /** How soon the guest must hear of what has come: RFC 9293 §3.8.6.3. */
    enum Owed {
        NOTHING,
        /** A little text in order: the host's answer may carry the acknowledgment. */
        SOON,
        NOW
    }

    private Owed owed = Owed.NOTHING;

    /** What came again with the last segment, for RFC 2883; nothing if both are the same. */
    private int againFrom;

    private int againTo;
    private int acked; // RCV.NXT as last told
    private boolean cut; // of the last text, as the next
    private boolean scattered;

    long bytes;

    /** {@code mss}: of the segments the guest sends, for the silly window rules. */
    Receiver(int mss) {
        this.mss = mss;
    }

    /** The guest's SYN: {@code scaled} if both sides sent the window scale option. */
    void onSyn(int seq, boolean scaled) {
        irs = seq;
        rcvNxt = seq + 1;
        acked = rcvNxt;
        edge = rcvNxt;
        scale = scaled ? OUR_SCALE : 0;
    }

    int irs() {
        return irs;
    }

    int rcvNxt() {
        return rcvNxt;
    }

    /** RCV.WND, as far as the guest was ever told. */
    int rcvWnd() {
        return Seq.distance(rcvNxt, edge);
    }

    /** RFC 9293 §3.4, the four cases. */
    boolean isAcceptable(int seq, int segLen) {
        int wnd = rcvWnd();
        if (segLen == 0) {
            return wnd == 0 ? seq == rcvNxt : Seq.in(seq, rcvNxt, wnd);
        }
        return wnd > 0 && (Seq.in(seq, rcvNxt, wnd) || Seq.in(seq + segLen - 1, rcvNxt, wnd));
    }

    /**
     * The window field of a segment that is sent now, after which the guest may use it. {@code room}: what the host side
     * holds for us, in bytes.
     */
    int window(int room, boolean syn) {
        int allowed = Math.max(rcvWnd(), openable(room));
        int field = Math.min(syn ? allowed : allowed >>> scale, MAX_UNSCALED);
        edge = Seq.max(edge, rcvNxt + (syn ? field : field << scale));
        return field;
    }

    /** Bytes that this flow makes use of, if there is the memory: its window follows this. */
    int growth() {
        return growth;
    }

    /**
     * More text has come: a flow that moves twice its buffer in a quarter of a second, to a host that takes it, gets twice as
     * much.
     */
    void grow(long now, int heldByHost) {
        if (bytes - bytesThen >= 2L * growth) {
            if (now - roundBegan < ROUND && heldByHost < growth / 2 && growth < Memory.MAX_BUFFER) {
                growth *= 2;
            }
            roundBegan = now;
            bytesThen = bytes;
        }
    }

    /** Silly window avoidance, RFC 9293 §3.8.6.2.2: small openings are not told. */
    private int openable(int room) {
        return room - rcvWnd() >= mss ? room : 0;
    }

    /** True if the guest should hear of the new room without having sent anything. */
    boolean wantsUpdate(int room) {
        int opening = Math.min(room, MAX_UNSCALED << scale) - rcvWnd();
        return opening >= 2 * mss && rcvWnd() < room / 2;
    }

    /**
     * Text and FIN of an acceptable segment. Borrows {@code b}; what is in order goes to {@code host}.
     *
     * @return true if the FIN's turn has come: RCV.NXT is at it
     */
    boolean onText(ByteBuf b, int at, int len, int seq, boolean fin, HostSide host) {
        int old = Math.max(0, Seq.distance(seq, rcvNxt));
        int beyond = Math.max(0, Seq.distance(edge, seq + len));
        int from = seq + old;
        int fresh = len - old - beyond;
        cut = beyond > 0;
        scattered = false;
        if (old > 0) {
            onAgain(seq, Math.min(old, len));
        } else if (fresh > 0 && early != null) {
            onOverlap(early, from, from + fresh);
        }
        if (fin && beyond == 0) {
            finSeen = true;
            finSeq = seq + len;
        }
        boolean little = early == null && fresh == len && from == rcvNxt && Seq.distance(acked, seq + len) < mss;
        if (!little) {
            oweAck();
        } else if (owed == Owed.NOTHING) {
            owed = Owed.SOON;
        }
        if (fresh > 0 && from == rcvNxt) {
            take(Pieces.keep(b, at + old, fresh), host); // the host's side releases it when it is written
            takeEarly(host);
        } else if (fresh > 0) {
            keep(b, at + old, fresh, from);
        }
        return finSeen && rcvNxt == finSeq;
    }

    /**
     * {@code segLen} octets from {@code seq}, of which some or all have been taken: the guest hears it once (RFC 2883 §4). What is
     * older than any window is left alone: it tells a sender nothing, and may be an attacker's guess.
     */
    void onAgain(int seq, int segLen) {
        int since = Seq.distance(seq, rcvNxt);
        if (segLen > 0 && since > 0 && since <= Math.min(bytes + 1, MAX_UNSCALED << OUR_SCALE)) {
            againFrom = seq;
            againTo = Seq.min(seq + segLen, rcvNxt);
        }
    }

    /** The first contiguous part of it that waits here already: RFC 2883 §4, "(3)" and "(4)". */
    private void onOverlap(Reassembly r, int from, int to) {
        int first = r.overlapFrom(from, to);
        if (first != to) {
            againFrom = first;
            againTo = r.overlapTo(first, to);
        }
    }

    /** Something came again, and the guest has not heard of it. */
    boolean hasAgain() {
        return againFrom != againTo;
    }

    /** The last text, or FIN, went beyond the window, and that part of it is dropped. */
    boolean isCut() {
        return cut;
    }

    /** The last text was out of order, and some of it is dropped: there are too many pieces already. */
    boolean isScattered() {
        return scattered;
    }

    private void take(ByteBuf data, HostSide host) {
        int n = data.readableBytes();
        rcvNxt += n;
        bytes += n;
        host.deliver(data);
    }

    private void keep(ByteBuf b, int at, int len, int seq) {
        Reassembly r = early;
        if (r == null) {
            r = new Reassembly();
            early = r;
        }
        scattered = !r.add(b, at, len, seq);
        assert r.checkInvariants();
    }

    private void takeEarly(HostSide host) {
        Reassembly r = early;
        if (r == null) {
            return;
        }
        for (ByteBuf next = r.take(rcvNxt); next != null; next = r.take(rcvNxt)) {
            take(next, host);
        }
        if (r.isEmpty()) {
            early = null;
        }
    }

    /** Appends what is to be told by SACK, if anything is: what came again, then what is early. */
    void writeSack(ByteBuf h, int maxBlocks) {
        Reassembly r = early;
        if (r == null && !hasAgain()) {
            return;
        }
        int headAt = h.writerIndex();
        TcpOptions.writeSackHead(h, 0);
        int blocks = 0;
        if (hasAgain()) {
            h.writeInt(againFrom).writeInt(againTo);
            blocks = 1;
        }
        blocks += r == null ? 0 : r.writeSack(h, maxBlocks - blocks);
        if (blocks == 0) {
            h.writerIndex(headAt);
        } else {
            TcpOptions.setSackBlocks(h, headAt, blocks);
        }
    }

    /** Text has come ahead of its turn and waits: each segment is acknowledged at once, RFC 5681 §4.2. */
    boolean hasEarly() {
        return early != null;
    }

    /** The FIN at RCV.NXT has been taken: it occupies one sequence number. */
    void passFin() {
        rcvNxt += 1;
        edge = Seq.max(edge, rcvNxt);
        finSeen = false;
        if (owed == Owed.NOTHING) {
            owed = Owed.SOON; // the host's own end often follows
        }
    }

    Owed owed() {
        return owed;
    }

    /** The next segment is an acknowledgment, whatever else there is to send. */
    void oweAck() {
        owed = Owed.NOW;
    }

    void onAckSent() {
        againFrom = againTo; // told, or the moment to tell it has passed
        owed = Owed.NOTHING;
        acked = rcvNxt;
    }

    /** Bytes that have come ahead of their turn. */
    int earlyBytes() {
        Reassembly r = early;
        return r == null ? 0 : r.bytes();
    }

    void release() {
        Reassembly r = early;
        if (r != null) {
            r.clear();
            early = null;
        }
    }

    /** Called under assert. */
    boolean checkInvariants() {
        assert rcvWnd() >= 0 : "RCV.NXT " + rcvNxt + " beyond the edge " + edge;
        return true;
    }
}
