package dev.longshore.virtio.virtqueue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The driver's side of a packed ring: virtio 1.2, 2.8. What {@link #add} returns is a buffer id. */
final class PackedDriverRing extends DriverRing {
    private static final ValueLayout.OfShort S = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfInt I = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfLong L = ValueLayout.JAVA_LONG_UNALIGNED;

    private int freeSlots;
    private int nextAvail;
    private boolean availWrap;
    private int lastUsed;
    private boolean usedWrap;
    private int sinceExpose;
    /** First slot that is not exposed, whose flags are held back; or -1. */
    private int held = -1;

    private int heldFlags;

    /** @param base bits 0..14 the first slot, 15 its wrap counter, as if all slots before it were used */
    PackedDriverRing(GuestRam ram, int size, boolean eventIdx, int base) {
        super(ram, size, eventIdx, Virtqueue.FEATURE_PACKED);
        nextAvail = base & 0x7FFF;
        availWrap = (base & 0x8000) != 0;
        lastUsed = nextAvail;
        usedWrap = availWrap;
        freeSlots = size;
        List<Integer> ids = new ArrayList<>(free);
        Collections.reverse(ids); // no accidental equality of ids and slots
        free.clear();
        free.addAll(ids);
        for (int i = 0; i < size; i++) {
            boolean lap = (i < nextAvail) == availWrap;
            putDescriptor(i, 0, 0, 0, lap ? PackedRing.DESC_AVAIL | PackedRing.DESC_USED : 0);
        }
        event(EventMode.NEXT);
    }

    private enum EventMode {
        NEXT,
        NONE
    }

    private void event(EventMode mode) {
        int flags = mode == EventMode.NONE
                ? PackedRing.EVENT_DISABLE
                : eventIdx ? PackedRing.EVENT_DESC : PackedRing.EVENT_ENABLE;
        avail().set(I, 0, lastUsed | (usedWrap ? PackedRing.WRAP : 0) | flags << 16);
    }

    @Override
    public int freeDescriptors() {
        return freeSlots;
    }

    /** Writes a slot, whatever it is. */
    @Override
    public void putDescriptor(int slot, long address, int bytes, int id, int flags) {
        putAt(desc(), slot, address, bytes, id, flags);
    }

    private static void putAt(MemorySegment table, int slot, long address, int bytes, int id, int flags) {
        table.set(L, 16L * slot, address);
        table.set(I, 16L * slot + 8, bytes);
        table.set(S, 16L * slot + 12, (short) id);
        table.set(S, 16L * slot + 14, (short) flags);
    }

    @Override
    public int add(Buffer... buffers) {
        int id = free.remove();
        chains.put(id, List.of(buffers.length));
        for (int i = 0; i < buffers.length; i++) {
            Buffer b = buffers[i];
            int next = i + 1 < buffers.length ? Ring.DESC_NEXT : 0;
            putNext(b.address(), b.bytes(), id, (b.writable() ? Ring.DESC_WRITE : 0) | next);
        }
        return id;
    }

    @Override
    public int addIndirect(Buffer... buffers) {
        long table = ram.allocate(16L * buffers.length, 1);
        MemorySegment content = ram.at(table, 16L * buffers.length);
        for (int i = 0; i < buffers.length; i++) {
            Buffer b = buffers[i];
            putAt(
                    content,
                    i,
                    b.address(),
                    b.bytes(),
                    0x5A5A,
                    b.writable() ? Ring.DESC_WRITE : 0); // ids mean nothing there
        }
        int id = free.remove();
        chains.put(id, List.of(1));
        putNext(table, 16 * buffers.length, id, Ring.DESC_INDIRECT);
        return id;
    }

    private void putNext(long address, int bytes, int id, int flags) {
        if (freeSlots-- == 0) {
            throw new IllegalStateException("ring is full");
        }
        int state = flags | (availWrap ? PackedRing.DESC_AVAIL : PackedRing.DESC_USED);
        if (held < 0) {
            held = nextAvail;
            heldFlags = state;
            int stale = desc().get(S, 16L * held + 14);
            putDescriptor(held, address, bytes, id, stale);
        } else {
            putDescriptor(nextAvail, address, bytes, id, state);
        }
        sinceExpose++;
        if (++nextAvail == size) {
            nextAvail = 0;
            availWrap = !availWrap;
        }
    }

    @Override
    public void makeHeadAvailable(int head) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void setAvailIndex(int idx) {
        throw new UnsupportedOperationException();
    }

    @Override
    public int usedIndex() {
        throw new UnsupportedOperationException();
    }

    @Override
    public boolean expose() {
        int added = sinceExpose;
        sinceExpose = 0;
        if (held >= 0) {
            VarHandle.releaseFence();
            desc().set(S, 16L * held + 14, (short) heldFlags);
            held = -1;
        }
        VarHandle.fullFence();
        int event = used().get(I, 0);
        int mode = event >>> 16 & 3;
        if (mode != PackedRing.EVENT_DESC) {
            return mode == PackedRing.EVENT_ENABLE;
        }
        int at = event & 0x7FFF;
        int wanted = ((event & 0x8000) != 0) == availWrap ? at : at - size;
        int behind = (nextAvail - wanted - 1) & 0xFFFF; // as Linux: vring_need_event
        return behind < added;
    }

    /** True if a used slot waits. */
    private boolean isUsed() {
        int flags = desc().get(S, 16L * lastUsed + 14);
        return ((flags & PackedRing.DESC_AVAIL) != 0) == usedWrap && ((flags & PackedRing.DESC_USED) != 0) == usedWrap;
    }

    @Override
    public @Nullable Used poll() {
        if (!isUsed()) {
            return null;
        }
        VarHandle.acquireFence();
        int id = desc().get(S, 16L * lastUsed + 12) & 0xFFFF;
        int written = desc().get(I, 16L * lastUsed + 8);
        List<Integer> slots = chains.remove(id);
        if (slots == null) {
            throw new AssertionError("device gave back id " + id + ", which it does not have");
        }
        if (written > 0 && (desc().get(S, 16L * lastUsed + 14) & Ring.DESC_WRITE) == 0) {
            throw new AssertionError("device wrote " + written + " bytes to id " + id + " without saying so");
        }
        free.add(id);
        int count = Objects.requireNonNull(slots.getFirst());
        freeSlots += count;
        lastUsed += count;
        if (lastUsed >= size) {
            lastUsed -= size;
            usedWrap = !usedWrap;
        }
        return new Used(id, written);
    }

    @Override
    public void wantCallAtNext() {
        event(EventMode.NEXT);
    }

    /** @param idx a place: bits 0..14 the slot, 15 its wrap counter */
    @Override
    public void wantCallAt(int idx) {
        avail().set(I, 0, idx | PackedRing.EVENT_DESC << 16);
    }

    @Override
    public void wantNoCalls() {
        event(EventMode.NONE);
    }
}
