package dev.longshore.virtio.memory;

import java.lang.foreign.MemorySegment;

/** A mapped range of guest memory. Immutable; its memory is shared with the guest, who may change it at any time. */
public final class Region {
    private final long guestAddress;
    private final long userAddress;
    private final long bytes;
    private final MemorySegment memory;

    Region(RegionSpec spec, MemorySegment memory) {
        this.guestAddress = spec.guestAddress();
        this.userAddress = spec.userAddress();
        this.bytes = spec.bytes();
        this.memory = memory;
    }

    /** Exactly this region's bytes. */
    public MemorySegment memory() {
        return memory;
    }

    public long bytes() {
        return bytes;
    }

    /** Offset of a guest physical address in {@link #memory}; meaningful if {@link #containsGuest}. */
    public long guestOffset(long address) {
        return address - guestAddress;
    }

    boolean containsGuest(long address) {
        return Long.compareUnsigned(address - guestAddress, bytes) < 0;
    }

    long userOffset(long address) {
        return address - userAddress;
    }

    boolean containsUser(long address) {
        return Long.compareUnsigned(address - userAddress, bytes) < 0;
    }
}
