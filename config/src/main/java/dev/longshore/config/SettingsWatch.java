package dev.longshore.config;

import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Tells when one of some files has changed: written in place, replaced by rename as editors do, made, removed, or behind a
 * link that points elsewhere now. Thread-safe: {@link #close} is for any thread, all else is done on a thread of its own.
 *
 * <p>Theory of operation: inotify on the directories of the files, of what they link to, and where a directory is missing, on
 * the nearest one above. An event only wakes: what counts is whether a file's stamp (identity, size, time) is another one.
 * While a wake is looked into, the directories are not watched, and there is always a pause between two: beside the user's
 * settings lies the data disk, which the guest writes all the time, and each write is an event.
 */
public final class SettingsWatch implements AutoCloseable {
    /** Collects what an editor does at once; what is seen later than that is seen by the next wake. */
    private static final Duration PAUSE = Duration.ofMillis(150);

    /** Then what is there counts, though somebody still writes. */
    private static final int MOST_PAUSES = 10;

    private final List<Path> files;
    private final Runnable onChange;
    private final WatchService service;
    private final Thread thread;

    /** What tells a file's content from another one. */
    private record Stamp(
            @Nullable Path real,
            @Nullable Object key,
            long size,
            @Nullable FileTime modified) {
        static Stamp of(Path file) {
            try {
                Path real = file.toRealPath();
                BasicFileAttributes a = Files.readAttributes(real, BasicFileAttributes.class);
                return new Stamp(real, a.fileKey(), a.size(), a.lastModifiedTime());
            } catch (IOException e) {
                return new Stamp(null, null, 0, null);
            }
        }
    }

    /**
     * Begins; changes from before do not count.
     *
     * @param onChange called on the watching thread, once for what changes at about the same time; may take its time
     * @throws IOException if the system has no more watches
     */
    public SettingsWatch(List<Path> files, Runnable onChange) throws IOException {
        this.files = List.copyOf(files);
        this.onChange = onChange;
        this.service = FileSystems.getDefault().newWatchService();
        List<Stamp> before = stamps();
        thread = Thread.ofPlatform().daemon().name("settings-watch").unstarted(() -> watch(before));
        thread.start();
    }

    private void watch(List<Stamp> before) {
        List<Stamp> known = before;
        try {
            while (true) {
                List<WatchKey> keys = register();
                List<Stamp> now = stamps(); // behind the registration: nothing falls between
                if (now.equals(known)) {
                    WatchKey _ = service.take();
                } else {
                    known = settled(now);
                    onChange.run();
                }
                keys.forEach(WatchKey::cancel);
                TimeUnit.NANOSECONDS.sleep(PAUSE.toNanos());
                drain();
            }
        } catch (InterruptedException | ClosedWatchServiceException e) {
            Thread.currentThread().interrupt(); // closed
        }
    }

    /** Waits, not for long, until nobody writes any more: half a file would be told of as malformed. */
    private List<Stamp> settled(List<Stamp> changed) throws InterruptedException {
        List<Stamp> last = changed;
        for (int i = 0; i < MOST_PAUSES; i++) {
            TimeUnit.NANOSECONDS.sleep(PAUSE.toNanos());
            List<Stamp> now = stamps();
            if (now.equals(last)) {
                return now;
            }
            last = now;
        }
        return last;
    }

    /** Events of what is not watched any more. */
    private void drain() {
        WatchKey key = service.poll();
        while (key != null) {
            key = service.poll();
        }
    }

    /**
     * A directory that is made between the look for the nearest one and its registration is the nearest one by then, and nothing
     * of it would be seen: so the look is taken again, until it finds what is registered.
     */
    private List<WatchKey> register() {
        List<WatchKey> keys = new ArrayList<>();
        Set<Path> registered = new LinkedHashSet<>();
        for (Set<Path> wanted = directories(); registered.addAll(wanted); wanted = directories()) {
            for (Path directory : wanted) {
                register(directory, keys);
            }
        }
        return keys;
    }

    private void register(Path directory, List<WatchKey> keys) {
        try {
            keys.add(directory.register(
                    service,
                    StandardWatchEventKinds.ENTRY_CREATE,
                    StandardWatchEventKinds.ENTRY_DELETE,
                    StandardWatchEventKinds.ENTRY_MODIFY));
        } catch (IOException e) {
            // removed just now, or no watch left: the others still wake
        }
    }

    private Set<Path> directories() {
        Set<Path> directories = new LinkedHashSet<>();
        for (Path file : files) {
            directories.add(nearestDirectory(file));
            try {
                directories.add(nearestDirectory(file.toRealPath()));
            } catch (IOException e) {
                // there is no such file now
            }
        }
        return directories;
    }

    private static Path nearestDirectory(Path file) {
        Path directory = file.toAbsolutePath().getParent();
        while (directory != null && !Files.isDirectory(directory)) {
            directory = directory.getParent();
        }
        return directory == null ? Path.of("/") : directory;
    }

    private List<Stamp> stamps() {
        return files.stream().map(Stamp::of).toList();
    }

    /** Nothing is called any more once this returns. Idempotent. */
    @Override
    public void close() {
        try {
            service.close();
        } catch (IOException e) {
            // it is of no use any more, either way
        }
        thread.interrupt();
        if (!Thread.currentThread().equals(thread)) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
