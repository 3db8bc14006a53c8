package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.wire.Seq;
import dev.longshore.packet.wire.TcpOptions;
import io.netty.buffer.ByteBuf;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Text that came before the text that precedes it: RFC 9293 §3.10.7.4, "segments with higher beginning sequence numbers
 * SHOULD be held", and what the guest is told of it by SACK, RFC 2018. Bounded by the window and, where the pieces are
 * small, in their number; what does not fit is dropped and will be sent again. Owns its buffers.
 *
 * <p>Confined to the link's event loop.
 *
 * <p>Invariants: the pieces are in order, none is empty, no two overlap; with equal bytes the earlier copy is kept.
 */
final class Reassembly {
    /** So many pieces of any size. More must have {@link #LEAST_AVERAGE} bytes each: every piece costs a buffer. */
    static final int MAX_SMALL_PIECES = 128;

    static final int MAX_PIECES = 2048;
    static final int LEAST_AVERAGE = 512;

    private @Nullable ByteBuf[] pieces = new ByteBuf[16];
    private int[] starts = new int[16];
    private int count;
    private int bytes;

    /** Numbers of the last segments that were added, the latest first: RFC 2018 §4 wants their blocks in this order. */
    private final int[] latest = new int[TcpOptions.MAX_SACK_BLOCKS];

    private int latestCount;

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
        int i = firstBeyond(from);
        note(seq);
        while (Seq.lt(from, stop)) {
            int gapEnd = i < count ? Seq.min(starts[i], stop) : stop;
            if (Seq.lt(from, gapEnd)) {
                if (!hasRoom()) {
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

    private boolean hasRoom() {
        return count < MAX_SMALL_PIECES || (count < MAX_PIECES && bytes / count >= LEAST_AVERAGE);
    }

    private void note(int seq) {
        int old = 0;
        while (old < latestCount && latest[old] != seq) {
            old++;
        }
        if (old == latestCount && latestCount < latest.length) {
            latestCount++;
        }
        System.arraycopy(latest, 0, latest, 1, Math.min(old, latest.length - 1));
        latest[0] = seq;
    }

    private void insert(int i, int start, ByteBuf piece) {
        if (count == starts.length) {
            pieces = Arrays.copyOf(pieces, 2 * count);
            starts = Arrays.copyOf(starts, 2 * count);
        }
        System.arraycopy(pieces, i, pieces, i + 1, count - i);
        System.arraycopy(starts, i, starts, i + 1, count - i);
        pieces[i] = piece;
        starts[i] = start;
        count++;
        bytes += piece.readableBytes();
    }

    /**
     * The first of the bytes from {@code from} to {@code to} that are here already; {@code to} if none is.
     */
    int overlapFrom(int from, int to) {
        int i = firstBeyond(from);
        return i < count ? Seq.min(Seq.max(from, starts[i]), to) : to;
    }

    /** Where the bytes that begin with {@code from}, which is here, are missing next, or {@code to} if that is before. */
    int overlapTo(int from, int to) {
        return Seq.min(endOfRun(pieceWith(from)), to);
    }

    /** The first piece that ends after {@code seq}; new text is mostly behind all of them. */
    private int firstBeyond(int seq) {
        int i = count;
        while (i > 0 && Seq.gt(end(i - 1), seq)) {
            i--;
        }
        return i;
    }

    /**
     * Appends blocks of SACK to {@code h}: that of the latest segment, then those of the ones before.
     *
     * @param max 1..4
     * @return how many: none if there is nothing to tell
     */
    int writeSack(ByteBuf h, int max) {
        int firstAt = h.writerIndex();
        int blocks = 0;
        for (int k = 0; k < latestCount && blocks < max; k++) {
            int i = pieceWith(latest[k]);
            if (i >= 0 && !isTold(h, firstAt, blocks, latest[k])) {
                h.writeInt(startOfRun(i)).writeInt(endOfRun(i));
                blocks++;
            }
        }
        return blocks;
    }

    private static boolean isTold(ByteBuf h, int firstAt, int blocks, int seq) {
        for (int k = 0; k < blocks; k++) {
            int left = h.getInt(firstAt + 8 * k);
            if (Seq.in(seq, left, Seq.distance(left, h.getInt(firstAt + 8 * k + 4)))) {
                return true;
            }
        }
        return false;
    }

    /** Index of the piece that holds the byte {@code seq}, or -1. */
    private int pieceWith(int seq) {
        int low = 0;
        int high = count - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            if (Seq.gt(starts[middle], seq)) {
                high = middle - 1;
            } else if (Seq.le(end(middle), seq)) {
                low = middle + 1;
            } else {
                return middle;
            }
        }
        return -1;
    }

    private int startOfRun(int piece) {
        int i = piece;
        while (i > 0 && end(i - 1) == starts[i]) {
            i--;
        }
        return starts[i];
    }

    private int endOfRun(int piece) {
        int i = piece;
        while (i < count - 1 && end(i) == starts[i + 1]) {
            i++;
        }
        return end(i);
    }

    /** The first piece if it begins at or before {@code rcvNxt} and ends after it, without what lies before; the caller owns it. */
    @Nullable
    ByteBuf take(int rcvNxt) {
        int gone = 0;
        ByteBuf next = null;
        while (next == null && gone < count && Seq.le(starts[gone], rcvNxt)) {
            ByteBuf first = piece(gone);
            int old = Seq.distance(starts[gone], rcvNxt);
            bytes -= first.readableBytes();
            gone++;
            if (old < first.readableBytes()) {
                first.skipBytes(old);
                next = first;
            } else {
                first.release();
            }
        }
        removeFirst(gone);
        return next;
    }

    private void removeFirst(int n) {
        if (n > 0) {
            count -= n;
            System.arraycopy(pieces, n, pieces, 0, count);
            System.arraycopy(starts, n, starts, 0, count);
            Arrays.fill(pieces, count, count + n, null);
        }
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
        int sum = 0;
        for (int i = 0; i < count; i++) {
            assert piece(i).isReadable() : "empty piece";
            assert i == 0 || Seq.ge(starts[i], end(i - 1)) : "pieces overlap";
            sum += piece(i).readableBytes();
        }
        assert sum == bytes : sum + " bytes, not " + bytes;
        return true;
    }
}
