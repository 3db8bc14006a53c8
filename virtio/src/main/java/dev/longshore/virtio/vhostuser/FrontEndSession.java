package dev.longshore.virtio.vhostuser;

import dev.longshore.linux.FdWatch;
import dev.longshore.linux.Linux;
import dev.longshore.linux.ReceivedFds;
import dev.longshore.virtio.memory.GuestMemory;
import dev.longshore.virtio.memory.RegionSpec;
import dev.longshore.virtio.virtqueue.Virtqueue;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.IoEventLoop;
import io.netty.channel.epoll.EpollIoOps;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connected front end: reads its messages, sets up memory and rings, and tells the device. Confined to the event loop.
 *
 * <p>Owns every descriptor and mapping it was given, and releases all of them in {@link #close}, the only way out.
 *
 * <p>Invariants: a ring that is {@code ready} has a running queue on the current memory, unless the guest broke it; a ring
 * is changed only while it is not ready.
 */
final class FrontEndSession {
    // Theory of operation
    //
    // A message is received in two steps, header and payload, each as often as it takes; never more than what is
    // missing
    // of the current message, so that descriptors (which come with the first byte) cannot belong to the next one.
    //
    // Rings: a change of anything a ring depends on stops it, changes it, and starts it again if everything it needs is
    // there. So a front end may send its messages in any order, and change memory under running rings (QEMU does when
    // the
    // guest moves a PCI window), and a device sees a plain stopped/ready pair.

    private static final Logger LOG = LoggerFactory.getLogger(FrontEndSession.class);

    /** VIRTIO_F_VERSION_1. */
    static final long FEATURE_VERSION_1 = 1L << 32;
    /** VHOST_USER_F_PROTOCOL_FEATURES. */
    static final long FEATURE_PROTOCOL_FEATURES = 1L << 30;

    /** Only with it does a front end ask for the number of queue pairs, and may use more than one. */
    static final long PROTOCOL_MQ = 1L;

    static final long PROTOCOL_REPLY_ACK = 1L << 3;
    /** Always offered: UML up to 6.12 fails to set up its interrupts without it. */
    static final long PROTOCOL_BACKEND_REQ = 1L << 5;

    static final long PROTOCOL_CONFIG = 1L << 9;

    /** Messages in one wake-up; the rest wait for the next, after the rings had their turn. */
    private static final int MESSAGES_AT_ONCE = 32;

    private final IoEventLoop loop;
    private final Linux linux;
    private final VhostUserDevice device;
    private final Vring[] rings;
    private final Runnable onClosed;
    private final ReceivedFds fds;
    private final CallRepeater repeater;
    private final Message message = new Message();
    private @Nullable FdWatch socket;
    private int received;

    private GuestMemory memory = GuestMemory.none();
    private long features;
    private boolean featuresSet;
    private long protocolFeatures;
    private int backendFd = -1;
    private boolean closed;

    private FrontEndSession(
            IoEventLoop loop, Linux linux, VhostUserDevice device, Virtqueue[] queues, Runnable onClosed) {
        this.loop = loop;
        this.linux = linux;
        this.device = device;
        this.onClosed = onClosed;
        this.fds = new ReceivedFds(linux);
        this.rings = new Vring[queues.length];
        for (int i = 0; i < queues.length; i++) {
            rings[i] = new Vring(queues[i]);
        }
        this.repeater = new CallRepeater(loop, rings);
    }

    /** Takes ownership of {@code fd}. Null if it could not be watched. */
    static @Nullable FrontEndSession open(
            IoEventLoop loop, Linux linux, VhostUserDevice device, Virtqueue[] queues, int fd, Runnable onClosed) {
        FrontEndSession session = new FrontEndSession(loop, linux, device, queues, onClosed);
        session.socket = FdWatch.open(loop, fd, EpollIoOps.EPOLLIN, session::onReadable, session::onBug);
        return session.socket == null ? null : session;
    }

    /** Interrupts the guest. Its end may be an eventfd or a stream socket; a full one means it knows already. */
    void call(Virtqueue queue) {
        Vring ring = rings[queue.index()];
        if (ring.callFd >= 0) {
            linux.writeOne(
                    ring.callFd); // if not: a call is pending, or the guest is going down, which the socket will say
            if (ring.repeatsCalls) {
                repeater.called(ring);
            }
        }
    }

    void markAgain(Virtqueue queue) {
        rings[queue.index()].again = true;
    }

    /** Reports a kick for the rings that were marked, each once. */
    void kickMarked() {
        for (Vring ring : rings) {
            if (ring.again) {
                ring.again = false;
                if (ring.ready) {
                    device.onKick(ring.queue);
                }
            }
        }
    }

    void broken(Virtqueue queue) {
        Vring ring = rings[queue.index()];
        ring.broken = true;
        LOG.warn("{}: the guest broke queue {}: {}", device.name(), queue.index(), queue.fault());
        if (ring.errFd >= 0) {
            linux.writeOne(ring.errFd);
        }
    }

    void sendConfigChange() {
        if (backendFd < 0 || (protocolFeatures & PROTOCOL_CONFIG) == 0) {
            return;
        }
        Message change = new Message();
        change.backendRequest(Message.BACKEND_CONFIG_CHANGE);
        int sent = linux.sendmsg(backendFd, change.bytes(), 0, change.totalBytes(), new int[0], 0);
        if (sent != change.totalBytes()) {
            LOG.warn("{}: the front end does not take a config change: {}", device.name(), sent);
        }
    }

    // ---- receiving

    private void onReadable() {
        for (int i = 0; i < MESSAGES_AT_ONCE && !closed; i++) {
            if (!receiveMessage()) {
                return;
            }
            dispatch();
            fds.closeAll();
            received = 0;
        }
    }

    /** True when a whole message is there; false if more must come or the session has closed. */
    private boolean receiveMessage() {
        if (received < Message.HEADER_BYTES && !receiveUpTo(Message.HEADER_BYTES)) {
            return false;
        }
        if (!message.isHeaderValid()) {
            close("bad message: request " + message.request() + ", flags " + message.flags() + ", "
                    + Integer.toUnsignedString(message.payloadBytes()) + " bytes");
            return false;
        }
        if (!receiveUpTo(message.totalBytes())) {
            return false;
        }
        if (fds.truncated()) {
            close("more than " + ReceivedFds.MAX + " descriptors with request " + message.request());
            return false;
        }
        return true;
    }

    private boolean receiveUpTo(int bytes) {
        while (received < bytes) {
            if (socket == null) {
                return false;
            }
            int n = linux.recvmsg(socket.number(), message.bytes(), received, bytes - received, fds);
            if (n == -Linux.EAGAIN) {
                return false;
            }
            if (n <= 0) {
                close(n == 0 ? "it left" : "recvmsg failed with errno " + -n);
                return false;
            }
            received += n;
        }
        return true;
    }

    // ---- messages

    private void dispatch() {
        boolean replyNeeded = message.isReplyNeeded();
        int request = message.request();
        LOG.trace(
                "{}: request {}, {} bytes, {} descriptors",
                device.name(),
                request,
                message.payloadBytes(),
                fds.count());
        if (message.payloadBytes() < leastPayload(request)) {
            close("request " + request + " with only " + message.payloadBytes() + " bytes");
            return;
        }
        String problem = handle(request);
        if (closed) {
            return;
        }
        if (hasOwnReply(request)) {
            if (problem.isEmpty()) {
                reply();
            }
        } else if (replyNeeded && (protocolFeatures & PROTOCOL_REPLY_ACK) != 0) {
            message.replyU64(problem.isEmpty() ? 0 : 1);
            reply();
        }
        if (!problem.isEmpty()) {
            close("request " + request + ": " + problem);
        }
    }

    private static int leastPayload(int request) {
        return switch (request) {
            case Message.SET_FEATURES,
                    Message.SET_PROTOCOL_FEATURES,
                    Message.SET_MEM_TABLE,
                    Message.SET_VRING_NUM,
                    Message.SET_VRING_BASE,
                    Message.GET_VRING_BASE,
                    Message.SET_VRING_ENABLE,
                    Message.SET_VRING_KICK,
                    Message.SET_VRING_CALL,
                    Message.SET_VRING_ERR -> 8;
            case Message.SET_VRING_ADDR -> 40;
            case Message.GET_CONFIG, Message.SET_CONFIG -> 12;
            default -> 0;
        };
    }

    private static boolean hasOwnReply(int request) {
        return switch (request) {
            case Message.GET_FEATURES,
                    Message.GET_PROTOCOL_FEATURES,
                    Message.GET_QUEUE_NUM,
                    Message.GET_VRING_BASE,
                    Message.GET_CONFIG -> true;
            default -> false;
        };
    }

    /** Does what the message says, or returns why not. A message with a reply of its own becomes that reply. */
    private String handle(int request) {
        return switch (request) {
            case Message.GET_FEATURES -> answer(offeredFeatures());
            case Message.GET_PROTOCOL_FEATURES -> answer(offeredProtocolFeatures());
            case Message.GET_QUEUE_NUM -> answer(device.queuePairs() > 1 ? device.queuePairs() : rings.length);
            case Message.SET_FEATURES -> setFeatures(message.u64());
            case Message.SET_PROTOCOL_FEATURES -> setProtocolFeatures(message.u64());
            case Message.SET_MEM_TABLE -> setMemoryTable();
            case Message.SET_VRING_NUM,
                    Message.SET_VRING_BASE,
                    Message.SET_VRING_ADDR,
                    Message.SET_VRING_ENABLE,
                    Message.GET_VRING_BASE -> changeRing(request, message.stateRing());
            case Message.SET_VRING_KICK, Message.SET_VRING_CALL, Message.SET_VRING_ERR ->
                setRingFd(request, message.fdRing());
            case Message.SET_BACKEND_REQ_FD -> setBackendFd();
            case Message.GET_CONFIG -> getConfig();
            case Message.RESET_DEVICE -> resetDevice();
            case Message.SET_OWNER,
                    Message.RESET_OWNER, // deprecated: "ignore"
                    Message.SET_LOG_BASE,
                    Message.SET_LOG_FD, // dirty logging is not offered, so nothing depends on it
                    Message.SET_CONFIG, // no device of ours has a writable config space
                    Message.SEND_RARP,
                    Message.NET_SET_MTU -> "";
            default -> "unknown request";
        };
    }

    private String answer(long value) {
        message.replyU64(value);
        return "";
    }

    private long offeredFeatures() {
        return device.features()
                | FEATURE_VERSION_1
                | FEATURE_PROTOCOL_FEATURES
                | Virtqueue.FEATURE_INDIRECT
                | Virtqueue.FEATURE_EVENT_IDX
                | (device.offersPackedRings() ? Virtqueue.FEATURE_PACKED : 0);
    }

    private long offeredProtocolFeatures() {
        return PROTOCOL_REPLY_ACK
                | PROTOCOL_BACKEND_REQ
                | (device.queuePairs() > 1 ? PROTOCOL_MQ : 0)
                | (device.offersConfig() ? PROTOCOL_CONFIG : 0);
    }

    private String setFeatures(long acknowledged) {
        long unknown = acknowledged & ~offeredFeatures();
        if (unknown != 0) {
            LOG.warn("{}: ignored features that were not offered: {}", device.name(), Long.toHexString(unknown));
        }
        long accepted = acknowledged & offeredFeatures();
        if (featuresSet && accepted == features) {
            return ""; // QEMU says it for each queue pair, when the pairs before it run already
        }
        stopAll();
        features = accepted;
        featuresSet = true;
        if ((features & FEATURE_PROTOCOL_FEATURES) == 0) {
            for (Vring ring : rings) {
                ring.enabled = true; // "the rings start directly in the enabled state"
            }
        }
        device.onFeatures(features);
        return startAll();
    }

    private String setProtocolFeatures(long acknowledged) {
        protocolFeatures = acknowledged & offeredProtocolFeatures();
        return "";
    }

    private String setMemoryTable() {
        int count = message.regionCount();
        if (count <= 0 || count > GuestMemory.MAX_REGIONS || fds.count() != count) {
            return Integer.toUnsignedString(count) + " memory regions with " + fds.count() + " descriptors";
        }
        if (message.payloadBytes() < 8 + 32 * count) { // more is fine: UML up to 6.12 always sends two entries
            return "table of " + message.payloadBytes() + " bytes for " + count + " regions";
        }
        List<RegionSpec> specs = new ArrayList<>(count);
        int[] files = new int[count];
        for (int i = 0; i < count; i++) {
            specs.add(message.region(i));
            files[i] = fds.peek(i);
        }
        stopAll();
        releaseMemory();
        return switch (GuestMemory.map(linux, specs, files)) {
            case GuestMemory.Mapping.Refused(String reason) -> reason;
            case GuestMemory.Mapping.Mapped(GuestMemory mapped) -> {
                memory = mapped;
                LOG.debug("{}: guest memory {} bytes", device.name(), mapped.regionBytes());
                yield startAll();
            }
        };
    }

    private String changeRing(int request, int index) {
        if (Integer.compareUnsigned(index, rings.length) >= 0) {
            return "ring " + Integer.toUnsignedString(index) + " of " + rings.length;
        }
        Vring ring = rings[index];
        int num = message.stateNum();
        if (request == Message.SET_VRING_ENABLE && ring.enabled == (num != 0)) {
            return ""; // said twice: no reason to stop it
        }
        stop(ring);
        switch (request) {
            case Message.SET_VRING_NUM -> {
                if (!Virtqueue.isSize(num, features)) {
                    return "queue size " + Integer.toUnsignedString(num);
                }
                ring.size = num;
            }
            case Message.SET_VRING_BASE -> {
                ring.base = (features & Virtqueue.FEATURE_PACKED) != 0 ? num : num & 0xFFFF;
                ring.broken = false;
            }
            case Message.SET_VRING_ADDR -> {
                ring.desc = message.addrDesc();
                ring.used = message.addrUsed();
                ring.avail = message.addrAvail();
                ring.hasAddresses = true;
                ring.broken = false;
            }
            case Message.SET_VRING_ENABLE -> ring.enabled = num != 0;
            default -> { // GET_VRING_BASE: stopped until the next SET_VRING_KICK
                closeKick(ring);
                ring.callFd = closeFd(ring.callFd);
                message.replyState(index, ring.base);
            }
        }
        return start(ring);
    }

    private String setRingFd(int request, int index) {
        if (index >= rings.length) {
            return "ring " + index + " of " + rings.length;
        }
        Vring ring = rings[index];
        int fd = message.isWithoutFd() ? -1 : fds.take(0);
        if (!message.isWithoutFd() && fd < 0) {
            return "no descriptor for ring " + index;
        }
        if (request == Message.SET_VRING_KICK) {
            return setKick(ring, fd);
        }
        if (fd >= 0 && linux.setNonBlocking(fd) < 0) {
            linux.close(fd);
            return "descriptor of ring " + index + " cannot be made non-blocking";
        }
        if (request == Message.SET_VRING_ERR) {
            closeFd(ring.errFd);
            ring.errFd = fd;
        } else {
            closeFd(ring.callFd);
            ring.callFd = fd;
            ring.repeatsCalls = fd >= 0 && linux.isSocket(fd); // UML's; QEMU has eventfds, which no guest loses
            call(ring.queue); // a call may have been lost with the descriptor before
        }
        return "";
    }

    private String setKick(Vring ring, int fd) {
        if (fd < 0) {
            return "polling of ring " + ring.queue.index() + " is not supported";
        }
        stop(ring);
        closeKick(ring);
        // Edge-triggered, so the eventfd is never read: each write of the guest is an event, whatever the counter says.
        ring.kick =
                FdWatch.open(loop, fd, EpollIoOps.EPOLLIN.with(EpollIoOps.EPOLLET), () -> onKick(ring), this::onBug);
        return ring.kick == null ? "kick descriptor cannot be polled" : start(ring);
    }

    private String setBackendFd() {
        int fd = fds.take(0);
        if (fd < 0) {
            return "no descriptor";
        }
        if (linux.setNonBlocking(fd) < 0) {
            linux.close(fd);
            return "descriptor cannot be made non-blocking";
        }
        closeFd(backendFd);
        backendFd = fd;
        return "";
    }

    private String getConfig() {
        int offset = message.configOffset();
        int bytes = message.configBytes();
        if (offset < 0 || bytes < 0 || offset > Message.MAX_CONFIG_BYTES || bytes > Message.MAX_CONFIG_BYTES - offset) {
            return "config bytes " + offset + " + " + bytes;
        }
        ByteBuf config = Unpooled.buffer(Message.MAX_CONFIG_BYTES);
        device.readConfig(config);
        config.writeZero(Message.MAX_CONFIG_BYTES - config.writerIndex());
        for (int i = 0; i < bytes; i++) {
            message.setConfigByte(i, config.getByte(offset + i));
        }
        message.replyBytes(12 + bytes); // offset, size and flags stay as they were asked
        return "";
    }

    private String resetDevice() {
        stopAll();
        for (Vring ring : rings) {
            ring.enabled = false;
            ring.base = Virtqueue.firstBase(features);
        }
        return "";
    }

    private void reply() {
        if (socket == null) {
            return;
        }
        int bytes = message.totalBytes();
        int sent = linux.sendmsg(socket.number(), message.bytes(), 0, bytes, new int[0], 0);
        if (sent != bytes) { // it waits for each reply, so its buffer is never full
            close("it does not take a reply: " + sent + " of " + bytes + " bytes");
        }
    }

    // ---- rings

    private void onKick(Vring ring) {
        ring.queue.counters().kicked();
        if (ring.ready) {
            device.onKick(ring.queue);
        }
    }

    private String startAll() {
        for (Vring ring : rings) {
            String problem = start(ring);
            if (!problem.isEmpty()) {
                return problem;
            }
        }
        return "";
    }

    private String start(Vring ring) {
        if (!featuresSet || !ring.canStart()) {
            return "";
        }
        String problem = ring.start(memory, features);
        if (!problem.isEmpty()) {
            return "ring " + ring.queue.index() + " " + problem;
        }
        ring.ready = true;
        LOG.debug("{}: queue {} ready, {} entries", device.name(), ring.queue.index(), ring.size);
        device.onQueueReady(ring.queue);
        device.onKick(ring.queue); // whatever was made available before we listened
        return "";
    }

    private void stopAll() {
        for (Vring ring : rings) {
            stop(ring);
        }
    }

    private void stop(Vring ring) {
        if (!ring.ready) {
            return;
        }
        ring.ready = false;
        ring.again = false;
        try {
            device.onQueueStopped(ring.queue);
            ring.queue.flush();
        } catch (RuntimeException | InternalError e) { // see onBug
            LOG.warn("{}: queue {} was not stopped properly", device.name(), ring.queue.index(), e);
        } finally {
            ring.base = ring.queue.base();
            ring.queue.stop(); // in all cases: its memory may be unmapped next
        }
    }

    // ---- the end

    private void onBug(Throwable t) {
        if (t instanceof InternalError) { // how the JVM reports SIGBUS: the file under the memory was truncated
            close("its memory is gone");
        } else {
            LOG.error("{}: bug while serving the front end", device.name(), t);
            close("of a bug");
        }
    }

    /** Releases everything. Idempotent. */
    void close(String reason) {
        if (closed) {
            return;
        }
        closed = true;
        LOG.info("{}: front end disconnected, since {}", device.name(), reason);
        try {
            device.onLeaving();
            stopAll();
            device.onDisconnected();
        } finally {
            releaseAll();
            onClosed.run();
        }
    }

    private void releaseAll() {
        repeater.close();
        for (Vring ring : rings) {
            closeKick(ring);
            ring.callFd = closeFd(ring.callFd);
            ring.errFd = closeFd(ring.errFd);
        }
        backendFd = closeFd(backendFd);
        fds.closeAll();
        releaseMemory();
        if (socket != null) {
            socket.close();
        }
    }

    private void releaseMemory() {
        GuestMemory old = memory;
        memory = GuestMemory.none();
        old.close();
    }

    private static void closeKick(Vring ring) {
        if (ring.kick != null) {
            ring.kick.close();
            ring.kick = null;
        }
    }

    /** Closes {@code fd} if there is one, and returns -1. */
    private int closeFd(int fd) {
        if (fd >= 0) {
            linux.close(fd);
        }
        return -1;
    }
}
