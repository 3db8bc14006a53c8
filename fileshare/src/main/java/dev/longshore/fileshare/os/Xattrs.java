package dev.longshore.fileshare.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;

/**
 * Extended attributes of what a descriptor refers to, O_PATH too, or of a name in a directory: by way of
 * {@code /proc/self/fd}, for there are no other calls before Linux 6.13. Confined to one thread at a time.
 *
 * <p>Every call returns what the kernel does, or the negated {@code errno}. Names are NUL-terminated.
 */
public final class Xattrs extends SystemCalls {
    /** XATTR_SIZE_MAX and XATTR_LIST_MAX, Linux include/uapi/linux/limits.h. */
    public static final int MAX_VALUE_BYTES = 65536;

    private static final byte[] PREFIX = "/proc/self/fd/".getBytes(StandardCharsets.US_ASCII);

    private final MemorySegment path = arena.allocate(PREFIX.length + 16L + Posix.MAX_NAME_BYTES + 1);

    public Xattrs() {
        MemorySegment.copy(PREFIX, 0, path, JAVA_BYTE, 0, PREFIX.length);
    }

    public int get(int fd, MemorySegment name, MemorySegment into, long room) {
        return get(pathOf(fd), name, into, room, true);
    }

    /** Of the name {@code file} in the directory open as {@code dirFd}; if that is a link, of the link. */
    public int get(int dirFd, byte[] file, MemorySegment name, MemorySegment into, long room) {
        return get(pathOf(dirFd, file), name, into, room, false);
    }

    private int get(MemorySegment of, MemorySegment name, MemorySegment into, long room, boolean follow) {
        try {
            if (follow) {
                return (int) result((long) GetxattrCall.HANDLE.invokeExact(errno, of, name, into, room));
            }
            return (int) result((long) LgetxattrCall.HANDLE.invokeExact(errno, of, name, into, room));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** With {@code flags} of XATTR_CREATE (1), XATTR_REPLACE (2). */
    public int set(int fd, MemorySegment name, MemorySegment value, long bytes, int flags) {
        try {
            return result((int) SetxattrCall.HANDLE.invokeExact(errno, pathOf(fd), name, value, bytes, flags));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public int list(int fd, MemorySegment into, long room) {
        try {
            return (int) result((long) ListxattrCall.HANDLE.invokeExact(errno, pathOf(fd), into, room));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public int remove(int fd, MemorySegment name) {
        try {
            return result((int) RemovexattrCall.HANDLE.invokeExact(errno, pathOf(fd), name));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    private MemorySegment pathOf(int fd) {
        path.set(JAVA_BYTE, PREFIX.length + digits(fd), (byte) 0);
        return path;
    }

    private MemorySegment pathOf(int dirFd, byte[] file) {
        int at = PREFIX.length + digits(dirFd);
        path.set(JAVA_BYTE, at, (byte) '/');
        MemorySegment.copy(file, 0, path, JAVA_BYTE, at + 1L, file.length);
        path.set(JAVA_BYTE, at + 1L + file.length, (byte) 0);
        return path;
    }

    private int digits(int fd) {
        int digits = 1;
        for (int n = fd; n > 9; n /= 10) {
            digits++;
        }
        for (int at = digits - 1, n = fd; at >= 0; at--, n /= 10) {
            path.set(JAVA_BYTE, PREFIX.length + at, (byte) ('0' + n % 10));
        }
        return digits;
    }

    // ---- the calls, each linked when it is first made: all of them at once would be half of a start

    private static final class GetxattrCall {
        static final MethodHandle HANDLE =
                call("getxattr", FunctionDescriptor.of(JAVA_LONG, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG));
    }

    private static final class LgetxattrCall {
        static final MethodHandle HANDLE =
                call("lgetxattr", FunctionDescriptor.of(JAVA_LONG, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG));
    }

    private static final class SetxattrCall {
        static final MethodHandle HANDLE =
                call("setxattr", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT));
    }

    private static final class ListxattrCall {
        static final MethodHandle HANDLE =
                call("listxattr", FunctionDescriptor.of(JAVA_LONG, ADDRESS, ADDRESS, JAVA_LONG));
    }

    private static final class RemovexattrCall {
        static final MethodHandle HANDLE = call("removexattr", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS));
    }
}
