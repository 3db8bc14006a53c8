package dev.longshore.virtio.vsock;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.collection.IntObjectHashMap;
import io.netty.util.collection.LongObjectHashMap;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.net.BindException;
import java.net.ConnectException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The host's end of virtio-vsock (CID 2): all streams with one guest, and the listeners the guest may connect to. Confined to
 * the device's event loop, except {@link #connect}, {@link #listen} and the getters, which are thread-safe: they hand
 * themselves to it.
 *
 * <p>Invariants: streams of either direction never exceed {@link VsockLimits}, counting those whose channel is not closed yet;
 * receiving never waits for sending, since what has to be sent is flags of streams and a bounded ring of RST answers.
 */
public final class VsockHost {
    /** VMADDR_CID_HOST, linux/vm_sockets.h. */
    public static final long HOST_CID = 2;

    /** Ports of our own streams count upward from here, out of the way of listeners. */
    static final int FIRST_PORT = 1 << 30;

    /** Packets sent in one go before the loop's other work gets its turn. */
    private static final int DRAIN_PACKETS = 1024;

    private static final Logger log = LoggerFactory.getLogger(VsockHost.class);

    private final EventLoop loop;
    private final long guestCid;
    private final VsockLimits limits;
    private final UnreadShares unread;
    private final VsockCounters counters = new VsockCounters();

    private final LongObjectHashMap<VsockStream> streams = new LongObjectHashMap<>();
    private final IntObjectHashMap<VsockListener> listeners = new IntObjectHashMap<>();
    private final ArrayDeque<VsockStream> ready = new ArrayDeque<>();
    private final ArrayList<VsockChannel> touched = new ArrayList<>();
    private final ResetReplies resets = new ResetReplies();
    private final ByteBuf header = Unpooled.buffer(VsockHeader.BYTES, VsockHeader.BYTES);

    private @Nullable PacketsToGuest out;
    private boolean inBatch;
    private boolean draining;
    private boolean drainScheduled;
    private int fromGuest;
    private int toGuest;
    private int nextPort = FIRST_PORT;

    public VsockHost(EventLoop loop, long guestCid, VsockLimits limits) {
        this.loop = loop;
        this.guestCid = guestCid;
        this.limits = limits;
        this.unread = new UnreadShares(limits);
        header.writerIndex(VsockHeader.BYTES);
    }

    // ---- for the daemon's other parts, from any thread

    /** The loop all streams live on. */
    public EventLoop loop() {
        return loop;
    }

    public VsockCounters counters() {
        return counters;
    }

    /**
     * Opens a stream to a port in the guest.
     *
     * @return the channel, registered on {@link #loop}, auto-read off; the receiver owns it. Fails with ConnectException if
     *     nobody listens there or the device is not up, with ConnectTimeoutException (which is one) if the guest does not
     *     answer. Cancelling it gives the attempt up.
     */
    public Future<DuplexChannel> connect(int guestPort) {
        Promise<DuplexChannel> promise = loop.newPromise();
        onLoop(() -> connectOnLoop(guestPort, promise));
        return promise;
    }

    /**
     * Accepts streams of the guest to a port of the host.
     *
     * @param initializer sharable; added to each new channel's pipeline before it becomes active
     * @return the listener to close; fails with BindException if the port has one already
     */
    public Future<VsockListener> listen(int hostPort, ChannelHandler initializer) {
        Promise<VsockListener> promise = loop.newPromise();
        onLoop(() -> {
            VsockListener listener = new VsockListener(this, hostPort, initializer);
            if (listeners.putIfAbsent(hostPort, listener) == null) {
                promise.setSuccess(listener);
            } else {
                promise.setFailure(new BindException("vsock port " + Integer.toUnsignedString(hostPort) + " is taken"));
            }
        });
        return promise;
    }

    private void onLoop(Runnable task) {
        if (loop.inEventLoop()) {
            task.run();
        } else {
            loop.execute(task);
        }
    }

    void unlisten(VsockListener listener) {
        onLoop(() -> {
            if (listeners.get(listener.port()) == listener) {
                listeners.remove(listener.port());
            }
        });
    }

