package dev.longshore.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;

/**
 * System calls. Confined to one thread at a time, because of its scratch memory: whoever needs it makes one.
 *
 * <p>Every call returns what the kernel does, or the negated {@code errno}; nothing here throws for an outside failure.
 * Calls interrupted by a signal are repeated.
 */
public final class Linux {
    public static final int EINTR = 4;
    public static final int EAGAIN = 11;

    private static final int AF_UNIX = 1;
    private static final int AF_INET = 2;
    private static final int IPPROTO_ICMP = 1;
    private static final int SOCK_STREAM = 1;
    private static final int SOCK_DGRAM = 2;
    private static final int SOCK_NONBLOCK = 0x800;
    private static final int SOCK_CLOEXEC = 0x80000;
    private static final int SOL_SOCKET = 1;
    private static final int SCM_RIGHTS = 1;
    private static final int MSG_CTRUNC = 0x8;
    private static final int MSG_DONTWAIT = 0x40;
    private static final int MSG_NOSIGNAL = 0x4000;
    private static final int MSG_CMSG_CLOEXEC = 0x4000_0000;
    private static final int EFD_CLOEXEC_NONBLOCK = 0x80800;
    private static final int MFD_CLOEXEC = 1;
    private static final int F_GETFL = 3;
    private static final int F_SETFL = 4;
    private static final int O_NONBLOCK = 0x800;
    private static final int PROT_READ_WRITE = 3;
    private static final int MAP_SHARED_NORESERVE = 0x4001;
    private static final int S_IFMT = 0xF000;
    private static final int S_IFREG = 0x8000;
    private static final int S_IFSOCK = 0xC000;

    /** sizeof(sockaddr_un.sun_path) less the terminating NUL. */
    public static final int MAX_SOCKET_PATH_BYTES = 107;

    static final Linker LINKER = Linker.nativeLinker();
    private static final VarHandle ERRNO =
            Linker.Option.captureStateLayout().varHandle(MemoryLayout.PathElement.groupElement("errno"));

    /** struct stat: st_mode is an int at 24 on x86-64 and at 16 on aarch64, st_size a long at 48 on both. */
    private static final int STAT_MODE_AT = System.getProperty("os.arch", "").equals("aarch64") ? 16 : 24;

    private static final int STAT_SIZE_AT = 48;
    private static final int STAT_BYTES = 256; // 144 and 128 are used

    // struct msghdr, 56 bytes: name, namelen, iov, iovlen, control, controllen, flags
    private static final int MSG_IOV_AT = 16;
    private static final int MSG_IOVLEN_AT = 24;
    private static final int MSG_CONTROL_AT = 32;
    private static final int MSG_CONTROLLEN_AT = 40;
    private static final int MSG_FLAGS_AT = 48;
    private static final int MSG_BYTES = 56;
    // struct cmsghdr: len (8 bytes), level, type; data follows, padded to 8 bytes
    private static final int CMSG_LEVEL_AT = 8;
    private static final int CMSG_TYPE_AT = 12;
    private static final int CMSG_DATA_AT = 16;
    private static final int CONTROL_BYTES = CMSG_DATA_AT + 4 * ReceivedFds.MAX;

    private final Arena arena = Arena.ofAuto();
    private final MemorySegment errno = arena.allocate(Linker.Option.captureStateLayout());
    private final MemorySegment msg = arena.allocate(MSG_BYTES, 8);
    private final MemorySegment iov = arena.allocate(16, 8);
    private final MemorySegment control = arena.allocate(CONTROL_BYTES, 8);
    private final MemorySegment scratch = arena.allocate(STAT_BYTES, 8);
    private final MemorySegment one = arena.allocate(8, 8);

    public Linux() {
        one.set(JAVA_LONG, 0, 1L);
    }

