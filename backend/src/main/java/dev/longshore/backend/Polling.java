package dev.longshore.backend;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/** Asking again until somebody answers, on the lifecycle thread. */
final class Polling {
    private static final long PAUSE_MILLIS = 50;

    private Polling() {}

    /**
     * The first answer; an interrupt ends the wait.
     *
     * @throws PartException if there was none within the limit, with the last failure
     */
    static <T> T until(Duration limit, String what, Supplier<CompletableFuture<T>> attempt)
            throws PartException, InterruptedException {
        long deadline = System.nanoTime() + limit.toNanos();
        Throwable last = new IOException("it was not asked");
        long left = limit.toNanos();
        while (left > 0) {
            try {
                return attempt.get().get(left, TimeUnit.NANOSECONDS);
            } catch (ExecutionException e) {
                last = e.getCause() == null ? e : e.getCause();
            } catch (TimeoutException e) {
                last = e;
            }
            TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
            left = deadline - System.nanoTime();
        }
        throw new PartException(
                what + " did not answer within " + limit.toSeconds() + " s: " + last.getMessage(), last);
    }
}
