package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Running containers and everything that streams between them and the docker command. */
@Order(10)
@ExtendWith(SharedProduct.class)
class ContainersIT {
    private static final Duration SOON = Duration.ofSeconds(20);
    private static final long CP_BYTES = 200L * 1024 * 1024;

    private final DockerCli docker;

    ContainersIT(DockerCli docker) {
        this.docker = docker;
    }

    @Test
    void run_printsAndPassesExitCodes() {
        assertThat(docker.ok("run", "--rm", TestImage.NAME, "echo", "hello")).isEqualTo("hello");
        docker.run("run", "--rm", TestImage.NAME, "sh", "-c", "exit 42").expectExit(42);
        Command.Result both = docker.run("run", "--rm", TestImage.NAME, "sh", "-c", "echo out; echo err >&2; exit 3")
                .expectExit(3);
        assertThat(both.out()).isEqualTo("out\n");
        assertThat(both.err()).isEqualTo("err\n");
        docker.run("run", "--rm", TestImage.NAME, "no-such-program").expectExit(127);
    }

    @Test
    void importedImage_runs(@TempDir Path directory) throws Exception {
        TestImage.importAs(docker, TestImage.makeContext(directory), "longshore-imported:1");

        assertThat(docker.ok("run", "--rm", "longshore-imported:1", "echo", "hello"))
                .isEqualTo("hello");
        docker.ok("rmi", "longshore-imported:1");
    }

    @Test
    void runI_readsInputToItsEnd() {
        try (Running cat = docker.start("run", "--rm", "-i", TestImage.NAME, "cat")) {
            cat.type("one");
            cat.awaitOut("one\n", SOON);
            cat.type("two");
            cat.endInput();
            assertThat(cat.result(SOON).expectOk().out()).isEqualTo("one\ntwo\n");
        }
    }

    @Test
    void execI_readsInputToItsEnd_andPassesExitCodes() {
        docker.ok("run", "-d", "--name", "exec", TestImage.NAME, "sleep", "1000");
        try (Running sh = docker.start("exec", "-i", "exec", "sh", "-c", "read l; echo $l; wc -c; exit 7")) {
            sh.type("first");
            sh.awaitOut("first\n", SOON);
            sh.type("12345");
            sh.endInput();
            assertThat(sh.result(SOON).expectExit(7).out()).isEqualTo("first\n6\n");
        } finally {
            docker.remove("exec");
        }
    }

    @Test
    void logsF_streamsUntilTheContainerEnds() {
        docker.ok(
                "run", "-d", "-i", "--name", "logs", TestImage.NAME, "sh", "-c", "while read l; do echo got $l; done");
        try (Running logs = docker.start("logs", "-f", "logs");
                Running attached = docker.start("attach", "logs")) {
            attached.type("a");
            logs.awaitOut("got a\n", SOON);
            attached.awaitOut("got a\n", SOON);
            attached.type("b");
            logs.awaitOut("got b\n", SOON);
            attached.endInput();
            docker.ok("stop", "-t", "1", "logs");
            assertThat(logs.result(SOON).expectOk().out()).isEqualTo("got a\ngot b\n");
        } finally {
            docker.remove("logs");
        }
    }

    @Test
    void events_areStreamedAsTheyHappen() {
        try (Running events = docker.start(
                "events", "--filter", "type=container", "--format", "{{.Action}} {{.Actor.Attributes.name}}")) {
            Await.until(
                    "a first event",
                    SOON,
                    () -> {
                        docker.ok("run", "--rm", "--name", "eventful", TestImage.NAME, "true");
                        return !events.out().isEmpty();
                    },
                    events::err);
            events.awaitOut("create eventful", SOON)
                    .awaitOut("start eventful", SOON)
                    .awaitOut("die eventful", SOON)
                    .awaitOut("destroy eventful", SOON);
        }
    }

    @Test
    @Timeout(300)
    void cp_200MegabytesThereAndBack_isBitExact(@TempDir Path directory) throws Exception {
        RandomData data = new RandomData(200, CP_BYTES);
        Path there = directory.resolve("there");
        Path back = directory.resolve("back");
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(there))) {
            data.writeTo(out);
        }
        docker.ok("create", "--name", "cp", TestImage.NAME, "sha256sum", "/there");
        try {
            long begin = System.nanoTime();
            docker.ok("cp", there.toString(), "cp:/there");
            long middle = System.nanoTime();
            docker.ok("cp", "cp:/there", back.toString());
            System.out.printf(
                    "docker cp of 200 MiB: %d ms in, %d ms out%n",
                    (middle - begin) / 1_000_000, (System.nanoTime() - middle) / 1_000_000);

            try (InputStream in = new BufferedInputStream(Files.newInputStream(back))) {
                assertThat(RandomData.sha256(in)).isEqualTo(data.sha256());
            }
            assertThat(docker.ok("start", "-a", "cp")).startsWith(data.sha256());
        } finally {
            docker.remove("cp");
        }
    }

    @Test
    void limits_areHonoured() {
        String seen = docker.ok(
                "run",
                "--rm",
                "-m",
                "64m",
                "--pids-limit",
                "50",
                TestImage.NAME,
                "sh",
                "-c",
                "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max");
        assertThat(seen.lines()).containsExactly("67108864", "50");
    }
}
