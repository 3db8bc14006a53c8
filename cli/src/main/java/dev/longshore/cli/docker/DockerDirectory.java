package dev.longshore.cli.docker;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Where the {@code docker} command keeps its settings, contexts and plugins (docker(1), DOCKER_CONFIG). Immutable. */
public record DockerDirectory(Path path) {
    private static final JsonMapper JSON = new JsonMapper();

    /**
     * {@code $DOCKER_CONFIG} if set, else {@code ~/.docker}.
     *
     * @param environment as {@link System#getenv()}
     * @param fallback where {@code ~} is if HOME does not say so
     */
    public static DockerDirectory locate(Map<String, String> environment, Path fallback) {
        String chosen = environment.getOrDefault("DOCKER_CONFIG", "");
        if (!chosen.isEmpty()) {
            return new DockerDirectory(Path.of(chosen).toAbsolutePath().normalize());
        }
        String home = environment.getOrDefault("HOME", "");
        return new DockerDirectory((home.isEmpty() ? fallback : Path.of(home)).resolve(".docker"));
    }

    /** {@code name} is a command that {@code docker} has then. */
    Path plugin(String name) {
        return path.resolve("cli-plugins").resolve("docker-" + name);
    }

    /** The directory of a context's one file; docker names it by the hash of the name. */
    Path context(String name) {
        return path.resolve("contexts/meta").resolve(sha256(name));
    }

    private static String sha256(String text) {
        try {
            return HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /** What {@code docker context use} chose; empty for none, or if the file can't be read. */
    public String currentContext() {
        try {
            return read(path.resolve("config.json")).path("currentContext").asString("");
        } catch (IOException e) {
            return "";
        }
    }

    static JsonNode read(Path file) throws IOException {
        try {
            return JSON.readTree(Files.readString(file));
        } catch (JacksonException e) {
            throw new IOException(file + " is not JSON: " + e.getOriginalMessage(), e);
        }
    }

    static void write(Path file, JsonNode content) throws IOException {
        write(file, JSON.writeValueAsString(content));
    }

    /** Whole or not at all: docker may read it at any time. */
    static void write(Path file, String content) throws IOException {
        Files.createDirectories(file.getParent());
        Path whole = Files.createTempFile(file.getParent(), ".longshore", ".tmp");
        try {
            Files.writeString(whole, content);
            Files.move(whole, file, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(whole);
        }
    }
}
