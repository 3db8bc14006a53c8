package dev.longshore.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/**
 * Opens datagram sockets of both families and sets what Netty can't: error queue, hop limits, path MTU discovery, the
 * address a datagram came to. Confined to one thread, because of its scratch memory.
 *
 * <p>Every call returns what the kernel does, or the negated {@code errno}. Addresses are 128 bits, IPv4 mapped.
 */
public final class DatagramSockets {
    /** What may be asked of {@link #pathMtuDiscovery}: Linux IP_PMTUDISC_DONT and IP_PMTUDISC_PROBE, the same in IPv6. */
    public static final int MAY_FRAGMENT = 0;

    /** Never fragmented here or on the way, whatever path MTU the kernel remembers. */
    public static final int DONT_FRAGMENT = 3;

    static final int SOL_IP = 0;
    static final int SOL_IPV6 = 41;
    static final int IP_TTL = 2;
    static final int IP_PKTINFO = 8;
    static final int IP_RECVERR = 11;
    static final int IPV6_RECVERR = 25;
    static final int IPV6_PKTINFO = 50;
    static final int IPV6_HOPLIMIT = 52;
    private static final int IP_TOS = 1;
    private static final int IP_MTU_DISCOVER = 10;
    private static final int IP_RECVTTL = 12;
    private static final int IPV6_UNICAST_HOPS = 16;
    private static final int IPV6_MTU_DISCOVER = 23;
    private static final int IPV6_V6ONLY = 26;
    private static final int IPV6_RECVPKTINFO = 49;
    private static final int IPV6_RECVHOPLIMIT = 51;
    private static final int IPV6_TCLASS = 67;
    private static final int SOL_SOCKET = 1;
    private static final int SO_SNDBUF = 7;
    private static final int SO_RCVBUF = 8;
    private static final int SOL_RAW = 255;
    private static final int ICMP_FILTER = 1;
    private static final int SOL_ICMPV6 = 58;
    private static final int ICMP6_FILTER = 1;

    private static final int SOCK_DGRAM = 2;
    private static final int SOCK_RAW = 3;
    private static final int SOCK_FLAGS = 0x80800; // SOCK_NONBLOCK | SOCK_CLOEXEC
    private static final int IPPROTO_ICMP = 1;
    private static final int IPPROTO_ICMPV6 = 58;

    private static final VarHandle ERRNO =
            Linker.Option.captureStateLayout().varHandle(MemoryLayout.PathElement.groupElement("errno"));

    private final Arena arena = Arena.ofAuto();
    private final MemorySegment errno = arena.allocate(Linker.Option.captureStateLayout());
    private final MemorySegment scratch = arena.allocate(64, 8);

    /** A new UDP socket: non-blocking, close-on-exec, for one family only, not bound. */
    public int udp(boolean v4) {
        return open(v4, SOCK_DGRAM, 0);
    }

