package dev.longshore.virtio.virtqueue;

import dev.longshore.virtio.memory.GuestMemory;
import dev.longshore.virtio.memory.Region;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * A packed ring, the device's side: virtio 1.2, 2.8. Confined to its queue's event loop.
 *
 * <p>Invariants: {@code inFlight} (slots popped, not pushed) is 0..size and is the distance from {@code nextUsed} to
 * {@code nextAvail}, with their wrap counters; both are 0..size-1.
 */
final class PackedRing extends Ring {
    // Theory of operation
    //
    //   desc         ring of {u64 addr, u32 len, u16 id, u16 flags}, written by the guest, and over it by us
    //   driverEvent  {u16 off_wrap, u16 flags}, written by the guest: when we shall interrupt
    //   deviceEvent  the same, written by us: when the guest shall kick
    //
    // A slot's AVAIL and USED bits are its state in one lap of the ring: available if AVAIL is the lap's wrap counter
    // and USED is not, used if both are. A chain is slots in a row, named by the id in its last one; the guest stores
    // the
    // flags of the first slot last. We answer with one used slot for the whole chain and pass over the others, so the
    // number of slots has to be known when the chain comes back: it is the upper half of what Chain.head() gives.
    //
    // The guest looks for used slots in ring order and stops at the first that is not. So of everything pushed between
    // two publishes, only the first slot's flags are held back and stored last, with release: the guest sees all or
    // nothing of it, which a frame over several receive buffers depends on.
    //
    // What the guest could do to us: more slots than the ring has (bounded by inFlight, whatever the flags say), an id
    // that it does not have (it gets its own nonsense back), chains that go on for ever (bounded by the slots that are
    // not in flight). The len and flags of one slot are one load of 8 bytes, so they cannot differ between two looks.

    static final int DESC_AVAIL = 1 << 7;
    static final int DESC_USED = 1 << 15;

    /** Of an event suppression structure: all events, none, or the one at off_wrap (2.8.10). */
    static final int EVENT_ENABLE = 0;

    static final int EVENT_DISABLE = 1;
    static final int EVENT_DESC = 2;
    static final int EVENT_BYTES = 4;

    /** Bit 15 of a place in the ring is the wrap counter. */
    static final int WRAP = 1 << 15;

    private static final VarHandle LE64_ATOMIC =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    private static final long FLAGS_AT = 14;

    private final MemorySegment desc;
    private final MemorySegment driverEvent;
    private final MemorySegment deviceEvent;

    private int nextAvail;
    private boolean availWrap;
    private int nextUsed;
    private boolean usedWrap;
    private int inFlight;

    /** Slot whose flags are held back, or -1. */
    private int heldSlot = -1;

    private int heldFlags;
    private boolean everCalled;
    /** Slots passed by published chains since the guest's wish for interrupts was looked at. */
    private int sinceCall;

    /** @param base what SET_VRING_BASE says of a packed ring: the next slot to take and its wrap counter, and the next to use */
    PackedRing(
            GuestMemory memory,
            MemorySegment desc,
            MemorySegment driverEvent,
            MemorySegment deviceEvent,
            int size,
            int base,
            long features) {
        super(memory, size, features);
        this.desc = desc;
        this.driverEvent = driverEvent;
        this.deviceEvent = deviceEvent;
        nextAvail = base & (WRAP - 1);
        availWrap = (base & WRAP) != 0;
        // Chains popped and not pushed before a stop are lost, as on a split ring; their slots are not used any more.
        nextUsed = base >>> 16 & (WRAP - 1);
        usedWrap = base < 0;
        inFlight = (availWrap == usedWrap ? 0 : size) + nextAvail - nextUsed;
    }

    /** True if {@link #PackedRing} accepts the place for a ring of {@code size} slots. */
    static boolean isBase(int base, int size) {
        int avail = base & (WRAP - 1);
        int used = base >>> 16 & (WRAP - 1);
        int between = ((base & WRAP) != 0) == base < 0 ? avail - used : size + avail - used;
        return avail < size && used < size && between >= 0 && between <= size;
    }

