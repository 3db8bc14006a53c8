package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Testcontainers in a JVM of its own, since it takes the Engine's place from the environment. */
@Order(50)
@ExtendWith(SharedProduct.class)
class TestcontainersIT {
    private static final Duration LIMIT = Duration.ofSeconds(100);
    private static final String RYUK = "longshore-ryuk:1";

    private final DockerCli docker;

    TestcontainersIT(DockerCli docker) {
        this.docker = docker;
    }

    @Test
    void container_isStartedUsedAndStopped(@TempDir Path home) {
        Command.Result result = user(home, TestImage.NAME)
                .with("TESTCONTAINERS_RYUK_DISABLED", "true") // see below
                .run()
                .expectOk();

        assertThat(result.out()).contains("http: hello from the container", "exec: in the container", "stopped");
        assertThat(docker.ok("ps", "-aq")).isEmpty();
    }

    /** Whether files can be bound is tried with an image of its own, which would have to be pulled. */
    @Test
    void filesOfTheHost_areBoundAndCopied(@TempDir Path home, @TempDir Path folder) {
        Command.Result result = user(home, TestImage.NAME, "files", folder.toString())
                .with("TESTCONTAINERS_RYUK_DISABLED", "true")
                .with("TESTCONTAINERS_TINYIMAGE_CONTAINER_IMAGE", TestImage.NAME)
                .run()
                .expectOk();

        assertThat(result.out()).contains("bound: by the host", "copied: by the host", "read-only: true");
        assertThat(folder.resolve("out.txt")).hasContent("by the container\n");
        assertThat(folder.resolve("back.txt")).hasContent("by the container\n");
    }

    /** What a killed JVM leaves is removed by Ryuk, in a container with the Engine's socket. Its own image would have to be pulled. */
    @Test
    void containersOfAKilledUser_areRemovedByRyuk(@TempDir Path home) throws Exception {
        Files.writeString(home.resolve("Dockerfile"), "FROM " + TestImage.NAME + "\nCMD [\"peer\", \"reaper\"]\n");
        docker.ok("build", "-q", "-t", RYUK, home.toString());
        try (Running user = user(home, TestImage.NAME, "stay")
                .with("TESTCONTAINERS_RYUK_CONTAINER_IMAGE", RYUK)
                .start()) {
            Await.until(
                    "a container, in use", LIMIT, () -> user.out().contains("staying"), () -> user.out() + user.err());
            assertThat(docker.ok("ps", "--format", "{{.Image}}").lines())
                    .containsExactlyInAnyOrder(TestImage.NAME, RYUK);
        } // killed

        Await.until("no container", LIMIT, () -> docker.ok("ps", "-aq").isEmpty());
    }

    private Command user(Path home, String... arguments) {
        List<String> line = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Duser.home=" + home,
                "-cp",
                System.getProperty("java.class.path"),
                TestcontainersUser.class.getName()));
        line.addAll(List.of(arguments));
        return Command.of(line)
                .with("DOCKER_HOST", docker.host())
                // In a container itself, as on many build machines, it would look for ports on its own gateway.
                .with("TESTCONTAINERS_HOST_OVERRIDE", "localhost")
                .within(LIMIT);
    }
}
