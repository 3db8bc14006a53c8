package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Bind mounts of the host's folders: {@code docker run -v} and {@code --mount}, the setting, and what is said of them. */
@Order(17)
@Timeout(300)
@ExtendWith(SharedProduct.class)
class FilesIT {
    private static final Duration SOON = Duration.ofSeconds(20);
    private static final int MANY_FILES = 11_000;
    private static final int MOST_DESCRIPTORS = 10_000;
    private static final int RLIMIT_SHARE = 6;

    private final Product product;
    private final DockerCli docker;
    private Path folder = Path.of("unset");

    FilesIT(Product product, DockerCli docker) {
        this.product = product;
        this.docker = docker;
    }

    @BeforeEach
    void makeFolder() throws IOException {
        folder = Files.createTempDirectory(Path.of("/tmp"), "lsit-files-").toRealPath();
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    @AfterEach
    void clean() {
        docker.remove("files", "other");
        Product.deleteTree(folder);
    }

    private String run(String source, String script) {
        return docker.ok("run", "--rm", "-v", source + ":/src", TestImage.NAME, "sh", "-c", script);
    }

    /** A container that stays, with the folder at /src. */
    private void start(String... options) {
        List<String> line = Stream.of(
                        Stream.of("run", "-d", "--name", "files", "-v", folder + ":/src"),
                        Stream.of(options),
                        Stream.of(TestImage.NAME, "sleep", "1000"))
                .flatMap(s -> s)
                .toList();
        docker.ok(line.toArray(String[]::new));
    }

    private String exec(String script) {
        return docker.ok("exec", "files", "sh", "-c", script);
    }

    // ---- files

    @Test
    void whatEitherSideWrites_theOtherReads() throws IOException {
        Files.writeString(folder.resolve("host.txt"), "by the host\n");
        start();

        assertThat(exec("cat /src/host.txt; echo by the guest > /src/guest.txt; echo more >> /src/host.txt"))
                .isEqualTo("by the host");
        assertThat(folder.resolve("guest.txt")).hasContent("by the guest\n");
        assertThat(folder.resolve("host.txt")).hasContent("by the host\nmore\n");

        Files.writeString(folder.resolve("host.txt"), "anew\n");
        Files.writeString(folder.resolve("late.txt"), "late\n");
        Await.until("the host's edit is there", SOON, () -> exec("cat /src/host.txt /src/late.txt")
                .equals("anew\nlate"));
        Files.delete(folder.resolve("late.txt"));
        Await.until("the host's deletion is there", SOON, () -> exec("ls /src | tr '\n' ' '")
                .equals("guest.txt host.txt"));
    }

    /** Names are bytes: neither this test's nor the daemon's locale has a say. */
    @Test
    void names_areOfAnyLanguage() {
        String made = Command.of(
                        "sh",
                        "-c",
                        "u=$(printf '\\303\\274\\344\\270\\255'); mkdir \"$1/$u\" && echo host > \"$1/$u/$u\" && docker run --rm -v \"$1/$u:/$u\""
                                + " -v \"$1:/all\" \"$2\" sh -c \"cat /$u/$u && echo guest > /all/$u/$u\" && cat \"$1/$u/$u\"",
                        "names",
                        folder.toString(),
                        TestImage.NAME)
                .with("DOCKER_HOST", docker.host())
                .within(Duration.ofSeconds(90))
                .run()
                .expectOk()
                .text();
        assertThat(made).isEqualTo("host\nguest");
    }

    @Test
    void trees_areMadeMovedLinkedAndRemoved() throws IOException {
        start();

        exec("cd /src && mkdir -p a/b/c && echo 1 > a/b/c/f && ln a/b/c/f hard && ln -s a/b/c/f soft && mv a/b moved"
                + " && chmod 640 hard && touch -d '2001-02-03 04:05:06' a && mkfifo pipe");
        Path file = folder.resolve("moved/c/f");
        assertThat(file).hasContent("1\n");
        assertThat(Files.getAttribute(file, "unix:nlink")).isEqualTo(2);
        assertThat(Files.getAttribute(file, "unix:ino"))
                .isEqualTo(Files.getAttribute(folder.resolve("hard"), "unix:ino"));
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-r-----");
        assertThat(Files.readSymbolicLink(folder.resolve("soft"))).hasToString("a/b/c/f");
        assertThat(exec("stat -c '%i %h' /src/hard; date -u -r /src/a +%F"))
                .startsWith(Files.getAttribute(file, "unix:ino") + " 2\n2001-02-0");

        exec("rm -rf /src/moved /src/a /src/soft /src/hard /src/pipe");
        try (Stream<Path> left = Files.list(folder)) {
            assertThat(left).isEmpty();
        }
    }

    @Test
    void ownersAndModes_areWhatTheContainerMadeThem() {
        start();

        exec(
                "mkdir /src/data && chown 70:71 /src/data && chmod 700 /src/data && touch /src/data/f && chmod 4755 /src/data/f");
        assertThat(exec("stat -c '%u:%g %a' /src/data /src/data/f")).isEqualTo("70:71 700\n0:0 4755");
        docker.ok("exec", "-u", "70:71", "files", "sh", "-c", "echo mine > /src/data/mine");
        assertThat(exec("stat -c '%u:%g' /src/data/mine")).isEqualTo("70:71");
        assertThat(docker.run("exec", "-u", "1234", "files", "cat", "/src/data/mine")
                        .expectExit(1)
                        .err())
                .contains("Permission denied");
    }

    @Test
    void largeFile_isTheSameOnBothSides() throws IOException {
        byte[] content = new byte[(20 << 20) + 12_345];
        new Random(5).nextBytes(content);
        Files.write(folder.resolve("in"), content);
        start();

        exec("cp /src/in /tmp/copy && cp /tmp/copy /src/out && cmp /src/in /src/out && sync");

        assertThat(Files.mismatch(folder.resolve("in"), folder.resolve("out"))).isEqualTo(-1);
    }

    // ---- how it is mounted

    @Test
    void readOnlyMount_andSingleFile() throws IOException {
        Path file = Files.writeString(folder.resolve("config"), "value\n");

        Command.Result readOnly = docker.run(
                "run",
                "--rm",
                "-v",
                folder + ":/src:ro",
                TestImage.NAME,
                "sh",
                "-c",
                "cat /src/config; rm /src/config");
        assertThat(readOnly.expectExit(1).text()).isEqualTo("value");
        assertThat(readOnly.err()).contains("Read-only file system");

        assertThat(run(file.toString(), "cat /src; echo changed > /src")).isEqualTo("value");
        assertThat(file).hasContent("changed\n");
    }

    @Test
    void missingSource_isMadeByV_andRefusedByMount() {
        Path missing = folder.resolve("new/deep");

        assertThat(docker.run(
                                "run",
                                "--rm",
                                "--mount",
                                "type=bind,source=" + missing + ",target=/src",
                                TestImage.NAME,
                                "true")
                        .expectExit(125)
                        .err())
                .contains("invalid mount config for type \"bind\": bind source path does not exist: " + missing);
        assertThat(missing).doesNotExist();

        run(missing.toString(), "touch /src/here");
        assertThat(missing.resolve("here")).exists();
    }

    @Test
    void volumeOfAFolder_isThatFolder() throws IOException {
        Files.writeString(folder.resolve("f"), "in the folder\n");
        docker.ok("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=" + folder, "lsit-folder");
        try {
            assertThat(docker.ok("run", "--rm", "-v", "lsit-folder:/v", TestImage.NAME, "cat", "/v/f"))
                    .isEqualTo("in the folder");
            assertThat(docker.ok("volume", "inspect", "-f", "{{.Options.device}}", "lsit-folder"))
                    .isEqualTo(folder.toString());
        } finally {
            docker.ok("volume", "rm", "lsit-folder");
        }
    }

    @Test
    void cp_goesThroughAMount() throws IOException {
        start();
        Path source = Files.writeString(folder.resolve("source"), "copied\n");

        docker.ok("cp", source.toString(), "files:/src/there");
        assertThat(folder.resolve("there")).hasContent("copied\n");
        docker.ok("cp", "files:/src/there", folder.resolve("back").toString());
        assertThat(folder.resolve("back")).hasContent("copied\n");
    }

    // ---- what may be mounted

    @Test
    void linkThatLeadsOut_isDenied_andNotFollowedInside() throws IOException {
        Path link = Files.createSymbolicLink(folder.resolve("out"), Path.of("/etc"));

        assertThat(docker.run("run", "--rm", "-v", link + ":/src", TestImage.NAME, "true")
                        .expectExit(125)
                        .err())
                .contains("Mounts denied: ")
                .contains("The path " + link + ", which leads to /etc, is not shared from the host")
                .contains("filesharingDirectories");
        start();
        Command.Result passwd = docker.run("exec", "files", "cat", "/src/out/hostname-of-the-host-only");
        assertThat(passwd.exit()).isNotZero();
        assertThat(exec("readlink /src/out")).isEqualTo("/etc");
    }

    /** The home of this instance is in the temporary folder, which is shared. */
    @Test
    void ownFiles_areNeverShared() {
        Path home = product.home();
        for (Path path : List.of(home, product.home().resolve("settings.json"), home.resolve("run/control.sock"))) {
            assertThat(docker.run("run", "--rm", "-v", path + ":/src", TestImage.NAME, "true")
                            .expectExit(125)
                            .err())
                    .contains("Mounts denied: ")
                    .contains("The path " + path + " is not shared from the host and is not known to Docker.")
                    .contains("never shared");
        }
        String there = "/src/" + home.getFileName();
        assertThat(run(
                        "/tmp",
                        "ls -A " + there + " | wc -l; (touch " + there + "/settings.json; mv " + there
                                + " /src/elsewhere; true) 2>&1"))
                .startsWith("0\n")
                .contains("Read-only file system")
                .containsIgnoringCase("busy");
        assertThat(home.resolve("run/control.sock")).exists();
        assertThat(product.longshore("files", "ls").run().expectOk().text())
                .contains("never shared")
                .contains(home.toString());
    }

    @Test
    void setting_countsAtOnce() throws IOException {
        Path other =
                Files.createTempDirectory(Path.of("/var/tmp"), "lsit-files-").toRealPath();
        try {
            Files.writeString(other.resolve("f"), "shared now\n");
            String[] mount = {"run", "--rm", "-v", other + ":/src", TestImage.NAME, "cat", "/src/f"};
            assertThat(docker.run(mount).expectExit(125).err()).contains("Mounts denied: ");

            product.longshore("settings", "set", "filesharingDirectories", folder + "," + other)
                    .run()
                    .expectOk();
            assertThat(docker.ok(mount)).isEqualTo("shared now");
            docker.ok("run", "-d", "--name", "other", "-v", other + ":/src", TestImage.NAME, "sleep", "1000");

            product.longshore("settings", "unset", "filesharingDirectories")
                    .run()
                    .expectOk();
            Await.until(
                    "it is no longer shared",
                    SOON,
                    () -> docker.run("exec", "other", "ls", "/src/f").exit() != 0);
            assertThat(docker.run(mount).expectExit(125).err()).contains("Mounts denied: ");
        } finally {
            product.longshore("settings", "unset", "filesharingDirectories").run();
            Product.deleteTree(other);
        }
    }

    /** A daemon that is root sees owners of its own; files of one that is not seem to be the user's. */
    @Test
    void accessorDirectories_belongToWhoeverAsks_atOnce() throws IOException {
        Path mine = Files.createDirectories(folder.resolve("sub/mine"));
        Files.writeString(mine.resolve("f"), "x");
        Files.writeString(folder.resolve("sub/f"), "x");
        start();
        String owner = docker.ok("exec", "-u", "4321:4322", "files", "stat", "-c", "%u:%g", "/src/sub/mine/f");
        assertThat(owner).isNotEqualTo("4321:4322");
        try {
            product.longshore("settings", "set", "filesharingAccessorDirectories", mine.toString())
                    .run()
                    .expectOk();
            Await.until("files are whose who asks", SOON, () -> docker.ok(
                            "exec", "-u", "4321:4322", "files", "stat", "-c", "%u:%g", "/src/sub/mine/f")
                    .equals("4321:4322"));
            assertThat(docker.ok(
                            "exec", "-u", "77:78", "files", "stat", "-c", "%u:%g", "/src/sub/mine/f", "/src/sub/f"))
                    .isEqualTo("77:78\n" + owner);
        } finally {
            product.longshore("settings", "unset", "filesharingAccessorDirectories")
                    .run();
        }
        Await.until("the owner is the host's", SOON, () -> docker.ok(
                        "exec", "-u", "77:78", "files", "stat", "-c", "%u:%g", "/src/sub/mine/f")
                .equals(owner));
    }

    // ---- what is said

    @Test
    void inspectAndLs_nameTheHostsPaths() {
        start("--mount", "type=bind,readonly,source=" + folder + ",target=/again");

        assertThat(docker.ok(
                        "inspect", "-f", "{{json .HostConfig.Binds}} {{range .Mounts}}{{.Source}} {{end}}", "files"))
                .isEqualTo("[\"" + folder + ":/src\"] " + folder + " " + folder);
        assertThat(docker.ok("ps", "--filter", "name=files", "--no-trunc", "--format", "{{.Mounts}}"))
                .contains(folder.toString());
        JsonNode json = JsonMapper.shared()
                .readTree(product.longshore("files", "ls", "--format", "json")
                        .run()
                        .expectOk()
                        .out());
        assertThat(json.path("figures").path("requests").longValue()).isPositive();
        assertThat(json.path("folders").toString())
                .contains("\"path\":\"/tmp\"")
                .contains("\"containerName\":\"files\"")
                .contains("\"source\":\"" + folder + "\"")
                .contains("\"target\":\"/again\"");
        assertThat(product.longshore("metrics").run().expectOk().out())
                .contains("fileshare_requests_total{opcode=\"lookup\"}")
                .contains("fileshare_descriptors");
    }

    @Test
    void log_showsWhatContainersDoToFiles() throws IOException {
        Files.writeString(folder.resolve("read.txt"), "12345");
        Path hidden = Files.createDirectory(folder.resolve("hidden"));
        start();
        try (Running log = product.longshore("files", "log", "--format", "json", "--under", folder.toString())
                .start()) {
            Await.until("the log has begun", SOON, () -> {
                exec("ls /src");
                return log.out().contains("\"list\"");
            });

            exec("cd /src; cat read.txt; printf 1234567 > new; mv new newer; chmod 600 newer; rm newer; ls hidden");

            Await.until("all is told", SOON, () -> log.out().contains(hidden.toString()));
            assertThat(log.out())
                    .contains(access("open-to-read", folder.resolve("read.txt"), ""))
                    .contains(access("create", folder.resolve("new"), ""))
                    .contains(access("rename", folder.resolve("new"), folder.resolve("newer")))
                    .contains(access("chmod", folder.resolve("newer"), ""))
                    .contains(access("unlink", folder.resolve("newer"), ""))
                    .contains("\"written\":7");
        }
    }

    private static String access(String kind, Path path, Object to) {
        return "\"kind\":\"" + kind + "\",\"path\":\"" + path + "\",\"to\":\"" + to + "\"";
    }

    @Test
    void manyFiles_takeFewDescriptors() throws IOException {
        for (int i = 0; i < MANY_FILES; i++) {
            if (i % 1000 == 0) {
                Files.createDirectory(folder.resolve("d" + i / 1000));
            }
            Files.createFile(folder.resolve("d" + i / 1000 + "/f" + i));
        }
        start();

        assertThat(exec("find /src -type f | wc -l; ls -lR /src > /dev/null; rm -rf /src/d3; ls /src | wc -l"))
                .isEqualTo(MANY_FILES + "\n10");

        assertThat(folder.resolve("d3")).doesNotExist();
        JsonNode figures = JsonMapper.shared()
                .readTree(product.longshore("files", "ls", "--format", "json")
                        .run()
                        .expectOk()
                        .out())
                .path("figures");
        assertThat(figures.path("descriptors").longValue()).isLessThan(MOST_DESCRIPTORS + 100);
        long limit = Files.readString(Path.of("/proc/" + product.daemonPid() + "/limits"))
                .lines()
                .filter(l -> l.startsWith("Max open files"))
                .mapToLong(l -> Long.parseLong(l.split(" +", -1)[3]))
                .findFirst()
                .orElseThrow();
        try (Stream<Path> open = Files.list(Path.of("/proc/" + product.daemonPid() + "/fd"))) {
            assertThat(open.count()).isLessThan(Math.max(limit / RLIMIT_SHARE, 2000) + 1000);
        }
    }
}
