package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Containers that watch mounted folders (inotify) hear of what is done on the host, and find it when they look at once. */
@Order(19)
@Timeout(300)
@ExtendWith(SharedProduct.class)
class FileEventsIT {
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final int STORM = 10_000;

    private final Product product;
    private final DockerCli docker;
    private final List<Running> watchers = new ArrayList<>();
    private Path folder = Path.of("unset");
    private int probes;

    FileEventsIT(Product product, DockerCli docker) {
        this.product = product;
        this.docker = docker;
    }

    @BeforeEach
    void makeFolder() throws IOException {
        folder = Files.createTempDirectory(Path.of("/tmp"), "lsit-events-").toRealPath();
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    @AfterEach
    void clean() {
        docker.remove("watcher", "watcher2");
        watchers.forEach(Running::close);
        Product.deleteTree(folder);
    }

    /** A container that watches paths of a mount; returns when it hears. */
    private Running watch(String name, String mount, String... paths) {
        List<String> line =
                new ArrayList<>(List.of("run", "--rm", "--name", name, "-v", mount, TestImage.NAME, "peer", "watch"));
        line.addAll(List.of(paths));
        Running watcher = docker.start(line.toArray(String[]::new)).awaitOut("watching", SOON);
        watchers.add(watcher);
        Await.until("a first event", SOON, () -> probeIsHeard(watcher), () -> watcher.out() + watcher.err());
        return watcher;
    }

    private Running watch() {
        return watch("watcher", folder + ":/src", "/src");
    }

    private boolean probeIsHeard(Running watcher) throws IOException {
        Files.createFile(folder.resolve("probe" + probes++));
        return watcher.out().contains("CREATE /src/probe");
    }

    private static void hears(Running watcher, String... lines) {
        for (String line : lines) {
            watcher.awaitOut(line + "\n", SOON);
        }
    }

    private JsonNode events() {
        return JsonMapper.shared()
                .readTree(product.longshore("files", "ls", "--format", "json")
                        .run()
                        .expectOk()
                        .out())
                .path("events");
    }

    // ---- kinds of changes

    @Test
    void editsAreHeard_andTheNewContentIsThere() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "one");
        Running watcher = watch();
        assertThat(docker.ok("exec", "watcher", "cat", "/src/file")).isEqualTo("one");

