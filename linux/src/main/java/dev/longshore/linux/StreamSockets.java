package dev.longshore.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Opens, connects and ends TCP sockets of both families, each by the fewest system calls. Confined to one thread at a time,
 * because of its scratch memory.
 *
 * <p>Every call returns what the kernel does, or the negated {@code errno}. Addresses are 128 bits, IPv4 mapped.
 */
public final class StreamSockets {
    private static final int SOCK_STREAM_NONBLOCK_CLOEXEC = 0x80801;
    private static final int IPPROTO_TCP = 6;
    private static final int TCP_NODELAY = 1;
    private static final int SOL_SOCKET = 1;
    private static final int SO_ERROR = 4;
    private static final int SO_KEEPALIVE = 9;
    private static final int SO_LINGER = 13;
    private static final int SHUT_RD = 0;
    private static final int SHUT_WR = 1;
    private static final int OTHER_AT = 32;
    private static final int SCRATCH_BYTES = 40;

    private static final MethodHandle SOCKET =
            Linux.call("socket", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle CONNECT =
            Linux.call("connect", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle SHUTDOWN =
            Linux.call("shutdown", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle GETSOCKNAME =
            Linux.call("getsockname", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, ADDRESS));
    private static final MethodHandle SETSOCKOPT =
            Linux.call("setsockopt", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle GETSOCKOPT =
            Linux.call("getsockopt", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS));

    private final Linux linux = new Linux();
    private final Arena arena = Arena.ofAuto();
    private final MemorySegment scratch = arena.allocate(SCRATCH_BYTES, 8); // a socket address, and an int behind it
    private final MemorySegment other = scratch.asSlice(OTHER_AT, 4);

    /** A new socket: non-blocking, close-on-exec, with TCP_NODELAY, since whoever writes has decided how. */
    public int open(boolean v4) {
        int family = v4 ? SocketAddress.AF_INET : SocketAddress.AF_INET6;
        int fd;
        try {
            fd = linux.result((int) SOCKET.invokeExact(linux.errno(), family, SOCK_STREAM_NONBLOCK_CLOEXEC, 0));
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
        if (fd < 0) {
            return fd;
        }
        int r = setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        if (r < 0) {
            linux.close(fd);
            return r;
        }
        return fd;
    }

    /**
     * Begins to connect, or goes on with it; to be called again with the same address when the socket becomes writable. A
     * second look follows the first SYN at once: towards an address of this machine the handshake is over by then, though
     * connect(2), which holds the socket meanwhile, has to say EINPROGRESS.
     *
     * @param scope the interface of a link-local IPv6 address, else 0
     * @return 0 if it is connected, -EINPROGRESS if that takes longer
     */
    public int connect(int fd, long hi, long lo, int scope, int port) {
        int bytes = SocketAddress.write(scratch, 0, hi, lo, scope, port);
        int r = connect(fd, bytes);
        if (r == -Errno.EINPROGRESS) {
            r = connect(fd, bytes);
        }
        return switch (r) {
            case -Errno.EALREADY -> -Errno.EINPROGRESS;
            case -Errno.EISCONN -> 0;
            default -> r;
        };
    }

    private int connect(int fd, int bytes) {
        try {
            return linux.result((int) CONNECT.invokeExact(linux.errno(), fd, scratch, bytes));
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
    }

    /** Sends FIN behind what was written. -ENOTCONN if the connection is gone already. */
    public int shutdownOutput(int fd) {
        return shutdown(fd, SHUT_WR);
    }

    /** What arrives from now on is acknowledged and dropped. */
    public int shutdownInput(int fd) {
        return shutdown(fd, SHUT_RD);
    }

    private int shutdown(int fd, int how) {
        try {
            return linux.result((int) SHUTDOWN.invokeExact(linux.errno(), fd, how));
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
    }

    /** The connection's error, which is taken away by asking: 0 or a positive errno. Negated if it can't be asked. */
    public int takeError(int fd) {
        return getOption(fd, SOL_SOCKET, SO_ERROR);
    }

    /** The kernel finds out whether a silent remote is still there (tcp(7), tcp_keepalive_time: two hours). */
    public int keepAlive(int fd) {
        return setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    }

    /** Closing drops what was not sent and sends RST (socket(7), SO_LINGER with 0 seconds). */
    public int resetOnClose(int fd) {
        scratch.set(JAVA_INT, 0, 1);
        scratch.set(JAVA_INT, 4, 0);
        return setOptionBytes(fd, SOL_SOCKET, SO_LINGER, 8);
    }

    /** For options of one int. */
    public int setOption(int fd, int level, int name, int value) {
        scratch.set(JAVA_INT, 0, value);
        return setOptionBytes(fd, level, name, 4);
    }

    private int setOptionBytes(int fd, int level, int name, int bytes) {
        try {
            return linux.result((int) SETSOCKOPT.invokeExact(linux.errno(), fd, level, name, scratch, bytes));
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
    }

    /** For options of one int that is never negative. */
    public int getOption(int fd, int level, int name) {
        other.set(JAVA_INT, 0, 4);
        try {
            int r = linux.result((int) GETSOCKOPT.invokeExact(linux.errno(), fd, level, name, scratch, other));
            return r < 0 ? r : scratch.get(JAVA_INT, 0);
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
    }

    /** Looks what the socket is bound to, for {@link #localHi}, {@link #localLo} and {@link #localPort}. */
    public int lookUpLocal(int fd) {
        other.set(JAVA_INT, 0, SocketAddress.MAX_BYTES);
        try {
            return linux.result((int) GETSOCKNAME.invokeExact(linux.errno(), fd, scratch, other));
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
    }

    /** Of the last {@link #lookUpLocal}, which succeeded, with no other call in between. */
    public long localHi() {
        return SocketAddress.hi(scratch, 0);
    }

    public long localLo() {
        return SocketAddress.lo(scratch, 0);
    }

    public int localPort() {
        return SocketAddress.port(scratch, 0);
    }
}
