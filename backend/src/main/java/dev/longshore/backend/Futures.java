package dev.longshore.backend;

import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Waiting for the loops, on the lifecycle thread. */
final class Futures {
    private static final long SECONDS = 10;

    private Futures() {}

    /** The value; throws what the future failed with, itself. */
    static <T> T get(java.util.concurrent.Future<T> future) throws Exception {
        return get(future, Duration.ofSeconds(SECONDS));
    }

    static <T> T get(java.util.concurrent.Future<T> future, Duration limit) throws Exception {
        try {
            return future.get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        } catch (TimeoutException e) {
            future.cancel(false);
            throw new PartException("no answer within " + limit.toSeconds() + " s", e);
        }
    }

    /** Waits for something that ends by itself; an interrupt does not cut it short, since it is part of a stop. */
    static void settle(Future<?> future) {
        future.awaitUninterruptibly(SECONDS, TimeUnit.SECONDS);
    }
}
