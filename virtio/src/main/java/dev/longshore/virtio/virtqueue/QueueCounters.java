package dev.longshore.virtio.virtqueue;

/** What happened on one queue since it was made. Thread-safe: written on the queue's event loop, read anywhere. */
public final class QueueCounters {
    final Counter chains = new Counter();
    final Counter kicks = new Counter();
    final Counter calls = new Counter();
    final Counter callsSuppressed = new Counter();
    final Counter callsRepeated = new Counter();
    final Counter faults = new Counter();

    /** A kick from the guest arrived; called by the transport. */
    public void kicked() {
        kicks.increment();
    }

    /** Chains taken from the guest, those put back and taken again included. */
    public long chains() {
        return chains.get();
    }

    public long kicks() {
        return kicks.get();
    }

    /** Interrupts sent to the guest. */
    public long calls() {
        return calls.get();
    }

    /** Flushes with news for the guest that it did not want to be interrupted for. */
    public long callsSuppressed() {
        return callsSuppressed.get();
    }

    /** Interrupts sent once more, since the guest did not look at the queue after the first. */
    public long callsRepeated() {
        return callsRepeated.get();
    }

    /** Times the guest broke the ring. */
    public long faults() {
        return faults.get();
    }
}
