package dev.longshore.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.ref.Reference;

/**
 * One error from a socket's error queue (recvmsg(2) with MSG_ERRQUEUE; ip(7), IP_RECVERR): what a router, the remote or the
 * host itself said about a datagram that was sent, and as much of it as came back. Valid until the next {@link #next}.
 * Confined to one thread.
 *
 * <p>struct sock_extended_err, 16 bytes: errno, origin, type, code, pad, info, data; the sender's address follows.
 */
public final class ErrorQueue {
    /** SO_EE_ORIGIN_LOCAL: the host's own kernel. */
    public static final int ORIGIN_LOCAL = 1;

    /** SO_EE_ORIGIN_ICMP: {@link #type} and {@link #code} are those of RFC 792. */
    public static final int ORIGIN_ICMP = 2;

    /** SO_EE_ORIGIN_ICMP6: {@link #type} and {@link #code} are those of RFC 4443. */
    public static final int ORIGIN_ICMP6 = 3;

    private static final int DATA_BYTES = 2048;
    private static final int ERRQUEUE_DONTWAIT = 0x2040;
    private static final int OFFENDER_AT = 16;
    private final Arena arena = Arena.ofAuto();
    private final MemorySegment data = arena.allocate(DATA_BYTES, 8);
    private final ByteBuf payload = Unpooled.wrappedBuffer(data.asByteBuffer());
    private final MessageVector vector = new MessageVector(arena, 1);
    private long error = -1;
    private int bytes;

    public ErrorQueue() {
        vector.setData(0, data.address(), DATA_BYTES);
    }

    /** Takes one error out of the queue; false if there is none. */
    public boolean next(int fd) {
        do {
            if (!take(fd)) {
                return false;
            }
            long v4 = vector.findControl(0, DatagramSockets.SOL_IP, DatagramSockets.IP_RECVERR);
            error = v4 >= 0 ? v4 : vector.findControl(0, DatagramSockets.SOL_IPV6, DatagramSockets.IPV6_RECVERR);
        } while (error < 0); // a time stamp, which nobody asked for
        return true;
    }

    private boolean take(int fd) {
        vector.prepareToReceive(0);
        try {
            long n = (long) RecvmsgCall.HANDLE.invokeExact(fd, vector.address(0), ERRQUEUE_DONTWAIT);
            bytes = (int) Math.max(0, n);
            return n >= 0;
        } catch (Throwable t) {
            throw Linux.bug(t);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    public int errno() {
        return vector.memory.get(JAVA_INT, error);
    }

    /** Who says it: one of the {@code ORIGIN_} constants, or another. */
    public int origin() {
        return vector.memory.get(JAVA_BYTE, error + 4);
    }

    /** Of the ICMP message. */
    public int type() {
        return vector.memory.get(JAVA_BYTE, error + 5) & 0xFF;
    }

    public int code() {
        return vector.memory.get(JAVA_BYTE, error + 6) & 0xFF;
    }

    /** The MTU where the datagram was too big, a pointer where it had a problem. */
    public int info() {
        return vector.memory.get(JAVA_INT, error + 8);
    }

    /** Whose message it is, with {@link #offenderLo}: 128 bits, IPv4 mapped; both 0 if it is the host's own. */
    public long offenderHi() {
        return SocketAddress.hi(vector.memory, error + OFFENDER_AT);
    }

    public long offenderLo() {
        return SocketAddress.lo(vector.memory, error + OFFENDER_AT);
    }

    /** Where the datagram was sent to, with {@link #remoteLo}; both 0 if the kernel doesn't know. */
    public long remoteHi() {
        return vector.nameBytes(0) == 0 ? 0 : SocketAddress.hi(vector.memory, vector.name(0));
    }

    public long remoteLo() {
        return vector.nameBytes(0) == 0 ? 0 : SocketAddress.lo(vector.memory, vector.name(0));
    }

    public int remotePort() {
        return SocketAddress.port(vector.memory, vector.name(0));
    }

    /** From its start: the first {@link #bytes} bytes of what was sent, behind the UDP header; with it for ping sockets. */
    public ByteBuf payload() {
        return payload;
    }

    /** 0..2048: routers send back as little as they like. */
    public int bytes() {
        return bytes;
    }

    // ---- the calls, each linked when it is first made: all of them at once would be half of a start

    private static final class RecvmsgCall {
        static final MethodHandle HANDLE = Linux.LINKER.downcallHandle(
                Linux.LINKER.defaultLookup().findOrThrow("recvmsg"),
                FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT));
    }
}
