package dev.longshore.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * An array of struct mmsghdr, each with one iovec, one address and some control data, all in one piece of memory. Confined
 * to one thread.
 *
 * <p>struct mmsghdr, 64 bytes: name, namelen, iov, iovlen, control, controllen, flags, msg_len. struct cmsghdr, 16 bytes:
 * len, level, type; its data follow, padded to 8 bytes.
 */
final class MessageVector {
    static final int CONTROL_BYTES = 128;
    static final int CMSG_HEADER = 16;

    private static final int HEADER = 64;
    private static final int NAMELEN_AT = 8;
    private static final int IOV_AT = 16;
    private static final int IOVLEN_AT = 24;
    private static final int CONTROL_AT = 32;
    private static final int CONTROLLEN_AT = 40;
    private static final int FLAGS_AT = 48;
    private static final int LEN_AT = 56;
    private static final int IOV_BYTES = 16;

    final MemorySegment memory;
    private final long names;
    private final long iovs;
    private final long controls;

    MessageVector(Arena arena, int messages) {
        names = (long) messages * HEADER;
        iovs = names + (long) messages * SocketAddress.MAX_BYTES;
        controls = iovs + (long) messages * IOV_BYTES;
        memory = arena.allocate(controls + (long) messages * CONTROL_BYTES, 64);
        for (int i = 0; i < messages; i++) {
            long at = header(i);
            memory.set(ADDRESS, at, memory.asSlice(name(i)));
            memory.set(ADDRESS, at + IOV_AT, memory.asSlice(iov(i)));
            memory.set(JAVA_LONG, at + IOVLEN_AT, 1);
            memory.set(ADDRESS, at + CONTROL_AT, memory.asSlice(control(i)));
        }
    }

    /** Address of message {@code i}, for the system call. */
    long address(int i) {
        return memory.address() + header(i);
    }

    private static long header(int i) {
        return (long) i * HEADER;
    }

    long name(int i) {
        return names + (long) i * SocketAddress.MAX_BYTES;
    }

    private long iov(int i) {
        return iovs + (long) i * IOV_BYTES;
    }

    long control(int i) {
        return controls + (long) i * CONTROL_BYTES;
    }

    /** What is sent, or where to receive. */
    void setData(int i, long address, long bytes) {
        memory.set(JAVA_LONG, iov(i), address);
        memory.set(JAVA_LONG, iov(i) + 8, bytes);
    }

    void setNameBytes(int i, int bytes) {
        memory.set(JAVA_INT, header(i) + NAMELEN_AT, bytes);
    }

    int nameBytes(int i) {
        return memory.get(JAVA_INT, header(i) + NAMELEN_AT);
    }

    void setControlBytes(int i, long bytes) {
        memory.set(JAVA_LONG, header(i) + CONTROLLEN_AT, bytes);
    }

    long controlBytes(int i) {
        return Math.min(CONTROL_BYTES, memory.get(JAVA_LONG, header(i) + CONTROLLEN_AT));
    }

    /** Name and control data may be as long as there is room; the kernel says how long they are. */
    void prepareToReceive(int i) {
        setNameBytes(i, SocketAddress.MAX_BYTES);
        setControlBytes(i, CONTROL_BYTES);
        memory.set(JAVA_INT, header(i) + FLAGS_AT, 0);
    }

    /** Bytes received. */
    int length(int i) {
        return memory.get(JAVA_INT, header(i) + LEN_AT);
    }

    /** Writes one control message's header at offset {@code at} of message {@code i}'s; its data start 16 bytes later. */
    void setControlHeader(int i, int at, int level, int type, int dataBytes) {
        long c = control(i) + at;
        memory.set(JAVA_LONG, c, CMSG_HEADER + dataBytes);
        memory.set(JAVA_INT, c + 8, level);
        memory.set(JAVA_INT, c + 12, type);
    }

    /** Where the data of the control message of this level and type start, or -1. */
    long findControl(int i, int level, int type) {
        long start = control(i);
        long end = start + controlBytes(i);
        long at = start;
        while (at + CMSG_HEADER <= end) {
            long bytes = memory.get(JAVA_LONG, at);
            if (bytes < CMSG_HEADER) {
                return -1;
            }
            if (memory.get(JAVA_INT, at + 8) == level && memory.get(JAVA_INT, at + 12) == type) {
                return at + CMSG_HEADER;
            }
            at += (bytes + 7) & ~7L;
        }
        return -1;
    }
}
