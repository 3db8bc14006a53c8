package dev.longshore.virtio.virtqueue;

import dev.longshore.virtio.memory.GuestMemory;
import dev.longshore.virtio.memory.Region;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * A split virtqueue, the device's side: virtio 1.2, 2.7. Confined to its event loop.
 *
 * <p>A device takes chains with {@link #pop}, gives them back with {@link #push} in any order, and calls {@link #flush}
 * when the guest shall see them. The transport calls {@link #start} and {@link #stop}; between them the device may use it.
 *
 * <p>Invariants: {@code inFlight} (popped, not pushed) is 0..size; {@code unpublished <= size}; {@code nextAvail},
 * {@code usedIdx} and {@code shadowAvail} are 0..65535 and {@code shadowAvail - nextAvail} modulo 2^16 is 0..size.
 */
public final class Virtqueue {
    // Theory of operation
    //
    //   desc   table of {u64 addr, u32 len, u16 flags, u16 next}, written by the guest
    //   avail  {u16 flags, u16 idx, u16 ring[size], u16 used_event}, written by the guest
    //   used   {u16 flags, u16 idx, {u32 id, u32 len} ring[size], u16 avail_event}, written by us
    //
    // avail.idx is loaded with acquire: the entries and descriptors stored before it are then visible. It is loaded
    // only
    // when the copy of the last load (shadowAvail) is used up. used.idx is stored with release, after the elements.
    // Whether to interrupt is decided after a full fence, since our store of used.idx must be ordered before the load
    // of used_event (or flags), just as the guest orders its store of used_event before its load of used.idx; likewise
    // for avail_event in the other direction. Else both could miss each other's store and sleep for ever.

    /** VIRTIO_F_INDIRECT_DESC. */
    public static final long FEATURE_INDIRECT = 1L << 28;
    /** VIRTIO_F_EVENT_IDX. */
    public static final long FEATURE_EVENT_IDX = 1L << 29;

    /** Largest split queue, virtio 1.2, 2.7. */
    public static final int MAX_SIZE = 32_768;

    /** A chain may be longer than a small queue through an indirect table (Linux does that): at least this is accepted. */
    static final int MIN_CHAIN_LIMIT = 1024;

    static final int DESC_BYTES = 16;
    static final int DESC_NEXT = 1;
    static final int DESC_WRITE = 2;
    static final int DESC_INDIRECT = 4;
    static final int USED_NO_NOTIFY = 1;
    static final int AVAIL_NO_INTERRUPT = 1;

    private static final VarHandle LE16 =
            ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    private static final ValueLayout.OfShort LE16_LAYOUT = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt LE32_LAYOUT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    /** Unaligned, since an indirect table may start anywhere. */
    private static final ValueLayout.OfLong LE64_LAYOUT =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final long FLAGS_AT = 0;
    private static final long IDX_AT = 2;
    private static final long RING_AT = 4;

    private final int index;
    private final QueueSignals signals;
    private final QueueCounters counters = new QueueCounters();

    private boolean running;
    private QueueFault fault = QueueFault.NONE;
    private GuestMemory memory = GuestMemory.none();
    private MemorySegment desc = MemorySegment.NULL;
    private MemorySegment avail = MemorySegment.NULL;
    private MemorySegment used = MemorySegment.NULL;
    private int size;
    private int chainLimit;
    private boolean indirect;
    private boolean eventIdx;

    private int nextAvail;
    private int shadowAvail;
    private int usedIdx;
    private int unpublished;
    private int inFlight;
    private boolean callPending;
    private boolean everCalled;
    private int calledAt;

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
        return running;
    }

    /** Why the queue stopped by itself, or {@link QueueFault#NONE}. */
    public QueueFault fault() {
        return fault;
    }

    /** Descriptors in the table: a power of two, 1..{@link #MAX_SIZE}. */
    public int size() {
        return size;
    }

    /** The index of the next available entry, modulo 2^16: what GET_VRING_BASE answers. */
    public int nextAvail() {
        return nextAvail;
    }

    public static boolean isSize(int size) {
        return size > 0 && size <= MAX_SIZE && Integer.bitCount(size) == 1;
    }

    public static long descBytes(int size) {
        return (long) DESC_BYTES * size;
    }

    public static long availBytes(int size) {
        return 6 + 2L * size;
    }

    public static long usedBytes(int size) {
        return 6 + 8L * size;
    }

    /** True if the three parts are aligned as virtio 1.2, 2.7 requires; our atomic accesses depend on it. */
    public static boolean areAligned(MemorySegment desc, MemorySegment avail, MemorySegment used) {
        return (desc.address() & 15) == 0 && (avail.address() & 1) == 0 && (used.address() & 3) == 0;
    }

    /**
     * Starts the queue on rings that the transport has checked: {@link #isSize}, {@link #areAligned}, and parts of at
     * least {@link #descBytes}, {@link #availBytes}, {@link #usedBytes} bytes. The used index goes on from what the used
     * ring holds. Notifications of the guest to us start enabled.
     *
     * @param guestMemory borrowed until {@link #stop}
     * @param base index of the next available entry, modulo 2^16
     * @param features negotiated: INDIRECT and EVENT_IDX matter
     */
    public void start(
            GuestMemory guestMemory,
            MemorySegment descTable,
            MemorySegment availRing,
            MemorySegment usedRing,
            int queueSize,
            int base,
            long features) {
        memory = guestMemory;
        desc = descTable;
        avail = availRing;
        used = usedRing;
        size = queueSize;
        chainLimit = Math.max(queueSize, MIN_CHAIN_LIMIT);
        indirect = (features & FEATURE_INDIRECT) != 0;
        eventIdx = (features & FEATURE_EVENT_IDX) != 0;
        nextAvail = base & 0xFFFF;
        shadowAvail = nextAvail;
        usedIdx = (short) LE16.getAcquire(used, IDX_AT) & 0xFFFF;
        unpublished = 0;
        inFlight = 0;
        callPending = false;
        everCalled = false;
        fault = QueueFault.NONE;
        running = true;
        enableNotifications();
    }

    /** Forgets the rings without touching them again: what was pushed and not flushed is lost. Idempotent. */
    public void stop() {
        running = false;
        memory = GuestMemory.none();
        desc = MemorySegment.NULL;
        avail = MemorySegment.NULL;
        used = MemorySegment.NULL;
    }

    /**
     * Takes the next chain into {@code chain}, which holds nothing meaningful after a false.
     *
     * @return false if there is none, or the queue is not running
     */
    public boolean pop(Chain chain) {
        if (!running || (nextAvail == shadowAvail && !loadAvail())) {
            return false;
        }
        if (inFlight == size) {
            return fail(QueueFault.AVAIL_INDEX_JUMPED); // entries were made available again before we gave them back
        }
        int head = avail.get(LE16_LAYOUT, RING_AT + 2L * (nextAvail & (size - 1))) & 0xFFFF;
        if (head >= size) {
            return fail(QueueFault.HEAD_OUT_OF_RANGE);
        }
        QueueFault problem = collect(chain, head);
        if (problem != QueueFault.NONE) {
            return fail(problem);
        }
        nextAvail = (nextAvail + 1) & 0xFFFF;
        inFlight++;
        counters.chains.increment();
        return true;
    }

    /** True if {@link #pop} would find a chain (or a broken ring). */
    public boolean hasAvailable() {
        return running && (nextAvail != shadowAvail || loadAvail());
    }

    /** Puts the last {@code chains} popped chains back: they will be popped again. None of them was pushed. */
    public void unpop(int chains) {
        assert chains <= inFlight;
        nextAvail = (nextAvail - chains) & 0xFFFF;
        inFlight -= chains;
    }

    /** Gives a chain back to the guest, with the bytes written to its start; visible after {@link #publish} or {@link #flush}. */
    public void push(Chain chain) {
        push(chain.head(), chain.writtenBytes());
    }

    /** Like {@link #push(Chain)}, for a chain whose head was kept. Without effect when the queue has stopped. */
    public void push(int head, int written) {
        if (!running) {
            return;
        }
        assert inFlight > 0;
        long at = RING_AT + 8L * ((usedIdx + unpublished) & (size - 1));
        used.set(LE32_LAYOUT, at, head);
        used.set(LE32_LAYOUT, at + 4, written);
        unpublished++;
        inFlight--;
    }

    /** Makes all pushed chains visible to the guest at once, without an interrupt. */
    public void publish() {
        if (unpublished > 0 && running) {
            usedIdx = (usedIdx + unpublished) & 0xFFFF;
            unpublished = 0;
            callPending = true;
            LE16.setRelease(used, IDX_AT, (short) usedIdx);
        }
    }

    /** Publishes, then interrupts the guest if it asked for that: at most one call for everything since the last flush. */
    public void flush() {
        publish();
        if (!callPending || !running) {
            return;
        }
        callPending = false;
        if (isCallWanted()) {
            counters.calls.increment();
            signals.call(this);
        } else {
            counters.callsSuppressed.increment();
        }
    }

    private boolean isCallWanted() {
        VarHandle.fullFence();
        if (!eventIdx) {
            return (avail.get(LE16_LAYOUT, FLAGS_AT) & AVAIL_NO_INTERRUPT) == 0;
        }
        int event = avail.get(LE16_LAYOUT, RING_AT + 2L * size) & 0xFFFF;
        boolean first = !everCalled; // used_event may be left over from an earlier life of the ring
        int before = calledAt;
        everCalled = true;
        calledAt = usedIdx;
        return first || ((usedIdx - event - 1) & 0xFFFF) < ((usedIdx - before) & 0xFFFF);
    }

    /** Asks the guest not to kick: a hint, with EVENT_IDX it is the old event index that becomes stale by itself. */
    public void disableNotifications() {
        if (running && !eventIdx) {
            used.set(LE16_LAYOUT, FLAGS_AT, (short) USED_NO_NOTIFY);
        }
    }

    /**
     * Asks the guest to kick when it makes the next chain available.
     *
     * @return true if a chain is available already: no kick will come for it, so the caller goes on
     */
    public boolean enableNotifications() {
        if (!running) {
            return false;
        }
        if (eventIdx) {
            LE16.setOpaque(used, RING_AT + 8L * size, (short) nextAvail);
        } else {
            used.set(LE16_LAYOUT, FLAGS_AT, (short) 0);
        }
        VarHandle.fullFence();
        return hasAvailable();
    }

    /**
     * Asks the guest to kick when it adds to what is available now, taken or not: for a device that found too few chains
     * and put them back.
     *
     * @return true if it has added something already: no kick will come for it, so the caller tries again
     */
    public boolean notifyWhenMore() {
        if (!running) {
            return false;
        }
        int seen = shadowAvail;
        if (eventIdx) {
            LE16.setOpaque(used, RING_AT + 8L * size, (short) seen);
        } else {
            used.set(LE16_LAYOUT, FLAGS_AT, (short) 0);
        }
        VarHandle.fullFence();
        loadAvail();
        return running && shadowAvail != seen;
    }

    /** Asks the transport to report a kick again after the other descriptors of the loop had their turn. */
    public void kickAgain() {
        if (running) {
            signals.kickAgain(this);
        }
    }

    /** Loads avail.idx. True if there are new entries. */
    private boolean loadAvail() {
        int idx = (short) LE16.getAcquire(avail, IDX_AT) & 0xFFFF;
        if (((idx - nextAvail) & 0xFFFF) > size) {
            return fail(QueueFault.AVAIL_INDEX_JUMPED);
        }
        shadowAvail = idx;
        return idx != nextAvail;
    }

    private QueueFault collect(Chain chain, int head) {
        chain.begin(head);
        MemorySegment table = desc;
        long tableAt = 0;
        int tableSize = size;
        int at = head;
        boolean inIndirect = false;
        for (int seen = 0; seen < chainLimit; seen++) {
            long address = table.get(LE64_LAYOUT, tableAt + (long) DESC_BYTES * at);
            long rest = table.get(LE64_LAYOUT, tableAt + (long) DESC_BYTES * at + 8);
            long bytes = rest & 0xFFFF_FFFFL;
            int flags = (int) (rest >>> 32) & 0xFFFF;
            if ((flags & DESC_INDIRECT) != 0) {
                Region region = memory.atGuestAddress(address);
                QueueFault problem = indirectProblem(inIndirect, flags, bytes, region, address);
                if (problem != QueueFault.NONE || region == null) {
                    return problem;
                }
                table = region.memory();
                tableAt = region.guestOffset(address);
                tableSize = (int) bytes / DESC_BYTES;
                at = 0;
                inIndirect = true;
                continue;
            }
            QueueFault problem = addBuffer(chain, address, bytes, (flags & DESC_WRITE) != 0);
            if (problem != QueueFault.NONE || (flags & DESC_NEXT) == 0) {
                return problem;
            }
            at = (int) (rest >>> 48);
            if (at >= tableSize) {
                return QueueFault.NEXT_OUT_OF_RANGE;
            }
        }
        return QueueFault.CHAIN_TOO_LONG;
    }

    private QueueFault indirectProblem(boolean nested, int flags, long bytes, @Nullable Region region, long address) {
        if (!indirect || nested || (flags & DESC_NEXT) != 0) {
            return QueueFault.BAD_INDIRECT_TABLE;
        }
        if (bytes == 0 || bytes % DESC_BYTES != 0 || bytes / DESC_BYTES > chainLimit) {
            return QueueFault.BAD_INDIRECT_TABLE;
        }
        if (region == null || bytes > region.bytes() - region.guestOffset(address)) {
            return QueueFault.ADDRESS_OUTSIDE_MEMORY;
        }
        return QueueFault.NONE;
    }

    /** Adds a buffer as one piece, or as several where regions meet within it. */
    private QueueFault addBuffer(Chain chain, long address, long bytes, boolean writable) {
        if (!writable && bytes > 0 && chain.hasWritable()) {
            return QueueFault.READABLE_AFTER_WRITABLE;
        }
        long at = address;
        for (long left = bytes; left > 0; ) {
            Region region = memory.atGuestAddress(at);
            if (region == null) {
                return QueueFault.ADDRESS_OUTSIDE_MEMORY;
            }
            long offset = region.guestOffset(at);
            long part = Math.min(left, region.bytes() - offset);
            if (part > Integer.MAX_VALUE || !chain.add(region.memory(), offset, (int) part, writable)) {
                return QueueFault.CHAIN_TOO_LARGE;
            }
            at += part;
            left -= part;
        }
        return QueueFault.NONE;
    }

    /** Always false, for the callers' convenience. */
    private boolean fail(QueueFault why) {
        fault = why;
        running = false;
        counters.faults.increment();
        signals.broken(this);
        return false;
    }
}
