package dev.longshore.control;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A file server that a test plays. Thread-safe. */
final class FakeFiles implements FilesControl {
    private final Shared shared;
    private final Deque<Access> waiting = new ArrayDeque<>();
    private long lost;
    private final CountDownLatch over = new CountDownLatch(1);
    private boolean ended;
    private @Nullable Runnable wake;

    FakeFiles(Shared shared) {
        this.shared = shared;
    }

    @Override
    public CompletionStage<Outcome<Shared>> shared() {
        return CompletableFuture.completedStage(new Outcome.Done<>(shared));
    }

    @Override
    public synchronized Outcome<Watch> watch(String under, Runnable onNews) {
        if (!under.startsWith("/")) {
            return new Outcome.Failed<>(Outcome.Reason.INVALID, "not a path: " + under);
        }
        wake = onNews;
        return new Outcome.Done<>(new Watched());
    }

    void happens(Access access, long more) {
        Runnable news;
        synchronized (this) {
            waiting.add(access);
            lost += more;
            news = wake;
        }
        if (news != null) {
            news.run();
        }
    }

    void end() {
        Runnable news;
        synchronized (this) {
            ended = true;
            over.countDown();
            news = wake;
        }
        if (news != null) {
            news.run();
        }
    }

    /** False if nobody ended it within so many seconds. */
    boolean awaitEnd(long seconds) throws InterruptedException {
        return over.await(seconds, TimeUnit.SECONDS);
    }

    synchronized boolean hasEnded() {
        return ended;
    }

    private final class Watched implements Watch {
        @Override
        public List<Access> drain(int most) {
            synchronized (FakeFiles.this) {
                List<Access> some = new ArrayList<>();
                while (some.size() < most && !waiting.isEmpty()) {
                    some.add(waiting.remove());
                }
                return some;
            }
        }

        @Override
        public long takeLost() {
            synchronized (FakeFiles.this) {
                long n = lost;
                lost = 0;
                return n;
            }
        }

        @Override
        public boolean ended() {
            return hasEnded();
        }

        @Override
        public void end() {
            FakeFiles.this.end();
        }
    }
}
