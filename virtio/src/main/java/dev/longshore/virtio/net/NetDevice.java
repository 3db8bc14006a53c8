package dev.longshore.virtio.net;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.OffloadRequest;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.VirtioNetHeader;
import dev.longshore.virtio.vhostuser.VhostUserDevice;
import dev.longshore.virtio.virtqueue.Virtqueue;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.EventLoop;
import org.jspecify.annotations.Nullable;

/**
 * A virtio-net device with one or several queue pairs, and the link to whoever is on it. Confined to the event loop of its
 * back end, which serves all pairs: several pairs spread the guest's work over its processors, not ours.
 *
 * <p>The queues are receiveq1, transmitq1, receiveq2, … (virtio 1.2, 5.1.2). The link is up while the first pair runs; the
 * guest may use the others or not. A frame goes to the pair that {@link ReceiveSteering} says, or to the first if that does
 * not run.
 *
 * <p>Taking frames from the guest never waits for room in the guest: the two directions share nothing but the loop.
 */
public final class NetDevice implements VhostUserDevice, Link {
    /** Ethernet header and a 64 KiB IP packet: what virtio's segmentation can carry. */
    public static final int MAX_FRAME_BYTES = 65_550;

    private static final int ETHERNET_HEADER_BYTES = 14;

    private final EventLoop loop;
    private final NetConfig config;
    private final NetCounters counters = new NetCounters();
    private final FrameReceiver receiver;
    private final ReceiveSteering steering = new ReceiveSteering();
    private final Pair[] pairs;

    private @Nullable FrameSink sink;
    private long features;
    private boolean announcedUp;
    private boolean closed;

    public NetDevice(EventLoop loop, NetConfig config, ByteBufAllocator allocator) {
        this.loop = loop;
        this.config = config;
        this.receiver = new FrameReceiver(allocator, counters);
        this.pairs = new Pair[config.queuePairs()];
        for (int i = 0; i < pairs.length; i++) {
            pairs[i] = new Pair(new FrameSender(allocator, counters));
        }
    }

    /** One receiveq and its transmitq, each null while it does not run. */
    private static final class Pair {
        final FrameSender sender;

        @Nullable
        Virtqueue receiveq;

        @Nullable
        Virtqueue transmitq;

        Pair(FrameSender sender) {
            this.sender = sender;
        }
    }

    private static boolean isReceiveq(Virtqueue queue) {
        return (queue.index() & 1) == 0;
    }

    private Pair pairOf(Virtqueue queue) {
        return pairs[queue.index() / 2];
    }

    public NetCounters counters() {
        return counters;
    }

    // ---- VhostUserDevice

    @Override
    public String name() {
        return "net";
    }

    @Override
    public int queueCount() {
        return 2 * pairs.length;
    }

    @Override
    public int queuePairs() {
        return pairs.length;
    }

    @Override
    public boolean offersPackedRings() {
        return !config.offersConfig();
    }

    @Override
    public long features() {
        return NetFeatures.OFFERED | (pairs.length > 1 ? NetFeatures.MQ : 0);
    }

    @Override
    public boolean offersConfig() {
        return config.offersConfig();
    }

    @Override
    public void readConfig(ByteBuf dst) {
        config.write(dst);
    }

    @Override
    public void onFeatures(long negotiated) {
        features = negotiated;
        int headerBytes = has(NetFeatures.VERSION_1) || has(NetFeatures.MRG_RXBUF)
                ? VirtioNetHeader.BYTES
                : VirtioNetHeader.LEGACY_BYTES;
        receiver.configure(headerBytes, has(NetFeatures.HOST_TSO4), has(NetFeatures.HOST_TSO6));
        receiver.steer(has(NetFeatures.MQ) ? steering : null);
        steering.clear();
        for (Pair pair : pairs) {
            pair.sender.configure(headerBytes, has(NetFeatures.MRG_RXBUF));
        }
    }

    @Override
    public void onQueueReady(Virtqueue queue) {
        Pair pair = pairOf(queue);
        if (isReceiveq(queue)) {
            pair.receiveq = queue;
            if (!pair.sender.isBlocked()) {
                queue.disableNotifications(); // wanted only after a send had no room
            }
        } else {
            pair.transmitq = queue;
        }
        announceLater();
    }

    @Override
    public void onKick(Virtqueue queue) {
        if (isReceiveq(queue)) {
            onReceiveBuffers(queue);
        } else if (sink != null) {
            receiver.drain(queue, sink, queue.index() / 2);
        }
    }

