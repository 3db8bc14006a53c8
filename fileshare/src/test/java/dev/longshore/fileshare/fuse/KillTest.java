package dev.longshore.fileshare.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.fileshare.os.Stat;
import dev.longshore.fileshare.share.Limits;
import dev.longshore.fileshare.share.Ownership;
import dev.longshore.fileshare.share.SharedFolder;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The process of a server is killed while it writes. What the guest fsynced is there, whose it was included, and the next server starts. */
class KillTest {
    @TempDir
    Path share;

    @TempDir
    Path state;

    @ParameterizedTest
    @ValueSource(ints = {1, 40, 97})
    @Timeout(120)
    void killed_losesNothingThatWasFsynced(int files) throws Exception {
        Path folder = share.toRealPath();
        List<String> said = killedAfter(files, folder);
        assertThat(said).hasSizeGreaterThanOrEqualTo(files);
        Files.writeString(
                state.resolve("file-owners.new"), "half of a"); // as if it had been killed while it wrote it anew
        try (FuseServer server = new FuseServer(
                List.of(new SharedFolder(folder)),
                Ownership.OVERRIDE,
                new Limits(1000, 16, 100),
                CacheTimes.AUTO,
                state)) {
            FuseGuest guest = new FuseGuest(server);
            guest.init().ok();
            long root = guest.walk(folder.toString()).node();
            for (String line : said) {
                check(guest, root, folder, line.split(" ", -1));
            }
            assertThat(guest.list(root, true, 4096))
                    .allSatisfy(e -> assertThat(e.name()).matches("\\.|\\.\\.|[fl][0-9]+"));
            assertThat(state.resolve("file-owners.new")).doesNotExist();
        }
    }

    private static void check(FuseGuest guest, long root, Path folder, String[] said) throws IOException {
        int i = Integer.parseInt(said[0]);
        int uid = Integer.parseInt(said[1]);
        FuseGuest.Entry file = guest.lookup(root, "f" + i);
        assertThat(file.uid()).isEqualTo(uid);
        assertThat(file.mode()).isEqualTo(Stat.S_IFREG | Stat.S_ISUID | 0x100);
        assertThat(guest.lookup(root, "l" + i).uid()).isEqualTo(uid);
        byte[] content = Files.readAllBytes(folder.resolve("f" + i));
        assertThat(content).hasSize(4 * 4096);
        assertThat(Arrays.copyOf(content, 4096)).isEqualTo(KilledServer.content(i));
        assertThat(Arrays.copyOfRange(content, 3 * 4096, 4 * 4096)).isEqualTo(KilledServer.content(i));
    }

    /** What it had said by then. */
    private List<String> killedAfter(int files, Path folder) throws Exception {
        Process p = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin/java").toString(),
                        "-Xmx128m",
                        "--enable-native-access=ALL-UNNAMED",
                        "-Dlogback.configurationFile=" + System.getProperty("logback.configurationFile", ""),
                        "-Dtest.log=off",
                        "-cp",
                        System.getProperty("java.class.path"),
                        KilledServer.class.getName(),
                        folder.toString(),
                        state.toString()))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        List<String> said = new ArrayList<>();
        try (BufferedReader out = p.inputReader()) {
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                if (line.matches("[0-9]+ [0-9]+")) {
                    said.add(line);
                }
                if (said.size() == files) {
                    p.toHandle().destroyForcibly(); // SIGKILL, and what it had said by then is still to be read
                }
            }
        } finally {
            p.destroyForcibly();
            p.waitFor();
        }
        return said;
    }
}
