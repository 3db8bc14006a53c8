package dev.longshore.cli.docker;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DockerContextTest {
    @TempDir
    private Path directory;

    private DockerDirectory docker = new DockerDirectory(Path.of("/"));

    @BeforeEach
    void begin() {
        docker = new DockerDirectory(directory.resolve(".docker"));
    }

    @Test
    void isWrittenAsDockerReadsIt_andRemoved() throws IOException {
        DockerContext context = new DockerContext(docker, "unix:///run/a.sock");

        assertThat(context.create()).isNull();
        assertThat(context.isHere()).isTrue();

        Path place = docker.context("longshore");
        Path meta = place.resolve("meta.json");
        assertThat(place.getFileName()) // sha256sum
                .hasToString("fb2b60e3bca7b8033c60dd6a95a0ccfee85372fd737853c1d2228170faf746d3");
        assertThat(Files.readString(meta))
                .isEqualTo("{\"Name\":\"longshore\",\"Metadata\":{\"Description\":\"Longshore\"},"
                        + "\"Endpoints\":{\"docker\":{\"Host\":\"unix:///run/a.sock\",\"SkipTLSVerify\":false}}}");

        context.remove();
        assertThat(place).doesNotExist();
        assertThat(context.isHere()).isFalse();
        context.remove();
    }

    @Test
    void ofAnotherInstanceThatLives_isLeftAlone() throws IOException {
        Path socket = Files.writeString(directory.resolve("b.sock"), "");
        DockerContext other = new DockerContext(docker, "unix://" + socket);
        DockerContext context = new DockerContext(docker, "unix:///run/a.sock");
        assertThat(other.create()).isNull();

        assertThat(context.create()).contains("unix://" + socket).contains("left as it is");
        context.remove();
        assertThat(other.isHere()).isTrue();

        Files.delete(socket);
        assertThat(context.create()).isNull();
        assertThat(context.isHere()).isTrue();
    }

    @Test
    void inUseByDefault_stays() throws IOException {
        DockerContext context = new DockerContext(docker, "unix:///run/a.sock");
        assertThat(context.create()).isNull();
        Files.writeString(docker.path().resolve("config.json"), "{\"currentContext\": \"longshore\"}");

        context.remove();

        assertThat(context.isHere()).isTrue();
    }

    @Test
    void damagedFiles_areSaid_andLeft() throws IOException {
        DockerContext context = new DockerContext(docker, "unix:///run/a.sock");
        assertThat(context.create()).isNull();
        Path meta = docker.context("longshore").resolve("meta.json");
        Files.writeString(meta, "{");
        Files.writeString(docker.path().resolve("config.json"), "{");

        assertThat(context.create()).contains("is not JSON");
        context.remove();
        assertThat(Files.readString(meta)).isEqualTo("{");
        assertThat(docker.currentContext()).isEmpty();
    }

    @Test
    void place_isDockersOwn() {
        assertThat(DockerDirectory.locate(Map.of("HOME", "/h"), Path.of("/")).path())
                .hasToString("/h/.docker");
        assertThat(DockerDirectory.locate(Map.of("HOME", "/h", "DOCKER_CONFIG", "/d"), Path.of("/"))
                        .path())
                .hasToString("/d");
        assertThat(DockerDirectory.locate(Map.of(), Path.of("/f")).path()).hasToString("/f/.docker");
    }
}
