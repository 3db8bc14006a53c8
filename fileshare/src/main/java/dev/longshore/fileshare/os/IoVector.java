package dev.longshore.fileshare.os;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * An array of {@code struct iovec} for preadv2 and pwritev2: pieces of memory in the order in which bytes go through them.
 * Made once, filled over and over. Confined to one thread at a time.
 *
 * <p>It holds addresses, not memory: whoever adds a piece keeps it alive until the call is over.
 */
public final class IoVector {
    /** IOV_MAX, limits.h: what one call takes. */
    public static final int MAX = 1024;

    private static final int BYTES = 16; // base, len

    private final MemorySegment array = Arena.ofAuto().allocate((long) MAX * BYTES, 8);
    private int count;
    private long bytes;

    public void clear() {
        count = 0;
        bytes = 0;
    }

    /**
     * Appends bytes {@code [at, at + length)} of {@code memory}, which is native.
     *
     * @return false if the vector is full: nothing was added
     */
    public boolean add(MemorySegment memory, long at, long length) {
        if (count == MAX) {
            return false;
        }
        MemorySegment piece = memory.asSlice(at, length); // checks the bounds
        array.set(JAVA_LONG, (long) count * BYTES, piece.address());
        array.set(JAVA_LONG, (long) count * BYTES + 8, length);
        count++;
        bytes += length;
        return true;
    }

    /** Pieces, 0..{@link #MAX}. */
    public int count() {
        return count;
    }

    /** Bytes of all pieces together. */
    public long bytes() {
        return bytes;
    }

    /** The array itself, for the call. */
    MemorySegment array() {
        return array;
    }
}
