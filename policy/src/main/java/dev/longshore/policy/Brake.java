package dev.longshore.policy;

import java.util.concurrent.TimeUnit;

/**
 * Which decisions are told of: of those that are alike one in half a minute, and of all together fifty at once and two a second
 * in the long run. Whatever a guest does, it can't fill the log. Makes no object. Confined to the link's event loop.
 */
final class Brake {
    private static final long ALIKE_NANOS = TimeUnit.SECONDS.toNanos(30);
    private static final long NANOS_PER_TOLD = TimeUnit.MILLISECONDS.toNanos(500);
    private static final int BURST = 50;
    private static final int SLOTS = 512; // a power of two; two kinds in one slot drive each other out

    private final long[] keys = new long[SLOTS];
    private final long[] toldAt = new long[SLOTS];
    private final long[] held = new long[SLOTS];
    private int allowance = BURST;
    private long filledAt;

    Brake(long now) {
        filledAt = now;
    }

    /** How many alike were held back before this one, or -1 if this one is held back, too. */
    long like(long key, long now) {
        int slot = (int) (key >>> 32 ^ key) & (SLOTS - 1);
        boolean same = keys[slot] == key && key != 0;
        if (same && now - toldAt[slot] < ALIKE_NANOS) {
            held[slot]++;
            return -1;
        }
        long refill = (now - filledAt) / NANOS_PER_TOLD;
        if (refill > 0) {
            allowance = (int) Math.min(BURST, allowance + refill);
            filledAt += refill * NANOS_PER_TOLD;
        }
        if (allowance == 0) {
            if (same) {
                held[slot]++;
            }
            return -1;
        }
        allowance--;
        long like = same ? held[slot] : 0;
        keys[slot] = key;
        toldAt[slot] = now;
        held[slot] = 0;
        return like;
    }

    /** Of one kind of decision. */
    static long key(int rule, int staged, Facts f, long guestLo) {
        long key = 31L * (31L * (rule + 2) + staged + 2) + f.port;
        key = mix(key * 31 + f.protocol.name().length() + 7L * f.protocol.name().charAt(0));
        key = mix(key ^ f.hi);
        key = mix(key ^ f.lo);
        key = mix(key ^ guestLo);
        for (int i = 0; !f.hasAddress && i < f.names(); i++) {
            key = mix(key ^ f.name(i).hashCode());
        }
        return key == 0 ? 1 : key;
    }

    private static long mix(long x) {
        long y = x * 0x9E37_79B9_7F4A_7C15L;
        return y ^ (y >>> 29);
    }
}