    /**
     * Where the device must stand, by what the slots say, or {@code told} if they leave it open. For a ring whose device was
     * killed: a front end that can't ask it any more has only an old place to tell, and no index is in memory as on a split
     * ring.
     *
     * <p>True for chains of one slot each (a guest with INDIRECT has no others for the card) that were given back in their
     * order: then the slots that are available follow each other, from the place on, and the rest are used. Several such runs
     * are no such ring.
     */
    static int placeBySlots(MemorySegment desc, int size, int told) {
        int runs = 0;
        int first = -1;
        int change = 0;
        for (int i = 0; i < size; i++) {
            int flags = flagsAt(desc, i);
            int before = flagsAt(desc, i == 0 ? size - 1 : i - 1);
            if (isPending(flags) && !isPending(before)) {
                runs++;
                first = i;
            }
            if (i > 0 && ((flags ^ before) & DESC_AVAIL) != 0) {
                change = change == 0 ? i : -1; // -1: more than one, which laps can't make
            }
        }
        if (runs == 1) {
            return both(first, (flagsAt(desc, first) & DESC_AVAIL) != 0);
        }
        if (runs > 1 || change < 0) {
            return told;
        }
        boolean startLap = (flagsAt(desc, 0) & DESC_AVAIL) != 0;
        if (isPending(flagsAt(desc, 0))) {
            return both(change, change == 0 ? startLap : !startLap); // all are available: the older lap's come first
        }
        return both(change, change == 0 ? !startLap : startLap); // none is: the next one is of the lap that has begun
    }

    private static int flagsAt(MemorySegment desc, int slot) {
        return (short) LE16_ATOMIC.getAcquire(desc, (long) DESC_BYTES * slot + FLAGS_AT);
    }

    /** Available in one lap or the other. */
    private static boolean isPending(int flags) {
        return ((flags & DESC_AVAIL) != 0) != ((flags & DESC_USED) != 0);
    }

    private static int both(int slot, boolean wrap) {
        return place(slot, wrap) | place(slot, wrap) << 16;
    }

    @Override
    int base() {
        return place(nextAvail, availWrap) | place(nextUsed, usedWrap) << 16;
    }

    private static int place(int slot, boolean wrap) {
        return slot | (wrap ? WRAP : 0);
    }

    @Override
    boolean hasAvailable() {
        return isSlotAvailable(nextAvail, availWrap);
    }

    private boolean isSlotAvailable(int slot, boolean wrap) {
        return isAvailable((short) LE16_ATOMIC.getAcquire(desc, (long) DESC_BYTES * slot + FLAGS_AT), wrap);
    }

    private static boolean isAvailable(int flags, boolean wrap) {
        return ((flags & DESC_AVAIL) != 0) == wrap && ((flags & DESC_USED) != 0) != wrap;
    }

    @Override
    boolean pop(Chain chain) {
        long rest = (long) LE64_ATOMIC.getAcquire(desc, (long) DESC_BYTES * nextAvail + 8);
        if (!isAvailable(flags(rest), availWrap)) {
            return false;
        }
        int free = size - inFlight;
        if (free == 0) {
            return fail(QueueFault.AVAIL_INDEX_JUMPED); // slots were made available again before we gave them back
        }
        chain.begin(0);
        int slot = nextAvail;
        int slots = 1;
        QueueFault problem = addSlot(chain, slot, rest, true);
        while (problem == QueueFault.NONE && (flags(rest) & DESC_NEXT) != 0) {
            if (slots == free) {
                return fail(QueueFault.CHAIN_TOO_LONG);
            }
            slot = slot + 1 == size ? 0 : slot + 1;
            slots++;
            rest = desc.get(LE64, (long) DESC_BYTES * slot + 8);
            problem = addSlot(chain, slot, rest, false);
        }
        if (problem != QueueFault.NONE) {
            return fail(problem);
        }
        chain.rename(id(rest) | slots << 16);
        moveAvail(slots);
        inFlight += slots;
        return true;
    }

    private static int flags(long rest) {
        return (int) (rest >>> 48);
    }

    private static int id(long rest) {
        return (int) (rest >>> 32) & 0xFFFF;
    }

    private QueueFault addSlot(Chain chain, int slot, long rest, boolean first) {
        long address = desc.get(LE64, (long) DESC_BYTES * slot);
        long bytes = rest & 0xFFFF_FFFFL;
        int flags = flags(rest);
        if ((flags & DESC_INDIRECT) == 0) {
            return addBuffer(chain, address, bytes, (flags & DESC_WRITE) != 0);
        }
        // 2.8.7: a table is a chain of its own, never a part of one.
        return first && (flags & DESC_NEXT) == 0 ? addTable(chain, address, bytes) : QueueFault.BAD_INDIRECT_TABLE;
    }

