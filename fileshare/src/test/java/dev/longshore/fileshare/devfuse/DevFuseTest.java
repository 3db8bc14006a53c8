package dev.longshore.fileshare.devfuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * This machine's kernel as the guest: {@link DevFuseChecks} in a process with mounts of its own, which go with it. Needs root
 * and {@code /dev/fuse}.
 */
class DevFuseTest {
    @TempDir
    Path directory;

    @ParameterizedTest
    @ValueSource(strings = {"HOST", "OVERRIDE"})
    @Timeout(120)
    void programsOfThisMachine_findAFileSystem(String ownership) throws Exception {
        assumeTrue(System.getProperty("user.name").equals("root"), "only root can mount");
        assumeTrue(Files.isReadable(Path.of("/dev/fuse")), "no /dev/fuse");
        Path out = directory.resolve("out");
        Process p = new ProcessBuilder(List.of(
                        "unshare",
                        "-m",
                        Path.of(System.getProperty("java.home"), "bin/java").toString(),
                        "-ea",
                        "-Xmx256m",
                        "--enable-native-access=ALL-UNNAMED",
                        "-Dlogback.configurationFile=" + System.getProperty("logback.configurationFile", ""),
                        "-cp",
                        System.getProperty("java.class.path"),
                        DevFuseChecks.class.getName(),
                        directory.toRealPath().toString(),
                        ownership))
                .redirectErrorStream(true)
                .redirectOutput(out.toFile())
                .redirectInput(new File("/dev/null"))
                .start();
        try {
            assertThat(p.waitFor(110, TimeUnit.SECONDS)).isTrue();
        } finally {
            p.destroyForcibly();
        }
        assertThat(p.exitValue())
                .as(Files.readString(out, StandardCharsets.UTF_8))
                .isZero();
    }
}
