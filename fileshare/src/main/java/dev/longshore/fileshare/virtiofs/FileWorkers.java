package dev.longshore.fileshare.virtiofs;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Platform threads that wait for the host's files: some for most requests, others for those that may take long, so that a disk
 * being flushed keeps nobody else waiting. Threads end when nothing was to do for a while. Thread-safe.
 *
 * <p>Nothing bounds what waits here: whoever submits does.
 */
public final class FileWorkers implements AutoCloseable {
    private static final int LEAST_THREADS = 4;
    private static final int MOST_THREADS = 16;
    private static final int SLOW_THREADS = 8;
    private static final long IDLE_SECONDS = 30;

    private final ExecutorService most;
    private final ExecutorService slow;

    /** As many as fit this machine. */
    public FileWorkers(ThreadFactory threads) {
        this(
                threads,
                Math.clamp(2L * Runtime.getRuntime().availableProcessors(), LEAST_THREADS, MOST_THREADS),
                SLOW_THREADS);
    }

    /** Starts no thread yet. */
    FileWorkers(ThreadFactory threads, int mostThreads, int slowThreads) {
        this(pool(threads, mostThreads), pool(threads, slowThreads));
    }

    FileWorkers(ExecutorService most, ExecutorService slow) {
        this.most = most;
        this.slow = slow;
    }

    private static ExecutorService pool(ThreadFactory threads, int count) {
        ThreadPoolExecutor pool = new ThreadPoolExecutor(
                count, count, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), threads);
        pool.allowCoreThreadTimeOut(true);
        return pool;
    }

    /** Has a thread run it. False after {@link #close}: it will not run. */
    boolean execute(Runnable request, boolean mayTakeLong) {
        try {
            (mayTakeLong ? slow : most).execute(request);
            return true;
        } catch (RejectedExecutionException e) {
            return false;
        }
    }

    /** What was submitted is still done. Idempotent; does not wait. */
    @Override
    public void close() {
        most.shutdown();
        slow.shutdown();
    }
}
