package dev.longshore.virtio.virtqueue;

import dev.longshore.virtio.memory.GuestMemory;
import dev.longshore.virtio.memory.Region;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * The layout of one started queue in the guest's memory, and the device's place in it. Confined to its queue's event loop.
 *
 * <p>{@link Virtqueue} asks nothing of a ring that has a {@link #fault}, and makes a new one at each start.
 */
abstract sealed class Ring permits SplitRing, PackedRing {
    /** A chain may be longer than a small queue through an indirect table (Linux does that): at least this is accepted. */
    static final int MIN_CHAIN_LIMIT = 1024;

    static final int DESC_BYTES = 16;
    static final int DESC_NEXT = 1;
    static final int DESC_WRITE = 2;
    static final int DESC_INDIRECT = 4;

    static final ValueLayout.OfShort LE16 = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt LE32 = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    /** Unaligned, since an indirect table may start anywhere. */
    static final ValueLayout.OfLong LE64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    static final VarHandle LE16_ATOMIC = LE16.varHandle();
    static final VarHandle LE32_ATOMIC = LE32.varHandle();

    final GuestMemory memory;
    final int size;
    /** Most descriptors in an indirect table, and in a chain. */
    final int chainLimit;

    final boolean indirect;
    final boolean eventIdx;
    /** What the guest did wrong, at last. */
    QueueFault fault = QueueFault.NONE;

    Ring(GuestMemory memory, int size, long features) {
        this.memory = memory;
        this.size = size;
        this.chainLimit = Math.max(size, MIN_CHAIN_LIMIT);
        this.indirect = (features & Virtqueue.FEATURE_INDIRECT) != 0;
        this.eventIdx = (features & Virtqueue.FEATURE_EVENT_IDX) != 0;
    }

    /** Takes the next chain. False if there is none, or the guest broke the ring. */
    abstract boolean pop(Chain chain);

    /** Puts back the chain that was popped last and is not put back yet. */
    abstract void unpop(Chain chain);

    /** Writes a used element. The guest sees none before {@link #publish}. */
    abstract void push(int head, int written);

    /** Shows the guest everything pushed, the first element last. False if there was nothing. */
    abstract boolean publish();

    /** Whether the guest wants an interrupt for what was published since the last time this was asked. */
    abstract boolean isCallWanted();

    /**
     * True as long as the guest's wish is the one that the last call answered: its driver renews the wish when it has looked at
     * the ring. False if that can't be told (without EVENT_IDX).
     */
    abstract boolean isCallUnanswered();

    /** True if there is a chain, or the guest broke the ring. */
    abstract boolean hasAvailable();

    abstract void disableNotifications();

    /** Asks for a kick for the next chain that becomes available; a full fence is behind it. */
    abstract void enableNotifications();

    /** Asks for a kick for chains beyond those there are. True if there are more already. */
    abstract boolean notifyWhenMore();

    /** The device's place, as vhost-user's GET_VRING_BASE says it. */
    abstract int base();

    /** Always false, for the callers' convenience. */
    final boolean fail(QueueFault why) {
        fault = why;
        return false;
    }

    /** Adds a buffer as one piece, or as several where regions meet within it. */
    final QueueFault addBuffer(Chain chain, long address, long bytes, boolean writable) {
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

    /** What is wrong with an indirect table of {@code bytes} bytes at {@code address}, which is in {@code region}. */
    final QueueFault indirectProblem(long bytes, @Nullable Region region, long address) {
        if (!indirect || bytes == 0 || bytes % DESC_BYTES != 0 || bytes / DESC_BYTES > chainLimit) {
            return QueueFault.BAD_INDIRECT_TABLE;
        }
        if (region == null || bytes > region.bytes() - region.guestOffset(address)) {
            return QueueFault.ADDRESS_OUTSIDE_MEMORY;
        }
        return QueueFault.NONE;
    }

    /** True if {@code part} starts at a multiple of {@code alignment}, which is a power of two. */
    static boolean isAligned(MemorySegment part, int alignment) {
        return (part.address() & (alignment - 1)) == 0;
    }
}
