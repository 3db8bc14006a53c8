package dev.longshore.virtio.vhostuser;

import dev.longshore.linux.Linux;
import dev.longshore.linux.ReceivedFds;
import dev.longshore.virtio.memory.RegionSpec;
import dev.longshore.virtio.virtqueue.DriverRing;
import dev.longshore.virtio.virtqueue.GuestRam;
import dev.longshore.virtio.virtqueue.Virtqueue;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A scripted vhost-user front end with a guest's memory and rings, for tests. Runs on the test's thread, which is the
 * back end's event loop as well: after each message the test lets the loop run ({@code settle}), then reads the reply.
 */
public final class FrontEnd implements AutoCloseable {
    /** A whole message as it came from the back end. */
    public static final class Reply {
        private final int request;
        private final int flags;
        private final byte[] payload;

        Reply(int request, int flags, byte[] payload) {
            this.request = request;
            this.flags = flags;
            this.payload = payload;
        }

        public int request() {
            return request;
        }

        public int flags() {
            return flags;
        }

        public byte[] payload() {
            return payload;
        }

        public long u64() {
            return ByteBuffer.wrap(payload).order(ByteOrder.LITTLE_ENDIAN).getLong();
        }

        public int u32(int at) {
            return ByteBuffer.wrap(payload).order(ByteOrder.LITTLE_ENDIAN).getInt(at);
        }

        @Override
        public String toString() {
            return "reply to " + request + ", flags " + flags + ", " + Arrays.toString(payload);
        }
    }

    public static final int NEED_REPLY = 0x9;
    public static final int PLAIN = 0x1;
    private static final int ECONNRESET = 104;

    private final Linux linux;
    private final Runnable settle;
    private final GuestRam ram;
    private final int socket;
    private final MemorySegment bytes = Arena.ofAuto().allocate(4096, 8);
    private final int[] kickFds;
    private final int[] callFds;
    private final @Nullable DriverRing[] rings;
    private int backendFd = -1;
    private boolean closed;

    /** Connects to {@code path}. {@code ram} is borrowed. */
    public FrontEnd(Linux linux, Runnable settle, GuestRam ram, Path path, int queues) {
        this.linux = linux;
        this.settle = settle;
        this.ram = ram;
        this.socket = linux.unixSocket();
        this.kickFds = new int[queues];
        this.callFds = new int[queues];
        this.rings = new DriverRing[queues];
        Arrays.fill(kickFds, -1);
        Arrays.fill(callFds, -1);
        int r = linux.connect(socket, path.toString());
        if (r < 0) {
            throw new AssertionError("connect: errno " + -r);
        }
        settle.run();
    }

    // ---- messages

    /** Sends a message as it is, lets the back end take it. */
    public void send(int request, int flags, byte[] payload, int... fds) {
        ByteBuffer b = ByteBuffer.allocate(12 + payload.length).order(ByteOrder.LITTLE_ENDIAN);
        b.putInt(request).putInt(flags).putInt(payload.length).put(payload);
        sendRaw(b.array(), fds);
        settle.run();
    }

    /** Sends bytes as they are, without letting the back end run. */
    public void sendRaw(byte[] content, int... fds) {
        MemorySegment.copy(content, 0, bytes, ValueLayout.JAVA_BYTE, 0, content.length);
        linux.sendmsg(socket, bytes, 0, content.length, fds, fds.length);
    }

    /** The next reply, or null if there is none. */
    public @Nullable Reply receive() {
        return receiveFrom(socket);
    }

