package dev.longshore.virtio.vhostuser;

import dev.longshore.virtio.virtqueue.Virtqueue;
import io.netty.buffer.ByteBuf;

/**
 * A virtio device behind a {@link VhostUserBackend}. All calls come on the back end's event loop.
 *
 * <p>The order of calls is: {@link #onFeatures}, then for each queue any number of rounds of {@link #onQueueReady},
 * {@link #onKick} …, {@link #onQueueStopped}, at last {@link #onDisconnected}; and from the start with the next front end.
 * The {@link Virtqueue} objects live as long as the back end. Between ready and stopped a device may use its queue at any
 * time on the loop. A chain does not survive {@link #onQueueStopped}: the guest's memory may be unmapped after it, unless the
 * device retains it ({@link Virtqueue#memory}).
 */
public interface VhostUserDevice {
    /** For the log: {@code net}, {@code vsock}. */
    String name();

    /** How many virtqueues the device has, constant. */
    int queueCount();

    /** Of a network card: how many pairs of queues it has, what GET_QUEUE_NUM answers. Constant; 1 for all other devices. */
    default int queuePairs() {
        return 1;
    }

    /** The feature bits of the device's own type (0..23, 50..). The transport adds VERSION_1, INDIRECT and EVENT_IDX. */
    long features();

    /**
     * True if the guest may have packed rings (virtio 1.2, 2.8). Not for UML: its front end, read and not
     * tried, would say that a packed ring starts at 0, which is the middle of the second lap.
     */
    default boolean offersPackedRings() {
        return false;
    }

    /**
     * True if the front end shall ask us for the config space. UML needs that; QEMU needs it for vsock, and must not be
     * offered it for net and fs, where it owns the config space itself (7.1 to 8.0 crash on the offer).
     */
    boolean offersConfig();

    /** Appends the config space (at most 256 bytes, little endian) to {@code dst}. What is asked beyond it reads as zero. */
    void readConfig(ByteBuf dst);

    /** The front end has acknowledged {@code features}: a subset of what was offered, transport bits included. */
    void onFeatures(long features);

    /** The queue is started and enabled; it may hold chains already, for which {@link #onKick} follows at once. */
    void onQueueReady(Virtqueue queue);

    /** The guest made chains available, or so it says: may come without reason, never while the queue is stopped. */
    void onKick(Virtqueue queue);

    /**
     * The queue is about to stop: still usable during this call, unless the guest broke it. Forget its chains; those not
     * pushed are lost, or offered again if they were put back by {@code unpop}.
     */
    void onQueueStopped(Virtqueue queue);

    /**
     * The front end is gone, or is sent away: its queues stop next, and nobody waits for what they hold. Without this call
     * before it, {@link #onQueueStopped} is a pause: the guest goes on, and wants its answers.
     */
    default void onLeaving() {}

    /** The front end is gone; all queues have been stopped. */
    void onDisconnected();
}
