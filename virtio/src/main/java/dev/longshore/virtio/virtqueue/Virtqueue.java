package dev.longshore.virtio.virtqueue;

import dev.longshore.virtio.memory.GuestMemory;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A virtqueue, the device's side: split (virtio 1.2, 2.7) or packed (2.8), whichever was negotiated when it starts. Confined
 * to its event loop.
 *
 * <p>A device takes chains with {@link #pop}, gives them back with {@link #push} in any order, and calls {@link #flush}
 * when the guest shall see them. The transport calls {@link #start} and {@link #stop}; between them the device may use it.
 *
 * <p>Invariant: it is running exactly if it has a ring, and a ring with a fault is dropped at once.
 */
public final class Virtqueue {
    /** VIRTIO_F_INDIRECT_DESC. */
    public static final long FEATURE_INDIRECT = 1L << 28;
    /** VIRTIO_F_EVENT_IDX. */
    public static final long FEATURE_EVENT_IDX = 1L << 29;
    /** VIRTIO_F_RING_PACKED. */
    public static final long FEATURE_PACKED = 1L << 34;

    /** Largest queue of either kind, virtio 1.2, 2.7 and 2.8. */
    public static final int MAX_SIZE = 32_768;

    private final int index;
    private final QueueSignals signals;
    private final QueueCounters counters = new QueueCounters();

    private @Nullable Ring ring;
    private QueueFault fault = QueueFault.NONE;
    private int size;
    private int base;
    private boolean callPending;

    /** @param index the queue's number in its device */
    public Virtqueue(int index, QueueSignals signals) {
        this.index = index;
        this.signals = signals;
    }

    public int index() {
        return index;
    }

    public QueueCounters counters() {
        return counters;
    }

    /** True between {@link #start} and {@link #stop}, unless the guest broke the ring. */
    public boolean isRunning() {
        return ring != null;
    }

    /** What chains are in, for a device that has to {@code retain} it; null if the queue is not running. */
    public @Nullable GuestMemory memory() {
        return ring == null ? null : ring.memory;
    }

    /** Why the queue stopped by itself, or {@link QueueFault#NONE}. */
    public QueueFault fault() {
        return fault;
    }

    /** Descriptors in the table: 1..{@link #MAX_SIZE}, of a split ring a power of two. */
    public int size() {
        return size;
    }

    /**
     * Where the device stands, or stood when the queue stopped: what GET_VRING_BASE answers. Of a split ring the index of
     * the next available entry, modulo 2^16; of a packed one the next slot to take (bits 0..14), its wrap counter (15),
     * the next slot to use (16..30) and its wrap counter (31).
     */
    public int base() {
        return ring != null ? ring.base() : base;
    }

    /** What a driver that has just made its ring starts from. */
    public static int firstBase(long features) {
        return isPacked(features) ? PackedRing.WRAP << 16 | PackedRing.WRAP : 0;
    }

    /**
     * Where a ring that a dead device has left stands, or {@code told} if its memory does not say. Of a split ring what the
     * front end tells is right: it has read the used index.
     */
    public static int placeLeft(MemorySegment desc, int size, int told, long features) {
        boolean known = isPacked(features) && (features & FEATURE_INDIRECT) != 0;
        return known ? PackedRing.placeBySlots(desc, size, told) : told;
    }

    /** True if a queue with these features may have {@code size} entries: 2.7 asks for a power of two, 2.8 does not. */
    public static boolean isSize(int size, long features) {
        return size > 0 && size <= MAX_SIZE && (isPacked(features) || Integer.bitCount(size) == 1);
    }

    /** True if a queue of that size and kind can stand at {@code base}. */
    public static boolean isBase(int base, int size, long features) {
        return isPacked(features) ? PackedRing.isBase(base, size) : base >>> 16 == 0;
    }

    /** Of the descriptor table or the descriptor ring. */
    public static long descBytes(int size) {
        return (long) Ring.DESC_BYTES * size;
    }

    /** Of the available ring, or the driver's event suppression structure. */
    public static long availBytes(int size, long features) {
        return isPacked(features) ? PackedRing.EVENT_BYTES : SplitRing.availBytes(size);
    }

    /** Of the used ring, or the device's event suppression structure. */
    public static long usedBytes(int size, long features) {
        return isPacked(features) ? PackedRing.EVENT_BYTES : SplitRing.usedBytes(size);
    }

    /** True if the three parts are aligned as virtio 1.2, 2.7 and 2.8 require; our atomic accesses depend on it. */
    public static boolean areAligned(MemorySegment desc, MemorySegment avail, MemorySegment used, long features) {
        return Ring.isAligned(desc, 16) && Ring.isAligned(avail, isPacked(features) ? 4 : 2) && Ring.isAligned(used, 4);
    }

    private static boolean isPacked(long features) {
        return (features & FEATURE_PACKED) != 0;
    }

    /**
     * Starts the queue on rings that the transport has checked: {@link #isSize}, {@link #isBase}, {@link #areAligned}, and
     * parts of at least {@link #descBytes}, {@link #availBytes}, {@link #usedBytes} bytes. A split ring's used index goes
     * on from what the used ring holds. Notifications of the guest to us start enabled, and the first {@link #flush} with
     * news calls, whatever an earlier life of the ring has left in its event indices.
     *
     * @param guestMemory borrowed until {@link #stop}
     * @param from where the device stands, see {@link #base}
     * @param features negotiated: INDIRECT, EVENT_IDX and PACKED matter
     */
    public void start(
            GuestMemory guestMemory,
            MemorySegment desc,
            MemorySegment avail,
            MemorySegment used,
            int queueSize,
            int from,
            long features) {
        Ring started = isPacked(features)
                ? new PackedRing(guestMemory, desc, avail, used, queueSize, from, features)
                : new SplitRing(guestMemory, desc, avail, used, queueSize, from, features);
        started.enableNotifications();
        ring = started;
        size = queueSize;
        callPending = false;
        fault = QueueFault.NONE;
    }

    /** Forgets the rings without touching them again: what was pushed and not flushed is lost. Idempotent. */
    public void stop() {
        if (ring != null) {
            base = ring.base();
            ring = null;
        }
    }

    /**
     * Takes the next chain into {@code chain}, which holds nothing meaningful after a false.
     *
     * @return false if there is none, or the queue is not running
     */
    public boolean pop(Chain chain) {
        Ring r = ring;
        if (r == null) {
            return false;
        }
        if (r.pop(chain)) {
            counters.chains.increment();
            return true;
        }
        checkSound(r);
        return false;
    }

    /** True if {@link #pop} would find something. */
    public boolean hasAvailable() {
        Ring r = ring;
        return r != null && r.hasAvailable() && checkSound(r);
    }

    /** Puts the chain back that was popped last and is still there: it will be popped again. */
    public void unpop(Chain chain) {
        if (ring != null) {
            ring.unpop(chain);
        }
    }

    /** Gives a chain back to the guest, with the bytes written to its start; visible after {@link #publish} or {@link #flush}. */
    public void push(Chain chain) {
        push(chain.head(), chain.writtenBytes());
    }

    /** Like {@link #push(Chain)}, for a chain whose head was kept. Without effect when the queue has stopped. */
    public void push(int head, int written) {
        if (ring != null) {
            ring.push(head, written);
        }
    }

    /** Makes all pushed chains visible to the guest at once, without an interrupt. */
    public void publish() {
        if (ring != null && ring.publish()) {
            callPending = true;
        }
    }

    /** Publishes, then interrupts the guest if it asked for that: at most one call for everything since the last flush. */
    public void flush() {
        publish();
        if (!callPending || ring == null) {
            return;
        }
        callPending = false;
        if (ring.isCallWanted()) {
            counters.calls.increment();
            signals.call(this);
        } else {
            counters.callsSuppressed.increment();
        }
    }

    /**
     * True if the guest has not looked at the queue since it was last interrupted, as far as that can be told: with split
     * rings and EVENT_IDX. A guest that looks without an interrupt (polls) may seem not to have looked.
     */
    public boolean isCallUnanswered() {
        return ring != null && ring.isCallUnanswered();
    }

    /** Interrupts the guest once more, for news that {@link #flush} has called for already. */
    public void callAgain() {
        if (ring != null) {
            counters.callsRepeated.increment();
            signals.call(this);
        }
    }

    /** Asks the guest not to kick: a hint. */
    public void disableNotifications() {
        if (ring != null) {
            ring.disableNotifications();
        }
    }

    /**
     * Asks the guest to kick when it makes the next chain available.
     *
     * @return true if a chain is available already: no kick will come for it, so the caller goes on
     */
    public boolean enableNotifications() {
        Ring r = ring;
        if (r == null) {
            return false;
        }
        r.enableNotifications();
        return r.hasAvailable() && checkSound(r);
    }

    /**
     * Asks the guest to kick when it adds to what is available now, taken or not: for a device that found too few chains
     * and put them back.
     *
     * @return true if it has added something already: no kick will come for it, so the caller tries again
     */
    public boolean notifyWhenMore() {
        Ring r = ring;
        if (r == null) {
            return false;
        }
        boolean more = r.notifyWhenMore();
        return checkSound(r) && more;
    }

    /** Asks the transport to report a kick again after the other descriptors of the loop had their turn. */
    public void kickAgain() {
        if (ring != null) {
            signals.kickAgain(this);
        }
    }

    /** False if the guest broke the ring: then the queue has stopped, and the transport knows. */
    private boolean checkSound(Ring r) {
        if (r.fault == QueueFault.NONE) {
            return true;
        }
        if (ring == r) {
            stop();
            fault = r.fault;
            counters.faults.increment();
            signals.broken(this);
        }
        return false;
    }
}
