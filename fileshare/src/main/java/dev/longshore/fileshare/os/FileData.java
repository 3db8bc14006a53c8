package dev.longshore.fileshare.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * System calls on the content of open files. Confined to one thread at a time.
 *
 * <p>Every call returns what the kernel does, or the negated {@code errno}.
 */
public final class FileData extends SystemCalls {
    /** RWF_APPEND, preadv2(2): at the end, wherever that is by then. */
    public static final int RWF_APPEND = 0x10;

    private final MemorySegment offsets = arena.allocate(16, 8);

    public long preadv(int fd, IoVector into, long offset, int flags) {
        try {
            long r;
            do {
                r = result((long) Preadv2Call.HANDLE.invokeExact(errno, fd, into.array(), into.count(), offset, flags));
            } while (interrupted(r));
            return r;
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public long pwritev(int fd, IoVector from, long offset, int flags) {
        try {
            long r;
            do {
                r = result(
                        (long) Pwritev2Call.HANDLE.invokeExact(errno, fd, from.array(), from.count(), offset, flags));
            } while (interrupted(r));
            return r;
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Blocks until there are bytes (of a device's message, for example). */
    public long read(int fd, MemorySegment into, long room) {
        try {
            return result((long) ReadCall.HANDLE.invokeExact(errno, fd, into, room));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public long write(int fd, MemorySegment from, long bytes) {
        try {
            long r;
            do {
                r = result((long) WriteCall.HANDLE.invokeExact(errno, fd, from, bytes));
            } while (interrupted(r));
            return r;
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public int ftruncate(int fd, long bytes) {
        try {
            int r;
            do {
                r = result((int) FtruncateCall.HANDLE.invokeExact(errno, fd, bytes));
            } while (interrupted(r));
            return r;
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public int fsync(int fd) {
        try {
            return result((int) FsyncCall.HANDLE.invokeExact(errno, fd));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public int fdatasync(int fd) {
        try {
            return result((int) FdatasyncCall.HANDLE.invokeExact(errno, fd));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** The whole file system that {@code fd} is on. */
    public int syncfs(int fd) {
        try {
            return result((int) SyncfsCall.HANDLE.invokeExact(errno, fd));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public int fallocate(int fd, int mode, long offset, long bytes) {
        try {
            int r;
            do {
                r = result((int) FallocateCall.HANDLE.invokeExact(errno, fd, mode, offset, bytes));
            } while (interrupted(r));
            return r;
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public long copyFileRange(int fromFd, long fromOffset, int toFd, long toOffset, long bytes) {
        offsets.set(JAVA_LONG, 0, fromOffset);
        offsets.set(JAVA_LONG, 8, toOffset);
        try {
            return result((long)
                    CopyFileRangeCall.HANDLE.invokeExact(errno, fromFd, offsets, toFd, offsets.asSlice(8), bytes, 0));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    // ---- the calls, each linked when it is first made: all of them at once would be half of a start

    private static final class Preadv2Call {
        static final MethodHandle HANDLE =
                call("preadv2", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT, JAVA_LONG, JAVA_INT));
    }

    private static final class Pwritev2Call {
        static final MethodHandle HANDLE =
                call("pwritev2", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT, JAVA_LONG, JAVA_INT));
    }

    private static final class ReadCall {
        static final MethodHandle HANDLE = call("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    }

    private static final class WriteCall {
        static final MethodHandle HANDLE =
                call("write", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    }

    private static final class FtruncateCall {
        static final MethodHandle HANDLE = call("ftruncate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG));
    }

    private static final class FsyncCall {
        static final MethodHandle HANDLE = call("fsync", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    }

    private static final class FdatasyncCall {
        static final MethodHandle HANDLE = call("fdatasync", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    }

    private static final class SyncfsCall {
        static final MethodHandle HANDLE = call("syncfs", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    }

    private static final class FallocateCall {
        static final MethodHandle HANDLE =
                call("fallocate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    private static final class CopyFileRangeCall {
        static final MethodHandle HANDLE = call(
                "copy_file_range",
                FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
    }
}
