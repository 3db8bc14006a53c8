package dev.longshore.virtio.virtqueue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The driver's side of a ring, as a guest has it: of a split one unless a subclass says otherwise. It can also do wrong on purpose. */
public class DriverRing {
    private static final ValueLayout.OfShort S = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfInt I = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfLong L = ValueLayout.JAVA_LONG_UNALIGNED;

    /** One buffer of a chain. */
    public record Buffer(long address, int bytes, boolean writable) {}

    /** One entry of the used ring. */
    public record Used(int head, int written) {}

    final GuestRam ram;
    final int size;
    final boolean eventIdx;
    private final long descAddress;
    private final long availAddress;
    private final long usedAddress;
    private final MemorySegment desc;
    private final MemorySegment avail;
    private final MemorySegment used;
    final Deque<Integer> free = new ArrayDeque<>();
    final Map<Integer, List<Integer>> chains = new HashMap<>();
    private int availIdx;
    private int exposedIdx;
    private int seenUsed;

    /** @param firstIndex what both indices start with, modulo 2^16 */
    public DriverRing(GuestRam ram, int size, boolean eventIdx, int firstIndex) {
        this(ram, size, eventIdx, 0L);
        availIdx = firstIndex & 0xFFFF;
        exposedIdx = availIdx;
        seenUsed = availIdx;
        avail.set(S, 2, (short) availIdx);
        used.set(S, 2, (short) availIdx);
        askAt(seenUsed);
    }

    /** A ring of the kind that {@code features} say, without anything in it. */
    DriverRing(GuestRam ram, int size, boolean eventIdx, long features) {
        this.ram = ram;
        this.size = size;
        this.eventIdx = eventIdx;
        long availBytes = Virtqueue.availBytes(size, features);
        long usedBytes = Virtqueue.usedBytes(size, features);
        descAddress = ram.allocate(Virtqueue.descBytes(size), 16);
        availAddress = ram.allocate(availBytes, 4);
        usedAddress = ram.allocate(usedBytes, 4);
        desc = ram.at(descAddress, Virtqueue.descBytes(size));
        avail = ram.at(availAddress, availBytes);
        used = ram.at(usedAddress, usedBytes);
        for (int i = 0; i < size; i++) {
            free.add(i);
        }
    }

    /** The ring that a driver makes after it acknowledged {@code features}; {@code base} as SET_VRING_BASE says it. */
    public static DriverRing of(GuestRam ram, int size, long features, int base) {
        boolean events = (features & Virtqueue.FEATURE_EVENT_IDX) != 0;
        return (features & Virtqueue.FEATURE_PACKED) != 0
                ? new PackedDriverRing(ram, size, events, base)
                : new DriverRing(ram, size, events, base);
    }

    public int size() {
        return size;
    }

    public long descAddress() {
        return descAddress;
    }

    public long availAddress() {
        return availAddress;
    }

    public long usedAddress() {
        return usedAddress;
    }

    public MemorySegment desc() {
        return desc;
    }

    public MemorySegment avail() {
        return avail;
    }

    public MemorySegment used() {
        return used;
    }

    public int freeDescriptors() {
        return free.size();
    }

    public static Buffer readable(long address, int bytes) {
        return new Buffer(address, bytes, false);
    }

    public static Buffer writable(long address, int bytes) {
        return new Buffer(address, bytes, true);
    }

    /** Puts a chain into the table and the available ring, not yet visible to the device. Returns its head. */
    public int add(Buffer... buffers) {
        List<Integer> taken = new ArrayList<>();
        for (int i = 0; i < buffers.length; i++) {
            taken.add(free.remove());
        }
        for (int i = 0; i < buffers.length; i++) {
            int next = i + 1 < buffers.length ? taken.get(i + 1) : -1;
            writeDescriptor(desc, taken.get(i), buffers[i], next);
        }
        return makeAvailable(taken);
    }

