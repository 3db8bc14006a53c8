package dev.longshore.testkit;

import io.netty.util.concurrent.Ticker;
import java.util.concurrent.TimeUnit;

/**
 * Time that moves only when a test says so. Confined to the test's thread.
 *
 * <p>Two scales of the same time: {@link #nanoTime} starts at 0 and is for Netty's scheduler, which doesn't survive an
 * overflow; {@link #nanos} starts five seconds below it and is for code that compares by subtraction.
 */
public final class FakeClock implements Ticker {
    private static final long BASE = Long.MAX_VALUE - TimeUnit.SECONDS.toNanos(5);

    private long elapsed;
    private boolean runs;

    /** Like {@link System#nanoTime}: of no origin, and soon past {@link Long#MAX_VALUE}. */
    public long nanos() {
        return BASE + elapsed;
    }

    /** Nanoseconds since the test began. */
    @Override
    public long nanoTime() {
        return runs ? ++elapsed : elapsed;
    }

    @Override
    public long initialNanoTime() {
        return 0;
    }

    /** Moves on without running anything: {@link VirtualLoop#advance} does that. */
    @Override
    public void sleep(long delay, TimeUnit unit) {
        elapsed += unit.toNanos(delay);
    }

    /** From now on each look at {@link #nanoTime} moves it on: Netty waits 100 real milliseconds for a time that stands still. */
    void run() {
        runs = true;
    }

    void moveTo(long nanoTime) {
        if (nanoTime - elapsed < 0) {
            throw new IllegalArgumentException("back in time");
        }
        elapsed = nanoTime;
    }
}