        Files.writeString(file, "two"); // as long as before
        hears(watcher, "MODIFY /src/file 3:two", "CLOSE_WRITE /src/file 3:two");
        Files.writeString(file, "and longer");
        hears(watcher, "MODIFY /src/file 10:and longer");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        hears(watcher, "ATTRIB /src/file");
        Files.writeString(folder.resolve("new"), "made");
        watcher.awaitOut("CREATE /src/new", SOON); // which may be empty still
        hears(watcher, "CLOSE_WRITE /src/new 4:made");
        Files.delete(file);
        hears(watcher, "DELETE /src/file");
        Files.createSymbolicLink(folder.resolve("link"), Path.of("new"));
        hears(watcher, "CREATE /src/link");
    }

    @Test
    void savingByRename_andMovesOfDirectories() throws IOException {
        Files.writeString(folder.resolve("file"), "old");
        Files.createDirectory(folder.resolve("dir"));
        Running watcher = watch();
        assertThat(docker.ok("exec", "watcher", "cat", "/src/file")).isEqualTo("old");

        Path fresh = Files.writeString(folder.resolve("file.tmp"), "saved");
        Files.move(fresh, folder.resolve("file"), StandardCopyOption.ATOMIC_MOVE);
        hears(watcher, "MOVED_FROM /src/file.tmp", "MOVED_TO /src/file 5:saved");
        Files.move(folder.resolve("dir"), folder.resolve("moved"));
        hears(watcher, "MOVED_FROM /src/dir", "MOVED_TO /src/moved");
        Files.delete(folder.resolve("moved"));
        hears(watcher, "DELETE /src/moved");
    }

    @Test
    void newDirectories_areHeardInAsWell() throws IOException {
        Running watcher = watch();

        Path deep = Files.createDirectory(folder.resolve("a"));
        hears(watcher, "CREATE /src/a");
        deep = Files.createDirectory(deep.resolve("b"));
        Path b = deep;
        Await.until("the new directory is watched", SOON, () -> {
            Files.writeString(b.resolve("f" + probes++), "deep");
            return watcher.out().contains("CREATE /src/a/b/f");
        });
        Files.writeString(deep.resolve("last"), "deep");
        watcher.awaitOut("CREATE /src/a/b/last", SOON);
        hears(watcher, "CLOSE_WRITE /src/a/b/last 4:deep");
    }

    // ---- mounts

    @Test
    void readOnlyMount_hearsToo() throws IOException {
        Files.writeString(folder.resolve("file"), "one");
        Running watcher = watch("watcher", folder + ":/src:ro", "/src", "/src/file");

        Files.writeString(folder.resolve("file"), "two");
        hears(watcher, "MODIFY /src/file 3:two");
        Files.delete(folder.resolve("file"));
        hears(watcher, "DELETE /src/file", "DELETE_SELF /src/file");
        assertThat(docker.run("exec", "watcher", "touch", "/src/x").exit()).isNotZero();
    }

    @Test
    void volumeOfAFolder_hearsToo() throws IOException {
        docker.ok("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=" + folder, "lsit-events");
        try {
            Running watcher = watch("watcher", "lsit-events:/src", "/src");
            Files.writeString(folder.resolve("file"), "one");
            hears(watcher, "CLOSE_WRITE /src/file 3:one");
        } finally {
            docker.remove("watcher");
            docker.ok("volume", "rm", "lsit-events");
        }
    }

    /** Each of two containers hears the other's changes once, as in one system; the file server's own doings are no news. */
    @Test
    void whatContainersDo_isHeardOnce() throws IOException {
        Running watcher = watch();
        docker.ok(
                "run",
                "--rm",
                "--name",
                "watcher2",
                "-v",
                folder + ":/w",
                TestImage.NAME,
                "sh",
                "-c",
                "mkdir /w/d; echo x > /w/x; mv /w/x /w/y; chmod 600 /w/y; rm /w/y; rmdir /w/d");
        Files.writeString(folder.resolve("last"), "by the host");
        hears(watcher, "CLOSE_WRITE /src/last 11:by the host");

        for (String once : List.of(
                "CREATE /src/d",
                "CREATE /src/x",
                "MOVED_FROM /src/x",
                "MOVED_TO /src/y",
                "DELETE /src/y",
                "DELETE /src/d")) {
            assertThat(watcher.out().lines().filter(l -> l.startsWith(once)).count())
                    .as(once)
                    .isEqualTo(1);
        }
        assertThat(folder.resolve("y")).doesNotExist();
    }

    // ---- many

    @Test
    void storm_doesNotHideTheNextEdit() throws IOException {
        Files.writeString(folder.resolve("edited"), "before");
        Running watcher = watch();

        for (int i = 0; i < STORM; i++) {
            Files.createFile(folder.resolve("s" + i));
        }
        Files.writeString(folder.resolve("edited"), "after the storm");

        hears(watcher, "MODIFY /src/edited 15:after the storm");
        assertThat(docker.ok("exec", "watcher", "cat", "/src/edited")).isEqualTo("after the storm");
    }

    // ---- beginnings and ends

    @Test
    void watchEndsWithTheContainer_andWithTheSetting() throws IOException {
        Files.createDirectories(folder.resolve("a/b"));
        Running watcher = watch();
        assertThat(events().path("directories").longValue()).isGreaterThanOrEqualTo(3);
        assertThat(events().path("told").longValue()).isPositive();
        assertThat(product.longshore("metrics").run().expectOk().out()).contains("fileshare_events_directories");

        try {
            product.longshore("settings", "set", "filesharingEvents", "false")
                    .run()
                    .expectOk();
            Await.until(
                    "nothing is watched",
                    SOON,
                    () -> events().path("directories").longValue() == 0);
            assertThat(product.longshore("files", "ls").run().expectOk().out()).contains("filesharingEvents");
        } finally {
            product.longshore("settings", "unset", "filesharingEvents").run().expectOk();
        }
        Await.until("it hears again", SOON, () -> {
            Files.createFile(folder.resolve("again" + probes++));
            return watcher.out().contains("CREATE /src/again");
        });
    }
}
