package dev.longshore.virtio.virtqueue;

import dev.longshore.virtio.memory.GuestMemory;
import dev.longshore.virtio.memory.Region;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * A split ring, the device's side: virtio 1.2, 2.7. Confined to its queue's event loop.
 *
 * <p>Invariants: {@code inFlight} (popped, not pushed) is 0..size; {@code unpublished <= size}; {@code nextAvail},
 * {@code usedIdx} and {@code shadowAvail} are 0..65535 and {@code shadowAvail - nextAvail} modulo 2^16 is 0..size.
 */
final class SplitRing extends Ring {
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

    static final int USED_NO_NOTIFY = 1;
    static final int AVAIL_NO_INTERRUPT = 1;

    private static final long FLAGS_AT = 0;
    private static final long IDX_AT = 2;
    private static final long RING_AT = 4;

    private final MemorySegment desc;
    private final MemorySegment avail;
    private final MemorySegment used;

    private int nextAvail;
    private int shadowAvail;
    private int usedIdx;
    private int unpublished;
    private int inFlight;
    private boolean everCalled;
    private int calledAt;
    /** The guest's used_event when it was last called, or -1. */
    private int answeredEvent = -1;

    /** The used index goes on from what the used ring holds. */
    SplitRing(
            GuestMemory memory,
            MemorySegment desc,
            MemorySegment avail,
            MemorySegment used,
            int size,
            int base,
            long features) {
        super(memory, size, features);
        this.desc = desc;
        this.avail = avail;
        this.used = used;
        nextAvail = base & 0xFFFF;
        shadowAvail = nextAvail;
        usedIdx = (short) LE16_ATOMIC.getAcquire(used, IDX_AT) & 0xFFFF;
    }

    static long availBytes(int size) {
        return 6 + 2L * size;
    }

    static long usedBytes(int size) {
        return 6 + 8L * size;
    }

    /** The index of the next available entry, modulo 2^16. */
    @Override
    int base() {
        return nextAvail;
    }

    @Override
    boolean pop(Chain chain) {
        if (nextAvail == shadowAvail && !loadAvail()) {
            return false;
        }
        if (inFlight == size) {
            return fail(QueueFault.AVAIL_INDEX_JUMPED); // entries were made available again before we gave them back
        }
        int head = avail.get(LE16, RING_AT + 2L * (nextAvail & (size - 1))) & 0xFFFF;
        if (head >= size) {
            return fail(QueueFault.HEAD_OUT_OF_RANGE);
        }
        QueueFault problem = collect(chain, head);
        if (problem != QueueFault.NONE) {
            return fail(problem);
        }
        nextAvail = (nextAvail + 1) & 0xFFFF;
        inFlight++;
        return true;
    }

    @Override
    boolean hasAvailable() {
        return nextAvail != shadowAvail || loadAvail() || fault != QueueFault.NONE;
    }

    @Override
    void unpop(Chain chain) {
        assert inFlight > 0;
        nextAvail = (nextAvail - 1) & 0xFFFF;
        inFlight--;
    }

    @Override
    void push(int head, int written) {
        assert inFlight > 0;
        long at = RING_AT + 8L * ((usedIdx + unpublished) & (size - 1));
        used.set(LE32, at, head);
        used.set(LE32, at + 4, written);
        unpublished++;
        inFlight--;
    }

    @Override
    boolean publish() {
        if (unpublished == 0) {
            return false;
        }
        usedIdx = (usedIdx + unpublished) & 0xFFFF;
        unpublished = 0;
        LE16_ATOMIC.setRelease(used, IDX_AT, (short) usedIdx);
        return true;
    }

    @Override
    boolean isCallWanted() {
        VarHandle.fullFence();
        if (!eventIdx) {
            return (avail.get(LE16, FLAGS_AT) & AVAIL_NO_INTERRUPT) == 0;
        }
        int event = avail.get(LE16, RING_AT + 2L * size) & 0xFFFF;
        boolean first = !everCalled; // used_event may be left over from an earlier life of the ring
        int before = calledAt;
        everCalled = true;
        calledAt = usedIdx;
        boolean wanted = first || ((usedIdx - event - 1) & 0xFFFF) < ((usedIdx - before) & 0xFFFF);
        answeredEvent = wanted ? event : -1;
        return wanted;
    }

    @Override
    boolean isCallUnanswered() {
        return answeredEvent >= 0 && answeredEvent == (avail.get(LE16, RING_AT + 2L * size) & 0xFFFF);
    }

    /** With EVENT_IDX it is the old event index that becomes stale by itself. */
    @Override
    void disableNotifications() {
        if (!eventIdx) {
            used.set(LE16, FLAGS_AT, (short) USED_NO_NOTIFY);
        }
    }

    @Override
    void enableNotifications() {
        notifyAt(nextAvail);
    }

    private void notifyAt(int idx) {
        if (eventIdx) {
            LE16_ATOMIC.setOpaque(used, RING_AT + 8L * size, (short) idx);
        } else {
            used.set(LE16, FLAGS_AT, (short) 0);
        }
        VarHandle.fullFence();
    }

    @Override
    boolean notifyWhenMore() {
        int seen = shadowAvail;
        notifyAt(seen);
        loadAvail();
        return shadowAvail != seen;
    }

    /** Loads avail.idx. True if there are new entries. */
    private boolean loadAvail() {
        int idx = (short) LE16_ATOMIC.getAcquire(avail, IDX_AT) & 0xFFFF;
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
            long address = table.get(LE64, tableAt + (long) DESC_BYTES * at);
            long rest = table.get(LE64, tableAt + (long) DESC_BYTES * at + 8);
            long bytes = rest & 0xFFFF_FFFFL;
            int flags = (int) (rest >>> 32) & 0xFFFF;
            if ((flags & DESC_INDIRECT) != 0) {
                if (inIndirect || (flags & DESC_NEXT) != 0) {
                    return QueueFault.BAD_INDIRECT_TABLE;
                }
                Region region = memory.atGuestAddress(address);
                QueueFault problem = indirectProblem(bytes, region, address);
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
}
