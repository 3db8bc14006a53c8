package dev.longshore.backend;

import dev.longshore.engine.policy.BindSource;
import dev.longshore.engine.policy.BindSources;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The folders that are shared, and where in the guest a path below them is: {@code /host} and the path that it means on the host,
 * all links followed. A link that leads out of the shared folders leads to nothing that may be mounted.
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
    private static final int BAD_REQUEST = 400;
    private static final int SERVER_ERROR = 500;

    private final Consumer<List<Path>> share;
    private final ThreadPoolExecutor threads = new ThreadPoolExecutor(
            THREADS,
            THREADS,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(MOST_WAITING),
            new DefaultThreadFactory("host-folders", true));
    private volatile List<Path> configured = List.of();
    private volatile List<Path> shared = List.of(); // written under the lock

    /**
     * Shares nothing yet.
     *
     * @param share hears which folders are shared, by the paths that they have with all links followed; called by one thread at a time
     */
    HostFolders(Consumer<List<Path>> share) {
        this.share = share;
        threads.allowCoreThreadTimeOut(true);
    }

    /** From now on these are shared, as settings have them. Returns at once. */
    void apply(List<Path> folders) {
        configured = List.copyOf(folders);
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

    /** Links on the way to a shared folder may lead elsewhere than when it was last looked at. */
    private synchronized List<Path> refresh() {
        List<Path> now = configured.stream()
                .map(HostFolders::realOrSame)
                .filter(HostFolders::isFolderOfItsOwn)
                .distinct()
                .toList();
        if (!now.equals(shared)) {
            shared = now;
            LOG.info("shared folders: {}", now);
            share.accept(now);
        }
        return now;
    }

    /** One that is not there yet may be there later. */
    private static Path realOrSame(Path folder) {
        try {
            return folder.toRealPath();
        } catch (IOException e) {
            return folder;
        }
    }

    private static boolean isFolderOfItsOwn(Path folder) {
        if (folder.getNameCount() == 0) {
            LOG.warn("filesharingDirectories: the whole file system can't be shared, only folders in it");
            return false;
        }
        return true;
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
        if (!isShared(real, refresh())) {
            return real.equals(path) ? BindSource.UNKNOWN : new BindSource.Denied(real.toString());
        }
        if (ifMissing == IfMissing.CREATE && real.toString().indexOf(':') >= 0) {
            return unusable(BAD_REQUEST, path + " leads to a path with a colon, which -v can't name: use --mount");
        }
        if (existing.equals(path) || ifMissing == IfMissing.LEAVE) {
            return new BindSource.InGuest(MOUNT_POINT + real);
        }
        return ifMissing == IfMissing.CREATE
                ? create(path, real)
                : unusable(
                        BAD_REQUEST,
                        "invalid mount config for type \"bind\": bind source path does not exist: " + path);
    }

    private static boolean isShared(Path real, List<Path> folders) {
        return folders.stream().anyMatch(real::startsWith);
    }

    /** The user's, as whom this process runs. */
    private static BindSource create(Path path, Path real) {
        try {
            Files.createDirectories(real);
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