    /** 2.8.7: all descriptors of the table in their order; only WRITE means something in their flags. */
    private QueueFault addTable(Chain chain, long address, long bytes) {
        Region region = memory.atGuestAddress(address);
        QueueFault problem = indirectProblem(bytes, region, address);
        if (problem != QueueFault.NONE || region == null) {
            return problem;
        }
        long at = region.guestOffset(address);
        for (long end = at + bytes; at < end && problem == QueueFault.NONE; at += DESC_BYTES) {
            long buffer = region.memory().get(LE64, at);
            long rest = region.memory().get(LE64, at + 8);
            problem = addBuffer(chain, buffer, rest & 0xFFFF_FFFFL, (flags(rest) & DESC_WRITE) != 0);
        }
        return problem;
    }

    private void moveAvail(int slots) {
        nextAvail += slots;
        if (nextAvail >= size) {
            nextAvail -= size;
            availWrap = !availWrap;
        }
    }

    @Override
    void unpop(Chain chain) {
        int slots = chain.head() >>> 16;
        assert slots <= inFlight;
        inFlight -= slots;
        nextAvail -= slots;
        if (nextAvail < 0) {
            nextAvail += size;
            availWrap = !availWrap;
        }
    }

    @Override
    void push(int head, int written) {
        int slots = head >>> 16;
        assert slots > 0 && slots <= inFlight;
        long at = (long) DESC_BYTES * nextUsed;
        desc.set(LE32, at + 8, written);
        desc.set(LE16, at + 12, (short) head);
        int flags = (usedWrap ? DESC_AVAIL | DESC_USED : 0) | (written > 0 ? DESC_WRITE : 0);
        if (heldSlot < 0) {
            heldSlot = nextUsed;
            heldFlags = flags;
        } else {
            LE16_ATOMIC.setRelease(desc, at + FLAGS_AT, (short) flags);
        }
        inFlight -= slots;
        sinceCall = Math.min(sinceCall + slots, size);
        nextUsed += slots;
        if (nextUsed >= size) {
            nextUsed -= size;
            usedWrap = !usedWrap;
        }
    }

    @Override
    boolean publish() {
        if (heldSlot < 0) {
            return false;
        }
        LE16_ATOMIC.setRelease(desc, (long) DESC_BYTES * heldSlot + FLAGS_AT, (short) heldFlags);
        heldSlot = -1;
        return true;
    }

    @Override
    boolean isCallWanted() {
        VarHandle.fullFence(); // the used flags before the guest's wish: see SplitRing
        int event = driverEvent.get(LE32, 0);
        int passed = sinceCall;
        boolean first = !everCalled; // the guest's wish may be left over from an earlier life of the ring
        everCalled = true;
        sinceCall = 0;
        int mode = event >>> 16 & 3;
        if (mode != EVENT_DESC || !eventIdx) {
            return mode != EVENT_DISABLE;
        }
        // Was the wanted slot among the last ones passed? It is in this lap or in the one before.
        int wanted = (event & (WRAP - 1)) - (((event & WRAP) != 0) == usedWrap ? 0 : size);
        int behind = nextUsed - wanted - 1;
        return first || passed == size || (behind >= 0 && behind < passed);
    }

    /** Always false: no front end is known that has packed rings and sleeps through interrupts. */
    @Override
    boolean isCallUnanswered() {
        return false;
    }

    /** With EVENT_IDX it is the old place that becomes stale by itself. */
    @Override
    void disableNotifications() {
        if (!eventIdx) {
            LE32_ATOMIC.setOpaque(deviceEvent, 0L, EVENT_DISABLE << 16);
        }
    }

    @Override
    void enableNotifications() {
        notifyAt(nextAvail, availWrap);
    }

    private void notifyAt(int slot, boolean wrap) {
        int event = eventIdx ? place(slot, wrap) | EVENT_DESC << 16 : EVENT_ENABLE << 16;
        LE32_ATOMIC.setOpaque(deviceEvent, 0L, event);
        VarHandle.fullFence();
    }

    /** Looks for the first slot that is not available, in the rest of the ring: the guest's next chain starts there. */
    @Override
    boolean notifyWhenMore() {
        int slot = nextAvail;
        boolean wrap = availWrap;
        for (int left = size - inFlight; left > 0 && isSlotAvailable(slot, wrap); left--) {
            if (++slot == size) {
                slot = 0;
                wrap = !wrap;
            }
        }
        notifyAt(slot, wrap);
        return isSlotAvailable(slot, wrap) && place(slot, wrap) != place(nextUsed, !usedWrap);
    }
}
