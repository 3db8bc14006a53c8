package dev.longshore.fileshare.fuse;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.ThreadCalls;
import dev.longshore.fileshare.share.Host;
import dev.longshore.fileshare.share.SharedFolders;
import dev.longshore.linux.Errno;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.AbstractExecutorService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A pool of threads that can open nothing but what is in shared folders, whatever a guest makes them try: a second wall behind
 * the checks of names and inodes. Thread-safe.
 *
 * <p>Linux's Landlock confines a thread and those it starts, for good. So each thread is started by one that is not
 * confined, and when there is another folder to grant, the threads there are end before their next request and others take
 * their place. Where the kernel has no Landlock the first wall is alone, which is logged.
 *
 * <p>What a thread may open besides: this program itself, to load classes, and the given directories (logs).
 *
 * <p>Nothing bounds what waits here: whoever submits does. Threads end when nothing was to do for a while.
 */
public final class FileThreads extends AbstractExecutorService {
    private static final Logger log = LoggerFactory.getLogger(FileThreads.class);

    /** Making one takes a confinement and memory that only the collector gives back. */
    private static final long IDLE_SECONDS = 300;

    // LANDLOCK_ACCESS_FS_*: Linux include/uapi/linux/landlock.h
    private static final long EXECUTE = 1;
    private static final long READ = 1 << 2 | 1 << 3;
    private static final long FILE_ONLY = 1 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15;
    private static final long VERSION_1 = (1 << 13) - 1;
    private static final long REFER = 1 << 13;
    private static final long TRUNCATE = 1 << 14;
    private static final long IOCTL_DEVICE = 1 << 15;

    /** The first that lets files be renamed and linked from one directory to another. */
    private static final int LEAST_VERSION = 2;

    private final FuseServer server;
    private final SharedFolders folders;
    private final String name;
    private final int most;
    private final List<Path> writable;
    private final int version;

    /** Starts the others, for it is not confined itself. */
    private final ExecutorService starter;

    // guarded by this
    private final ArrayDeque<Runnable> waiting = new ArrayDeque<>();
    private int threads;
    private int idle;
    private int made;
    private boolean shutdown;

    FileThreads(FuseServer server, SharedFolders folders, String name, int most, List<Path> writable) {
        this.server = server;
        this.folders = folders;
        this.name = name;
        this.most = most;
        this.writable = List.copyOf(writable);
        starter = Executors.newSingleThreadExecutor(
                r -> Thread.ofPlatform().name(name + "-starter").daemon().unstarted(r));
        version = new ThreadCalls().landlockVersion();
        if (!isConfining()) {
            log.info("the kernel has no Landlock to confine the file server's threads: {}", reason());
        }
    }

    private String reason() {
        return version < 0 ? Errno.text(-version) : "its version " + version + " would forbid renames";
    }

    /** False if the kernel cannot confine threads as it must. */
    public boolean isConfining() {
        return version >= LEAST_VERSION;
    }

    @Override
    public void execute(Runnable request) {
        boolean start;
        synchronized (this) {
            if (shutdown) {
                throw new RejectedExecutionException("shut down");
            }
            waiting.add(request);
            start = waiting.size() > idle && threads < most;
            if (start) {
                threads++;
            }
            notify();
        }
        if (start) {
            starter.execute(this::startOne);
        }
    }

    private void startOne() {
        int number;
        synchronized (this) {
            number = ++made;
        }
        Thread.ofPlatform().name(name + "-" + number).daemon().start(this::run);
    }

    private void run() {
        boolean another = false;
        try {
            int generation = isConfining() ? confine() : -1;
            another = work(generation);
        } catch (RuntimeException e) {
            log.error("a thread of the file server ends", e);
        } finally {
            server.threadEnds();
            synchronized (this) {
                threads--;
                another |= !waiting.isEmpty() && threads == 0;
                if (another) {
                    threads++;
                }
                notifyAll();
            }
            if (another) {
                starter.execute(this::startOne);
            } else {
                endStarterIfDone();
            }
        }
    }

