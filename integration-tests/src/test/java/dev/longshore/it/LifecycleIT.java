package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Up, down, up again, and the daemon killed: an instance of its own, before the shared one is up. */
@Order(1)
class LifecycleIT {
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final int WRITERS = 3;
    private static final int FEWEST_RECORDS = 300;

    @Test
    @Timeout(1200)
    void imagesAndVolumesOutlive_down_and_kill(@TempDir Path context) throws Exception {
        try (Product product = new Product()) {
            try {
                live(product, context);
            } catch (Throwable e) {
                System.err.println(product.logs());
                throw e;
            }
        }
    }

    private static void live(Product product, Path context) throws Exception {
        timed("first up", product);
        DockerCli docker = product.docker();
        TestImage.build(docker, TestImage.makeContext(context));
        docker.ok("volume", "create", "kept");
        docker.ok("run", "--rm", "-v", "kept:/v", TestImage.NAME, "sh", "-c", "echo precious > /v/f");
        docker.ok("run", "-d", "--name", "web", "-p", "18087:80", TestImage.NAME, "sleep", "1000");

        product.down();
        assertNothingIsLeft(product, 18087);

        Duration second = timed("second up", product);
        assertThat(second).isLessThan(Duration.ofSeconds(60)); // 20 s on an idle machine
        assertIsAsBefore(docker);

        Path records =
                Files.createTempDirectory(Path.of("/tmp"), "lsit-records-").toRealPath();
        try {
            killWhileFilesAreWritten(product, docker, records);
        } finally {
            Product.deleteTree(records);
        }
        assertThat(product.mounts()).isEmpty();

        timed("up after kill -9", product);
        assertIsAsBefore(docker);
        docker.ok("rm", "-f", "web");
        byDockersPlugin(product, docker);
        inContainerdsStore(product, docker, context);
        product.longshore("restart").within(Duration.ofMinutes(2)).run().expectOk();
        assertIsAsBefore(docker);
        assertThat(docker.ok("images", "-q", MultiPlatformImage.NAME)).isEmpty();
        product.down();
        assertNothingIsLeft(product, 18087);
        product.down(); // idempotent
    }

    /** What a container's fsync has returned for is in the host's files, and is all of it that the next guest sees. */
    private static void killWhileFilesAreWritten(Product product, DockerCli docker, Path folder) {
        Map<Integer, Integer> safe;
        try (Running writer = docker.start(
                "run",
                "--rm",
                "-v",
                folder + ":/r",
                TestImage.NAME,
                "peer",
                "records",
                "/r",
                String.valueOf(WRITERS))) {
            Await.until(
                    "every process writes",
                    SOON,
                    () -> Records.safe(writer.out()).size() == WRITERS
                            && Records.safe(writer.out()).values().stream().allMatch(n -> n >= FEWEST_RECORDS),
                    () -> writer.out() + writer.err());
            assertThat(ProcessHandle.of(product.daemonPid()).orElseThrow().destroyForcibly())
                    .isTrue();
            Await.until(
                    "no orphan after kill -9",
                    SOON,
                    () -> product.processes().isEmpty(),
                    () -> String.join("\n", product.processes()));
            writer.result(SOON); // it has nobody to talk to any more
            safe = Records.safe(writer.out());
        }
        System.out.printf("killed behind %d safe records %s%n", Records.check(folder, safe), safe);
    }

    /** {@code docker desktop …} and the context, with the real docker command; it ends stopped. */
    private static void byDockersPlugin(Product product, DockerCli docker) throws IOException {
        product.longshore("plugin", "install").run().expectOk();
        assertThat(docker.ok("--help")).contains("desktop*");
        assertThat(docker.ok("desktop", "status", "--format", "json")).startsWith("{\"Status\":\"running\"");
        assertThat(docker.ok("context", "inspect", "longshore", "--format", "{{.Endpoints.docker.Host}}"))
                .isEqualTo(docker.host());
        assertThat(docker.ok("--context", "longshore", "version", "--format", "{{.Server.Os}}"))
                .isEqualTo("linux");
        assertThat(docker.ok("desktop", "logs", "--unit", "backend")).contains("-> RUNNING");
        assertThat(docker.ok("desktop", "logs", "--unit", "console", "--boot", "1"))
                .contains("longshore-agent");
        Command.Result diagnosis = docker.run("desktop", "diagnose");
        assertThat(diagnosis.out())
                .contains("[PASS] engine: ", "[PASS] context: ", "[PASS] plugin: ")
                .contains("Bundle: ");

        docker.ok("desktop", "stop", "--timeout", "100");
        docker.run("desktop", "status").expectExit(3);
        assertThat(docker.ok("context", "ls", "-q")).isEqualTo("default");
        assertNothingIsLeft(product, 18087);

        docker.run("desktop", "start", "--timeout", "1").expectExit(124);
        docker.command("desktop", "start", "--timeout", "100")
                .within(Duration.ofMinutes(2))
                .run()
                .expectOk();
        assertThat(docker.run("desktop", "start").expectOk().err()).contains("already running");
        assertIsAsBefore(docker);
    }

    /** Images of several platforms, while those of the other store are out of sight. The setting is as before at the end. */
    private static void inContainerdsStore(Product product, DockerCli docker, Path context) throws IOException {
        MultiPlatformImage image = MultiPlatformImage.make(context, context.resolve("rootfs"));
        product.longshore("settings", "set", "useContainerdSnapshotter", "true")
                .run()
                .expectOk();
        product.longshore("restart").within(Duration.ofMinutes(2)).run().expectOk();

        assertThat(docker.ok("info", "--format", "{{.DriverStatus}}")).contains("io.containerd.snapshotter.v1");
        assertThat(docker.ok("images", "-q")).as("of the other store").isEmpty();
        docker.ok("load", "-i", image.tar().toString());
        assertThat(docker.ok("run", "--rm", MultiPlatformImage.NAME)).isEqualTo("amd64");
        Path saved = context.resolve("saved.tar");
        docker.ok("save", "-o", saved.toString(), MultiPlatformImage.NAME);
        assertThat(Command.of("tar", "-tf", saved.toString()).run().expectOk().out())
                .contains(image.digests());

        product.longshore("settings", "unset", "useContainerdSnapshotter").run().expectOk();
    }

    private static Duration timed(String what, Product product) {
        long begin = System.nanoTime();
        product.up();
        Duration took = Duration.ofNanos(System.nanoTime() - begin);
        System.out.printf("%s: %.1f s%n", what, took.toMillis() / 1000.0);
        return took;
    }

    private static void assertIsAsBefore(DockerCli docker) {
        assertThat(docker.ok("images", "-q", TestImage.NAME)).isNotEmpty();
        assertThat(docker.ok("run", "--rm", "-v", "kept:/v", TestImage.NAME, "cat", "/v/f"))
                .isEqualTo("precious");
    }

    private static void assertNothingIsLeft(Product product, int port) throws IOException {
        assertThat(product.processes()).isEmpty();
        assertThat(product.mounts()).isEmpty();
        assertThat(product.sockets()).isEmpty();
        try (ServerSocket free = new ServerSocket()) {
            free.setReuseAddress(true);
            free.bind(new InetSocketAddress(InetAddress.ofLiteral("0.0.0.0"), port));
        }
    }
}