    private void connectOnLoop(int guestPort, Promise<DuplexChannel> promise) {
        if (out == null) {
            promise.tryFailure(new ConnectException("the guest's vsock device is not up"));
            return;
        }
        if (toGuest >= limits.streamsToGuest()) {
            promise.tryFailure(new ConnectException("too many vsock streams to the guest: " + toGuest));
            return;
        }
        VsockStream stream = VsockStream.toGuest(this, guestPort, freePort(guestPort), promise);
        toGuest++;
        streams.put(stream.key(), stream);
        promise.addListener(f -> {
            if (f.isCancelled()) {
                onLoop(() -> {
                    stream.onConnectCancelled();
                    drain();
                });
            }
        });
        ready(stream);
        drain();
    }

    /** There is one, since the streams are fewer than the ports. */
    private int freePort(int guestPort) {
        int port;
        do {
            port = nextPort;
            nextPort = port == Integer.MAX_VALUE ? FIRST_PORT : port + 1;
        } while (streams.containsKey(key(guestPort, port)));
        return port;
    }

    // ---- for the device

    /** The guest's driver is there; {@code toGuest} takes packets until {@link #onDeviceDown}. */
    public void onDeviceUp(PacketsToGuest toGuest) {
        assert loop.inEventLoop();
        out = toGuest;
    }

    /** The guest's driver is gone: all streams are reset. Idempotent. */
    public void onDeviceDown() {
        assert loop.inEventLoop();
        out = null;
        resets.clear();
        for (VsockStream stream : new ArrayList<>(streams.values())) {
            stream.onDeviceDown();
        }
        ready.forEach(stream -> stream.queued = false);
        ready.clear();
    }

    public boolean isUp() {
        assert loop.inEventLoop();
        return out != null;
    }

    /** Packets of one wake-up follow, then {@link #onBatchEnd}. */
    public void onBatchStart() {
        assert loop.inEventLoop();
        inBatch = true;
    }

    /** The packets of one wake-up have all been handed over: tells readers, then sends what there is to send. */
    public void onBatchEnd() {
        assert loop.inEventLoop();
        for (int i = 0; i < touched.size(); i++) { // may grow meanwhile
            VsockChannel channel = touched.get(i);
            channel.touched = false;
            channel.onBatchEnd();
        }
        touched.clear();
        inBatch = false;
        drain();
    }

    /** The guest offers buffers again. */
    public void onRoom() {
        assert loop.inEventLoop();
        drain();
    }

    /**
     * One packet of the guest.
     *
     * @param packet the header in the daemon's own memory, from index 0; borrowed
     * @param bytes of the whole packet as the guest passed it, more than the header says or less
     * @param payload the bytes behind the header
     */
    public void onPacket(ByteBuf packet, long bytes, PayloadFromGuest payload) {
        assert loop.inEventLoop() && inBatch;
        counters.count(VsockCounter.PACKETS_FROM_GUEST);
        if (!VsockHeader.isValid(packet, 0, bytes)) {
            counters.count(VsockCounter.DROPPED_MALFORMED);
        } else if (VsockHeader.srcCid(packet, 0) != guestCid) {
            counters.count(VsockCounter.DROPPED_WRONG_SOURCE);
        } else if (VsockHeader.dstCid(packet, 0) != HOST_CID
                || VsockHeader.type(packet, 0) != VsockHeader.TYPE_STREAM) {
            counters.count(VsockCounter.DROPPED_UNSUPPORTED);
            replyReset(packet);
        } else {
            onStreamPacket(packet, payload);
        }
    }

    private void onStreamPacket(ByteBuf packet, PayloadFromGuest payload) {
        VsockStream stream = streams.get(key(VsockHeader.srcPort(packet, 0), VsockHeader.dstPort(packet, 0)));
        if (stream != null) {
            deliver(stream, packet, payload);
        } else if (VsockHeader.op(packet, 0) == VsockHeader.OP_REQUEST) {
            onRequest(packet);
        } else {
            counters.count(VsockCounter.DROPPED_NO_STREAM);
            replyReset(packet);
        }
    }

    private void deliver(VsockStream stream, ByteBuf packet, PayloadFromGuest payload) {
        try {
            stream.onPacket(packet, payload);
        } catch (OutOfMemoryError e) { // the allocator's limit: one stream ends, the device and the others stay
            stream.onViolation("sent more than there is memory for");
        }
    }

