package dev.longshore.virtio.virtqueue;

/** What a {@link Virtqueue} tells its transport. Called on the queue's event loop. */
public interface QueueSignals {
    /** The guest wants to know about used buffers: interrupt it. */
    void call(Virtqueue queue);

    /** The device has left chains for later: tell it again in the next round of the event loop. */
    void kickAgain(Virtqueue queue);

    /** The guest broke the ring, which has stopped: {@link Virtqueue#fault} says how. */
    void broken(Virtqueue queue);
}
