package dev.longshore.fileshare.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * System calls on directories and names: relative to descriptors, names as bytes. Confined to one thread at a time, because
 * of its scratch memory.
 *
 * <p>Every call returns what the kernel does, or the negated {@code errno}; nothing here throws for an outside failure.
 * A path is a NUL-terminated piece of native memory: the caller's, {@link #name} or {@link #otherName}.
 */
public final class Posix extends SystemCalls {
    /** NAME_MAX, limits.h. */
    public static final int MAX_NAME_BYTES = 255;

    /** PATH_MAX, limits.h, the terminating NUL included. */
    public static final int MAX_PATH_BYTES = 4096;

    private static final int SYS_OPENAT2 = 437;
    private static final int OPEN_HOW_BYTES = 24; // flags, mode, resolve
    private static final int AT_EMPTY_PATH = Open.AT_EMPTY_PATH;

    private final MemorySegment empty = arena.allocate(1);
    private final MemorySegment name = arena.allocate(MAX_PATH_BYTES);
    private final MemorySegment otherName = arena.allocate(MAX_PATH_BYTES);
    private final MemorySegment number = arena.allocate(16);
    private final MemorySegment how = arena.allocate(OPEN_HOW_BYTES, 8);
    private final MemorySegment times = arena.allocate(32, 8);
    private final MemorySegment fdDirectory = arena.allocateFrom("/proc/self/fd");
    private int procFd = -1;

    // ---- paths

    /** {@code bytes} as a path, until this is called again. */
    public MemorySegment name(byte[] bytes) {
        return put(bytes, name);
    }

    /** {@code bytes} as a path, until this is called again. */
    public MemorySegment otherName(byte[] bytes) {
        return put(bytes, otherName);
    }

    private static MemorySegment put(byte[] bytes, MemorySegment at) {
        if (bytes.length >= MAX_PATH_BYTES) {
            throw new IllegalArgumentException("a path of " + bytes.length + " bytes");
        }
        MemorySegment.copy(bytes, 0, at, JAVA_BYTE, 0, bytes.length);
        at.set(JAVA_BYTE, bytes.length, (byte) 0);
        return at;
    }

    /** What names the descriptor {@code fd} in {@link #procFd}, until this is called again. */
    public MemorySegment number(int fd) {
        int digits = 1;
        for (int n = fd; n > 9; n /= 10) {
            digits++;
        }
        number.set(JAVA_BYTE, digits, (byte) 0);
        for (int at = digits - 1, n = fd; at >= 0; at--, n /= 10) {
            number.set(JAVA_BYTE, at, (byte) ('0' + n % 10));
        }
        return number;
    }

    /** {@code /proc/self/fd}, opened when first needed and kept as long as this object's thread works; or a negated errno. */
    public int procFd() {
        if (procFd < 0) {
            procFd = openat(Open.AT_FDCWD, fdDirectory, Open.O_PATH | Open.O_DIRECTORY | Open.O_CLOEXEC, 0);
        }
        return procFd;
    }

    /** Gives back what the object holds. */
    public void close() {
        if (procFd >= 0) {
            close(procFd);
            procFd = -1;
        }
    }

    // ---- opening

