package dev.longshore.fileshare.fuse;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import dev.longshore.fileshare.os.Stat;
import java.lang.foreign.MemorySegment;

/**
 * The structures of replies that tell attributes.
 *
 * <pre>
 * struct fuse_attr (88): ino 0, size 8, blocks 16, atime 24, mtime 32, ctime 40, atimensec 48, mtimensec 52, ctimensec 56,
 *                        mode 60, nlink 64, uid 68, gid 72, rdev 76, blksize 80, flags 84
 * struct fuse_entry_out (128): nodeid 0, generation 8, entry_valid 16, attr_valid 24, entry_valid_nsec 32, attr_valid_nsec 36,
 *                              attr 40
 * struct fuse_attr_out (104): attr_valid 0, attr_valid_nsec 8, dummy 12, attr 16
 * struct fuse_statx_out (288): attr_valid 0, attr_valid_nsec 8, flags 12, spare 16, stat 32
 * </pre>
 */
final class Attributes {
    static final int ENTRY_BYTES = 128;
    static final int ATTR_BYTES = 104;
    static final int STATX_BYTES = 288;

    /** FUSE_ATTR_SUBMOUNT: another file system begins here. */
    static final int SUBMOUNT = 1;

    private static final long SECOND = 1_000_000_000L;

    private Attributes() {}

    static void write(MemorySegment m, long at, Stat stat, int flags) {
        m.set(JAVA_LONG_UNALIGNED, at, stat.ino());
        m.set(JAVA_LONG_UNALIGNED, at + 8, stat.size());
        m.set(JAVA_LONG_UNALIGNED, at + 16, stat.blocks());
        m.set(JAVA_LONG_UNALIGNED, at + 24, stat.atimeSeconds());
        m.set(JAVA_LONG_UNALIGNED, at + 32, stat.mtimeSeconds());
        m.set(JAVA_LONG_UNALIGNED, at + 40, stat.ctimeSeconds());
        m.set(JAVA_INT_UNALIGNED, at + 48, stat.atimeNanos());
        m.set(JAVA_INT_UNALIGNED, at + 52, stat.mtimeNanos());
        m.set(JAVA_INT_UNALIGNED, at + 56, stat.ctimeNanos());
        m.set(JAVA_INT_UNALIGNED, at + 60, stat.mode());
        m.set(JAVA_INT_UNALIGNED, at + 64, stat.links());
        m.set(JAVA_INT_UNALIGNED, at + 68, stat.uid());
        m.set(JAVA_INT_UNALIGNED, at + 72, stat.gid());
        m.set(JAVA_INT_UNALIGNED, at + 76, device(stat.deviceMajor(), stat.deviceMinor()));
        m.set(JAVA_INT_UNALIGNED, at + 80, stat.blockBytes());
        m.set(JAVA_INT_UNALIGNED, at + 84, flags);
    }

    /** new_encode_dev: Linux include/linux/kdev_t.h. */
    private static int device(int major, int minor) {
        return (minor & 0xFF) | major << 8 | (minor & ~0xFF) << 12;
    }

    static int major(int device) {
        return device >>> 8 & 0xFFF;
    }

    static int minor(int device) {
        return (device & 0xFF) | (device >>> 12 & 0xFFF00);
    }

    static void writeEntry(MemorySegment m, long at, long node, long entryNanos, long attrNanos, Stat stat, int flags) {
        m.set(JAVA_LONG_UNALIGNED, at, node);
        m.set(JAVA_LONG_UNALIGNED, at + 8, 0);
        m.set(JAVA_LONG_UNALIGNED, at + 16, entryNanos / SECOND);
        m.set(JAVA_LONG_UNALIGNED, at + 24, attrNanos / SECOND);
        m.set(JAVA_INT_UNALIGNED, at + 32, (int) (entryNanos % SECOND));
        m.set(JAVA_INT_UNALIGNED, at + 36, (int) (attrNanos % SECOND));
        write(m, at + 40, stat, flags);
    }

    /** There is no such name, and the guest may remember that. */
    static int writeAbsence(MemorySegment m, long nanos) {
        m.asSlice(0, ENTRY_BYTES).fill((byte) 0);
        m.set(JAVA_LONG_UNALIGNED, 16, nanos / SECOND);
        m.set(JAVA_INT_UNALIGNED, 32, (int) (nanos % SECOND));
        return ENTRY_BYTES;
    }

    static int writeAttr(MemorySegment m, long attrNanos, Stat stat, int flags) {
        m.set(JAVA_LONG_UNALIGNED, 0, attrNanos / SECOND);
        m.set(JAVA_INT_UNALIGNED, 8, (int) (attrNanos % SECOND));
        m.set(JAVA_INT_UNALIGNED, 12, 0);
        write(m, 16, stat, flags);
        return ATTR_BYTES;
    }

    static int writeStatx(MemorySegment m, long attrNanos, Stat stat) {
        m.asSlice(0, 32).fill((byte) 0);
        m.set(JAVA_LONG_UNALIGNED, 0, attrNanos / SECOND);
        m.set(JAVA_INT_UNALIGNED, 8, (int) (attrNanos % SECOND));
        MemorySegment.copy(stat.memory(), 0, m, 32, Stat.BYTES);
        m.asSlice(32 + 144, Stat.BYTES - 144).fill((byte) 0); // mount id and alignments are the host's affair
        return STATX_BYTES;
    }
}
