package dev.longshore.fileshare.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * inotify(7): what happens in directories of the host. Confined to one thread, except {@link #wake}.
 *
 * <p>Every call returns what the kernel does, or the negated {@code errno}.
 */
public final class Inotify extends SystemCalls implements AutoCloseable {
    public static final int IN_MODIFY = 0x2;
    public static final int IN_ATTRIB = 0x4;
    public static final int IN_CLOSE_WRITE = 0x8;
    public static final int IN_MOVED_FROM = 0x40;
    public static final int IN_MOVED_TO = 0x80;
    public static final int IN_CREATE = 0x100;
    public static final int IN_DELETE = 0x200;
    public static final int IN_Q_OVERFLOW = 0x4000;
    public static final int IN_IGNORED = 0x8000;
    public static final int IN_ONLYDIR = 0x0100_0000;
    public static final int IN_EXCL_UNLINK = 0x0400_0000;
    public static final int IN_ISDIR = 0x4000_0000;

    /** Of {@code struct inotify_event}: wd 0, mask 4, cookie 8, len 12; the name, padded with NULs. */
    public static final int EVENT_BYTES = 16;

    private static final int NONBLOCK_CLOEXEC = Open.O_NONBLOCK | Open.O_CLOEXEC;
    private static final short POLLIN = 1;

    private final MemorySegment polled = arena.allocate(16, 8);
    private final MemorySegment count = arena.allocate(8, 8);
    private final Waker waker = new Waker();
    private int fd = -1;
    private int wakeFd = -1;

    /** 0 or a negated errno: -EMFILE if this user has too many instances. */
    public int open() {
        try {
            fd = result((int) InitCall.HANDLE.invokeExact(errno, NONBLOCK_CLOEXEC));
            if (fd < 0) {
                return fd;
            }
            wakeFd = result((int) EventfdCall.HANDLE.invokeExact(errno, 0, NONBLOCK_CLOEXEC));
        } catch (Throwable t) {
            throw bug(t);
        }
        waker.use(wakeFd);
        return Math.min(wakeFd, 0);
    }

    /**
     * Watches the directory that is open as {@code dirFd}, O_PATH too.
     *
     * @param path {@code /proc/self/fd/N} of it
     * @return the watch descriptor: the one from before if it is watched already; -ENOSPC if this user has too many watches
     */
    public int add(MemorySegment path, int mask) {
        try {
            return result((int) AddCall.HANDLE.invokeExact(errno, fd, path, mask));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public int remove(int wd) {
        try {
            return result((int) RemoveCall.HANDLE.invokeExact(errno, fd, wd));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Waits until there is something to read or {@link #wake} was called, {@code millis} at most; -1 for ever. */
    public void await(int millis) {
        polled.set(JAVA_INT, 0, fd);
        polled.set(JAVA_SHORT, 4, POLLIN);
        polled.set(JAVA_INT, 8, wakeFd);
        polled.set(JAVA_SHORT, 12, POLLIN);
        try {
            int _ = (int) PollCall.HANDLE.invokeExact(errno, polled, 2L, millis);
            long _ = (long) ReadCall.HANDLE.invokeExact(errno, wakeFd, count, 8L);
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Bytes of events that were put into {@code into}; -EAGAIN if there are none. */
    public int read(MemorySegment into) {
        try {
            return (int) result((long) ReadCall.HANDLE.invokeExact(errno, fd, into, into.byteSize()));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Ends {@link #await}. Any thread; nothing happens once this is closed. */
    public void wake() {
        waker.wake();
    }

    @Override
    public void close() {
        waker.use(-1);
        for (int open : new int[] {fd, wakeFd}) {
            if (open >= 0) {
                try {
                    int _ = (int) CloseCall.HANDLE.invokeExact(errno, open);
                } catch (Throwable t) {
                    throw bug(t);
                }
            }
        }
        fd = -1;
        wakeFd = -1;
    }

    /** Has its own scratch memory, being used by any thread. Thread-safe: synchronized. */
    private static final class Waker extends SystemCalls {
        private final MemorySegment one = arena.allocate(8, 8);
        private int to = -1;

        synchronized void use(int eventFd) {
            to = eventFd;
            one.set(JAVA_LONG, 0, 1);
        }

        synchronized void wake() {
            if (to < 0) {
                return;
            }
            try {
                long _ = (long) WriteCall.HANDLE.invokeExact(errno, to, one, 8L);
            } catch (Throwable t) {
                throw bug(t);
            }
        }
    }

    private static final class InitCall {
        static final MethodHandle HANDLE = call("inotify_init1", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    }

    private static final class AddCall {
        static final MethodHandle HANDLE =
                call("inotify_add_watch", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    }

    private static final class RemoveCall {
        static final MethodHandle HANDLE =
                call("inotify_rm_watch", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    }

    private static final class EventfdCall {
        static final MethodHandle HANDLE = call("eventfd", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    }

    private static final class PollCall {
        static final MethodHandle HANDLE = call("poll", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
    }

    private static final class ReadCall {
        static final MethodHandle HANDLE = call("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    }

    private static final class WriteCall {
        static final MethodHandle HANDLE =
                call("write", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    }

    private static final class CloseCall {
        static final MethodHandle HANDLE = call("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    }
}
