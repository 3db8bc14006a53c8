package dev.longshore.cli.docker;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DockerPluginTest {
    @TempDir
    private Path directory;

    @Test
    void script_describesItself_andRunsTheLauncherForItsInstance() throws Exception {
        Path launcher =
                Files.writeString(directory.resolve("it's a launcher"), "#!/bin/sh\necho \"$LONGSHORE_HOME|$*\"\n");
        Files.setPosixFilePermissions(launcher, PosixFilePermissions.fromString("rwx------"));
        DockerPlugin plugin = new DockerPlugin(new DockerDirectory(directory));

        plugin.install(launcher, "/a home", "1.2");

        assertThat(plugin.isInstalled()).isTrue();
        assertThat(plugin.isTaken()).isFalse();
        assertThat(plugin.file())
                .isEqualTo(directory.resolve("cli-plugins/docker-desktop"))
                .isExecutable();
        assertThat(run(plugin, "docker-cli-plugin-metadata"))
                .isEqualTo("{\"SchemaVersion\":\"0.1.0\",\"Vendor\":\"Longshore\",\"Version\":\"1.2\","
                        + "\"ShortDescription\":\"Longshore\"}");
        assertThat(run(plugin, "desktop", "status")).isEqualTo("/a home|docker-plugin desktop status");

        plugin.uninstall();
        assertThat(plugin.isInstalled()).isFalse();
    }

    @Test
    void pluginOfAnotherProgram_isTold() throws IOException {
        DockerPlugin plugin = new DockerPlugin(new DockerDirectory(directory));
        Files.createDirectories(directory.resolve("cli-plugins"));
        Files.write(plugin.file(), new byte[] {0x7f, 'E', 'L', 'F', (byte) 0xff});

        assertThat(plugin.isInstalled()).isFalse();
        assertThat(plugin.isTaken()).isTrue();
    }

    private static String run(DockerPlugin plugin, String... arguments) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(plugin.file().toString());
        builder.command().addAll(List.of(arguments));
        builder.environment().remove("LONGSHORE_HOME");
        Process process = builder.redirectErrorStream(true).start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(out).isZero();
        return out.strip();
    }
}
