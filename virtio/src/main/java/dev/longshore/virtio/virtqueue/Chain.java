package dev.longshore.virtio.virtqueue;

import dev.longshore.virtio.memory.BufferCopy;
import io.netty.buffer.ByteBuf;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One descriptor chain: first the pieces the guest wrote for us, then those we may write. Made once and filled by
 * {@link Virtqueue#pop} over and over. Confined to the queue's event loop.
 *
 * <p>Valid from pop until the queue stops or the chain is given back by {@link Virtqueue#push}. Reading and writing
 * advance a cursor each. All bytes are shared with the guest: what is read here twice may differ.
 */
public final class Chain {
    private @Nullable MemorySegment[] segment = new MemorySegment[16];
    private long[] offset = new long[16];
    private int[] length = new int[16];
    private int pieces;
    private int readablePieces;
    private int head;
    private int readableBytes;
    private int writableBytes;

    private int readPiece;
    private int readAt;
    private int read;
    private int writePiece;
    private int writeAt;
    private int written;

    /**
     * The chain's name for {@link Virtqueue#push(int, int)}: of a split ring the index of the first descriptor, of a packed
     * ring the buffer id with the number of slots above it.
     */
    public int head() {
        return head;
    }

    /** Bytes of the readable part, read or not. */
    public int readableBytes() {
        return readableBytes;
    }

    /** Bytes of the readable part that are not read yet. */
    public int unreadBytes() {
        return readableBytes - read;
    }

    /** Bytes of the writable part, written or not. */
    public int writableBytes() {
        return writableBytes;
    }

    /** Bytes written so far: the length for {@link Virtqueue#push}. */
    public int writtenBytes() {
        return written;
    }

    /** Pieces of contiguous memory, readable ones first; without empty ones. */
    public int pieces() {
        return pieces;
    }

    public int readablePieces() {
        return readablePieces;
    }

    /** The memory that piece {@code i} is part of: use {@link #pieceOffset} and {@link #pieceBytes}. */
    public MemorySegment pieceMemory(int i) {
        MemorySegment s = segment[i];
        if (s == null || i >= pieces) {
            throw new IndexOutOfBoundsException(i);
        }
        return s;
    }

    public long pieceOffset(int i) {
        return offset[i];
    }

    public int pieceBytes(int i) {
        return length[i];
    }

    /**
     * Appends up to {@code max} bytes of the readable part to {@code dst}, which grows if it must (borrows it).
     *
     * @return the bytes copied; less than {@code max} only at the end of the readable part
     */
    public int read(ByteBuf dst, int max) {
        int n = Math.min(max, unreadBytes());
        dst.ensureWritable(n);
        int to = dst.writerIndex();
        for (int left = n; left > 0; ) {
            int part = Math.min(left, length[readPiece] - readAt);
            BufferCopy.toBuffer(pieceMemory(readPiece), offset[readPiece] + readAt, dst, to, part);
            to += part;
            left -= part;
            advanceRead(part);
        }
        dst.writerIndex(to);
        return n;
    }

    /** Passes over up to {@code max} bytes of the readable part and returns how many. */
    public int skip(int max) {
        int n = Math.min(max, unreadBytes());
        for (int left = n; left > 0; ) {
            int part = Math.min(left, length[readPiece] - readAt);
            left -= part;
            advanceRead(part);
        }
        return n;
    }

    private void advanceRead(int n) {
        read += n;
        readAt += n;
        if (readAt == length[readPiece]) {
            readPiece++;
            readAt = 0;
        }
    }

    /**
     * Writes up to {@code bytes} bytes of {@code src} from index {@code from} to the writable part (borrows).
     *
     * @return the bytes copied; less than {@code bytes} only at the end of the writable part
     */
    public int write(ByteBuf src, int from, int bytes) {
        int n = Math.min(bytes, writableBytes - written);
        int at = from;
        for (int left = n; left > 0; ) {
            int part = Math.min(left, length[writePiece] - writeAt);
            BufferCopy.fromBuffer(src, at, pieceMemory(writePiece), offset[writePiece] + writeAt, part);
            at += part;
            left -= part;
            written += part;
            writeAt += part;
            if (writeAt == length[writePiece]) {
                writePiece++;
                writeAt = 0;
            }
        }
        return n;
    }

    void begin(int newHead) {
        head = newHead;
        pieces = 0;
        readablePieces = 0;
        readableBytes = 0;
        writableBytes = 0;
        readPiece = 0;
        readAt = 0;
        read = 0;
        writePiece = 0;
        writeAt = 0;
        written = 0;
    }

    /** For a ring that knows the chain's name only at its end. */
    void rename(int newHead) {
        head = newHead;
    }

    boolean hasWritable() {
        return pieces > readablePieces;
    }

    /** False if the chain would reach 2 GiB. */
    boolean add(MemorySegment memory, long at, int bytes, boolean writable) {
        if ((long) readableBytes + writableBytes + bytes > Integer.MAX_VALUE) {
            return false;
        }
        if (pieces == length.length) {
            grow();
        }
        segment[pieces] = memory;
        offset[pieces] = at;
        length[pieces] = bytes;
        pieces++;
        if (writable) {
            writableBytes += bytes;
        } else {
            readablePieces++;
            writePiece++;
            readableBytes += bytes;
        }
        return true;
    }

    private void grow() {
        int capacity = pieces * 2; // bounded by the caller's limit on descriptors, and kept for all later chains
        segment = Arrays.copyOf(segment, capacity);
        offset = Arrays.copyOf(offset, capacity);
        length = Arrays.copyOf(length, capacity);
    }
}
