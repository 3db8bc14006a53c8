package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.wire.Seq;
import io.netty.buffer.ByteBuf;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Text that came before the text that precedes it: RFC 9293 §3.10.7.4, "segments with higher beginning sequence numbers
 * SHOULD be held". Bounded by {@link #MAX_PIECES}; what does not fit is dropped and will be sent again. Owns its buffers.
 *
 * <p>Confined to the link's event loop.
 *
 * <p>Invariants: the pieces are in order, none is empty, no two overlap; with equal bytes the earlier copy is kept.
 */
final class Reassembly {
    /** A frame's buffer is kept for each, so this bounds what one flow can hold: 128 frames. */
    static final int MAX_PIECES = 128;

    private final @Nullable ByteBuf[] pieces = new ByteBuf[MAX_PIECES];
    private final int[] starts = new int[MAX_PIECES];
    private int count;
    private int bytes;

    boolean isEmpty() {
        return count == 0;
    }

    int count() {
        return count;
    }

    private ByteBuf piece(int i) {
        return Objects.requireNonNull(pieces[i]);
    }

    int bytes() {
        return bytes;
    }

    private int end(int i) {
        return starts[i] + piece(i).readableBytes();
    }

    /** Borrows: keeps slices of what is new in {@code len} bytes at {@code at}, whose first has number {@code seq}. False if something was dropped. */
    boolean add(ByteBuf b, int at, int len, int seq) {
        int from = seq;
        int stop = seq + len;
        int i = 0;
        while (i < count && Seq.le(end(i), from)) {
            i++;
        }
        while (Seq.lt(from, stop)) {
            int gapEnd = i < count ? Seq.min(starts[i], stop) : stop;
            if (Seq.lt(from, gapEnd)) {
                if (count == MAX_PIECES) {
                    return false;
                }
                int n = Seq.distance(from, gapEnd);
                insert(i, from, Pieces.keep(b, at + Seq.distance(seq, from), n)); // held until taken or cleared
                i++;
            }
            if (i == count) {
                return true;
            }
            from = Seq.max(from, end(i));
            i++;
        }
        return true;
    }

    private void insert(int i, int start, ByteBuf piece) {
        System.arraycopy(pieces, i, pieces, i + 1, count - i);
        System.arraycopy(starts, i, starts, i + 1, count - i);
        pieces[i] = piece;
        starts[i] = start;
        count++;
        bytes += piece.readableBytes();
    }

    /** The first piece if it begins at or before {@code rcvNxt} and ends after it, without what lies before; the caller owns it. */
    @Nullable
    ByteBuf take(int rcvNxt) {
        while (count > 0 && Seq.le(starts[0], rcvNxt)) {
            ByteBuf first = piece(0);
            int old = Seq.distance(starts[0], rcvNxt);
            bytes -= first.readableBytes();
            removeFirst();
            if (old < first.readableBytes()) {
                first.skipBytes(old);
                return first;
            }
            first.release();
        }
        return null;
    }

    private void removeFirst() {
        count--;
        System.arraycopy(pieces, 1, pieces, 0, count);
        System.arraycopy(starts, 1, starts, 0, count);
        pieces[count] = null;
    }

    void clear() {
        for (int i = 0; i < count; i++) {
            piece(i).release();
            pieces[i] = null;
        }
        count = 0;
        bytes = 0;
    }

    /** Called under assert. */
    boolean checkInvariants() {
        for (int i = 0; i < count; i++) {
            assert piece(i).isReadable() : "empty piece";
            assert i == 0 || Seq.ge(starts[i], end(i - 1)) : "pieces overlap";
        }
        return true;
    }
}
