package dev.longshore.fileshare.share;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.fileshare.os.Stat;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SideTableTest {
    private static final OwnerOverride OURS = new OwnerOverride(999, 999, 0x1A4, 0, 0);

    @TempDir
    Path directory;

    private static Stat stat(long ino) {
        Stat s = new Stat();
        s.memory().fill((byte) 0);
        s.memory().set(ValueLayout.JAVA_LONG, 32, ino);
        return s;
    }

    private Path file() {
        return directory.resolve("file-owners");
    }

    @Test
    void linksThatComeAndGo_doNotMakeTheFileGrow() throws IOException {
        try (SideTable table = new SideTable(file())) {
            table.put(stat(1), OURS);
            for (int i = 2; i < 60_000; i++) {
                assertThat(table.put(stat(i), OURS)).isTrue();
                assertThat(table.put(stat(i), null)).isTrue();
            }
            assertThat(table.size()).isEqualTo(1);
            assertThat(Files.size(file())).isLessThan(1 << 20);
        }
        try (SideTable again = new SideTable(file())) {
            assertThat(again.get(stat(1))).isEqualTo(OURS);
            assertThat(again.size()).isEqualTo(1);
        }
    }

    /** As when files are removed by somebody on the host. */
    @Test
    void overridesOfFilesThatNobodyForgets_areBounded_theOldestGo() throws IOException {
        try (SideTable table = new SideTable(file(), 100)) {
            for (int i = 0; i < 200; i++) {
                table.put(stat(i), OURS);
                table.put(stat(0), new OwnerOverride(i, 0, 0, 0, 0)); // in use
            }
            assertThat(table.size()).isEqualTo(100);
            assertThat(table.get(stat(1))).isNull();
            assertThat(table.get(stat(0))).isNotNull();
            assertThat(table.get(stat(199))).isEqualTo(OURS);
        }
        try (SideTable again = new SideTable(file(), 50)) {
            assertThat(again.size()).isEqualTo(50);
            assertThat(again.get(stat(199))).isEqualTo(OURS);
        }
    }

    @Test
    void garbage_isPassedOver() throws IOException {
        try (SideTable table = new SideTable(file())) {
            table.put(stat(1), OURS);
            table.put(stat(2), OURS);
        }
        Files.writeString(
                file(),
                "\n- - - -\n1 2 3\n0 2 0 x:y:z\n0 99999999999999999999 0 1:1:01\n\u0000\n0 3 0 4294967295:1:07777:block-1-2-3\n0 1 0 99",
                StandardOpenOption.APPEND);
        try (SideTable again = new SideTable(file())) {
            assertThat(again.get(stat(1))).isEqualTo(OURS);
            assertThat(again.get(stat(2))).isEqualTo(OURS);
        }
    }
}
