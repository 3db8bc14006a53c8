package dev.longshore.vpnkit.tcp;

import io.netty.buffer.ByteBuf;

/** How bytes are kept that may have to wait: never along with a buffer that is much larger than they are. */
final class Pieces {
    /** What a waiting buffer costs besides its bytes, in objects of the heap and the allocator's rounding. */
    private static final int OVERHEAD = 256;

    private Pieces() {}

    /**
     * {@code len} bytes at {@code at} of {@code b} (borrowed), for the caller to own: a slice that keeps all of {@code b},
     * or a copy where that would be more than twice as much.
     */
    static ByteBuf keep(ByteBuf b, int at, int len) {
        if (2 * len >= b.capacity()) {
            return b.retainedSlice(at, len); // released by whoever the piece is given to
        }
        return b.alloc().directBuffer(len, len).writeBytes(b, at, len);
    }

    /** Memory that stays in use for as long as {@code b} does. */
    static int footprint(ByteBuf b) {
        ByteBuf root = b;
        for (ByteBuf below = b.unwrap(); below != null; below = below.unwrap()) {
            root = below;
        }
        return root.capacity() + OVERHEAD;
    }
}
