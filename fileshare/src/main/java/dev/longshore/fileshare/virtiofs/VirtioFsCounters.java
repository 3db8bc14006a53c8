package dev.longshore.fileshare.virtiofs;

import dev.longshore.virtio.virtqueue.Counter;

/** What one device did. Thread-safe: written on its loop, read anywhere. */
public final class VirtioFsCounters {
    final Counter inline = new Counter();
    final Counter pooled = new Counter();
    final Counter slow = new Counter();
    final Counter malformed = new Counter();
    final Counter abandoned = new Counter();
    final Counter stalls = new Counter();

    /** Requests handled on the device's own loop, since few were waiting. */
    public long inline() {
        return inline.get();
    }

    /** Requests handed to threads, since more were waiting. */
    public long pooled() {
        return pooled.get();
    }

    /** Requests handed to the threads of those that wait for disks. */
    public long slow() {
        return slow.get();
    }

    /** Chains that are no requests: shorter than a header. */
    public long malformed() {
        return malformed.get();
    }

    /** Requests whose answers nobody can get any more: the guest left, or its queue stopped before they were done. */
    public long abandoned() {
        return abandoned.get();
    }

    /** Times that no request was taken since as many as may be were under way. */
    public long stalls() {
        return stalls.get();
    }
}
