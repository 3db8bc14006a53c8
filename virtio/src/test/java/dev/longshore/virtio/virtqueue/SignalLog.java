package dev.longshore.virtio.virtqueue;

/** Counts what a queue tells its transport. */
final class SignalLog implements QueueSignals {
    int calls;
    int again;
    int broken;

    @Override
    public void call(Virtqueue queue) {
        calls++;
    }

    @Override
    public void kickAgain(Virtqueue queue) {
        again++;
    }

    @Override
    public void broken(Virtqueue queue) {
        broken++;
    }
}
