package dev.longshore.vm.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.vm.image.HostTools;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** With the host's mke2fs. */
class DataDiskTest {
    private final HostTools tools = HostTools.of(System.getenv());

    @TempDir
    private Path directory;

    @Test
    void none_prepare_makesOne_sparseAndClosedToOthers() throws Exception {
        assertThat(disk().prepare(1024, tools)).isFalse();

        assertThat(Files.size(file())).isEqualTo(1L << 30);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file())))
                .isEqualTo("rw-------");
        assertThat(disk().prepare(1024, tools)).isFalse();
    }

    @Test
    void smallerThanWanted_prepare_growsAndTellsUntilTheGuestHasExtendedIt() throws Exception {
        disk().prepare(1024, tools);

        assertThat(disk().prepare(2048, tools)).isTrue();
        assertThat(Files.size(file())).isEqualTo(2L << 30);
        assertThat(disk().prepare(2048, tools)).isTrue();
    }

    @Test
    void largerThanWanted_prepare_leavesIt() throws Exception {
        disk().prepare(2048, tools);

        assertThat(disk().prepare(1024, tools)).isFalse();
        assertThat(Files.size(file())).isEqualTo(2L << 30);
    }

    @Test
    void somethingElseThere_prepare_refusesToTouchIt() throws Exception {
        Files.writeString(file(), "not a disk");

        assertThatThrownBy(() -> disk().prepare(1024, tools))
                .isInstanceOf(MachineException.class)
                .hasMessageContaining("holds no ext4 file system");
        assertThat(file()).hasContent("not a disk");
    }

    @Test
    void mke2fsMissing_prepare_namesThePackage() {
        assertThatThrownBy(() -> disk().prepare(1024, new HostTools(List.of(directory))))
                .isInstanceOf(MachineException.class)
                .hasMessageContaining("sudo apt-get install e2fsprogs");
        assertThat(file()).doesNotExist();
    }

    private DataDisk disk() {
        return new DataDisk(file());
    }

    private Path file() {
        return directory.resolve("data.ext4");
    }
}
