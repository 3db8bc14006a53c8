package dev.longshore.fileshare.os;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PosixTest {
    private final Posix posix = new Posix();

    @TempDir
    private Path folder;

    @AfterEach
    void close() {
        posix.close();
    }

    /** A file system that is not known to be local might fail at a close, as NFS does. */
    @Test
    void isLocal_onlyWhatIsKnownToBe() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment scratch = arena.allocate(Posix.STATFS_BYTES, 8);
            for (String path : new String[] {folder.toString(), "/proc", "/sys"}) {
                int fd = posix.openat(Open.AT_FDCWD, arena.allocateFrom(path), Open.O_PATH | Open.O_CLOEXEC, 0);
                assertThat(fd).as(path).isNotNegative();
                assertThat(posix.isLocal(fd, scratch)).as(path).isEqualTo(path.startsWith(folder.toString()));
                assertThat(posix.close(fd)).isZero();
            }
            assertThat(posix.isLocal(-1, scratch)).isFalse();
        }
    }
}
