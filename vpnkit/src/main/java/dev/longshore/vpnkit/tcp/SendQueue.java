package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.link.OutFrame;
import io.netty.buffer.ByteBuf;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The bytes between SND.UNA and the end of what the host has given: sent and not acknowledged, then not sent. Owns its
 * buffers. Positions are distances from the first byte.
 *
 * <p>Confined to the link's event loop.
 *
 * <p>Theory of operation: a ring of buffers as the host socket read them. Segments are cut at any place and cover several
 * buffers, without a copy. A segment mostly starts where the last one ended, so that place is remembered; it moves back
 * only for a retransmission.
 *
 * <p>Invariants: bytes is the sum of all readable bytes; no buffer is empty; the remembered place lies in the ring or
 * right behind it.
 */
final class SendQueue {
    private @Nullable ByteBuf[] ring = new ByteBuf[8];
    private int head;
    private int count;
    private int bytes;
    private int footprint;
    private int cursor; // buffers between head and the remembered place
    private int cursorStart; // position of that buffer's first byte

    int bytes() {
        return bytes;
    }

    /** The memory that these bytes keep in use: more than {@link #bytes}, where a remote sent little at a time. */
    int footprint() {
        return footprint;
    }

    boolean isEmpty() {
        return count == 0;
    }

    /** Appends. Takes ownership; an empty buffer is released at once. */
    void add(ByteBuf data) {
        if (!data.isReadable()) {
            data.release();
            return;
        }
        if (count == ring.length) {
            grow();
        }
        ring[(head + count) & (ring.length - 1)] = data;
        count++;
        bytes += data.readableBytes();
        footprint += Pieces.footprint(data);
    }

    private void grow() {
        @Nullable ByteBuf[] larger = new ByteBuf[ring.length * 2];
        int tail = ring.length - head;
        System.arraycopy(ring, head, larger, 0, tail);
        System.arraycopy(ring, 0, larger, tail, head);
        ring = larger;
        head = 0;
    }

    private ByteBuf at(int i) {
        return Objects.requireNonNull(ring[(head + i) & (ring.length - 1)]);
    }

    /** Releases the first {@code n} bytes: they have been acknowledged. */
    void drop(int n) {
        assert n >= 0 && n <= bytes : n + " of " + bytes;
        bytes -= n;
        cursorStart -= n;
        int left = n;
        while (left > 0) {
            ByteBuf first = at(0);
            int readable = first.readableBytes();
            if (left < readable) {
                first.skipBytes(left);
                break;
            }
            left -= readable;
            removeFirst();
        }
        if (cursor == 0) {
            cursorStart = 0;
        }
    }

    private void removeFirst() {
        footprint -= Pieces.footprint(at(0));
        at(0).release();
        ring[head] = null;
        head = (head + 1) & (ring.length - 1);
        count--;
        if (cursor > 0) {
            cursor--;
        }
    }

    /**
     * Adds the bytes from position {@code from} on to {@code frame}: {@code length} of them, or as many as its pieces
     * cover.
     *
     * @return how many
     */
    int addTo(OutFrame frame, int from, int length) {
        assert from >= 0 && from + length <= bytes : from + " + " + length + " of " + bytes;
        seek(from);
        int i = cursor;
        int offset = from - cursorStart;
        int added = 0;
        while (added < length) {
            ByteBuf b = at(i);
            int n = Math.min(length - added, b.readableBytes() - offset);
            if (!frame.addPayload(b, b.readerIndex() + offset, n)) {
                break;
            }
            added += n;
            offset = 0;
            i++;
        }
        return added;
    }

    private void seek(int position) {
        if (position < cursorStart) {
            cursor = 0;
            cursorStart = 0;
        }
        while (cursor < count && position >= cursorStart + at(cursor).readableBytes()) {
            cursorStart += at(cursor).readableBytes();
            cursor++;
        }
    }

    void releaseAll() {
        for (int i = 0; i < count; i++) {
            at(i).release();
        }
        ring = new ByteBuf[8];
        head = 0;
        count = 0;
        bytes = 0;
        footprint = 0;
        cursor = 0;
        cursorStart = 0;
    }

    /** Called under assert. */
    boolean checkInvariants() {
        int sum = 0;
        int start = 0;
        for (int i = 0; i < count; i++) {
            if (i == cursor) {
                assert cursorStart == start : "cursor at " + cursorStart + ", buffer at " + start;
            }
            assert at(i).isReadable() : "empty buffer";
            assert at(i).refCnt() > 0 : "released buffer";
            start += at(i).readableBytes();
            sum += at(i).readableBytes();
        }
        assert cursor <= count && (cursor < count || cursorStart == sum) : cursor + " of " + count;
        assert sum == bytes : sum + " bytes, not " + bytes;
        return true;
    }
}
