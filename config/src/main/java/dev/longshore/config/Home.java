package dev.longshore.config;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Where one instance keeps its files. Two homes are two independent instances. Immutable.
 *
 * @param state the data disk, the settings and the lock
 * @param run sockets and the pid file; the only directory others are kept out of by more than convention
 * @param log log files
 * @param cache guest images, shared by all homes of a user
 */
public record Home(Path state, Path run, Path log, Path cache) {
    /** The shortest sun_path of any supported system, less the terminating NUL (macOS: 104; Linux: 108). */
    public static final int MAX_SOCKET_PATH_BYTES = 103;

    private static final String OWNER_ONLY = "rwx------";

    /**
     * {@code $LONGSHORE_HOME} if set; else the XDG directories for state and runtime, under {@code longshore/}.
     *
     * @param environment as {@link System#getenv()}
     * @param fallback where {@code ~} is if HOME does not say so
     */
    public static Home locate(Map<String, String> environment, Path fallback) {
        Path userHome = absolute(environment.get("HOME"), fallback);
        Path cacheHome = absolute(environment.get("XDG_CACHE_HOME"), userHome.resolve(".cache"));
        Path cache = absolute(environment.get("LONGSHORE_CACHE"), cacheHome.resolve("longshore"));
        String chosen = environment.get("LONGSHORE_HOME");
        if (chosen != null && !chosen.isEmpty()) {
            return at(Path.of(chosen).toAbsolutePath().normalize(), cache);
        }
        Path state = absolute(environment.get("XDG_STATE_HOME"), userHome.resolve(".local/state"))
                .resolve("longshore");
        String runtime = environment.get("XDG_RUNTIME_DIR");
        Path run = runtime != null && runtime.startsWith("/") && Files.isDirectory(Path.of(runtime))
                ? Path.of(runtime, "longshore")
                : state.resolve("run");
        return new Home(state, run, state.resolve("log"), cache);
    }

    /** Everything but the cache under one directory. */
    public static Home at(Path directory, Path cache) {
        return new Home(directory, directory.resolve("run"), directory.resolve("log"), cache);
    }

    public Path settingsFile() {
        return state.resolve("settings.json");
    }

    /** Held by the daemon as long as it lives. */
    public Path lockFile() {
        return state.resolve("lock");
    }

    public Path dataDisk() {
        return state.resolve("data.ext4");
    }

    /** The paths of the host's sockets that containers have mounted, a line each. */
    public Path mountedSockets() {
        return state.resolve("mounted-sockets");
    }

    /** Logins of upstream proxies, a URL each line; the user writes it, for the owner's eyes only. */
    public Path proxyLogins() {
        return state.resolve("proxy-logins");
    }

    public Path controlSocket() {
        return run.resolve("control.sock");
    }

    public Path dockerSocket() {
        return run.resolve("docker.sock");
    }

    /** vhost-user socket of the guest's network card. */
    public Path netSocket() {
        return run.resolve("net.sock");
    }

    /** vhost-user socket of the guest's vsock device. */
    public Path vsockSocket() {
        return run.resolve("vsock.sock");
    }

    /** vhost-user socket of the guest's virtio-fs device. */
    public Path filesSocket() {
        return run.resolve("fs.sock");
    }

    /** What the file server keeps beside the host's files: owners that the guest gave to those that can't hold them themselves. */
    public Path filesState() {
        return state.resolve("files");
    }

    public Path pidFile() {
        return run.resolve("backend.pid");
    }

    /** What went through the proxy, a line of JSON each. */
    public Path proxyAudit() {
        return log.resolve("proxy-audit.jsonl");
    }

    public Path backendLog() {
        return log.resolve("backend.log");
    }

    /** Standard output and error of a detached daemon: the JVM's own words, and what happens before logging works. */
    public Path outputLog() {
        return log.resolve("backend.out");
    }

    /** What the guest's kernel and services print. */
    public Path consoleLog() {
        return log.resolve("console.log");
    }

    /** The value for {@code DOCKER_HOST}. */
    public String dockerHost() {
        return "unix://" + dockerSocket();
    }

    public List<Path> sockets() {
        return List.of(controlSocket(), dockerSocket(), netSocket(), vsockSocket(), filesSocket());
    }

    /** What makes this home unusable, for the user; null if nothing does. */
    public @Nullable String problem() {
        for (Path socket : sockets()) {
            int bytes = socket.toString().getBytes(StandardCharsets.UTF_8).length;
            if (bytes > MAX_SOCKET_PATH_BYTES) {
                return "the path of the socket " + socket + " has " + bytes + " bytes, and a socket's path can have "
                        + MAX_SOCKET_PATH_BYTES + " at most: set LONGSHORE_HOME to a directory with a shorter path";
            }
        }
        return accessProblem();
    }

    private @Nullable String accessProblem() {
        if (!Files.exists(state)) {
            return null;
        }
        if (!Files.isDirectory(state)) {
            return "the home " + state + " is not a directory";
        }
        return Files.isReadable(state) && Files.isWritable(state) && Files.isExecutable(state)
                ? null
                : "the home " + state + " can't be used: it belongs to another user, or is not writable";
    }

    /** Makes the directories that are missing; those of the instance are closed to other users, new or old. */
    public void create() throws IOException {
        List<Path> own = new ArrayList<>(List.of(state, run, log));
        for (Path directory : own) {
            Files.createDirectories(directory);
            Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString(OWNER_ONLY));
        }
        Files.createDirectories(cache);
    }

    private static Path absolute(@Nullable String value, Path fallback) {
        // The XDG specification: a path that is not absolute is to be ignored.
        return value != null && value.startsWith("/") ? Path.of(value).normalize() : fallback;
    }
}
