package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;

/**
 * The Internet checksum: RFC 1071; updates: RFC 1624.
 *
 * <p>A <em>sum</em> here is a long that is congruent to the one's complement sum of 16-bit words, modulo 65,535; sums are
 * combined by {@code +} (thousands of them, without overflow) and become a checksum by {@link #finish}.
 *
 * <p>Theory of operation: 2^16 ≡ 2^32 ≡ 1 (mod 65,535), so a 32-bit word counts as much as its two 16-bit halves, and eight
 * bytes can be added as two 32-bit words into a long; the carries gather above and are folded once at the end.
 */
public final class Checksum {
    private static final long LOW_32 = 0xFFFF_FFFFL;

    private Checksum() {}

    /** Sum of {@code len} bytes at {@code at}, the last one padded by a zero byte if {@code len} is odd. At most 2^31 * 2^32. */
    public static long sum(ByteBuf b, int at, int len) {
        long sum = 0;
        int i = at;
        int end = at + len;
        for (int stop = end - 31; i < stop; i += 32) {
            long w0 = b.getLong(i);
            long w1 = b.getLong(i + 8);
            long w2 = b.getLong(i + 16);
            long w3 = b.getLong(i + 24);
            sum += (w0 >>> 32) + (w0 & LOW_32) + (w1 >>> 32) + (w1 & LOW_32);
            sum += (w2 >>> 32) + (w2 & LOW_32) + (w3 >>> 32) + (w3 & LOW_32);
        }
        for (int stop = end - 3; i < stop; i += 4) {
            sum += b.getInt(i) & LOW_32;
        }
        if (end - i >= 2) {
            sum += b.getUnsignedShort(i);
            i += 2;
        }
        return i < end ? sum + (b.getUnsignedByte(i) << 8) : sum;
    }

    /**
     * Adds the sum of a piece that follows {@code bytesBefore} other bytes: after an odd number of them its bytes change
     * places (RFC 1071 (2)(B)).
     */
    public static long append(long sum, int bytesBefore, long pieceSum) {
        return (bytesBefore & 1) == 0 ? sum + fold(pieceSum) : sum + swap(fold(pieceSum));
    }

    /** Sum of the pseudo-header: RFC 768, RFC 9293 §3.1, RFC 8200 §8.1. IPv4 addresses are mapped; they may be mixed with none. */
    public static long pseudoHeader(
            long sourceHi, long sourceLo, long destinationHi, long destinationLo, int protocol, int length) {
        long addresses = IpAddress.isV4(sourceHi, sourceLo)
                ? (sourceLo & LOW_32) + (destinationLo & LOW_32)
                : words(sourceHi) + words(sourceLo) + words(destinationHi) + words(destinationLo);
        return addresses + protocol + length;
    }

    /** Folds a sum to 16 bits, not inverted: what a partial checksum field holds. 0xFFFF if the range contains its right checksum. */
    public static int fold(long sum) {
        long s = (sum >>> 32) + (sum & LOW_32); // below 2^33
        s = (s >>> 32) + (s & LOW_32);
        s = (s >>> 16) + (s & 0xFFFF);
        s = (s >>> 16) + (s & 0xFFFF);
        return (int) s;
    }

    /** The checksum field's value for everything that went into {@code sum}: 0..65,535. */
    public static int finish(long sum) {
        return ~fold(sum) & 0xFFFF;
    }

    /** A checksum after one 16-bit word of what it covers changed: RFC 1624, equation 3. */
    public static int update(int checksum, int oldWord, int newWord) {
        return finish((~checksum & 0xFFFF) + (~oldWord & 0xFFFF) + (newWord & 0xFFFF));
    }

    private static long words(long bits) {
        return (bits >>> 32) + (bits & LOW_32);
    }

    private static int swap(int word) {
        return (word & 0xFF) << 8 | word >>> 8;
    }
}
