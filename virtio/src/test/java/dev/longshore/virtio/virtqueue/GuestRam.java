package dev.longshore.virtio.virtqueue;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import dev.longshore.linux.Linux;
import dev.longshore.virtio.memory.GuestMemory;
import dev.longshore.virtio.memory.RegionSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** A guest's memory in a memfd, as the guest sees it: one region, and an allocator that never frees. */
public final class GuestRam implements AutoCloseable {
    /** Where the region starts in its file: not zero, to see that it is honoured. */
    private static final long MMAP_OFFSET = 0x3000;

    private final Linux linux;
    private final int fd;
    private final MemorySegment memory;
    private final long guestBase;
    private final long userBase;
    private final long mapped;
    private final long address;
    private long next;

    private GuestRam(Linux linux, long bytes, long guestBase, long userBase) {
        this.linux = linux;
        this.guestBase = guestBase;
        this.userBase = userBase;
        this.mapped = bytes + MMAP_OFFSET;
        this.fd = linux.memfd("longshore-test", mapped);
        this.address = linux.mmap(fd, mapped);
        this.memory = MemorySegment.ofAddress(address)
                .reinterpret(mapped, Arena.global(), null)
                .asSlice(MMAP_OFFSET, bytes);
    }

    /** As under QEMU: what descriptors hold and what SET_VRING_ADDR holds are different addresses. */
    public static GuestRam ofQemu(Linux linux, long bytes) {
        return new GuestRam(linux, bytes, 0x1_0000_0000L, 0x7f12_3450_0000L);
    }

    /** As under UML: they are the same. */
    public static GuestRam ofUml(Linux linux, long bytes) {
        return new GuestRam(linux, bytes, 0x6000_0000L, 0x6000_0000L);
    }

    public int fd() {
        return fd;
    }

    /** Guest physical address of the first byte; addresses below and above the region are outside. */
    public long guestBase() {
        return guestBase;
    }

    public long bytes() {
        return memory.byteSize();
    }

    public long userAddress(long guestAddress) {
        return guestAddress - guestBase + userBase;
    }

    public RegionSpec region() {
        return new RegionSpec(guestBase, memory.byteSize(), userBase, MMAP_OFFSET);
    }

    /** The same memory, mapped a second time as a back end does. Closed by the caller. */
    public GuestMemory mapAsBackend() {
        return switch (GuestMemory.map(linux, List.of(region()), new int[] {fd})) {
            case GuestMemory.Mapping.Mapped(GuestMemory m) -> m;
            case GuestMemory.Mapping.Refused(String reason) -> throw new AssertionError(reason);
        };
    }

    /** Guest physical address of fresh, zeroed memory. */
    public long allocate(long bytes, int alignment) {
        next = (next + alignment - 1) / alignment * alignment;
        long at = next;
        next += bytes;
        if (next > memory.byteSize()) {
            throw new IllegalStateException("guest is out of memory");
        }
        return guestBase + at;
    }

    /** Guest physical address of fresh memory that holds {@code content}. */
    public long allocate(byte[] content) {
        long at = allocate(content.length, 1);
        write(at, content);
        return at;
    }

    /** Makes all allocated memory free again. */
    public void freeTo(long guestAddress) {
        next = guestAddress - guestBase;
    }

    public MemorySegment at(long guestAddress, long bytes) {
        return memory.asSlice(guestAddress - guestBase, bytes);
    }

    public void write(long guestAddress, byte[] content) {
        MemorySegment.copy(content, 0, at(guestAddress, content.length), JAVA_BYTE, 0, content.length);
    }

    public byte[] read(long guestAddress, int bytes) {
        return at(guestAddress, bytes).toArray(JAVA_BYTE);
    }

    @Override
    public void close() {
        linux.munmap(address, mapped);
        linux.close(fd);
    }
}
