package dev.longshore.vm.image;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reads the archive as the kernel's buffer-format.rst says. */
class InitramfsTest {
    private static final int HEADER = 110;

    @TempDir
    private Path directory;

    @Test
    void archive_hasEveryEntryOnce_parentsFirst() throws Exception {
        Path file = directory.resolve("initrd");
        new Initramfs()
                .file("init", "12345".getBytes(US_ASCII))
                .file("bin/tool", new byte[0])
                .file("bin/other", "x".getBytes(US_ASCII))
                .directory("root")
                .writeTo(file);

        assertThat(entries(Files.readAllBytes(file)))
                .containsExactly(
                        "40755 dev 0:0 ''",
                        "20600 dev/console 5:1 ''",
                        "100755 init 0:0 '12345'",
                        "40755 bin 0:0 ''",
                        "100755 bin/tool 0:0 ''",
                        "100755 bin/other 0:0 'x'",
                        "40755 root 0:0 ''",
                        "0 TRAILER!!! 0:0 ''");
    }

    private static List<String> entries(byte[] archive) {
        List<String> entries = new ArrayList<>();
        int at = 0;
        while (at < archive.length) {
            assertThat(new String(archive, at, 6, US_ASCII)).isEqualTo("070701");
            int nameBytes = field(archive, at, 11);
            String name = new String(archive, at + HEADER, nameBytes - 1, US_ASCII);
            int contentAt = align(at + HEADER + nameBytes);
            int bytes = field(archive, at, 6);
            entries.add(Integer.toOctalString(field(archive, at, 1)) + " " + name + " " + field(archive, at, 9) + ":"
                    + field(archive, at, 10) + " '" + new String(archive, contentAt, bytes, US_ASCII) + "'");
            at = align(contentAt + bytes);
        }
        return entries;
    }

    private static int field(byte[] archive, int entry, int index) {
        return Integer.parseInt(new String(archive, entry + 6 + 8 * index, 8, US_ASCII), 16);
    }

    private static int align(int at) {
        return (at + 3) & ~3;
    }
}