    /** Like {@link #add}, through an indirect table of its own. */
    public int addIndirect(Buffer... buffers) {
        long table = ram.allocate(16L * buffers.length, 1); // any alignment is allowed
        for (int i = 0; i < buffers.length; i++) {
            writeDescriptor(ram.at(table, 16L * buffers.length), i, buffers[i], i + 1 < buffers.length ? i + 1 : -1);
        }
        int head = free.remove();
        putDescriptor(head, table, 16 * buffers.length, Ring.DESC_INDIRECT, 0);
        return makeAvailable(List.of(head));
    }

    private int makeAvailable(List<Integer> taken) {
        int head = taken.getFirst();
        chains.put(head, taken);
        makeHeadAvailable(head);
        return head;
    }

    /** Puts a number into the available ring, whatever it is. */
    public void makeHeadAvailable(int head) {
        avail.set(S, 4 + 2L * (availIdx & (size - 1)), (short) head);
        availIdx = (availIdx + 1) & 0xFFFF;
    }

    static void writeDescriptor(MemorySegment table, int at, Buffer b, int next) {
        int flags = (b.writable() ? Ring.DESC_WRITE : 0) | (next >= 0 ? Ring.DESC_NEXT : 0);
        put(table, at, b.address(), b.bytes(), flags, Math.max(next, 0));
    }

    /** Writes a descriptor of the main table, whatever it is. */
    public void putDescriptor(int at, long address, int bytes, int flags, int next) {
        put(desc, at, address, bytes, flags, next);
    }

    private static void put(MemorySegment table, int at, long address, int bytes, int flags, int next) {
        table.set(L, 16L * at, address);
        table.set(I, 16L * at + 8, bytes);
        table.set(S, 16L * at + 12, (short) flags);
        table.set(S, 16L * at + 14, (short) next);
    }

    /** Makes everything added visible to the device. True if the device wants a kick for it. */
    public boolean expose() {
        int before = exposedIdx;
        exposedIdx = availIdx;
        VarHandle.releaseFence();
        avail.set(S, 2, (short) availIdx);
        VarHandle.fullFence();
        if (eventIdx) {
            int event = used.get(S, 4 + 8L * size) & 0xFFFF;
            return ((availIdx - event - 1) & 0xFFFF) < ((availIdx - before) & 0xFFFF);
        }
        return (used.get(S, 0) & SplitRing.USED_NO_NOTIFY) == 0;
    }

    /** Sets the available index to anything. */
    public void setAvailIndex(int idx) {
        avail.set(S, 2, (short) idx);
    }

    /** The device's used index as it stands in memory. */
    public int usedIndex() {
        return used.get(S, 2) & 0xFFFF;
    }

    /** The next used entry, whose descriptors become free; null if there is none. */
    public @Nullable Used poll() {
        if (usedIndex() == seenUsed) {
            return null;
        }
        VarHandle.acquireFence();
        long at = 4 + 8L * (seenUsed & (size - 1));
        Used entry = new Used(used.get(I, at), used.get(I, at + 4));
        seenUsed = (seenUsed + 1) & 0xFFFF;
        List<Integer> taken = chains.remove(entry.head());
        if (taken == null) {
            throw new AssertionError("device gave back a chain that it does not have: " + entry);
        }
        free.addAll(taken);
        return entry;
    }

    /** All used entries there are now. */
    public List<Used> pollAll() {
        List<Used> all = new ArrayList<>();
        for (Used entry = poll(); entry != null; entry = poll()) {
            all.add(entry);
        }
        return all;
    }

    /** Asks for a call when the next entry is used. */
    public void wantCallAtNext() {
        wantCallAt(seenUsed);
    }

    /** EVENT_IDX: asks for a call when the used index passes {@code idx}. Without it: asks for calls. */
    public void wantCallAt(int idx) {
        askAt(idx);
    }

    private void askAt(int idx) {
        if (eventIdx) {
            avail.set(S, 4 + 2L * size, (short) idx);
        } else {
            avail.set(S, 0, (short) 0);
        }
    }

    /** Asks for no calls; of a split ring only without EVENT_IDX. */
    public void wantNoCalls() {
        avail.set(S, 0, (short) SplitRing.AVAIL_NO_INTERRUPT);
    }
}
