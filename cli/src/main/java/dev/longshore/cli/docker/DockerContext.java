package dev.longshore.cli.docker;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The context {@code longshore} of the {@code docker} command, so that {@code docker --context longshore} leads to this instance.
 * Its file is written as docker's own commands write it; without any of them, since {@code docker} may not be installed yet.
 *
 * <p>A context of that name whose socket is another one's belongs to another instance, or to the user, as long as that socket
 * exists; it is left alone then.
 */
public final class DockerContext {
    public static final String NAME = "longshore";

    private static final String SCHEME = "unix://";

    private final DockerDirectory docker;
    private final String host;

    /**
     * Touches no file.
     *
     * @param host as in DOCKER_HOST: {@code unix:///…/docker.sock}
     */
    public DockerContext(DockerDirectory docker, String host) {
        this.docker = docker;
        this.host = host;
    }

    /** Makes it, or lets it lead here; what keeps us from doing so, for the user, null if nothing does. */
    public @Nullable String create() {
        try {
            String now = present();
            if (host.equals(now)) {
                return null;
            }
            if (now != null && isInUse(now)) {
                return "the Docker context " + NAME + " leads to " + now + " and is left as it is";
            }
            DockerDirectory.write(file(), content());
            return null;
        } catch (IOException e) {
            return "the Docker context " + NAME + " could not be made: " + e.getMessage();
        }
    }

    private static boolean isInUse(String host) {
        return !host.startsWith(SCHEME) || Files.exists(Path.of(host.substring(SCHEME.length())));
    }

    /** Removes it if it leads here, unless docker uses it by default: it would refuse every command without it. */
    public void remove() {
        try {
            if (host.equals(present()) && !NAME.equals(docker.currentContext())) {
                Files.deleteIfExists(file());
                Files.deleteIfExists(docker.context(NAME));
            }
        } catch (IOException e) {
            // A context that leads nowhere harms nobody, and the next start takes it over.
        }
    }

    /** True if it exists and leads here. */
    public boolean isHere() {
        try {
            return host.equals(present());
        } catch (IOException e) {
            return false;
        }
    }

    private @Nullable String present() throws IOException {
        return Files.exists(file())
                ? DockerDirectory.read(file())
                        .path("Endpoints")
                        .path("docker")
                        .path("Host")
                        .asString("")
                : null;
    }

    private Path file() {
        return docker.context(NAME).resolve("meta.json");
    }

    private JsonNode content() {
        JsonNodeFactory json = JsonNodeFactory.instance;
        ObjectNode docker = json.objectNode().put("Host", host).put("SkipTLSVerify", false);
        ObjectNode content = json.objectNode().put("Name", NAME);
        content.set("Metadata", json.objectNode().put("Description", "Longshore"));
        content.set("Endpoints", json.objectNode().set("docker", docker));
        return content;
    }
}