    private @Nullable Reply receiveFrom(int fd) {
        ReceivedFds none = new ReceivedFds(linux);
        int n = linux.recvmsg(fd, bytes, 0, 12, none);
        if (n != 12) {
            return null;
        }
        int size = bytes.get(ValueLayout.JAVA_INT, 8);
        int request = bytes.get(ValueLayout.JAVA_INT, 0);
        int flags = bytes.get(ValueLayout.JAVA_INT, 4);
        byte[] payload = new byte[size];
        if (size > 0) {
            int got = linux.recvmsg(fd, bytes, 0, size, none);
            if (got != size) {
                throw new AssertionError("reply of " + got + " bytes instead of " + size);
            }
            MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, 0, payload, 0, size);
        }
        none.closeAll();
        return new Reply(request, flags, payload);
    }

    /** The next request of the back end on its own channel, or null. */
    public @Nullable Reply receiveBackendRequest() {
        return backendFd < 0 ? null : receiveFrom(backendFd);
    }

    /** True if the back end has closed the connection (and no reply is left to read). */
    public boolean isClosedByBackend() {
        int n = linux.recvmsg(socket, bytes, 0, 1, new ReceivedFds(linux));
        return n == 0 || n == -ECONNRESET; // the latter if it left something unread
    }

    public Reply ask(int request, byte[] payload, int... fds) {
        send(request, PLAIN, payload, fds);
        Reply reply = receive();
        if (reply == null || reply.request() != request) {
            throw new AssertionError("no reply to request " + request + " but " + reply);
        }
        return reply;
    }

    public long askU64(int request) {
        return ask(request, new byte[0]).u64();
    }

    public static byte[] u64(long value) {
        return ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .array();
    }

    public static byte[] state(int ring, int num) {
        return ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(ring)
                .putInt(num)
                .array();
    }

    /** A table of {@code regions}, padded to {@code bytes} bytes (UML 6.12 always sends two entries: 72). */
    public static byte[] memoryTable(int bytes, RegionSpec... regions) {
        ByteBuffer b = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
        b.putInt(regions.length).putInt(0);
        for (RegionSpec r : regions) {
            b.putLong(r.guestAddress())
                    .putLong(r.bytes())
                    .putLong(r.userAddress())
                    .putLong(r.mmapOffset());
        }
        return b.array();
    }

    public byte[] addresses(int ring, DriverRing r) {
        return ByteBuffer.allocate(40)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(ring)
                .putInt(0)
                .putLong(ram.userAddress(r.descAddress()))
                .putLong(ram.userAddress(r.usedAddress()))
                .putLong(ram.userAddress(r.availAddress()))
                .putLong(0)
                .array();
    }

    // ---- whole sequences

    /** What UML 6.12 sends until the driver is ready: see {@code virtio_uml.c}. Returns the features it acknowledged. */
    public long bootAsUml(int queueSize, long wanted) {
        send(Message.SET_OWNER, PLAIN, new byte[0]);
        long offered = askU64(Message.GET_FEATURES);
        long protocol = askU64(Message.GET_PROTOCOL_FEATURES) & (1L << 0 | 1L << 3 | 1L << 5 | 1L << 9 | 1L << 14);
        send(Message.SET_PROTOCOL_FEATURES, NEED_REPLY, u64(protocol));
        expectAck(Message.SET_PROTOCOL_FEATURES);
        setBackendFd();
        long features = offered & wanted;
        send(Message.SET_FEATURES, NEED_REPLY, u64(features));
        expectAck(Message.SET_FEATURES);
        send(Message.SET_MEM_TABLE, NEED_REPLY, memoryTable(72, ram.region()), ram.fd());
        expectAck(Message.SET_MEM_TABLE);
        for (int i = 0; i < rings.length; i++) {
            setCallSocket(i);
            expectAck(Message.SET_VRING_CALL);
            setUpRing(i, queueSize, features, 0, NEED_REPLY);
        }
        for (int i = 0; i < rings.length; i++) {
            kickAndEnable(i, NEED_REPLY);
        }
        return features;
    }

    /** What QEMU sends for a device with one queue pair: calls first, features later, no acknowledgements of data messages. */
    public long bootAsQemu(int queueSize, long wanted, int firstIndex) {
        long offered = askU64(Message.GET_FEATURES);
        long protocol = askU64(Message.GET_PROTOCOL_FEATURES);
        send(Message.SET_PROTOCOL_FEATURES, PLAIN, u64(protocol & (1L << 3 | 1L << 5 | 1L << 9)));
        send(Message.SET_OWNER, PLAIN, new byte[0]);
        askU64(Message.GET_FEATURES);
        for (int i = 0; i < rings.length; i++) {
            setCallEventFd(i);
        }
        setBackendFd();
        long features = offered & wanted;
        send(Message.SET_FEATURES, PLAIN, u64(features));
        send(Message.SET_MEM_TABLE, NEED_REPLY, memoryTable(40, ram.region()), ram.fd());
        expectAck(Message.SET_MEM_TABLE);
        int base = firstIndex == 0 ? Virtqueue.firstBase(features) : firstIndex;
        for (int i = 0; i < rings.length; i++) {
            setUpRing(i, queueSize, features, base, PLAIN);
            setKick(i, PLAIN);
            setCallEventFd(i);
        }
        for (int i = 0; i < rings.length; i++) {
            send(Message.SET_VRING_ENABLE, PLAIN, state(i, 1));
        }
        return features;
    }

    /** NUM, BASE and ADDR of a new ring. */
    public void setUpRing(int i, int queueSize, long features, int firstIndex, int flags) {
        DriverRing ring = DriverRing.of(ram, queueSize, features, firstIndex);
        rings[i] = ring;
        sendExpectingAck(Message.SET_VRING_NUM, flags, state(i, queueSize));
        sendExpectingAck(Message.SET_VRING_BASE, flags, state(i, firstIndex));
        sendExpectingAck(Message.SET_VRING_ADDR, flags, addresses(i, ring));
    }

    /** Replaces ring {@code i} by one that a device has served before, from {@code base} on. */
    public void adoptRing(int i, DriverRing ring, int base) {
        ask(Message.GET_VRING_BASE, state(i, 0));
        rings[i] = ring;
        send(Message.SET_VRING_BASE, PLAIN, state(i, base));
        send(Message.SET_VRING_ADDR, PLAIN, addresses(i, ring));
        setCallEventFd(i);
        setKick(i, PLAIN);
    }

    public void kickAndEnable(int i, int flags) {
        setKick(i, flags);
        sendExpectingAck(Message.SET_VRING_ENABLE, flags, state(i, 1));
    }

    private void setKick(int i, int flags) {
        kickFds[i] = replace(kickFds[i], linux.eventfd());
        send(Message.SET_VRING_KICK, flags, u64(i), kickFds[i]);
        expectAckIf(flags, Message.SET_VRING_KICK);
    }

    /** As UML: the call descriptor is one end of a stream socket pair. */
    private void setCallSocket(int i) {
        int[] pair = new int[2];
        linux.unixSocketPair(pair);
        callFds[i] = replace(callFds[i], pair[0]);
        send(Message.SET_VRING_CALL, NEED_REPLY, u64(i), pair[1]);
        linux.close(pair[1]);
    }

    private void setCallEventFd(int i) {
        callFds[i] = replace(callFds[i], linux.eventfd());
        send(Message.SET_VRING_CALL, PLAIN, u64(i), callFds[i]);
    }

    private void setBackendFd() {
        int[] pair = new int[2];
        linux.unixSocketPair(pair);
        backendFd = replace(backendFd, pair[0]);
        send(Message.SET_BACKEND_REQ_FD, PLAIN, new byte[0], pair[1]);
        linux.close(pair[1]);
    }

    private void sendExpectingAck(int request, int flags, byte[] payload) {
        send(request, flags, payload);
        expectAckIf(flags, request);
    }

    private void expectAckIf(int flags, int request) {
        if (flags == NEED_REPLY) {
            expectAck(request);
        }
    }

    /** UML accepts exactly this: version 1, reply, and nothing else. */
    public void expectAck(int request) {
        Reply reply = receive();
        if (reply == null || reply.request() != request || reply.flags() != 5 || reply.u64() != 0) {
            throw new AssertionError("no acknowledgement of request " + request + " but " + reply);
        }
    }

    private int replace(int old, int fd) {
        if (old >= 0) {
            linux.close(old);
        }
        return fd;
    }

    // ---- the guest

    public DriverRing ring(int i) {
        return Objects.requireNonNull(rings[i]);
    }

    /** Makes what was added to the ring available and kicks if the device wants it; then lets the back end run. */
    public boolean exposeAndKick(int i) {
        boolean wanted = ring(i).expose();
        if (wanted) {
            kick(i);
        }
        settle.run();
        return wanted;
    }

    /** Kicks without letting the back end run. */
    public void kick(int i) {
        linux.writeOne(kickFds[i]);
    }

    /** Takes all calls that have arrived on ring {@code i}; true if there was one. */
    public boolean takeCalls(int i) {
        boolean any = false;
        while (linux.readEight(callFds[i]) == 8) {
            any = true;
        }
        return any;
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        linux.close(socket);
        replace(backendFd, -1);
        for (int i = 0; i < kickFds.length; i++) {
            replace(kickFds[i], -1);
            replace(callFds[i], -1);
        }
        settle.run();
    }
}
