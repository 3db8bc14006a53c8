package dev.longshore.fileshare.virtiofs;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;

/**
 * Threads that wait for the host's files: some for most requests, others for those that may take long, so that a disk being
 * flushed keeps nobody else waiting. Thread-safe if they are.
 *
 * <p>Nothing bounds what waits here: whoever submits does.
 */
public final class FileWorkers implements AutoCloseable {
    /** How many threads are worth it for requests that may take long: databases flush several files at a time. */
    public static final int SLOW_THREADS = 8;

    private static final int LEAST_THREADS = 4;
    private static final int MOST_THREADS = 16;

    private final ExecutorService most;
    private final ExecutorService slow;

    /** Takes both over: {@link #close} ends them. */
    public FileWorkers(ExecutorService most, ExecutorService slow) {
        this.most = most;
        this.slow = slow;
    }

    /** How many threads are worth it on this machine for requests that do not take long. */
    public static int threads() {
        return Math.clamp(2L * Runtime.getRuntime().availableProcessors(), LEAST_THREADS, MOST_THREADS);
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
