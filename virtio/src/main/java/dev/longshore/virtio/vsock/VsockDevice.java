package dev.longshore.virtio.vsock;

import dev.longshore.virtio.vhostuser.VhostUserDevice;
import dev.longshore.virtio.virtqueue.Chain;
import dev.longshore.virtio.virtqueue.Virtqueue;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import org.jspecify.annotations.Nullable;

/**
 * A virtio-vsock device: virtio 1.2, 5.10. Connects the three queues to a {@link VsockHost}. Confined to the event loop of its
 * back end, which is the host's.
 *
 * <p>Taking packets from the guest never waits for buffers of the guest: the two directions share nothing but the loop.
 */
public final class VsockDevice implements VhostUserDevice {
    private static final int RECEIVEQ = 0;
    private static final int TRANSMITQ = 1;
    private static final int QUEUES = 3;

    /** Packets and bytes in one wake-up; then the loop's other work has its turn. */
    private static final int BATCH_PACKETS = 256;

    private static final int BATCH_BYTES = 1 << 20;

    /** VIRTIO_VSOCK_EVENT_TRANSPORT_RESET, virtio 1.2, 5.10.6.7. */
    private static final int TRANSPORT_RESET = 0;

    private final VsockHost host;
    private final GuestBuffers toGuest;
    private final Chain chain = new Chain();
    private final PayloadFromGuest payload = (dst, bytes) -> chain.read(dst, bytes);
    private final ByteBuf header = Unpooled.buffer(VsockHeader.BYTES, VsockHeader.BYTES);

    private @Nullable Virtqueue transmitq;
    private @Nullable Virtqueue eventq;
    private boolean announcedUp;

    public VsockDevice(VsockHost host) {
        this.host = host;
        toGuest = new GuestBuffers(host.counters());
    }

    @Override
    public String name() {
        return "vsock";
    }

    @Override
    public int queueCount() {
        return QUEUES;
    }

    /** None: streams need no bit, and there are no SOCK_SEQPACKET sockets. */
    @Override
    public long features() {
        return 0;
    }

    @Override
    public boolean offersConfig() {
        return true;
    }

    /** Virtio 1.2, 5.10.4: the guest's CID. */
    @Override
    public void readConfig(ByteBuf dst) {
        dst.writeLongLE(host.guestCid());
    }

    @Override
    public void onFeatures(long features) {
        // nothing of the device's own
    }

    @Override
    public void onQueueReady(Virtqueue queue) {
        switch (queue.index()) {
            case RECEIVEQ -> toGuest.onReady(queue);
            case TRANSMITQ -> transmitq = queue;
            default -> {
                eventq = queue;
                queue.disableNotifications(); // looked at only when there is an event
            }
        }
        announceLater();
    }

    @Override
    public void onQueueStopped(Virtqueue queue) {
        switch (queue.index()) {
            case RECEIVEQ -> toGuest.onStopped();
            case TRANSMITQ -> transmitq = null;
            default -> eventq = null;
        }
        announceLater();
    }

    @Override
    public void onDisconnected() {
        announce();
    }

    /** A queue that is stopped and made ready again within one message (the front end moved memory) is no news. */
    private void announceLater() {
        host.loop().execute(this::announce);
    }

    private void announce() {
        boolean up = toGuest.isReady() && transmitq != null;
        if (up && announcedUp) {
            host.onRoom(); // buffers may have been added while a queue was stopped
        } else if (up) {
            announcedUp = true;
            sendResetIfUsedBefore();
            host.onDeviceUp(toGuest);
        } else if (announcedUp) {
            announcedUp = false;
            host.onDeviceDown();
        }
        if (transmitq != null && up) {
            transmitq.kickAgain(); // packets may have waited for the other queue
        }
    }

    /** A driver that goes on with used rings has streams which we know nothing of: it shall drop them. */
    private void sendResetIfUsedBefore() {
        Virtqueue queue = eventq;
        if (queue != null && transmitq != null && transmitq.base() != 0 && queue.pop(chain)) {
            header.clear().writeIntLE(TRANSPORT_RESET);
            chain.write(header, 0, Integer.BYTES);
            queue.push(chain);
            queue.flush();
        }
    }

    @Override
    public void onKick(Virtqueue queue) {
        if (!announcedUp) {
            return; // announce() comes back to what waits
        }
        if (queue.index() == RECEIVEQ) {
            queue.disableNotifications();
            host.onRoom();
        } else if (queue.index() == TRANSMITQ) {
            receive(queue);
        }
    }

    private void receive(Virtqueue queue) {
        host.onBatchStart();
        int packets = 0;
        int bytes = 0;
        boolean more = true;
        queue.disableNotifications();
        while (more) {
            while (packets < BATCH_PACKETS && bytes < BATCH_BYTES && queue.pop(chain)) {
                packets++;
                bytes += chain.readableBytes();
                receiveOne(queue);
            }
            boolean full = packets >= BATCH_PACKETS || bytes >= BATCH_BYTES;
            more = !full && queue.enableNotifications();
            if (full) {
                queue.kickAgain();
            }
        }
        queue.flush();
        host.onBatchEnd();
    }

    private void receiveOne(Virtqueue queue) {
        int head = chain.head();
        int packetBytes = chain.readableBytes();
        header.clear();
        chain.read(header, VsockHeader.BYTES);
        host.onPacket(header, packetBytes, payload);
        queue.push(head, 0);
    }
}
