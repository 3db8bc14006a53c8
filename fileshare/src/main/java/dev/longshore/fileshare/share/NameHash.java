package dev.longshore.fileshare.share;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** FNV-1a of names: names of trees differ in few bits, of which {@link java.util.Arrays#hashCode(byte[])} makes too few buckets. */
final class NameHash {
    private static final long BASIS = 0xCBF2_9CE4_8422_2325L;
    private static final long PRIME = 0x0000_0100_0000_01B3L;

    private NameHash() {}

    static long of(byte[] name) {
        long h = BASIS;
        for (byte b : name) {
            h = (h ^ (b & 0xFF)) * PRIME;
        }
        return h;
    }

    static long of(MemorySegment name, int length) {
        long h = BASIS;
        for (int i = 0; i < length; i++) {
            h = (h ^ (name.get(ValueLayout.JAVA_BYTE, i) & 0xFF)) * PRIME;
        }
        return h;
    }
}
