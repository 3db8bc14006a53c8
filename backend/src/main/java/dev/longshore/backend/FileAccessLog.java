package dev.longshore.backend;

import dev.longshore.control.FilesControl;
import dev.longshore.control.Outcome;
import dev.longshore.fileshare.fuse.FileAccess;
import dev.longshore.linux.Errno;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Tells watchers what the guest does to the host's files. The file server is listened to only while somebody watches. Thread-safe.
 */
final class FileAccessLog implements FileAccess.Listener {
    static final int MOST_WATCHERS = 8;

    /** Accesses that wait for one watcher: some 10 ms of a busy guest, 2 MB at most for ordinary paths. */
    static final int MOST_WAITING = 8192;

    private final Consumer<FileAccess.@Nullable Listener> server;
    private final List<One> watchers = new CopyOnWriteArrayList<>(); // changed under this object's lock
    private boolean closed;

    /** @param server is told who listens to it from now on; null for nobody */
    FileAccessLog(Consumer<FileAccess.@Nullable Listener> server) {
        this.server = server;
    }

    Outcome<FilesControl.Watch> watch(String under, Runnable wake) {
        if (!under.isEmpty() && !under.startsWith("/")) {
            return new Outcome.Failed<>(
                    Outcome.Reason.INVALID,
                    "'" + under + "' is not an absolute path of the host, such as /home/me/src");
        }
        synchronized (this) {
            if (closed) {
                return new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, "the guest has just ended");
            }
            if (watchers.size() >= MOST_WATCHERS) {
                return new Outcome.Failed<>(
                        Outcome.Reason.LIMIT, "there are " + MOST_WATCHERS + " watchers of file accesses already");
            }
            One one = new One(withoutSlash(under), wake);
            watchers.add(one);
            server.accept(this);
            return new Outcome.Done<>(one);
        }
    }

    private static String withoutSlash(String path) {
        int end = path.length();
        while (end > 0 && path.charAt(end - 1) == '/') {
            end--;
        }
        return path.substring(0, end);
    }

    @Override
    public void onAccess(FileAccess access) {
        for (One one : watchers) {
            one.add(access);
        }
    }

    /** The guest has ended, and with it all watches. Idempotent. */
    void close() {
        List<One> all;
        synchronized (this) {
            closed = true;
            all = List.copyOf(watchers);
        }
        all.forEach(One::end);
        all.forEach(one -> one.wake.run());
    }

    private synchronized void remove(One one) {
        if (watchers.remove(one) && watchers.isEmpty()) {
            server.accept(null);
        }
    }

    private static FilesControl.Access shown(FileAccess a) {
        return new FilesControl.Access(
                a.epochMillis(),
                a.kind().name().toLowerCase(Locale.ROOT).replace('_', '-'),
                a.path(),
                a.to(),
                a.uid(),
                a.gid(),
                a.pid(),
                a.errno(),
                a.errno() == 0 ? "" : Errno.text(a.errno()),
                a.bytesRead(),
                a.bytesWritten());
    }

    private final class One implements FilesControl.Watch {
        private final String under;
        private final Runnable wake;
        private final ArrayBlockingQueue<FileAccess> waiting = new ArrayBlockingQueue<>(MOST_WAITING);
        private final AtomicLong lost = new AtomicLong();
        private volatile boolean ended;

        One(String under, Runnable wake) {
            this.under = under;
            this.wake = wake;
        }

        void add(FileAccess access) {
            if (ended || (!isWanted(access.path()) && !isWanted(access.to()))) {
                return;
            }
            if (!waiting.offer(access)) {
                lost.incrementAndGet();
            }
            wake.run();
        }

        private boolean isWanted(String path) {
            return path.startsWith(under) && (path.length() == under.length() || path.charAt(under.length()) == '/');
        }

        @Override
        public List<FilesControl.Access> drain(int most) {
            List<FileAccess> some = new ArrayList<>(Math.min(most, waiting.size()));
            waiting.drainTo(some, most);
            return some.stream().map(FileAccessLog::shown).toList();
        }

        @Override
        public long takeLost() {
            return lost.getAndSet(0);
        }

        @Override
        public boolean ended() {
            return ended;
        }

        @Override
        public void end() {
            ended = true;
            remove(this);
        }
    }
}
