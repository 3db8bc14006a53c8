package dev.longshore.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.lang.ref.Reference;

/**
 * Datagrams of one socket that leave by one system call. Payloads are copied in. Confined to one thread. Allocates nothing
 * while the kernel takes what it is given.
 *
 * <p>Theory of operation: datagrams of one size to one remote, the last one possibly shorter, lie behind each other, and go
 * through the kernel as one large one that is cut at its end (UDP_SEGMENT, Linux net/ipv4/udp_offload.c). Others go by
 * sendmmsg(2). Where the kernel refuses the large one (a size above the path's MTU), its pieces are sent one by one, so that
 * each gets its own result.
 */
public final class SendBatch {
    /** Linux UDP_MAX_SEGMENTS is 64 at least. */
    public static final int MAX = 64;

    /** A segmented datagram is at most as large as one of IPv4. */
    private static final int MAX_SEGMENTED = 65_507;

    private static final int MAX_PAYLOAD = 65_535;
    private static final int DATA_BYTES = 256 << 10;
    private static final int SOL_UDP = 17;
    private static final int UDP_SEGMENT = 103;
    private static final int SEND_FLAGS = 0x4040; // MSG_DONTWAIT | MSG_NOSIGNAL
    private static final int PKTINFO_V4_BYTES = 12;
    private static final int PKTINFO_V6_BYTES = 20;
    private static final FunctionDescriptor SENDMMSG_TYPE =
            FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT);

    private static final VarHandle ERRNO =
            Linker.Option.captureStateLayout().varHandle(MemoryLayout.PathElement.groupElement("errno"));

    private final Arena arena = Arena.ofAuto();
    private final MemorySegment data = arena.allocate(DATA_BYTES, 4096);
    private final ByteBuf payload = Unpooled.wrappedBuffer(data.asByteBuffer()).clear();
    private final MessageVector vector = new MessageVector(arena, MAX + 1);
    private final MemorySegment errno = arena.allocate(Linker.Option.captureStateLayout());
    private final int[] at = new int[MAX];
    private final int[] bytes = new int[MAX];
    private final long[] remoteHi = new long[MAX];
    private final long[] remoteLo = new long[MAX];
    private final int[] remotePort = new int[MAX];
    private int count;

    /** All are of the first one's size and to its remote, but for a shorter last one. */
    private boolean uniform;

    /** Hears of datagrams that could not be sent. May look at them by their number, and must not add any. */
    public interface Failures {
        /** {@code errno} is positive. */
        void onSendFailed(int datagram, int errno);
    }

    public int count() {
        return count;
    }

    /** True if a datagram of {@code len} bytes fits in beside the others; an empty batch takes any. */
    public boolean hasRoom(int len) {
        return count < MAX && payload.writerIndex() + len <= DATA_BYTES && !(uniform && overflows(len));
    }

    private boolean overflows(int len) {
        return count > 1 && payload.writerIndex() + len > MAX_SEGMENTED;
    }

    /**
     * Copies {@code len} bytes at {@code from} of {@code b}, 0..65,535, to be sent to a remote.
     *
     * @param localHi {@code localLo} too: the address to send from, or both 0 for the kernel's choice
     */
    public void add(ByteBuf b, int from, int len, long hi, long lo, int port, long localHi, long localLo) {
        if (len > MAX_PAYLOAD || !hasRoom(len)) {
            throw new IllegalArgumentException(len + " bytes after " + count + " datagrams");
        }
        int i = count++;
        uniform = i == 0
                ? len > 0 && localLo == 0
                : uniform && localLo == 0 && sameRemote(hi, lo, port) && sizesAllow(i, len);
        at[i] = payload.writerIndex();
        bytes[i] = len;
        remoteHi[i] = hi;
        remoteLo[i] = lo;
        remotePort[i] = port;
        payload.writeBytes(b, from, len);
        vector.setData(i, data.address() + at[i], len);
        vector.setNameBytes(i, SocketAddress.write(vector.memory, vector.name(i), hi, lo, port));
        vector.setControlBytes(i, localLo == 0 ? 0 : local(i, localHi, localLo));
    }

    private boolean sameRemote(long hi, long lo, int port) {
        return remoteLo[0] == lo && remotePort[0] == port && remoteHi[0] == hi;
    }

    private boolean sizesAllow(int i, int len) {
        return len > 0
                && len <= bytes[0]
                && bytes[i - 1] == bytes[0]
                && at[i - 1] + bytes[i - 1] + len <= MAX_SEGMENTED;
    }

    /** struct in_pktinfo and in6_pktinfo; no interface is named. */
    private int local(int i, long hi, long lo) {
        long c = vector.control(i) + MessageVector.CMSG_HEADER;
        if (SocketAddress.isV4(hi, lo)) {
            vector.setControlHeader(i, 0, DatagramSockets.SOL_IP, DatagramSockets.IP_PKTINFO, PKTINFO_V4_BYTES);
            vector.memory.set(JAVA_INT, c, 0);
            SocketAddress.setV4(vector.memory, c + 4, lo);
            vector.memory.set(JAVA_INT, c + 8, 0);
            return 32;
        }
        vector.setControlHeader(i, 0, DatagramSockets.SOL_IPV6, DatagramSockets.IPV6_PKTINFO, PKTINFO_V6_BYTES);
        SocketAddress.setHalf(vector.memory, c, hi);
        SocketAddress.setHalf(vector.memory, c + 8, lo);
        vector.memory.set(JAVA_INT, c + 16, 0);
        return 40;
    }

    /** Sends all and forgets them. */
    public void send(int fd, Failures failures) {
        try {
            if (!(uniform && count > 1 && sendSegmented(fd))) {
                sendEach(fd, failures);
            }
        } catch (Throwable t) {
            throw Linux.bug(t);
        } finally {
            Reference.reachabilityFence(this);
            clear();
        }
    }

    private boolean sendSegmented(int fd) throws Throwable {
        int i = MAX; // a message of its own, over the data of all
        vector.setData(i, data.address(), payload.writerIndex());
        vector.setNameBytes(
                i, SocketAddress.write(vector.memory, vector.name(i), remoteHi[0], remoteLo[0], remotePort[0]));
        vector.setControlHeader(i, 0, SOL_UDP, UDP_SEGMENT, 2);
        vector.memory.set(JAVA_SHORT, vector.control(i) + MessageVector.CMSG_HEADER, (short) bytes[0]);
        vector.setControlBytes(i, 24);
        return (int) SendmmsgCall.HANDLE.invokeExact(fd, vector.address(i), 1, SEND_FLAGS) == 1;
    }

    private void sendEach(int fd, Failures failures) throws Throwable {
        int done = 0;
        while (done < count) {
            int n = (int) SendmmsgCall.HANDLE.invokeExact(fd, vector.address(done), count - done, SEND_FLAGS);
            if (n < 0) { // an earlier datagram's error, which this call consumed, or really this one's: again
                n = (int)
                        SendmmsgErrnoCall.HANDLE.invokeExact(errno, fd, vector.address(done), count - done, SEND_FLAGS);
            }
            if (n < 0) {
                failures.onSendFailed(done, (int) ERRNO.get(errno, 0L));
                n = 1;
            }
            done += n;
        }
    }

    /** Forgets what has not been sent. */
    public void clear() {
        count = 0;
        uniform = false;
        payload.clear();
    }

    /** The payloads; those of datagram {@code i} are the {@link #bytes} at {@link #at}. Owned by the batch. */
    public ByteBuf payload() {
        return payload;
    }

    public int at(int i) {
        return at[i];
    }

    public int bytes(int i) {
        return bytes[i];
    }

    public long remoteHi(int i) {
        return remoteHi[i];
    }

    public long remoteLo(int i) {
        return remoteLo[i];
    }

    public int remotePort(int i) {
        return remotePort[i];
    }

    // ---- the calls, each linked when it is first made: all of them at once would be half of a start

    /** Without errno, which would allocate. */
    private static final class SendmmsgCall {
        static final MethodHandle HANDLE =
                Linux.LINKER.downcallHandle(Linux.LINKER.defaultLookup().findOrThrow("sendmmsg"), SENDMMSG_TYPE);
    }

    private static final class SendmmsgErrnoCall {
        static final MethodHandle HANDLE = Linux.call("sendmmsg", SENDMMSG_TYPE);
    }
}
