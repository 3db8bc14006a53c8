package dev.longshore.virtio.vhostuser;

import dev.longshore.linux.FdWatch;
import dev.longshore.virtio.memory.GuestMemory;
import dev.longshore.virtio.virtqueue.Virtqueue;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** What the front end has said about one ring, until it can be started. Confined to the session's event loop. */
final class Vring {
    final Virtqueue queue;
    int size;
    boolean hasAddresses;
    long desc;
    long used;
    long avail;
    /** Next available entry: from SET_VRING_BASE, then kept over stops. */
    int base;

    boolean enabled;
    /** The guest broke it; cleared when the ring is set up anew. */
    boolean broken;

    /** The device asked to be kicked again. */
    boolean again;

    @Nullable
    FdWatch kick;

    int callFd = -1;
    int errFd = -1;
    /** The device knows of it: {@code onQueueReady} was called and {@code onQueueStopped} not yet. */
    boolean ready;

    Vring(Virtqueue queue) {
        this.queue = queue;
    }

    boolean canStart() {
        return !ready && !broken && enabled && kick != null && hasAddresses && size > 0;
    }

    /** Starts the queue. False if a part of the ring is outside the memory or misaligned. */
    boolean start(GuestMemory memory, long features) {
        MemorySegment descTable = memory.atUserAddress(desc, Virtqueue.descBytes(size));
        MemorySegment availRing = memory.atUserAddress(avail, Virtqueue.availBytes(size));
        MemorySegment usedRing = memory.atUserAddress(used, Virtqueue.usedBytes(size));
        if (descTable == null
                || availRing == null
                || usedRing == null
                || !Virtqueue.areAligned(descTable, availRing, usedRing)) {
            return false;
        }
        queue.start(memory, descTable, availRing, usedRing, size, base, features);
        return true;
    }
}
