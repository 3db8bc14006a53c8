package dev.longshore.linux;

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
 * The datagrams of one recvmmsg(2), in memory that is used again for the next: what was received is valid until the next
 * {@link #receive}. Confined to one thread. Allocates nothing after it was made.
 */
public final class ReceiveBatch {
    /** One system call takes at most so many datagrams. Only the pages that were written ever take memory. */
    public static final int MAX = 16;

    /** The largest payload of UDP over IPv6 without jumbograms is 65,527 bytes: nothing is ever cut. */
    private static final int SLOT_BYTES = 65_536;

    private static final int MSG_DONTWAIT = 0x40;

    private final Arena arena = Arena.ofAuto();
    private final MemorySegment data = arena.allocate((long) MAX * SLOT_BYTES, 4096);
    private final ByteBuf payload = Unpooled.wrappedBuffer(data.asByteBuffer());
    private final MessageVector vector = new MessageVector(arena, MAX);
    private int used = MAX;

    public ReceiveBatch() {
        for (int i = 0; i < MAX; i++) {
            vector.setData(i, data.address() + (long) i * SLOT_BYTES, SLOT_BYTES);
        }
    }

    /** How many came: 0..{@link #MAX}. 0 also stands for an error, which {@link ErrorQueue} knows, and is consumed here. */
    public int receive(int fd) {
        for (int i = 0; i < used; i++) {
            vector.prepareToReceive(i);
        }
        try {
            used = Math.max(0, (int) RecvmmsgCall.HANDLE.invokeExact(fd, vector.address(0), MAX, MSG_DONTWAIT, 0L));
            return used;
        } catch (Throwable t) {
            throw Linux.bug(t);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** All payloads: those of datagram {@code i} are the {@link #bytes} at {@link #at}. Owned by the batch. */
    public ByteBuf payload() {
        return payload;
    }

    public int at(int i) {
        return i * SLOT_BYTES;
    }

    /** 0 for an empty datagram. */
    public int bytes(int i) {
        return vector.length(i);
    }

    /** Who sent it: 128 bits with {@link #remoteLo}, IPv4 mapped. */
    public long remoteHi(int i) {
        return SocketAddress.hi(vector.memory, vector.name(i));
    }

    public long remoteLo(int i) {
        return SocketAddress.lo(vector.memory, vector.name(i));
    }

    public int remotePort(int i) {
        return SocketAddress.port(vector.memory, vector.name(i));
    }

    /** The TTL or hop limit it arrived with, or -1 if that was not asked for. */
    public int hops(int i) {
        long v4 = vector.findControl(i, DatagramSockets.SOL_IP, DatagramSockets.IP_TTL);
        long at = v4 >= 0 ? v4 : vector.findControl(i, DatagramSockets.SOL_IPV6, DatagramSockets.IPV6_HOPLIMIT);
        return at < 0 ? -1 : vector.memory.get(JAVA_INT, at) & 0xFF;
    }

    /** The address of ours it was sent to, with {@link #localLo}; both 0 if that was not asked for. */
    public long localHi(int i) {
        long at = vector.findControl(i, DatagramSockets.SOL_IPV6, DatagramSockets.IPV6_PKTINFO);
        return at < 0 ? 0 : SocketAddress.half(vector.memory, at);
    }

    /** struct in_pktinfo: interface, the address to answer from, the header's destination. */
    public long localLo(int i) {
        long v4 = vector.findControl(i, DatagramSockets.SOL_IP, DatagramSockets.IP_PKTINFO);
        if (v4 >= 0) {
            return SocketAddress.loOfV4(vector.memory, v4 + 4);
        }
        long at = vector.findControl(i, DatagramSockets.SOL_IPV6, DatagramSockets.IPV6_PKTINFO);
        return at < 0 ? 0 : SocketAddress.half(vector.memory, at + 8);
    }

    // ---- the calls, each linked when it is first made: all of them at once would be half of a start

    /** Without errno and with plain addresses, which would allocate. */
    private static final class RecvmmsgCall {
        static final MethodHandle HANDLE = Linux.LINKER.downcallHandle(
                Linux.LINKER.defaultLookup().findOrThrow("recvmmsg"),
                FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG));
    }
}