    /**
     * A new socket for ICMP echo, which needs no privilege: Linux net/ipv4/ping.c. The kernel chooses the identifier and
     * computes checksums. The host may forbid it to our group (-EACCES, sysctl net.ipv4.ping_group_range, for both
     * families).
     */
    public int ping(boolean v4) {
        return open(v4, SOCK_DGRAM, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    }

    /**
     * A new raw ICMP socket that receives echo replies only; it needs CAP_NET_RAW (-EPERM without). Identifier and, over
     * IPv4, checksum are the caller's, and what is received over IPv4 starts with the IP header.
     */
    public int rawEcho(boolean v4) {
        int fd = open(v4, SOCK_RAW, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
        if (fd < 0) {
            return fd;
        }
        int r = v4 ? filterV4(fd) : filterV6(fd);
        if (r < 0) {
            close(fd);
            return r;
        }
        return fd;
    }

    /** struct icmp_filter: a bit that is set blocks a type. */
    private int filterV4(int fd) {
        return option(fd, SOL_RAW, ICMP_FILTER, ~1);
    }

    /** struct icmp6_filter: 256 bits, the same sense; type 129 passes. */
    private int filterV6(int fd) {
        for (int i = 0; i < 8; i++) {
            scratch.set(JAVA_INT, 4L * i, i == 129 / 32 ? ~(1 << 129 % 32) : -1);
        }
        return option(fd, SOL_ICMPV6, ICMP6_FILTER, scratch, 32);
    }

    private int open(boolean v4, int type, int protocol) {
        int family = v4 ? SocketAddress.AF_INET : SocketAddress.AF_INET6;
        int fd;
        try {
            fd = result((int) SocketCall.HANDLE.invokeExact(errno, family, type | SOCK_FLAGS, protocol));
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
        if (fd >= 0 && !v4) {
            option(fd, SOL_IPV6, IPV6_V6ONLY, 1); // raw sockets have no such option, nor need it
        }
        return fd;
    }

    public int bind(int fd, long hi, long lo, int port) {
        try {
            int bytes = SocketAddress.write(scratch, 0, hi, lo, port);
            return result((int) BindCall.HANDLE.invokeExact(errno, fd, scratch, bytes));
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
    }

    public int connect(int fd, long hi, long lo, int port) {
        try {
            int bytes = SocketAddress.write(scratch, 0, hi, lo, port);
            return result((int) ConnectCall.HANDLE.invokeExact(errno, fd, scratch, bytes));
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
    }

    /** The port a socket is bound to, 0 if it is not yet. */
    public int localPort(int fd) {
        try {
            scratch.set(JAVA_INT, 32, SocketAddress.MAX_BYTES);
            int r = result((int) GetsocknameCall.HANDLE.invokeExact(errno, fd, scratch, scratch.asSlice(32, 4)));
            return r < 0 ? r : SocketAddress.port(scratch, 0);
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
    }

    /** Errors of all remotes are kept for {@link ErrorQueue}, with what they say; connected or not. */
    public int receiveErrors(int fd, boolean v4) {
        return v4 ? option(fd, SOL_IP, IP_RECVERR, 1) : option(fd, SOL_IPV6, IPV6_RECVERR, 1);
    }

    /** Datagrams come with their TTL or hop limit. */
    public int receiveHops(int fd, boolean v4) {
        return v4 ? option(fd, SOL_IP, IP_RECVTTL, 1) : option(fd, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
    }

    /** Datagrams come with the address they were sent to. */
    public int receiveLocalAddress(int fd, boolean v4) {
        return v4 ? option(fd, SOL_IP, IP_PKTINFO, 1) : option(fd, SOL_IPV6, IPV6_RECVPKTINFO, 1);
    }

    /** TTL or hop limit of what is sent from now on: 1..255. */
    public int hops(int fd, boolean v4, int hops) {
        return v4 ? option(fd, SOL_IP, IP_TTL, hops) : option(fd, SOL_IPV6, IPV6_UNICAST_HOPS, hops);
    }

    /** TOS or traffic class of what is sent from now on: 0..255. */
    public int trafficClass(int fd, boolean v4, int value) {
        return v4 ? option(fd, SOL_IP, IP_TOS, value) : option(fd, SOL_IPV6, IPV6_TCLASS, value);
    }

    /** {@link #MAY_FRAGMENT} or {@link #DONT_FRAGMENT}. */
    public int pathMtuDiscovery(int fd, boolean v4, int mode) {
        return v4 ? option(fd, SOL_IP, IP_MTU_DISCOVER, mode) : option(fd, SOL_IPV6, IPV6_MTU_DISCOVER, mode);
    }

    /** Wished for; the kernel takes at most net.core.rmem_max and wmem_max. */
    public int bufferBytes(int fd, int bytes) {
        option(fd, SOL_SOCKET, SO_SNDBUF, bytes);
        return option(fd, SOL_SOCKET, SO_RCVBUF, bytes);
    }

    private int option(int fd, int level, int name, int value) {
        scratch.set(JAVA_INT, 0, value);
        return option(fd, level, name, scratch, 4);
    }

    private int option(int fd, int level, int name, MemorySegment value, int bytes) {
        try {
            return result((int) SetsockoptCall.HANDLE.invokeExact(errno, fd, level, name, value, bytes));
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
    }

    public int close(int fd) {
        try {
            return result((int)
                    CloseCall.HANDLE.invokeExact(errno, fd)); // never repeated: after EINTR the descriptor is gone
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
    }

    private int result(int r) {
        return r == -1 ? -(int) ERRNO.get(errno, 0L) : r;
    }

    // ---- the calls, each linked when it is first made: all of them at once would be half of a start

    private static final class SocketCall {
        static final MethodHandle HANDLE =
                Linux.call("socket", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
    }

    private static final class BindCall {
        static final MethodHandle HANDLE =
                Linux.call("bind", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    }

    private static final class ConnectCall {
        static final MethodHandle HANDLE =
                Linux.call("connect", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    }

    private static final class GetsocknameCall {
        static final MethodHandle HANDLE =
                Linux.call("getsockname", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, ADDRESS));
    }

    private static final class SetsockoptCall {
        static final MethodHandle HANDLE = Linux.call(
                "setsockopt", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    }

    private static final class CloseCall {
        static final MethodHandle HANDLE = Linux.call("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    }
}
