package dev.longshore.virtio.memory;

import dev.longshore.linux.Linux;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * All regions of one guest, mapped. Opened, retained, released and closed on the event loop of its session; the memory itself
 * may be accessed by any thread until {@link #close}, and by those for whom it was retained until they are done.
 *
 * <p>Each region is mapped from the start of its file, with size + offset bytes, since an offset need not be a multiple of
 * the page size the file is backed with (hugetlbfs). No mapping goes beyond the end of its file as it is now: access there
 * would raise SIGBUS. A front end that truncates the file later can still do that to itself and to us; it is a process of
 * the same user, not the guest.
 */
public final class GuestMemory implements AutoCloseable {
    /** VHOST_MEMORY_BASELINE_NREGIONS: what a back end without CONFIGURE_MEM_SLOTS must accept. */
    public static final int MAX_REGIONS = 8;

    /** The outcome of {@link #map}. */
    public sealed interface Mapping {
        /**
         * All regions are mapped.
         *
         * @param memory owned by the caller
         */
        record Mapped(GuestMemory memory) implements Mapping {}

        /**
         * Nothing stayed mapped.
         *
         * @param reason for the log
         */
        record Refused(String reason) implements Mapping {}
    }

    private final Arena arena = Arena.ofShared();
    private final Region[] regions;
    private int count;
    private boolean closed;
    /** The session, until it closes, and everybody who retains. */
    private int holders = 1;

    private GuestMemory(int capacity) {
        this.regions = new Region[capacity];
    }

    /** No memory: every address is outside. */
    public static GuestMemory none() {
        return new GuestMemory(0);
    }

    /** Maps region {@code i} from descriptor {@code fds[i]}. The descriptors are borrowed: a mapping outlives them. */
    public static Mapping map(Linux linux, List<RegionSpec> specs, int[] fds) {
        GuestMemory memory = new GuestMemory(specs.size());
        for (int i = 0; i < specs.size(); i++) {
            String problem = memory.add(linux, specs.get(i), fds[i]);
            if (!problem.isEmpty()) {
                memory.close();
                return new Mapping.Refused("memory region " + i + ": " + problem);
            }
        }
        return new Mapping.Mapped(memory);
    }

    private String add(Linux linux, RegionSpec spec, int fd) {
        String problem = spec.problem(linux.regularFileBytes(fd));
        if (!problem.isEmpty()) {
            return problem;
        }
        long mapped = spec.bytes() + spec.mmapOffset();
        long address = linux.mmap(fd, mapped);
        if (address < 0 && address > -4096) {
            return "mmap of " + mapped + " bytes failed with errno " + -address;
        }
        MemorySegment whole = MemorySegment.ofAddress(address)
                .reinterpret(mapped, arena, segment -> linux.munmap(segment.address(), mapped));
        regions[count++] = new Region(spec, whole.asSlice(spec.mmapOffset(), spec.bytes()));
        return "";
    }

    /** The region that holds a guest physical address, or null. */
    public @Nullable Region atGuestAddress(long address) {
        for (int i = 0; i < count; i++) {
            Region r = regions[i];
            if (r.containsGuest(address)) {
                return r;
            }
        }
        return null;
    }

    /** {@code bytes} bytes at an address of the front end's process, or null unless one region holds them all. */
    public @Nullable MemorySegment atUserAddress(long address, long bytes) {
        for (int i = 0; i < count; i++) {
            Region r = regions[i];
            if (r.containsUser(address) && bytes <= r.bytes() - r.userOffset(address)) {
                return r.memory().asSlice(r.userOffset(address), bytes);
            }
        }
        return null;
    }

    /** Regions and sizes, for the log. */
    public List<Long> regionBytes() {
        List<Long> sizes = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            sizes.add(regions[i].bytes());
        }
        return sizes;
    }

    /**
     * Keeps everything mapped beyond {@link #close}, until {@link #release}: for a device that has handed pieces to other
     * threads or to a system call, which can't be called back. Before the close.
     */
    public void retain() {
        if (closed) {
            throw new IllegalStateException("retained after close");
        }
        holders++;
    }

    /** Takes one {@link #retain} back: nothing of it touches the memory any more. Unmaps everything if it was the last. */
    public void release() {
        if (--holders == 0) {
            arena.close();
        }
    }

    /**
     * Unmaps everything that nobody retains. Idempotent. Nobody else may hold a piece of this memory any more: later access
     * throws.
     */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            release();
        }
    }
}
