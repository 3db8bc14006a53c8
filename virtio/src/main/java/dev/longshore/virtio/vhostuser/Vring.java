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
    /** Where the device stands: from SET_VRING_BASE, then kept over stops. See {@link Virtqueue#base}. */
    int base;

    /** In this session: then the place is our own. */
    boolean startedBefore;

    boolean enabled;
    /** The guest broke it; cleared when the ring is set up anew. */
    boolean broken;

    /** The device asked to be kicked again. */
    boolean again;

    @Nullable
    FdWatch kick;

    int callFd = -1;
    /** The call descriptor is one of those whose interrupts a guest may sleep through. See {@link CallRepeater}. */
    boolean repeatsCalls;
    /** The guest was interrupted, and nothing is known of an answer; and how often that was looked at. */
    boolean awaitsAnswer;

    int looksSinceCall;
    int errFd = -1;
    /** The device knows of it: {@code onQueueReady} was called and {@code onQueueStopped} not yet. */
    boolean ready;

    Vring(Virtqueue queue) {
        this.queue = queue;
    }

    boolean canStart() {
        return !ready && !broken && enabled && kick != null && hasAddresses && size > 0;
    }

    /** Starts the queue, or says why not; an empty string is no problem. */
    String start(GuestMemory memory, long features) {
        if (!Virtqueue.isSize(size, features)) {
            return "has the impossible size " + size;
        }
        if (!Virtqueue.isBase(base, size, features)) {
            return "cannot go on at " + Integer.toHexString(base) + " of " + size + " entries";
        }
        MemorySegment descPart = memory.atUserAddress(desc, Virtqueue.descBytes(size));
        MemorySegment availPart = memory.atUserAddress(avail, Virtqueue.availBytes(size, features));
        MemorySegment usedPart = memory.atUserAddress(used, Virtqueue.usedBytes(size, features));
        if (descPart == null
                || availPart == null
                || usedPart == null
                || !Virtqueue.areAligned(descPart, availPart, usedPart, features)) {
            return "is misaligned or outside the guest's memory";
        }
        if (!startedBefore) {
            base = Virtqueue.placeLeft(descPart, size, base, features);
            startedBefore = true;
        }
        queue.start(memory, descPart, availPart, usedPart, size, base, features);
        return "";
    }
}
