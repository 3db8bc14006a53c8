package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Testcontainers in a JVM of its own, since it takes the Engine's place from the environment. */
@Order(50)
@ExtendWith(SharedProduct.class)
class TestcontainersIT {
    private final DockerCli docker;

    TestcontainersIT(DockerCli docker) {
        this.docker = docker;
    }

    @Test
    void container_isStartedUsedAndStopped(@TempDir Path home) {
        Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        Command.Result result = Command.of(
                        java.toString(),
                        "-Duser.home=" + home,
                        "-cp",
                        System.getProperty("java.class.path"),
                        TestcontainersUser.class.getName(),
                        TestImage.NAME)
                .with("DOCKER_HOST", docker.host())
                .with("TESTCONTAINERS_RYUK_DISABLED", "true") // its image would have to be pulled
                // In a container itself, as on many build machines, it would look for ports on its own gateway.
                .with("TESTCONTAINERS_HOST_OVERRIDE", "localhost")
                .within(Duration.ofSeconds(100))
                .run()
                .expectOk();

        assertThat(result.out()).contains("http: hello from the container", "exec: in the container", "stopped");
        assertThat(docker.ok("ps", "-aq")).isEmpty();
    }
}
