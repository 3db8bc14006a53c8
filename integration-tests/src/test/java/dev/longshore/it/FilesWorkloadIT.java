package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * git, npm, SQLite and PostgreSQL at work on a mounted folder of the host, on which somebody renames and removes things beside them; their
 * programs are loaded from a mounted folder too. Counts are small; {@code -Dlongshore.workloads=full} has the large ones, and
 * {@code -Dlongshore.workloads.npm=FOLDER} a project with a lock file of yours and its real registry in place of the test's own.
 */
@Order(18)
@Timeout(1500)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@ExtendWith(SharedProduct.class)
class FilesWorkloadIT {
    private static final boolean FULL = "full".equals(System.getProperty("longshore.workloads"));
    private static final String IMAGE = "longshore-workloads:1";
    private static final Duration LIMIT = Duration.ofMinutes(20);

    /** Reads what the storm moves, for the guest to know of it. */
    private static final String READER =
            "while :; do find /src/storm -type f -exec cat {} + >/dev/null 2>&1; sleep 1; done";

    private final Product product;
    private final DockerCli docker;
    private Path above = Path.of("unset");
    private Path folder = Path.of("unset");
    private Path scripts = Path.of("unset");
    private Path root = Path.of("unset");

    FilesWorkloadIT(Product product, DockerCli docker) {
        this.product = product;
        this.docker = docker;
    }

    @BeforeAll
    @Timeout(1000) // the root's packages
    void makeImage() throws IOException {
        root = PeerRoot.ensure("workload-packages.txt").directory();
        scripts = Files.createTempDirectory(Path.of("/tmp"), "lsit-workloads-").toRealPath();
        for (String name : List.of("clock", "git", "npm", "sqlite", "postgres")) {
            try (InputStream in = FilesWorkloadIT.class.getResourceAsStream("workloads/" + name + ".sh")) {
                Files.copy(Objects.requireNonNull(in, name), scripts.resolve(name + ".sh"));
            }
        }
        product.longshore("settings", "set", "filesharingDirectories", "/tmp," + root)
                .run()
                .expectOk();
        importImage();
    }

    /** What the programs want besides /usr, which is mounted: an image of 700 MB takes the guest minutes. */
    private void importImage() throws IOException {
        Path image = scripts.resolve("image");
        for (String name : List.of("dev", "proc", "run", "src", "sys", "tmp", "usr", "var/tmp", "root")) {
            Files.createDirectories(image.resolve(name));
        }
        List<String> copied = List.of("bin", "etc", "lib", "lib64", "sbin");
        for (String name : copied) {
            Command.of("cp", "-a", root.resolve(name).toString(), image.toString())
                    .run()
                    .expectOk();
        }
        for (String name : List.of("tmp", "var/tmp")) {
            Files.setPosixFilePermissions(image.resolve(name), PosixFilePermissions.fromString("rwxrwxrwx"));
        }
        Path tar = scripts.resolve("image.tar");
        Command.of("tar", "-C", image.toString(), "-cf", tar.toString(), ".")
                .run()
                .expectOk();
        docker.ok("import", "--change", "ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin", tar.toString(), IMAGE);
    }

    @AfterAll
    void forgetImage() {
        docker.run("rmi", "-f", IMAGE);
        product.longshore("settings", "unset", "filesharingDirectories").run();
        Product.deleteTree(scripts);
    }

    @BeforeEach
    void makeFolder() throws IOException {
        above = Files.createTempDirectory(Path.of("/tmp"), "lsit-workload-").toRealPath();
        folder = Files.createDirectories(above.resolve("folder"));
        for (Path directory : List.of(above, folder)) {
            Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
    }

    @AfterEach
    void clean() {
        docker.remove("workload");
        Product.deleteTree(above);
    }

    /** Runs a script in {@code work} of the folder until it says that all is fine, while the host does what it does. */
    private String work(String script, String... arguments) throws IOException {
        Files.createDirectories(folder.resolve("work"));
        List<String> line = new ArrayList<>(List.of("run", "--name", "workload"));
        line.addAll(List.of("-v", root.resolve("usr") + ":/usr:ro", "-v", scripts + ":/workloads:ro"));
        line.addAll(List.of("-v", folder + ":/src", "-w", "/src/work", IMAGE));
        line.addAll(List.of("sh", "-c", "(" + READER + ") & exec sh \"$@\"", "sh", "/workloads/" + script));
        line.addAll(List.of(arguments));
        long begin = System.nanoTime();
        try (HostStorm storm = new HostStorm(folder, 6)) {
            Command.Result result =
                    docker.command(line.toArray(String[]::new)).within(LIMIT).run();
            System.out.printf(
                    "%s %s: %d s, while the host did %d things: %s%n",
                    script,
                    List.of(arguments),
                    Duration.ofNanos(System.nanoTime() - begin).toSeconds(),
                    storm.done(),
                    result.text().replace('\n', ' '));
            assertThat(result.expectOk().text()).endsWith("fine");
            return result.text();
        }
    }

    @Test
    void clock_isTheHosts() throws IOException {
        work("clock.sh");
    }

    @Test
    void git() throws IOException {
        work("git.sh", FULL ? "5000" : "300");
        assertThat(folder.resolve("work/three/.git/HEAD")).hasContent("ref: refs/heads/main\n");
    }

    @Test
    void npm() throws IOException {
        String own = System.getProperty("longshore.workloads.npm");
        Path work = Files.createDirectories(folder.resolve("work"));
        if (own != null) {
            for (String name : List.of("package.json", "package-lock.json")) {
                Files.copy(Path.of(own).resolve(name), work.resolve(name));
            }
            work("npm.sh");
            return;
        }
        try (NpmProject project = new NpmProject(work, root.resolve("usr/share/nodejs"), FULL ? 600 : 60)) {
            assertThat(project.packages()).isEqualTo(FULL ? 600 : 60);
            work("npm.sh");
        }
    }

    @Test
    void sqlite() throws IOException {
        work("sqlite.sh", FULL ? "8" : "4", FULL ? "500" : "40");
    }

    @Test
    void postgres() throws IOException {
        String[] load = FULL ? new String[] {"5", "-T", "30"} : new String[] {"1", "-t", "100"};
        work("postgres.sh", "/src/data", load[0], load[1], load[2]);

        Path data = folder.resolve("data");
        assertThat(Files.getAttribute(data, "unix:uid")).isNotEqualTo(0);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(data)))
                .isEqualTo("rwx------");
    }
}
