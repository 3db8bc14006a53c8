package dev.longshore.backend;

import java.time.Instant;
import java.time.InstantSource;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.LongSupplier;

/**
 * Sets the guest's clock, and says how wrong it may be. Files of shared folders have the host's times: with a clock behind the host's, what
 * a container has just written is from the future, which make and git notice.
 *
 * <p>The guest sets the time that it was sent when the message has arrived, so a message says half of its way more; and that is only good
 * while the guest is quick to answer, which it is not while its Engine starts. So {@link #set} is for the first time, and
 * {@link #refine} asks until the guest is quick. Thread-safe: immutable.
 */
final class ClockSync {
    /** Well below the tick of the guest's kernel (10 ms), by which it times its own files. */
    static final long CLOSE_NANOS = 5_000_000;

    private static final int TRIES = 10;

    /** What is asked of the guest. */
    interface Guest {
        CompletableFuture<String> ping();

        CompletableFuture<String> setTime(Instant now);
    }

    private final Guest guest;
    private final InstantSource clock;
    private final LongSupplier nanoTime;

    ClockSync(Guest guest, InstantSource clock, LongSupplier nanoTime) {
        this.guest = guest;
        this.clock = clock;
        this.nanoTime = nanoTime;
    }

    /** Sets it at once. Returns by how many nanoseconds it may be wrong at most. */
    CompletableFuture<Long> set() {
        return set(0);
    }

    /** @param way how long the message is expected to be under way, in nanoseconds */
    private CompletableFuture<Long> set(long way) {
        long begin = nanoTime.getAsLong();
        return guest.setTime(clock.instant().plusNanos(way)).thenApply(_ -> {
            long took = nanoTime.getAsLong() - begin;
            return Math.max(way, took - way); // it was set at some moment of those
        });
    }

    /**
     * Sets it once the guest answers quickly, of ten times asked. Returns by how many nanoseconds it may be wrong at most then;
     * {@link Long#MAX_VALUE} if the guest was never quick, and nothing was set.
     */
    CompletableFuture<Long> refine() {
        return refine(TRIES);
    }

    private CompletableFuture<Long> refine(int tries) {
        long begin = nanoTime.getAsLong();
        return guest.ping().thenCompose(_ -> {
            long took = nanoTime.getAsLong() - begin;
            if (took <= 2 * CLOSE_NANOS) {
                return set(took / 2);
            }
            return tries > 1 ? refine(tries - 1) : CompletableFuture.completedFuture(Long.MAX_VALUE);
        });
    }

    /** What went wrong, without the wrapping. */
    static Throwable cause(Throwable error) {
        Throwable cause = error.getCause();
        return error instanceof CompletionException && cause != null ? cause : error;
    }
}
