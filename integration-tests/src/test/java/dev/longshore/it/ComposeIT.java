package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Compose as Debian has it: docker compose, or docker-compose before Debian 13. */
@Order(51)
@ExtendWith(SharedProduct.class)
@Timeout(300)
class ComposeIT {
    private static final int PORT = 18_290;

    private final DockerCli docker;

    ComposeIT(DockerCli docker) {
        this.docker = docker;
    }

    @Test
    void project_comesUpWithPortsHealthAndNetworks_andGoes(@TempDir Path directory) throws Exception {
        write(directory);
        try {
            compose(directory, "up", "-d").expectOk();

            assertThat(HostServer.get(PORT)).isEqualTo("hello from the container\n");
            assertThat(compose(directory, "exec", "-T", "client", "wget", "-qO-", "http://web/")
                            .expectOk()
                            .out())
                    .isEqualTo("hello from the container\n");
            assertThat(compose(directory, "exec", "-T", "apart", "wget", "-qO-", "-T", "5", "http://web/")
                            .exit())
                    .as("of another network")
                    .isNotZero();
            assertThat(compose(directory, "logs", "client").expectOk().out()).contains("web is healthy");
            assertThat(compose(directory, "port", "web", "80").expectOk().text())
                    .isEqualTo("0.0.0.0:" + PORT);
            compose(directory, "restart", "-t", "1", "web").expectOk();
            Await.until("the port after a restart", Duration.ofSeconds(20), this::answers);
        } finally {
            compose(directory, "down", "-v", "-t", "1");
        }
        assertThat(answers()).isFalse();
        assertThat(docker.ok("ps", "-aq")).isEmpty();
        assertThat(docker.ok("network", "ls", "--format", "{{.Name}}").lines())
                .containsExactlyInAnyOrder("bridge", "host", "none");
        assertThat(docker.ok("volume", "ls", "-q", "--filter", "name=shop")).isEmpty();
    }

    /** Its source is relative to the project's directory; below the temporary folder, which is shared. */
    @Test
    void relativeBindMount_isTheProjectsDirectory_andItsWatchersHearEdits(@TempDir Path directory) throws Exception {
        Files.writeString(directory.resolve("docker-compose.yml"), """
                services:
                  app:
                    image: %s
                    command: peer watch /src
                    volumes: [".:/src"]
                """.formatted(TestImage.NAME));
        Files.writeString(directory.resolve("main.txt"), "one\n");
        try {
            compose(directory, "up", "-d").expectOk();
            assertThat(compose(directory, "exec", "-T", "app", "cat", "/src/main.txt")
                            .expectOk()
                            .text())
                    .isEqualTo("one");
            int[] edits = {0};
            Await.until("an edit is heard", Duration.ofSeconds(30), () -> {
                Files.writeString(directory.resolve("main.txt"), "edit " + edits[0]++ + "\n");
                return compose(directory, "logs", "app").expectOk().out().contains("MODIFY /src/main.txt 7:edit ");
            });
            compose(directory, "exec", "-T", "app", "sh", "-c", "echo made > /src/out")
                    .expectOk();
            assertThat(directory.resolve("out")).hasContent("made\n");
        } finally {
            compose(directory, "down", "-v", "-t", "1");
        }
    }

    private boolean answers() {
        try {
            return HostServer.get(PORT).startsWith("hello");
        } catch (IOException e) {
            return false;
        }
    }

    private static void write(Path directory) throws IOException {
        Files.writeString(directory.resolve("docker-compose.yml"), """
                services:
                  web:
                    image: %1$s
                    command: httpd -f -p 80 -h /www
                    ports: ["%2$d:80"]
                    networks: [front]
                    volumes: ["kept:/kept"]
                    healthcheck:
                      test: ["CMD", "wget", "-qO", "/dev/null", "http://127.0.0.1/"]
                      interval: 1s
                      retries: 30
                  client:
                    image: %1$s
                    command: sh -c "echo web is healthy; sleep 1000"
                    networks: [front]
                    depends_on:
                      web:
                        condition: service_healthy
                  apart:
                    image: %1$s
                    command: sleep 1000
                    networks: [back]
                networks:
                  front: {}
                  back: {}
                volumes:
                  kept: {}
                """.formatted(TestImage.NAME, PORT));
    }

    private Command.Result compose(Path directory, String... arguments) {
        boolean plugin = docker.run("compose", "version").exit() == 0;
        List<String> line = new ArrayList<>(plugin ? List.of("docker", "compose") : List.of("docker-compose"));
        line.addAll(List.of(
                "-p", "shop", "-f", directory.resolve("docker-compose.yml").toString()));
        line.addAll(List.of(arguments));
        return Command.of(line)
                .with(Map.of(
                        "DOCKER_HOST",
                        docker.host(),
                        "DOCKER_CONFIG",
                        docker.config().toString()))
                .within(Duration.ofSeconds(100))
                .run();
    }
}
