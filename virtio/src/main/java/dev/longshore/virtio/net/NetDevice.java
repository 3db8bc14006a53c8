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
 * A virtio-net device with one queue pair, and the link to whoever is on it. Confined to the event loop of its back end.
 *
 * <p>Taking frames from the guest never waits for room in the guest: the two directions share nothing but the loop.
 */
public final class NetDevice implements VhostUserDevice, Link {
    /** Ethernet header and a 64 KiB IP packet: what virtio's segmentation can carry. */
    public static final int MAX_FRAME_BYTES = 65_550;

    static final int RECEIVEQ = 0;
    static final int TRANSMITQ = 1;
    private static final int ETHERNET_HEADER_BYTES = 14;

    private final EventLoop loop;
    private final NetConfig config;
    private final NetCounters counters = new NetCounters();
    private final FrameReceiver receiver;
    private final FrameSender sender;

    private @Nullable Virtqueue receiveq;
    private @Nullable Virtqueue transmitq;
    private @Nullable FrameSink sink;
    private long features;
    private boolean announcedUp;
    private boolean closed;

    public NetDevice(EventLoop loop, NetConfig config, ByteBufAllocator allocator) {
        this.loop = loop;
        this.config = config;
        this.receiver = new FrameReceiver(allocator, counters);
        this.sender = new FrameSender(allocator, counters);
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
        return 2;
    }

    @Override
    public long features() {
        return NetFeatures.OFFERED;
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
        sender.configure(headerBytes, has(NetFeatures.MRG_RXBUF));
    }

    @Override
    public void onQueueReady(Virtqueue queue) {
        if (queue.index() == RECEIVEQ) {
            receiveq = queue;
            if (!sender.isBlocked()) {
                queue.disableNotifications(); // wanted only after a send had no room
            }
        } else {
            transmitq = queue;
        }
        announceLater();
    }

    @Override
    public void onKick(Virtqueue queue) {
        if (queue.index() == RECEIVEQ) {
            onReceiveBuffers(queue);
        } else if (sink != null) {
            receiver.drain(queue, sink);
        }
    }

    private void onReceiveBuffers(Virtqueue queue) {
        if (sink != null && sender.unblock(queue)) {
            sink.onWritable();
        }
    }

    @Override
    public void onQueueStopped(Virtqueue queue) {
        if (queue.index() == RECEIVEQ) {
            receiveq = null;
        } else {
            transmitq = null;
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
    }

    private boolean isUp() {
        return receiveq != null && transmitq != null;
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
        if (transmitq != null) {
            transmitq.kickAgain(); // frames may have waited for us
        }
    }

    @Override
    public boolean send(OutFrame frame) {
        assert loop.inEventLoop();
        Virtqueue queue = receiveq;
        if (queue == null || closed || transmitq == null) {
            return sender.block();
        }
        NetDrop problem = problemOf(frame);
        if (problem != null) {
            counters.drop(problem);
            return true;
        }
        return sender.send(queue, frame);
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
        if (receiveq != null) {
            receiveq.flush();
        }
    }

    @Override
    public boolean isWritable() {
        return isUp() && !sender.isBlocked();
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
        sender.release();
    }
}
