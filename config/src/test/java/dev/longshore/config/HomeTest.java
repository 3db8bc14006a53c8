package dev.longshore.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HomeTest {
    private static final Path USER = Path.of("/home/ann");

    @Test
    void longshoreHome_locate_holdsEverythingButTheCache() {
        Home home = Home.locate(Map.of("LONGSHORE_HOME", "/x/y/../z"), USER);

        assertThat(home.settingsFile()).isEqualTo(Path.of("/x/z/settings.json"));
        assertThat(home.dockerHost()).isEqualTo("unix:///x/z/run/docker.sock");
        assertThat(home.consoleLog()).isEqualTo(Path.of("/x/z/log/console.log"));
        assertThat(home.cache()).isEqualTo(Path.of("/home/ann/.cache/longshore"));
    }

    @Test
    void nothingSet_locate_isUnderTheUsersHome() {
        Home home = Home.locate(Map.of(), USER);

        assertThat(home.state()).isEqualTo(Path.of("/home/ann/.local/state/longshore"));
        assertThat(home.run()).isEqualTo(Path.of("/home/ann/.local/state/longshore/run"));
        assertThat(home.problem()).isNull();
    }

    @Test
    void homeSet_locate_winsOverTheUserDatabase() {
        assertThat(Home.locate(Map.of("HOME", "/h"), USER).state()).isEqualTo(Path.of("/h/.local/state/longshore"));
        assertThat(Home.locate(Map.of("HOME", "h"), USER).state())
                .isEqualTo(Path.of("/home/ann/.local/state/longshore"));
    }

    @Test
    void xdgDirectories_locate_areUsedIfAbsolute(@TempDir Path runtime) {
        Home home = Home.locate(
                Map.of(
                        "XDG_STATE_HOME", "/s",
                        "XDG_RUNTIME_DIR", runtime.toString(),
                        "XDG_CACHE_HOME", "relative",
                        "LONGSHORE_HOME", ""),
                USER);

        assertThat(home.state()).isEqualTo(Path.of("/s/longshore"));
        assertThat(home.run()).isEqualTo(runtime.resolve("longshore"));
        assertThat(home.cache()).isEqualTo(Path.of("/home/ann/.cache/longshore"));
    }

    @Test
    void longshoreCache_locate_winsOverXdg() {
        Home home = Home.locate(Map.of("XDG_CACHE_HOME", "/c", "LONGSHORE_CACHE", "/images"), USER);

        assertThat(home.cache()).isEqualTo(Path.of("/images"));
    }

    @Test
    void socketPath_tooLong_isAProblemWithTheWayOut() {
        int fixed = "/run/control.sock".length();
        Home longest = Home.at(Path.of("/" + "d".repeat(Home.MAX_SOCKET_PATH_BYTES - fixed - 1)), USER);
        Home tooLong = Home.at(Path.of("/" + "d".repeat(Home.MAX_SOCKET_PATH_BYTES - fixed)), USER);

        assertThat(longest.problem()).isNull();
        assertThat(tooLong.problem()).contains("104 bytes").contains("LONGSHORE_HOME");
    }

    @Test
    void directories_create_areClosedToOthersEvenIfTheyWereOpen(@TempDir Path directory) throws IOException {
        Home home = Home.at(directory.resolve("h"), directory.resolve("c"));
        Files.createDirectories(home.run());
        Files.setPosixFilePermissions(home.run(), PosixFilePermissions.fromString("rwxr-xr-x"));

        home.create();

        for (Path own : new Path[] {home.state(), home.run(), home.log()}) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(own)))
                    .isEqualTo("rwx------");
        }
        assertThat(home.cache()).isDirectory();
    }
}