    /** A new non-blocking, close-on-exec Unix stream socket. */
    public int unixSocket() {
        try {
            return result(
                    (int) SocketCall.HANDLE.invokeExact(errno, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /**
     * A new non-blocking, close-on-exec socket for ICMP echo over IPv4, which needs no privilege: Linux net/ipv4/ping.c.
     * The host may forbid it to our group (-EACCES, sysctl net.ipv4.ping_group_range).
     */
    public int pingSocket() {
        try {
            return result((int) SocketCall.HANDLE.invokeExact(
                    errno, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Fills {@code pair} with two connected, non-blocking, close-on-exec Unix stream sockets. */
    public int unixSocketPair(int[] pair) {
        try {
            int r = result((int) SocketpairCall.HANDLE.invokeExact(
                    errno, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, scratch));
            if (r == 0) {
                pair[0] = scratch.get(JAVA_INT, 0);
                pair[1] = scratch.get(JAVA_INT, 4);
            }
            return r;
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Binds a Unix socket to {@code path}, which is at most {@link #MAX_SOCKET_PATH_BYTES} long. */
    public int bind(int fd, String path) {
        try {
            int bytes = socketAddress(path);
            return result((int) BindCall.HANDLE.invokeExact(errno, fd, scratch, bytes));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Connects a Unix socket to {@code path}, which is at most {@link #MAX_SOCKET_PATH_BYTES} long. */
    public int connect(int fd, String path) {
        try {
            int bytes = socketAddress(path);
            return result((int) ConnectCall.HANDLE.invokeExact(errno, fd, scratch, bytes));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public int listen(int fd, int backlog) {
        try {
            return result((int) ListenCall.HANDLE.invokeExact(errno, fd, backlog));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** The next connection, non-blocking and close-on-exec. */
    public int accept(int fd) {
        try {
            int r;
            do {
                r = result((int) Accept4Call.HANDLE.invokeExact(
                        errno, fd, MemorySegment.NULL, MemorySegment.NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
            } while (r == -EINTR);
            return r;
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /**
     * Receives up to {@code len} bytes to {@code into} and the descriptors that came with them, which are appended to
     * {@code fds} (close-on-exec). Never blocks.
     *
     * @return the bytes received, 0 at the end of the stream, or the negated errno
     */
    public int recvmsg(int fd, MemorySegment into, long at, int len, ReceivedFds fds) {
        try {
            prepareMessage(into, at, len, CONTROL_BYTES);
            int r;
            do {
                r = (int)
                        result((long) RecvmsgCall.HANDLE.invokeExact(errno, fd, msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
            } while (r == -EINTR);
            if (r >= 0) {
                collectFds(fds);
            }
            return r;
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    private void collectFds(ReceivedFds fds) {
        long controlBytes = msg.get(JAVA_LONG, MSG_CONTROLLEN_AT);
        if ((msg.get(JAVA_INT, MSG_FLAGS_AT) & MSG_CTRUNC) != 0) {
            fds.markTruncated();
        }
        if (controlBytes < CMSG_DATA_AT
                || control.get(JAVA_INT, CMSG_LEVEL_AT) != SOL_SOCKET
                || control.get(JAVA_INT, CMSG_TYPE_AT) != SCM_RIGHTS) {
            return; // a Unix stream socket without SO_PASSCRED carries nothing but SCM_RIGHTS, in one control message
        }
        long end = Math.min(control.get(JAVA_LONG, 0), controlBytes);
        for (long at = CMSG_DATA_AT; at + 4 <= end; at += 4) {
            fds.add(control.get(JAVA_INT, at));
        }
    }

    /**
     * Sends {@code len} bytes of {@code from}, with the first {@code fdCount} of {@code fds} attached. Never blocks and
     * never raises SIGPIPE.
     *
     * @return the bytes sent, or the negated errno
     */
    public int sendmsg(int fd, MemorySegment from, long at, int len, int[] fds, int fdCount) {
        try {
            int controlBytes = fdCount == 0 ? 0 : CMSG_DATA_AT + 4 * fdCount;
            prepareMessage(from, at, len, controlBytes);
            if (fdCount > 0) {
                control.set(JAVA_LONG, 0, controlBytes);
                control.set(JAVA_INT, CMSG_LEVEL_AT, SOL_SOCKET);
                control.set(JAVA_INT, CMSG_TYPE_AT, SCM_RIGHTS);
                for (int i = 0; i < fdCount; i++) {
                    control.set(JAVA_INT, CMSG_DATA_AT + 4L * i, fds[i]);
                }
            }
            int r;
            do {
                r = (int) result((long) SendmsgCall.HANDLE.invokeExact(errno, fd, msg, MSG_DONTWAIT | MSG_NOSIGNAL));
            } while (r == -EINTR);
            return r;
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    private void prepareMessage(MemorySegment data, long at, int len, int controlBytes) {
        iov.set(ADDRESS, 0, data.asSlice(at, len));
        iov.set(JAVA_LONG, 8, len);
        msg.fill((byte) 0);
        msg.set(ADDRESS, MSG_IOV_AT, iov);
        msg.set(JAVA_LONG, MSG_IOVLEN_AT, 1);
        if (controlBytes > 0) {
            msg.set(ADDRESS, MSG_CONTROL_AT, control);
            msg.set(JAVA_LONG, MSG_CONTROLLEN_AT, controlBytes);
        }
    }

    /**
     * Adds one to an eventfd, or sends eight bytes to what stands in for one. The caller made {@code fd} non-blocking, so
     * no signal interrupts this. Allocates nothing.
     *
     * @return false if it was not written: the reader has more unread than fits, or is gone
     */
    public boolean writeOne(int fd) {
        try {
            return (long) WriteCall.HANDLE.invokeExact(fd, one.address(), 8L) == 8;
        } catch (Throwable t) {
            throw bug(t);
        } finally {
            Reference.reachabilityFence(this); // the arena lives as long as this object
        }
    }

    /** Reads up to eight bytes, the value of an eventfd, and forgets them: 8, 0 at the end of a stream, or the negated errno. */
    public int readEight(int fd) {
        try {
            int r;
            do {
                r = (int) result((long) ReadCall.HANDLE.invokeExact(errno, fd, scratch, 8L));
            } while (r == -EINTR);
            return r;
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public int close(int fd) {
        try {
            return result((int)
                    CloseCall.HANDLE.invokeExact(errno, fd)); // never repeated: after EINTR the descriptor is gone
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** A new non-blocking, close-on-exec eventfd with the value 0. */
    public int eventfd() {
        try {
            return result((int) EventfdCall.HANDLE.invokeExact(errno, 0, EFD_CLOEXEC_NONBLOCK));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** A new anonymous file of {@code bytes} bytes. */
    public int memfd(String name, long bytes) {
        try (Arena call = Arena.ofConfined()) {
            int fd = result((int) MemfdCreateCall.HANDLE.invokeExact(errno, call.allocateFrom(name), MFD_CLOEXEC));
            if (fd < 0) {
                return fd;
            }
            int r = result((int) FtruncateCall.HANDLE.invokeExact(errno, fd, bytes));
            if (r < 0) {
                close(fd);
                return r;
            }
            return fd;
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Makes {@code fd} non-blocking, for everybody who shares its open file description. */
    public int setNonBlocking(int fd) {
        try {
            int flags = result((int) FcntlCall.HANDLE.invokeExact(errno, fd, F_GETFL, 0));
            if (flags < 0 || (flags & O_NONBLOCK) != 0) {
                return Math.min(flags, 0);
            }
            return result((int) FcntlCall.HANDLE.invokeExact(errno, fd, F_SETFL, flags | O_NONBLOCK));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** The size in bytes of a regular file (a memfd, a file on tmpfs or hugetlbfs); 0 for anything else. */
    public long regularFileBytes(int fd) {
        try {
            int r = result((int) FstatCall.HANDLE.invokeExact(errno, fd, scratch));
            if (r < 0) {
                return r;
            }
            boolean regular = (scratch.get(JAVA_INT, STAT_MODE_AT) & S_IFMT) == S_IFREG;
            return regular ? scratch.get(JAVA_LONG, STAT_SIZE_AT) : 0;
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** True if {@code fd} is a socket. */
    public boolean isSocket(int fd) {
        try {
            return result((int) FstatCall.HANDLE.invokeExact(errno, fd, scratch)) >= 0
                    && (scratch.get(JAVA_INT, STAT_MODE_AT) & S_IFMT) == S_IFSOCK;
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Maps the first {@code bytes} bytes of {@code fd}, shared, for reading and writing: the address, or the negated errno. */
    public long mmap(int fd, long bytes) {
        try {
            return result((long)
                    MmapCall.HANDLE.invokeExact(errno, 0L, bytes, PROT_READ_WRITE, MAP_SHARED_NORESERVE, fd, 0L));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public int munmap(long address, long bytes) {
        try {
            return result((int) MunmapCall.HANDLE.invokeExact(errno, address, bytes));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Writes a sockaddr_un to the scratch memory and returns its length. */
    private int socketAddress(String path) {
        byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > MAX_SOCKET_PATH_BYTES) {
            throw new IllegalArgumentException("socket path longer than " + MAX_SOCKET_PATH_BYTES + " bytes: " + path);
        }
        scratch.fill((byte) 0);
        scratch.set(JAVA_SHORT, 0, (short) AF_UNIX);
        MemorySegment.copy(bytes, 0, scratch, ValueLayout.JAVA_BYTE, 2, bytes.length);
        return 2 + bytes.length + 1;
    }

    /** Where a call's errno goes, for {@link #result}. */
    MemorySegment errno() {
        return errno;
    }

    int result(int r) {
        return r == -1 ? -(int) ERRNO.get(errno, 0L) : r;
    }

    long result(long r) {
        return r == -1 ? -(int) ERRNO.get(errno, 0L) : r;
    }

    static MethodHandle call(String name, FunctionDescriptor type, Linker.Option... options) {
        Linker.Option[] all = new Linker.Option[options.length + 1];
        System.arraycopy(options, 0, all, 0, options.length);
        all[options.length] = Linker.Option.captureCallState("errno");
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), type, all);
    }

    static RuntimeException bug(Throwable t) {
        if (t instanceof RuntimeException e) {
            return e;
        }
        if (t instanceof Error e) {
            throw e;
        }
        return new IllegalStateException(t); // a downcall handle throws nothing checked
    }

    // ---- the calls, each linked when it is first made: all of them at once would be half of a start

    private static final class SocketCall {
        static final MethodHandle HANDLE =
                call("socket", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
    }

    private static final class SocketpairCall {
        static final MethodHandle HANDLE =
                call("socketpair", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS));
    }

    private static final class BindCall {
        static final MethodHandle HANDLE = call("bind", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    }

    private static final class ConnectCall {
        static final MethodHandle HANDLE =
                call("connect", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    }

    private static final class ListenCall {
        static final MethodHandle HANDLE = call("listen", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    }

    private static final class Accept4Call {
        static final MethodHandle HANDLE =
                call("accept4", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, ADDRESS, JAVA_INT));
    }

    private static final class RecvmsgCall {
        static final MethodHandle HANDLE =
                call("recvmsg", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
    }

    private static final class SendmsgCall {
        static final MethodHandle HANDLE =
                call("sendmsg", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
    }

    private static final class ReadCall {
        static final MethodHandle HANDLE = call("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    }

    /** Without errno and with a plain address: capturing errno allocates 72 bytes a call, and this one is on the hot path. */
    private static final class WriteCall {
        static final MethodHandle HANDLE = LINKER.downcallHandle(
                LINKER.defaultLookup().findOrThrow("write"),
                FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG));
    }

    private static final class CloseCall {
        static final MethodHandle HANDLE = call("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    }

    private static final class EventfdCall {
        static final MethodHandle HANDLE = call("eventfd", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    }

    private static final class MemfdCreateCall {
        static final MethodHandle HANDLE = call("memfd_create", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
    }

    private static final class FtruncateCall {
        static final MethodHandle HANDLE = call("ftruncate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG));
    }

    private static final class FstatCall {
        static final MethodHandle HANDLE = call("fstat", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));
    }

    private static final class FcntlCall {
        static final MethodHandle HANDLE = call(
                "fcntl",
                FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT),
                Linker.Option.firstVariadicArg(2));
    }

    private static final class MmapCall {
        static final MethodHandle HANDLE = call(
                "mmap",
                FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
    }

    private static final class MunmapCall {
        static final MethodHandle HANDLE = call("munmap", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    }
}