    private void onReceiveBuffers(Virtqueue queue) {
        if (pairOf(queue).sender.unblock(queue)) {
            callOnWritable();
        }
    }

    private void callOnWritable() {
        if (sink != null && !isAnyBlocked()) {
            sink.onWritable();
        }
    }

    private boolean isAnyBlocked() {
        for (Pair pair : pairs) {
            if (pair.sender.isBlocked()) {
                return true;
            }
        }
        return false;
    }

    @Override
    public void onQueueStopped(Virtqueue queue) {
        Pair pair = pairOf(queue);
        if (isReceiveq(queue)) {
            pair.receiveq = null;
        } else {
            pair.transmitq = null;
        }
        announceLater();
    }

    @Override
    public void onDisconnected() {
        features = 0;
        announce();
    }

    /** A queue that is stopped and made ready again within one message (the front end moved memory) is no news. */
    private void announceLater() {
        loop.execute(this::announce);
    }

    private void announce() {
        boolean up = isUp();
        if (sink != null && up != announcedUp) {
            announcedUp = up;
            sink.onLinkState(up);
        }
        releaseBlockedOnStopped();
    }

    /** Who waits for the room of a further pair that the guest has stopped using does not wait for ever. */
    private void releaseBlockedOnStopped() {
        boolean any = false;
        for (int i = 1; i < pairs.length; i++) {
            any |= pairs[i].receiveq == null && pairs[i].sender.unblock();
        }
        if (any) {
            callOnWritable();
        }
    }

    private boolean isUp() {
        return pairs[0].receiveq != null && pairs[0].transmitq != null;
    }

    private boolean has(long feature) {
        return (features & feature) != 0;
    }

    // ---- Link

    @Override
    public void open(FrameSink fromGuest) {
        assert loop.inEventLoop();
        if (sink != null || closed) {
            throw new IllegalStateException("opened twice, or after close");
        }
        sink = fromGuest;
        announce();
        for (Pair pair : pairs) {
            if (pair.transmitq != null) {
                pair.transmitq.kickAgain(); // frames may have waited for us
            }
        }
    }

    @Override
    public boolean send(OutFrame frame) {
        assert loop.inEventLoop();
        Pair pair = pairFor(frame);
        Virtqueue queue = pair.receiveq;
        if (queue == null || closed || !isUp()) {
            return pairs[0].sender.block();
        }
        NetDrop problem = problemOf(frame);
        if (problem != null) {
            counters.drop(problem);
            return true;
        }
        return pair.sender.send(queue, frame);
    }

    private Pair pairFor(OutFrame frame) {
        if (!has(NetFeatures.MQ)) {
            return pairs[0];
        }
        Pair pair = pairs[steering.toGuest(frame.head())];
        return pair.receiveq == null ? pairs[0] : pair;
    }

    private @Nullable NetDrop problemOf(OutFrame frame) {
        if (frame.bytes() > maxFrameBytes()) {
            return NetDrop.TOO_LARGE_FOR_GUEST;
        }
        boolean allowed = OffloadRequest.isAgreed(frame, checksumOffloadToGuest(), tso4ToGuest(), tso6ToGuest());
        return allowed ? null : NetDrop.OFFLOAD_NOT_NEGOTIATED;
    }

    @Override
    public void flush() {
        for (Pair pair : pairs) {
            if (pair.receiveq != null) {
                pair.receiveq.flush();
            }
        }
    }

    @Override
    public boolean isWritable() {
        return !closed && isUp() && !isAnyBlocked();
    }

    @Override
    public int maxFrameBytes() {
        return tso4ToGuest() || tso6ToGuest() ? MAX_FRAME_BYTES : ETHERNET_HEADER_BYTES + config.mtu();
    }

    @Override
    public boolean tso4ToGuest() {
        return has(NetFeatures.GUEST_TSO4);
    }

    @Override
    public boolean tso6ToGuest() {
        return has(NetFeatures.GUEST_TSO6);
    }

    @Override
    public boolean checksumOffloadToGuest() {
        return has(NetFeatures.GUEST_CSUM);
    }

    @Override
    public void close() {
        assert loop.inEventLoop();
        if (closed) {
            return;
        }
        closed = true;
        sink = null;
        receiver.release();
        for (Pair pair : pairs) {
            pair.sender.release();
        }
    }
}
