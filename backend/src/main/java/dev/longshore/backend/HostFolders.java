package dev.longshore.backend;

import dev.longshore.engine.HostSocket;
import dev.longshore.engine.policy.BindSource;
import dev.longshore.engine.policy.BindSources;
import dev.longshore.linux.Errno;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The folders that are shared, and where in the guest a path below them is: {@code /host} and the path that it means on the host,
 * all links followed. A link that leads out of the shared folders leads to nothing that may be mounted, and a link in one of them
 * adds nothing to what is shared: containers can make it. This program's own directories can't be mounted.
 *
 * <p>Thread-safe: the file system, which may be slow, is looked at by threads of its own.
 */
final class HostFolders implements BindSources, AutoCloseable {
    /** Where the guest has them. */
    static final String MOUNT_POINT = "/host";

    private static final Logger LOG = LoggerFactory.getLogger(HostFolders.class);
    private static final int THREADS = 4;
    private static final int MOST_WAITING = 1024;
    private static final long IDLE_SECONDS = 10;
    private static final Path ROOT = Path.of("/");
    private static final int BAD_REQUEST = 400;
    private static final int SERVER_ERROR = 500;

    private final Consumer<List<Path>> share;
    private final OwnFiles own;
    private final Queue<HostPaths> idle = new ConcurrentLinkedQueue<>(); // as many as there were threads at a time
    private final ThreadPoolExecutor threads = new ThreadPoolExecutor(
            THREADS,
            THREADS,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(MOST_WAITING),
            new DefaultThreadFactory("host-folders", true));
    private volatile List<Path> configured = List.of();
    private volatile List<Path> configuredAccessors = List.of();
    private volatile List<Path> accessors = List.of(); // written under the lock
    private volatile List<Path> shared = List.of(); // written under the lock
    private List<String> said = List.of(); // under the lock

    /**
     * Shares nothing yet.
     *
     * @param share hears which folders are shared, by the paths that they have with all links followed; called by one thread at a time
     */
    HostFolders(Consumer<List<Path>> share, OwnFiles own) {
        this.share = share;
        this.own = own;
        threads.allowCoreThreadTimeOut(true);
    }

    /** From now on these are shared, as settings have them. Returns at once. */
    void apply(List<Path> folders) {
        apply(folders, List.of());
    }

    /**
     * The same.
     *
     * @param mine in which files seem to belong to whoever asks
     */
    void apply(List<Path> folders, List<Path> mine) {
        configured = List.copyOf(folders);
        configuredAccessors = List.copyOf(mine);
        try {
            threads.execute(this::refresh);
        } catch (RejectedExecutionException e) {
            // closed
        }
    }

    /** Folders that are shared now: by the paths that they have with all links followed. */
    List<Path> shared() {
        return shared;
    }

    /** Folders in which files seem to belong to whoever asks now: as {@link #shared}, those that are there. */
    List<Path> accessors() {
        return accessors;
    }

    /** For a user whose path is not shared. */
    String advice() {
        List<Path> now = configured;
        String which = now.isEmpty()
                ? "No folder of the host is shared."
                : "Shared are " + now.stream().map(Path::toString).collect(Collectors.joining(", "))
                        + " and what is below.";
        return which + " To share more, add the folder to the setting filesharingDirectories"
                + " (longshore settings set filesharingDirectories "
                + Stream.concat(now.stream().map(Path::toString), Stream.of("FOLDER"))
                        .collect(Collectors.joining(","))
                + "), which takes effect at once.";
    }

    /** A thread that waits for a file system that does not answer keeps no other. */
    private <T> T look(Function<HostPaths, T> with) {
        HostPaths left = idle.poll();
        HostPaths paths = left == null ? new HostPaths() : left;
        try {
            return with.apply(paths);
        } finally {
            idle.add(paths);
        }
    }

    /** Links on the way to a shared folder may lead elsewhere than when it was last looked at. */
    private synchronized List<Path> refresh() {
        List<String> problems = new ArrayList<>();
        List<Path> now = look(paths -> real(paths, problems));
        if (!problems.equals(said)) {
            said = problems;
            problems.forEach(p -> LOG.warn("filesharingDirectories: {}", p));
        }
        List<Path> mine =
                configuredAccessors.stream().map(HostFolders::realOrSame).toList();
        if (!now.equals(shared) || !mine.equals(accessors)) {
            shared = now;
            accessors = mine;
            LOG.info("shared folders: {}", now);
            share.accept(now);
        }
        return now;
    }

    /**
     * The configured folders with all links followed, but for links that a container may have made: those in other shared folders, or
     * in what would be shared if links were followed. One that is not there yet may be there later.
     */
    private List<Path> real(HostPaths paths, List<String> problems) {
        List<Path> plain = configured.stream()
                .filter(f -> !(paths.follow(f, List.of(ROOT)) instanceof HostPaths.Way.Untrusted))
                .toList();
        List<Path> likely = new ArrayList<>(plain);
        configured.forEach(f -> likely.add(follow(paths, f, plain, new ArrayList<>())));
        likely.removeIf(f -> f.getNameCount() == 0);
        return configured.stream()
                .map(f -> follow(paths, f, likely, problems))
                .filter(f -> isSharable(f, problems))
                .distinct()
                .toList();
    }

