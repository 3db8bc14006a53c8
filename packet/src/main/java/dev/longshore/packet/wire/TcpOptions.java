package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;

/**
 * The options of the TCP header at index {@code at} of a buffer: RFC 9293 §3.2, RFC 7323 (window scale, timestamps),
 * RFC 2018 (SACK). Readers want a valid header ({@link TcpHeader#isValid}); they stop at the first malformed option and
 * behave as if nothing followed. An option of the wrong length is none.
 *
 * <p>Writers append whole 32-bit words, so any sequence of them is aligned.
 */
public final class TcpOptions {
    /** Answer of the readers for an option that is not there. */
    public static final int ABSENT = -1;

    /** RFC 7323 §2.3: a larger shift count is taken as 14. */
    public static final int MAX_WINDOW_SCALE = 14;

    private static final int END = 0;
    private static final int NO_OPERATION = 1;
    private static final int MSS = 2;
    private static final int WINDOW_SCALE = 3;
    private static final int SACK_PERMITTED = 4;
    private static final int SACK = 5;
    private static final int TIMESTAMPS = 8;

    /** Bytes of timestamps as {@link #writeTimestamps} writes them, and as every stack in use sends them. */
    public static final int TIMESTAMPS_BYTES = 12;

    /** The word before the two values: RFC 7323, appendix A. */
    private static final int TIMESTAMPS_WORD = NO_OPERATION << 24 | NO_OPERATION << 16 | TIMESTAMPS << 8 | 10;

    /** As many as 40 bytes of options hold: RFC 2018 §3. */
    public static final int MAX_SACK_BLOCKS = 4;

    private TcpOptions() {}

    /** Maximum segment size, 0..65535, or {@link #ABSENT}. */
    public static int mss(ByteBuf b, int at) {
        int i = find(b, at, MSS, 4);
        return i < 0 ? ABSENT : b.getUnsignedShort(i + 2);
    }

    /** Shift count, 0..14, or {@link #ABSENT}. */
    public static int windowScale(ByteBuf b, int at) {
        int i = find(b, at, WINDOW_SCALE, 3);
        return i < 0 ? ABSENT : Math.min(b.getUnsignedByte(i + 2), MAX_WINDOW_SCALE);
    }

    public static boolean sackPermitted(ByteBuf b, int at) {
        return find(b, at, SACK_PERMITTED, 2) >= 0;
    }

    /** Index of TSval in the buffer, TSecr four bytes after it, or {@link #ABSENT}. */
    public static int timestampsIndex(ByteBuf b, int at) {
        if (TcpHeader.headerBytes(b, at) >= TcpHeader.MIN_BYTES + TIMESTAMPS_BYTES
                && b.getInt(at + TcpHeader.MIN_BYTES) == TIMESTAMPS_WORD) {
            return at + TcpHeader.MIN_BYTES + 4; // nearly always
        }
        int i = find(b, at, TIMESTAMPS, 10);
        return i < 0 ? ABSENT : i + 2;
    }

    /** Index of the first SACK block (left edge, right edge: two ints each), or {@link #ABSENT}. */
    public static int sackIndex(ByteBuf b, int at) {
        int i = find(b, at, SACK, 0);
        return i < 0 || sackBlocksAt(b, i) == 0 ? ABSENT : i + 2;
    }

    /** SACK blocks at {@link #sackIndex}: 0..4. */
    public static int sackBlocks(ByteBuf b, int at) {
        int i = find(b, at, SACK, 0);
        return i < 0 ? 0 : sackBlocksAt(b, i);
    }

    private static int sackBlocksAt(ByteBuf b, int option) {
        int length = b.getUnsignedByte(option + 1);
        return length % 8 == 2 ? length / 8 : 0;
    }

    /** Index of the option's kind byte, or -1. {@code length} is the one it must have, 0 for any; all of it is inside. */
    private static int find(ByteBuf b, int at, int kind, int length) {
        int end = at + TcpHeader.headerBytes(b, at);
        int i = at + TcpHeader.MIN_BYTES;
        while (i < end) {
            int k = b.getUnsignedByte(i);
            if (k == END) {
                return -1;
            }
            if (k == NO_OPERATION) {
                i++;
                continue;
            }
            int l = i + 1 < end ? b.getUnsignedByte(i + 1) : 0;
            if (l < 2 || l > end - i) {
                return -1;
            }
            if (k == kind && (length == 0 || l == length)) {
                return i;
            }
            i += l;
        }
        return -1;
    }

    /** Four bytes. */
    public static void writeMss(ByteBuf b, int mss) {
        b.writeInt(MSS << 24 | 4 << 16 | mss);
    }

    /** Four bytes: a no-operation before it. */
    public static void writeWindowScale(ByteBuf b, int shift) {
        b.writeInt(NO_OPERATION << 24 | WINDOW_SCALE << 16 | 3 << 8 | shift);
    }

    /** Four bytes: two no-operations before it. */
    public static void writeSackPermitted(ByteBuf b) {
        b.writeInt(NO_OPERATION << 24 | NO_OPERATION << 16 | SACK_PERMITTED << 8 | 2);
    }

    /** Twelve bytes, laid out as in RFC 7323, appendix A. */
    public static void writeTimestamps(ByteBuf b, int value, int echo) {
        b.writeInt(TIMESTAMPS_WORD);
        b.writeInt(value);
        b.writeInt(echo);
    }

    /** Four bytes, two no-operations before them: {@code blocks} pairs of edges follow by {@link ByteBuf#writeInt}. */
    public static void writeSackHead(ByteBuf b, int blocks) {
        b.writeInt(NO_OPERATION << 24 | NO_OPERATION << 16 | SACK << 8 | (2 + 8 * blocks));
    }

    /** Sets the number of blocks of what {@link #writeSackHead} wrote at {@code headAt}. */
    public static void setSackBlocks(ByteBuf b, int headAt, int blocks) {
        b.setByte(headAt + 3, 2 + 8 * blocks);
    }
}
