package dev.longshore.virtio.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.linux.Linux;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Mapping and translation, with regions as awkward as they come. */
class GuestMemoryTest {
    private static final int PAGE = 4096;

    private final Linux linux = new Linux();
    private final List<Integer> fds = new ArrayList<>();

    @AfterEach
    void release() {
        fds.forEach(linux::close);
    }

    private int file(long bytes) {
        int fd = linux.memfd("longshore-memory-test", bytes);
        assertThat(fd).isPositive();
        fds.add(fd);
        return fd;
    }

    private GuestMemory map(int[] files, RegionSpec... regions) {
        return switch (GuestMemory.map(linux, List.of(regions), files)) {
            case GuestMemory.Mapping.Mapped(GuestMemory m) -> m;
            case GuestMemory.Mapping.Refused(String reason) -> throw new AssertionError(reason);
        };
    }

    private void assertRefused(String reason, RegionSpec region, int fd) throws Exception {
        long before = mappings();
        assertThat(GuestMemory.map(linux, List.of(region), new int[] {fd}))
                .isInstanceOfSatisfying(GuestMemory.Mapping.Refused.class, r -> assertThat(r.reason())
                        .contains(reason));
        assertThat(mappings()).isEqualTo(before);
    }

    private static long mappings() throws Exception {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(l -> l.contains("longshore-memory-test")).count();
        }
    }

    private static Region at(GuestMemory memory, long address) {
        return Objects.requireNonNull(memory.atGuestAddress(address));
    }

    @Test
    void twoRegions_translateTheirOwnAddressesOnly() {
        int first = file(2 * PAGE);
        int second = file(8 * PAGE);
        try (GuestMemory m = map(
                new int[] {first, second},
                new RegionSpec(0, 2 * PAGE, 0x7000_0000L, 0),
                new RegionSpec(0x1_0000_0000L, 4 * PAGE, 0x8000_0000L, 3 * PAGE))) {
            assertThat(m.atGuestAddress(0)).isNotNull();
            assertThat(m.atGuestAddress(2 * PAGE - 1)).isNotNull();
            assertThat(m.atGuestAddress(2 * PAGE)).isNull();
            assertThat(m.atGuestAddress(-1)).isNull();
            assertThat(m.atGuestAddress(0x1_0000_0000L - 1)).isNull();
            assertThat(at(m, 0x1_0000_0000L).guestOffset(0x1_0000_0000L)).isZero();
            assertThat(at(m, 0x1_0000_0000L).bytes()).isEqualTo(4 * PAGE);
            assertThat(m.atGuestAddress(0x1_0000_0000L + 4 * PAGE)).isNull();
            assertThat(m.regionBytes()).containsExactly(2L * PAGE, 4L * PAGE);
        }
    }

    @Test
    void userAddresses_mustFitIntoOneRegion() {
        try (GuestMemory m = map(new int[] {file(2 * PAGE)}, new RegionSpec(0, 2 * PAGE, 0x7000_0000L, 0))) {
            assertThat(m.atUserAddress(0x7000_0000L, 2 * PAGE)).isNotNull();
            assertThat(m.atUserAddress(0x7000_0000L + PAGE, PAGE)).isNotNull();
            assertThat(m.atUserAddress(0x7000_0000L + PAGE, PAGE + 1)).isNull();
            assertThat(m.atUserAddress(0x7000_0000L - 1, 1)).isNull();
            assertThat(m.atUserAddress(0x7000_0000L + 2 * PAGE, 1)).isNull();
            assertThat(m.atUserAddress(0, 1)).as("that is a guest address").isNull();
        }
    }

    /** The region starts at its offset in the file, which need not be a multiple of anything. */
    @Test
    void oddOffset_memoryIsTheFilesFromThere() {
        int fd = file(3 * PAGE);
        try (GuestMemory whole = map(new int[] {fd}, new RegionSpec(0, 3 * PAGE, 0, 0));
                GuestMemory part = map(new int[] {fd}, new RegionSpec(0, PAGE, 0, 4100))) {
            at(part, 0).memory().set(ValueLayout.JAVA_INT_UNALIGNED, 5, 0x12345678);
            assertThat(at(whole, 0).memory().get(ValueLayout.JAVA_INT_UNALIGNED, 4105))
                    .isEqualTo(0x12345678);
            assertThat(at(part, 0).memory().byteSize()).isEqualTo(PAGE);
        }
    }

    /** A region at the very end of the address space: sums would overflow. */
    @Test
    void regionAtTheTopOfTheAddressSpace_isRefusedOnlyIfItWraps() throws Exception {
        int fd = file(PAGE);
        try (GuestMemory m = map(new int[] {fd}, new RegionSpec(-2 * PAGE, PAGE, -2 * PAGE, 0))) {
            assertThat(m.atGuestAddress(-PAGE - 1)).isNotNull();
            assertThat(m.atGuestAddress(-PAGE)).isNull();
        }
        assertRefused("wraps", new RegionSpec(-1, PAGE, 0, 0), fd);
        assertRefused("wraps", new RegionSpec(0, PAGE, -1, 0), fd);
    }

    @Test
    void impossibleSizes_areRefused() throws Exception {
        int fd = file(PAGE);
        assertRefused("size of 0 bytes", new RegionSpec(0, 0, 0, 0), fd);
        assertRefused("size of 18446744073709551615 bytes", new RegionSpec(0, -1, 0, 0), fd);
        assertRefused("offset", new RegionSpec(0, PAGE, 0, -1), fd);
        assertRefused("offset", new RegionSpec(0, PAGE, 0, Long.MAX_VALUE), fd);
        assertRefused("of a file of 4096 bytes", new RegionSpec(0, PAGE, 0, 1), fd);
        assertRefused("of a file of 4096 bytes", new RegionSpec(0, PAGE + 1, 0, 0), fd);
    }

    @Test
    void notAFile_isRefused() throws Exception {
        int event = linux.eventfd();
        fds.add(event);
        assertRefused("of a file of 0 bytes", new RegionSpec(0, PAGE, 0, 0), event);
        assertRefused("of a file of -9 bytes", new RegionSpec(0, PAGE, 0, 0), 10_000);
    }

    @Test
    void secondRegionRefused_firstIsUnmapped() throws Exception {
        int fd = file(PAGE);
        RegionSpec good = new RegionSpec(0, PAGE, 0, 0);
        long before = mappings();
        assertThat(GuestMemory.map(linux, List.of(good, new RegionSpec(PAGE, 2 * PAGE, 0, 0)), new int[] {fd, fd}))
                .isInstanceOf(GuestMemory.Mapping.Refused.class);
        assertThat(mappings()).isEqualTo(before);
    }

    @Test
    void descriptorClosed_mappingLives_untilClose() throws Exception {
        int fd = linux.memfd("longshore-memory-test", PAGE);
        long before = mappings();
        GuestMemory m = map(new int[] {fd}, new RegionSpec(0, PAGE, 0, 0));
        linux.close(fd);
        MemorySegment memory = at(m, 0).memory();
        memory.set(ValueLayout.JAVA_BYTE, PAGE - 1, (byte) 1);
        assertThat(mappings()).isEqualTo(before + 1);

        m.close();
        m.close();

        assertThat(mappings()).isEqualTo(before);
        assertThatThrownBy(() -> memory.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void retained_mappingLives_untilTheLastRelease() throws Exception {
        long before = mappings();
        GuestMemory m = map(new int[] {file(PAGE)}, new RegionSpec(0, PAGE, 0, 0));
        MemorySegment memory = at(m, 0).memory();
        m.retain();
        m.retain();

        m.close();
        m.release();
        memory.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
        assertThat(mappings()).isEqualTo(before + 1);
        assertThatThrownBy(m::retain).isInstanceOf(IllegalStateException.class);

        m.release();
        assertThat(mappings()).isEqualTo(before);
    }

    @Test
    void none_hasNoAddress() {
        try (GuestMemory m = GuestMemory.none()) {
            assertThat(m.atGuestAddress(0)).isNull();
            assertThat(m.atUserAddress(0, 0)).isNull();
        }
    }
}
