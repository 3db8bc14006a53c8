package dev.longshore.fileshare.fuse;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import dev.longshore.fileshare.os.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A request from an array of bytes, in memory that lies in pieces of some bytes, and room for its reply likewise. */
public final class ByteExchange implements FuseExchange {
    private final int pieceBytes;
    private final MemorySegment request;
    private final MemorySegment reply;
    private int completed = -1;

    /** Pieces of {@code pieceBytes} bytes, but for the last. */
    public ByteExchange(byte[] request, int replyRoom, int pieceBytes) {
        this.pieceBytes = pieceBytes;
        this.request = Arena.ofAuto().allocate(Math.max(1, request.length));
        MemorySegment.copy(request, 0, this.request, JAVA_BYTE, 0, request.length);
        this.requestBytes = request.length;
        this.reply = Arena.ofAuto().allocate(Math.max(1, replyRoom));
        this.replyRoom = replyRoom;
    }

    private final int requestBytes;
    private final int replyRoom;

    @Override
    public int requestBytes() {
        return requestBytes;
    }

    @Override
    public void copyRequest(int from, MemorySegment dst, int n) {
        check(from, n, requestBytes);
        MemorySegment.copy(request, from, dst, 0, n);
    }

    @Override
    public int requestPieces(int from, int n, IoVector vector) {
        check(from, n, requestBytes);
        return pieces(request, from, n, vector);
    }

    @Override
    public int replyRoom() {
        return replyRoom;
    }

    @Override
    public void copyReply(int at, MemorySegment src, int n) {
        check(at, n, replyRoom);
        MemorySegment.copy(src, 0, reply, at, n);
    }

    @Override
    public int replyPieces(int at, int n, IoVector vector) {
        check(at, n, replyRoom);
        return pieces(reply, at, n, vector);
    }

    private int pieces(MemorySegment m, int from, int n, IoVector vector) {
        int at = from;
        while (at < from + n) {
            int length = Math.min(pieceBytes - at % pieceBytes, from + n - at);
            if (!vector.add(m, at, length)) {
                break;
            }
            at += length;
        }
        return at - from;
    }

    private void check(int from, int n, int bytes) {
        if (completed >= 0) {
            throw new IllegalStateException("completed already");
        }
        if (from < 0 || n < 0 || from > bytes - n) {
            throw new IllegalArgumentException("bytes " + from + " and " + n + " more of " + bytes);
        }
    }

    @Override
    public void complete(int bytes) {
        check(0, bytes, replyRoom);
        completed = bytes;
    }

    /** True once {@link #complete} was called. */
    public boolean isCompleted() {
        return completed >= 0;
    }

    /** The whole reply, empty if there is none. */
    public byte[] reply() {
        if (completed < 0) {
            throw new IllegalStateException("not completed");
        }
        return reply.asSlice(0, completed).toArray(JAVA_BYTE);
    }
}
