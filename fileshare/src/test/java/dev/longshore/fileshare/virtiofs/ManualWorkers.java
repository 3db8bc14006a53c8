package dev.longshore.fileshare.virtiofs;

import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.AbstractExecutorService;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

/** Runs what it was given when the test says so: on a thread of its own, which the test waits for. */
final class ManualWorkers extends AbstractExecutorService {
    final ArrayDeque<Runnable> waiting = new ArrayDeque<>();
    private boolean closed;

    FileWorkers asWorkers() {
        return new FileWorkers(this, this);
    }

    void runAll() {
        List<Runnable> all = List.copyOf(waiting);
        waiting.clear();
        Thread thread = Thread.ofPlatform().start(() -> all.forEach(Runnable::run));
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void execute(Runnable command) {
        if (closed) {
            throw new RejectedExecutionException();
        }
        waiting.add(command);
    }

    @Override
    public void shutdown() {
        closed = true;
    }

    @Override
    public List<Runnable> shutdownNow() {
        closed = true;
        return List.copyOf(waiting);
    }

    @Override
    public boolean isShutdown() {
        return closed;
    }

    @Override
    public boolean isTerminated() {
        return closed && waiting.isEmpty();
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) {
        return isTerminated();
    }
}
