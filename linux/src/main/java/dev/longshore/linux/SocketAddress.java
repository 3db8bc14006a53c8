package dev.longshore.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * struct sockaddr_in and sockaddr_in6 at an offset of a segment. Addresses are 128 bits, those of IPv4 mapped
 * (::ffff:a.b.c.d); a sockaddr_in6 is never written for them.
 */
final class SocketAddress {
    static final int AF_INET = 2;
    static final int AF_INET6 = 10;

    /** sizeof(struct sockaddr_in6), with room to keep the next one aligned. */
    static final int MAX_BYTES = 32;

    private static final long MAPPED = 0xFFFF_0000_0000L;
    private static final int BYTES_V4 = 16;
    private static final int BYTES_V6 = 28;
    private static final ValueLayout.OfShort PORT = JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt V4 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong HALF = JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private SocketAddress() {}

    static boolean isV4(long hi, long lo) {
        return hi == 0 && (lo & 0xFFFF_FFFF_0000_0000L) == MAPPED;
    }

    /** Writes it and returns its length. */
    static int write(MemorySegment m, long at, long hi, long lo, int port) {
        return write(m, at, hi, lo, 0, port);
    }

    /** As the other one; {@code scope} is the interface of a link-local IPv6 address. */
    static int write(MemorySegment m, long at, long hi, long lo, int scope, int port) {
        m.set(PORT, at + 2, (short) port);
        if (isV4(hi, lo)) {
            m.set(JAVA_SHORT, at, (short) AF_INET);
            m.set(V4, at + 4, (int) lo);
            m.set(HALF, at + 8, 0L);
            return BYTES_V4;
        }
        m.set(JAVA_SHORT, at, (short) AF_INET6);
        m.set(V4, at + 4, 0);
        m.set(HALF, at + 8, hi);
        m.set(HALF, at + 16, lo);
        m.set(JAVA_INT_UNALIGNED, at + 24, scope); // in the machine's byte order, as all of it but port and addresses
        return BYTES_V6;
    }

    /** AF_INET, AF_INET6, or anything else for an absent address. */
    static int family(MemorySegment m, long at) {
        return m.get(JAVA_SHORT, at);
    }

    static int port(MemorySegment m, long at) {
        return m.get(PORT, at + 2) & 0xFFFF;
    }

    static long hi(MemorySegment m, long at) {
        return family(m, at) == AF_INET6 ? m.get(HALF, at + 8) : 0;
    }

    /** 0, as {@link #hi} is, if there is no address. */
    static long lo(MemorySegment m, long at) {
        return switch (family(m, at)) {
            case AF_INET -> MAPPED | (m.get(V4, at + 4) & 0xFFFF_FFFFL);
            case AF_INET6 -> m.get(HALF, at + 16);
            default -> 0;
        };
    }

    /** The four bytes of a struct in_addr, mapped. */
    static long loOfV4(MemorySegment m, long at) {
        return MAPPED | (m.get(V4, at) & 0xFFFF_FFFFL);
    }

    /** The first eight bytes of a struct in6_addr; the others follow eight bytes later. */
    static long half(MemorySegment m, long at) {
        return m.get(HALF, at);
    }

    static void setHalf(MemorySegment m, long at, long value) {
        m.set(HALF, at, value);
    }

    static void setV4(MemorySegment m, long at, long lo) {
        m.set(V4, at, (int) lo);
    }
}