    /** True if it ends because another folder is shared now. */
    private boolean work(int generation) {
        while (true) {
            Runnable request;
            synchronized (this) {
                idle++;
                long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(IDLE_SECONDS);
                while (waiting.isEmpty() && !shutdown) {
                    long left = TimeUnit.NANOSECONDS.toMillis(until - System.nanoTime());
                    if (left <= 0) {
                        break;
                    }
                    try {
                        wait(left);
                    } catch (InterruptedException e) {
                        break;
                    }
                }
                idle--;
                if (waiting.isEmpty()) {
                    return false;
                }
                if (generation >= 0 && generation != folders.generation()) {
                    return true;
                }
                request = waiting.remove();
            }
            try {
                request.run();
            } catch (RuntimeException e) {
                log.error("a request", e);
            }
        }
    }

    /** This thread, for good; the generation of folders that it may open. */
    private int confine() {
        Host host = new Host();
        List<Integer> roots = new ArrayList<>();
        try {
            int generation = folders.rootDescriptors(host, roots);
            int r = restrict(host, roots);
            if (r < 0) {
                throw new IllegalStateException("Landlock: " + Errno.text(-r));
            }
            return generation;
        } finally {
            for (int fd : roots) {
                host.posix.close(fd);
            }
            host.posix.close();
        }
    }

    private int restrict(Host host, List<Integer> roots) {
        ThreadCalls calls = host.thread;
        long handled = VERSION_1 | REFER | (version >= 3 ? TRUNCATE : 0) | (version >= 5 ? IOCTL_DEVICE : 0);
        int ruleset = calls.landlockRuleset(handled);
        if (ruleset < 0) {
            return ruleset;
        }
        int r = 0;
        for (int fd : roots) {
            r = Math.min(r, calls.landlockAllowBeneath(ruleset, handled & ~EXECUTE, fd));
        }
        for (Path p : program()) {
            r = Math.min(r, allow(host, ruleset, p, READ));
        }
        for (Path p : writable) {
            r = Math.min(r, allow(host, ruleset, p, handled & ~EXECUTE));
        }
        if (r == 0) {
            r = calls.setNoNewPrivileges();
        }
        if (r == 0) {
            r = calls.landlockRestrictSelf(ruleset);
        }
        host.posix.close(ruleset);
        return r;
    }

    /** What is not there needs no rule. */
    private static int allow(Host host, int ruleset, Path path, long rights) {
        byte[] bytes = path.toString().getBytes(StandardCharsets.UTF_8);
        int fd = host.posix.openat(Open.AT_FDCWD, host.posix.name(bytes), Open.O_PATH | Open.O_CLOEXEC, 0);
        if (fd < 0) {
            return 0;
        }
        int r = host.posix.statx(fd, host.stat);
        if (r == 0) {
            r = host.thread.landlockAllowBeneath(ruleset, host.stat.isDirectory() ? rights : rights & FILE_ONLY, fd);
        }
        host.posix.close(fd);
        return r;
    }

    private static List<Path> program() {
        List<Path> all = new ArrayList<>();
        all.add(Path.of(System.getProperty("java.home", "/")).toAbsolutePath());
        for (String entry : System.getProperty("java.class.path", "").split(File.pathSeparator, -1)) {
            if (!entry.isEmpty()) {
                all.add(Path.of(entry).toAbsolutePath());
            }
        }
        return all;
    }

    // ---- ending

    /** What was submitted is still done. */
    @Override
    public void shutdown() {
        synchronized (this) {
            shutdown = true;
            notifyAll();
        }
        endStarterIfDone();
    }

    /** The same: requests are never dropped. */
    @Override
    public List<Runnable> shutdownNow() {
        shutdown();
        return List.of();
    }

    private synchronized void endStarterIfDone() {
        if (isTerminated()) {
            starter.shutdown();
        }
    }

    @Override
    public synchronized boolean isShutdown() {
        return shutdown;
    }

    @Override
    public synchronized boolean isTerminated() {
        return shutdown && threads == 0 && waiting.isEmpty();
    }

    @Override
    public synchronized boolean awaitTermination(long timeout, TimeUnit unit) throws InterruptedException {
        long until = System.nanoTime() + unit.toNanos(timeout);
        while (!isTerminated()) {
            long left = TimeUnit.NANOSECONDS.toMillis(until - System.nanoTime());
            if (left <= 0) {
                return false;
            }
            wait(left);
        }
        return true;
    }
}