    private void onRequest(ByteBuf packet) {
        VsockListener listener = listeners.get(VsockHeader.dstPort(packet, 0));
        if (listener == null) {
            counters.count(VsockCounter.REQUESTS_REFUSED);
            replyReset(packet);
        } else if (fromGuest >= limits.streamsFromGuest()) {
            counters.count(VsockCounter.REQUESTS_OVER_LIMIT);
            replyReset(packet);
        } else {
            accept(VsockStream.fromGuest(this, packet), listener);
        }
    }

    private void accept(VsockStream stream, VsockListener listener) {
        fromGuest++;
        counters.count(VsockCounter.STREAMS_FROM_GUEST);
        streams.put(stream.key(), stream);
        ready(stream);
        VsockChannel channel = stream.openChannel();
        channel.pipeline().addLast(listener.initializer());
        loop.register(channel);
    }

    private void replyReset(ByteBuf packet) {
        if (VsockHeader.op(packet, 0) == VsockHeader.OP_RST) {
            return; // never an answer to an answer
        }
        if (!resets.add(packet)) {
            counters.count(VsockCounter.RESETS_DROPPED);
        }
    }

    // ---- for streams and channels

    /** Name of a stream: the guest's port and ours. */
    static long key(int guestPort, int hostPort) {
        return (long) guestPort << 32 | Integer.toUnsignedLong(hostPort);
    }

    long guestCid() {
        return guestCid;
    }

    VsockLimits limits() {
        return limits;
    }

    UnreadShares unread() {
        return unread;
    }

    /** The channel wants to hear of the end of this batch. */
    void touch(VsockChannel channel) {
        assert inBatch;
        if (!channel.touched) {
            channel.touched = true;
            touched.add(channel);
        }
    }

    /** The stream has something to send. */
    void ready(VsockStream stream) {
        if (!stream.queued && out != null) {
            stream.queued = true;
            ready.add(stream);
        }
    }

    /** The stream is over for the guest. */
    void forget(VsockStream stream) {
        if (streams.get(stream.key()) == stream) {
            streams.remove(stream.key());
        }
    }

    /** The stream is over for both sides: it counts no more. */
    void release(VsockStream stream) {
        unread.giveBack(stream.bufAlloc());
        if (stream.openedByGuest()) {
            fromGuest--;
        } else {
            toGuest--;
        }
        assert fromGuest >= 0 && toGuest >= 0;
    }

    void trace(VsockStream stream, StreamState next) {
        if (log.isTraceEnabled()) {
            log.trace("{} becomes {}", stream, next);
        }
    }

    /** Sends what there is to send while the guest has buffers, a packet of each stream in turn. Not within a batch. */
    void drain() {
        PacketsToGuest to = out;
        if (inBatch || draining || to == null) {
            return;
        }
        draining = true;
        try {
            drainTo(to);
        } finally {
            draining = false;
        }
    }

    private void drainTo(PacketsToGuest to) {
        int sent = 0;
        int room = 0;
        while (sent < DRAIN_PACKETS && !(resets.isEmpty() && ready.isEmpty()) && (room = to.room()) >= 0) {
            if (!resets.isEmpty()) {
                resets.poll(header, guestCid);
                to.begin(header);
                to.commit();
                counters.count(VsockCounter.PACKETS_TO_GUEST);
                sent++;
            } else if (sendOneOf(ready.remove(), to, room)) {
                sent++;
            }
        }
        if (sent > 0) {
            to.flush();
        }
        if (sent == DRAIN_PACKETS && !drainScheduled) {
            drainScheduled = true;
            loop.execute(() -> {
                drainScheduled = false;
                drain();
            });
        }
    }

    private boolean sendOneOf(VsockStream stream, PacketsToGuest to, int room) {
        stream.queued = false;
        boolean sent = stream.sendOne(to, header, room);
        if (stream.hasWork()) {
            ready(stream);
        }
        return sent;
    }

    /** Streams the guest knows of, for tests and status. */
    int streams() {
        return streams.size();
    }

    /** Streams that count towards the limits, opened by the guest. */
    int streamsFromGuest() {
        return fromGuest;
    }

    /** Streams that count towards the limits, opened by the host. */
    int streamsToGuest() {
        return toGuest;
    }
}