    public int openat(int dirFd, MemorySegment path, int flags, int mode) {
        try {
            int r;
            do {
                r = result((int) OpenatCall.HANDLE.invokeExact(errno, dirFd, path, flags, mode));
            } while (interrupted(r));
            return r;
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Opens {@code path} without leaving the directory {@code dirFd} or following any link: openat2(2). */
    public int openBeneath(int dirFd, MemorySegment path, int flags, int mode) {
        return openat2(dirFd, path, flags, mode, Open.RESOLVE_BENEATH);
    }

    /** Opens the absolute {@code path} without following any link, at its end or on the way: -ELOOP if there is one. */
    public int openWithoutLinks(MemorySegment path, int flags) {
        return openat2(Open.AT_FDCWD, path, flags, 0, Open.RESOLVE_NO_LINKS);
    }

    private int openat2(int dirFd, MemorySegment path, int flags, int mode, long resolve) {
        how.set(JAVA_LONG, 0, flags & 0xFFFF_FFFFL);
        how.set(JAVA_LONG, 8, mode);
        how.set(JAVA_LONG, 16, resolve);
        try {
            int r;
            int tries = 0;
            do {
                r = (int) result((long) Openat2Call.HANDLE.invokeExact(
                        errno, (long) SYS_OPENAT2, dirFd, path, how, (long) OPEN_HOW_BYTES));
                // EAGAIN: something was renamed meanwhile and the kernel could not be sure; openat2(2) says to try
                // again
            } while (interrupted(r) || (r == -11 && tries++ < 100));
            return r;
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Opens anew what {@code fd} refers to, which may be an O_PATH descriptor. The caller has made sure of its type. */
    public int reopen(int fd, int flags) {
        int proc = procFd();
        return proc < 0 ? proc : openat(proc, number(fd), flags & ~Open.O_NOFOLLOW, 0);
    }

    /**
     * Where what is open as {@code fd} is now, O_PATH too: the bytes written to {@code into}, which has room for {@link #MAX_PATH_BYTES}.
     * One that has no name any more has " (deleted)" at its end.
     */
    public int pathOf(int fd, MemorySegment into) {
        int proc = procFd();
        if (proc < 0) {
            return proc;
        }
        try {
            return (int) result(
                    (long) ReadlinkatCall.HANDLE.invokeExact(errno, proc, number(fd), into, (long) MAX_PATH_BYTES));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public int close(int fd) {
        try {
            return result((int) CloseCall.HANDLE.invokeExact(errno, fd)); // never repeated: it is gone after EINTR
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public int dup(int fd) {
        try {
            return result((int) FcntlCall.HANDLE.invokeExact(errno, fd, 1030, 0)); // F_DUPFD_CLOEXEC
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    // ---- attributes

    /** Fills {@code into} from the name {@code path} in {@code dirFd}, whose last link is not followed. */
    public int statx(int dirFd, MemorySegment path, Stat into) {
        return statx(dirFd, path, Open.AT_SYMLINK_NOFOLLOW | Open.AT_NO_AUTOMOUNT, into);
    }

    /** Fills {@code into} from what is open as {@code fd}. */
    public int statx(int fd, Stat into) {
        return statx(fd, empty, AT_EMPTY_PATH, into);
    }

    public int statx(int dirFd, MemorySegment path, int flags, Stat into) {
        try {
            return result((int) StatxCall.HANDLE.invokeExact(errno, dirFd, path, flags, Stat.MASK, into.memory()));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** chmod of what is open as {@code fd}, O_PATH too; a link's mode cannot change (-EOPNOTSUPP). */
    public int chmod(int fd, int mode) {
        int proc = procFd();
        if (proc < 0) {
            return proc;
        }
        try {
            return result((int) FchmodatCall.HANDLE.invokeExact(errno, proc, number(fd), mode, 0));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** chown of what is open as {@code fd}, O_PATH and links too; -1 leaves one as it is. */
    public int chown(int fd, int uid, int gid) {
        try {
            return result((int) FchownatCall.HANDLE.invokeExact(errno, fd, empty, uid, gid, AT_EMPTY_PATH));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** UTIME_NOW as nanoseconds: utimensat(2). */
    public static final long UTIME_NOW = (1L << 30) - 1;

    /** UTIME_OMIT as nanoseconds: utimensat(2). */
    public static final long UTIME_OMIT = (1L << 30) - 2;

    /** utimensat of what is open as {@code fd}, O_PATH and links too. */
    public int utimens(int fd, long atime, long atimeNanos, long mtime, long mtimeNanos) {
        times.set(JAVA_LONG, 0, atime);
        times.set(JAVA_LONG, 8, atimeNanos);
        times.set(JAVA_LONG, 16, mtime);
        times.set(JAVA_LONG, 24, mtimeNanos);
        try {
            return result((int) UtimensatCall.HANDLE.invokeExact(errno, fd, empty, times, AT_EMPTY_PATH));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** struct statfs of what is open as {@code fd}, O_PATH too: {@code into} has room for {@link #STATFS_BYTES}. */
    public int fstatfs(int fd, MemorySegment into) {
        try {
            return result((int) FstatfsCall.HANDLE.invokeExact(errno, fd, into));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /**
     * True if the file system that is open as {@code fd} is on a disk or in the memory of this computer, so that what a write has taken
     * cannot fail at a close, as with NFS. Those that are not known do not count as local. linux/magic.h.
     *
     * @param scratch {@link #STATFS_BYTES}
     */
    public boolean isLocal(int fd, MemorySegment scratch) {
        if (fstatfs(fd, scratch) < 0) {
            return false;
        }
        return switch ((int) scratch.get(JAVA_LONG, 0)) {
            case 0xEF53, // ext4
                    0x58465342, // XFS
                    0x9123683E, // Btrfs
                    0xF2F52010, // F2FS
                    0x2FC12FC1, // ZFS
                    0xCA451A4E, // bcachefs
                    0x794C7630, // overlayfs
                    0x01021994, // tmpfs
                    0x858458F6 -> // ramfs
                true;
            default -> false;
        };
    }

    /** struct statfs: type, bsize, blocks, bfree, bavail, files, ffree, fsid, namelen, frsize, flags, spare: 8 bytes each. */
    public static final int STATFS_BYTES = 120;

    // ---- names

    public int mkdirat(int dirFd, MemorySegment path, int mode) {
        try {
            return result((int) MkdiratCall.HANDLE.invokeExact(errno, dirFd, path, mode));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** With {@code dev} in the C library's form: {@link #makedev}. */
    public int mknodat(int dirFd, MemorySegment path, int mode, long dev) {
        try {
            return result((int) MknodatCall.HANDLE.invokeExact(errno, dirFd, path, mode, dev));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** gnu_dev_makedev. */
    public static long makedev(int major, int minor) {
        return (major & 0xFFFL) << 8 | (major & 0xFFFF_F000L) << 32 | (minor & 0xFFL) | (minor & 0xFFFF_FF00L) << 12;
    }

    public int symlinkat(MemorySegment target, int dirFd, MemorySegment path) {
        try {
            return result((int) SymlinkatCall.HANDLE.invokeExact(errno, target, dirFd, path));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** What the link open as {@code fd} (O_PATH) says: the bytes written to {@code into}. */
    public int readlink(int fd, MemorySegment into, int room) {
        try {
            return (int) result((long) ReadlinkatCall.HANDLE.invokeExact(errno, fd, empty, into, (long) room));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Gives what is open as {@code fd}, O_PATH too, one more name. */
    public int link(int fd, int dirFd, MemorySegment path) {
        int proc = procFd();
        if (proc < 0) {
            return proc;
        }
        try {
            return result(
                    (int) LinkatCall.HANDLE.invokeExact(errno, proc, number(fd), dirFd, path, Open.AT_SYMLINK_FOLLOW));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** With {@code flags} {@link Open#AT_REMOVEDIR} or 0. */
    public int unlinkat(int dirFd, MemorySegment path, int flags) {
        try {
            return result((int) UnlinkatCall.HANDLE.invokeExact(errno, dirFd, path, flags));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** With {@code flags} of RENAME_NOREPLACE (1), RENAME_EXCHANGE (2). */
    public int renameat2(int oldDirFd, MemorySegment oldPath, int newDirFd, MemorySegment newPath, int flags) {
        try {
            return result((int) Renameat2Call.HANDLE.invokeExact(errno, oldDirFd, oldPath, newDirFd, newPath, flags));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** struct linux_dirent64s: the bytes written to {@code into}, 0 at the end. */
    public int getdents(int fd, MemorySegment into, int room) {
        try {
            return (int) result((long) Getdents64Call.HANDLE.invokeExact(errno, fd, into, (long) room));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** With {@code whence} 0 SEEK_SET, 3 SEEK_DATA, 4 SEEK_HOLE. */
    public long lseek(int fd, long offset, int whence) {
        try {
            return result((long) LseekCall.HANDLE.invokeExact(errno, fd, offset, whence));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    // ---- the calls, each linked when it is first made: all of them at once would be half of a start

    private static final class OpenatCall {
        static final MethodHandle HANDLE = call(
                "openat",
                FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT),
                Linker.Option.firstVariadicArg(3));
    }

    private static final class Openat2Call {
        static final MethodHandle HANDLE = call(
                "syscall",
                FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG),
                Linker.Option.firstVariadicArg(1));
    }

    private static final class CloseCall {
        static final MethodHandle HANDLE = call("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    }

    private static final class FcntlCall {
        static final MethodHandle HANDLE = call(
                "fcntl",
                FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT),
                Linker.Option.firstVariadicArg(2));
    }

    private static final class StatxCall {
        static final MethodHandle HANDLE =
                call("statx", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, ADDRESS));
    }

    private static final class FchmodatCall {
        static final MethodHandle HANDLE =
                call("fchmodat", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT));
    }

    private static final class FchownatCall {
        static final MethodHandle HANDLE =
                call("fchownat", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, JAVA_INT));
    }

    private static final class UtimensatCall {
        static final MethodHandle HANDLE =
                call("utimensat", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, ADDRESS, JAVA_INT));
    }

    private static final class FstatfsCall {
        static final MethodHandle HANDLE = call("fstatfs", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));
    }

    private static final class MkdiratCall {
        static final MethodHandle HANDLE =
                call("mkdirat", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    }

    private static final class MknodatCall {
        static final MethodHandle HANDLE =
                call("mknodat", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_LONG));
    }

    private static final class SymlinkatCall {
        static final MethodHandle HANDLE =
                call("symlinkat", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, ADDRESS));
    }

    private static final class ReadlinkatCall {
        static final MethodHandle HANDLE =
                call("readlinkat", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG));
    }

    private static final class LinkatCall {
        static final MethodHandle HANDLE =
                call("linkat", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, ADDRESS, JAVA_INT));
    }

    private static final class UnlinkatCall {
        static final MethodHandle HANDLE =
                call("unlinkat", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    }

    private static final class Renameat2Call {
        static final MethodHandle HANDLE =
                call("renameat2", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, ADDRESS, JAVA_INT));
    }

    private static final class Getdents64Call {
        static final MethodHandle HANDLE =
                call("getdents64", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    }

    private static final class LseekCall {
        static final MethodHandle HANDLE =
                call("lseek", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT));
    }
}