    /** The folder's own path if it leads nowhere for now: while there is a link in it, the file server does not open it. */
    private static Path follow(HostPaths paths, Path folder, List<Path> untrusted, List<String> problems) {
        return switch (paths.follow(folder, untrusted)) {
            case HostPaths.Way.To(Path real) -> real;
            case HostPaths.Way.Untrusted(Path at) -> {
                problems.add(folder + " is reached by a link in " + at
                        + ", which a container or another user could have made: name the folder that it leads to");
                yield folder;
            }
            case HostPaths.Way.Unknown _ -> folder;
        };
    }

    private boolean isSharable(Path folder, List<String> problems) {
        if (folder.getNameCount() == 0) {
            problems.add("the whole file system can't be shared, only folders in it");
            return false;
        }
        if (own.hold(folder)) {
            problems.add(own.reason(folder));
            return false;
        }
        return true;
    }

    /** The Unix socket at {@code path}, if no link that a container could have made leads there. Thread-safe. */
    Optional<HostSocket> socket(Path path) {
        return look(paths -> paths.socket(path, shared, own));
    }

    // ---- sources of bind mounts

    @Override
    public CompletionStage<BindSource> find(String path, IfMissing ifMissing) {
        CompletableFuture<BindSource> found = new CompletableFuture<>();
        try {
            threads.execute(() -> found.complete(look(path, ifMissing)));
        } catch (RejectedExecutionException e) {
            found.complete(unusable(SERVER_ERROR, "too many bind mounts are being looked up at once: " + path));
        }
        return found;
    }

    private BindSource look(String text, IfMissing ifMissing) {
        try {
            return look(Path.of(text), ifMissing);
        } catch (InvalidPathException e) {
            return unusable(BAD_REQUEST, "no path of this host: " + text + ": " + e.getReason());
        } catch (AccessDeniedException e) {
            return unusable(SERVER_ERROR, "error while looking at mount source path '" + text + "': permission denied");
        } catch (IOException | RuntimeException e) {
            return unusable(SERVER_ERROR, "error while looking at mount source path '" + text + "': " + e.getMessage());
        }
    }

    private BindSource look(Path path, IfMissing ifMissing) throws IOException {
        Path existing = path;
        while (!Files.exists(existing) && !Files.isSymbolicLink(existing) && existing.getParent() != null) {
            existing = existing.getParent();
        }
        Path real;
        try {
            real = existing.toRealPath().resolve(existing.relativize(path));
        } catch (NoSuchFileException e) { // a link to nothing
            return isShared(existing, refresh()) ? unmade(path, existing, "file exists") : BindSource.UNKNOWN;
        }
        if (own.hold(real)) {
            return new BindSource.Withheld(own.reason(real));
        }
        List<Path> folders = refresh();
        if (!isShared(real, folders)) {
            return real.equals(path) ? BindSource.UNKNOWN : new BindSource.Denied(real.toString());
        }
        if (ifMissing == IfMissing.CREATE && real.toString().indexOf(':') >= 0) {
            return unusable(BAD_REQUEST, path + " leads to a path with a colon, which -v can't name: use --mount");
        }
        if (existing.equals(path) || ifMissing == IfMissing.LEAVE) {
            return new BindSource.InGuest(MOUNT_POINT + real);
        }
        return ifMissing == IfMissing.CREATE
                ? create(path, real, folders)
                : unusable(
                        BAD_REQUEST,
                        "invalid mount config for type \"bind\": bind source path does not exist: " + path);
    }

    private static Path realOrSame(Path folder) {
        try {
            return folder.toRealPath();
        } catch (IOException e) {
            return folder; // it may be there later
        }
    }

    private static boolean isShared(Path real, List<Path> folders) {
        return folders.stream().anyMatch(real::startsWith);
    }

    /** The user's, as whom this process runs. */
    private BindSource create(Path path, Path real, List<Path> folders) {
        Path folder = folders.stream()
                .filter(real::startsWith)
                .min(Comparator.comparingInt(Path::getNameCount))
                .orElseThrow();
        try {
            Files.createDirectories(folder);
            HostPaths.Unmade unmade = look(paths ->
                            Optional.ofNullable(paths.makeBelow(folder, folder.relativize(real))))
                    .orElse(null);
            if (unmade != null) {
                return unmade(path, unmade.at(), text(unmade.errno()));
            }
            LOG.info("created {}, which a container wants to mount", real);
            return new BindSource.InGuest(MOUNT_POINT + real);
        } catch (AccessDeniedException e) {
            return unmade(path, Path.of(e.getFile()), "permission denied");
        } catch (FileAlreadyExistsException e) {
            return unmade(path, Path.of(e.getFile()), "not a directory");
        } catch (FileSystemException e) {
            return unmade(path, real, e.getReason() == null ? "failed" : e.getReason());
        } catch (IOException e) {
            return unmade(path, real, String.valueOf(e.getMessage()));
        }
    }

    private static String text(int errno) {
        return switch (errno) {
            case Errno.ENOTDIR, Errno.ELOOP -> "not a directory";
            default -> Errno.text(errno);
        };
    }

    /** In Docker's words. */
    private static BindSource unmade(Path path, Path at, String why) {
        return unusable(
                SERVER_ERROR, "error while creating mount source path '" + path + "': mkdir " + at + ": " + why);
    }

    private static BindSource unusable(int status, String message) {
        return new BindSource.Unusable(status, message);
    }

    @Override
    public void close() {
        threads.shutdown();
    }
}
