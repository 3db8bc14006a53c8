package dev.longshore.backend;

import dev.longshore.engine.HostSocket;
import dev.longshore.engine.HostSockets;
import dev.longshore.engine.policy.BindSource;
import dev.longshore.engine.policy.BindSources;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code -v /path.sock:/path.sock}: a Unix socket of the host, as the source of a bind mount, becomes a socket in the guest whose
 * callers reach it. Whoever may use the Docker API has the daemon's user, and so may use the socket anyway.
 *
 * <p>Theory of operation. A socket's name in the guest is made of its path, so that it is the same after a restart of the guest, whose
 * containers still have it in their configuration; the paths are kept in a file, and before the Engine is waited for, each has its
 * socket again. Whether anybody listens at the path is asked for each caller anew. The oldest paths are forgotten when there are many.
 *
 * <p>Thread-safe: the file system, which may be slow, is looked at by a thread of its own.
 */
final class MountedSockets implements BindSources, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(MountedSockets.class);

    /** Where the agent makes them. */
    private static final String DIRECTORY = "/run/host-services/";

    /** The agent has 256 in all. */
    static final int MOST = 200;

    private static final int NAME_BYTES = 10;

    private final HostSockets sockets;
    private final BiFunction<String, String, CompletableFuture<String>> agent;
    private final Function<Path, Optional<HostSocket>> opener;
    private final Path file;
    private final Set<String> paths = new LinkedHashSet<>(); // of the thread, the oldest first
    private final ExecutorService thread =
            Executors.newSingleThreadExecutor(new DefaultThreadFactory("mounted-sockets", true));

    /**
     * Touches no file yet.
     *
     * @param agent asks the guest's agent for a socket, by the name of the host's and the file's in its directory
     * @param opener finds the socket at a path, if there is one that may be lent; called by any thread
     * @param file where the paths are kept
     */
    MountedSockets(
            HostSockets sockets,
            BiFunction<String, String, CompletableFuture<String>> agent,
            Function<Path, Optional<HostSocket>> opener,
            Path file) {
        this.opener = opener;
        this.sockets = sockets;
        this.agent = agent;
        this.file = file;
    }

    @Override
    public CompletionStage<BindSource> find(String path, IfMissing ifMissing) {
        return CompletableFuture.supplyAsync(() -> isSocket(path) && keep(path), thread)
                .thenCompose(found -> found ? lend(path) : CompletableFuture.completedStage(BindSource.UNKNOWN));
    }

    private boolean isSocket(String path) {
        if (path.indexOf('\n') >= 0) {
            return false;
        }
        Optional<HostSocket> found = open(path);
        found.ifPresent(HostSocket::close);
        return found.isPresent();
    }

    private Optional<HostSocket> open(String path) {
        try {
            return opener.apply(Path.of(path));
        } catch (InvalidPathException e) {
            return Optional.empty();
        }
    }

    private CompletionStage<BindSource> lend(String path) {
        String name = name(path);
        sockets.put(name, () -> open(path));
        return agent.apply(name, name).handle((ok, error) -> {
            if (error != null) {
                LOG.warn("the host's socket {} can't be had in the guest: {}", path, error.getMessage());
                return BindSource.UNKNOWN;
            }
            return new BindSource.InGuest(DIRECTORY + name);
        });
    }

    /** A word that the agent takes. */
    static String name(String path) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(path.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash, 0, NAME_BYTES) + ".sock";
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    // ---- over restarts of the guest

    /** Lends all of them again, to a guest that has just booted; completes when the agent has answered. */
    CompletionStage<Void> restore() {
        return CompletableFuture.supplyAsync(this::read, thread)
                .thenCompose(all -> CompletableFuture.allOf(all.stream()
                        .map(path -> lend(path).toCompletableFuture())
                        .toArray(CompletableFuture<?>[]::new)));
    }

    private List<String> read() {
        paths.clear();
        try {
            if (Files.exists(file)) {
                Files.readAllLines(file).stream()
                        .filter(line -> line.startsWith("/"))
                        .limit(MOST)
                        .forEach(paths::add);
            }
        } catch (IOException e) {
            LOG.warn("{} can't be read: containers with sockets of the host may not find them", file, e);
        }
        return List.copyOf(paths);
    }

    /** True; the newest is the last. */
    private boolean keep(String path) {
        boolean known = paths.remove(path);
        paths.add(path);
        while (paths.size() > MOST) {
            String oldest = paths.iterator().next();
            paths.remove(oldest);
            sockets.remove(name(oldest));
        }
        if (!known) {
            write();
        }
        return true;
    }

    private void write() {
        try {
            Path whole = file.resolveSibling(file.getFileName() + ".new");
            Files.write(whole, paths);
            Files.move(whole, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            LOG.warn("{} can't be written: after a restart, containers may not find sockets of the host", file, e);
        }
    }

    @Override
    public void close() {
        thread.shutdown();
    }
}
