package dev.longshore.it;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

/** Waiting for something outside this process: always for a condition, never without an end. */
final class Await {
    private static final long POLL_NANOS = 20_000_000;

    /** A condition that may fail to be looked at; then it does not hold yet. */
    interface Condition {
        boolean holds() throws Exception;
    }

    /** Throws AssertionError with {@code what} and {@code context} if the condition does not hold within {@code limit}. */
    static void until(String what, Duration limit, Condition condition, Supplier<String> context) {
        long deadline = System.nanoTime() + limit.toNanos();
        while (!holds(condition)) {
            if (System.nanoTime() - deadline > 0 || Thread.interrupted()) {
                throw new AssertionError("not within " + limit + ": " + what + "\n" + context.get());
            }
            LockSupport.parkNanos(POLL_NANOS);
        }
    }

    static void until(String what, Duration limit, Condition condition) {
        until(what, limit, condition, () -> "");
    }

    private static boolean holds(Condition condition) {
        try {
            return condition.holds();
        } catch (Exception e) {
            return false;
        }
    }

    private Await() {}
}
