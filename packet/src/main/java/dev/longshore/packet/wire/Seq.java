package dev.longshore.packet.wire;

/**
 * TCP sequence numbers: {@code int}s modulo 2^32, RFC 9293 §3.4. They have no total order: two of them compare sensibly
 * only while they are less than 2^31 apart, which windows up to 2^30 guarantee.
 */
public final class Seq {
    private Seq() {}

    /** a &lt; b. */
    public static boolean lt(int a, int b) {
        return a - b < 0;
    }

    /** a =&lt; b. */
    public static boolean le(int a, int b) {
        return a - b <= 0;
    }

    /** a &gt; b. */
    public static boolean gt(int a, int b) {
        return a - b > 0;
    }

    /** a &gt;= b. */
    public static boolean ge(int a, int b) {
        return a - b >= 0;
    }

    /** Octets from {@code from} up to {@code to}; negative if {@code to} lies before it. */
    public static int distance(int from, int to) {
        return to - from;
    }

    /** start =&lt; seq &lt; start + length, for a length of 0..2^31-1. */
    public static boolean in(int seq, int start, int length) {
        return Integer.compareUnsigned(seq - start, length) < 0;
    }

    /** The later of both. */
    public static int max(int a, int b) {
        return lt(a, b) ? b : a;
    }

    /** The earlier of both. */
    public static int min(int a, int b) {
        return lt(a, b) ? a : b;
    }
}
