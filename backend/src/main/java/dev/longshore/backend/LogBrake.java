package dev.longshore.backend;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.turbo.TurboFilter;
import ch.qos.logback.core.spi.FilterReply;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Marker;

/**
 * Lets a thousand lines through at once and a hundred a second in the long run, and says how many it held back. Some lines are
 * caused by what a guest does, so it could make any number of them, and push out of the rotated files what somebody looks for.
 * Thread-safe: synchronized.
 */
final class LogBrake extends TurboFilter {
    private static final int BURST = 1_000;
    private static final long NANOS_PER_LINE = TimeUnit.SECONDS.toNanos(1) / 100;

    private final LongSupplier nanoTime;
    private long allowance = BURST;
    private long filledAt;
    private long heldBack;

    LogBrake(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
        filledAt = nanoTime.getAsLong();
    }

    @Override
    public FilterReply decide(
            @Nullable Marker marker,
            Logger logger,
            Level level,
            @Nullable String format,
            Object @Nullable [] arguments,
            @Nullable Throwable failure) {
        if (format == null || !level.isGreaterOrEqual(logger.getEffectiveLevel())) {
            return FilterReply.NEUTRAL; // no line, only a question whether there would be one
        }
        long missed;
        synchronized (this) {
            if (!takeOne()) {
                heldBack++;
                return FilterReply.DENY;
            }
            missed = heldBack;
            heldBack = 0;
        }
        if (missed > 0) {
            logger.warn("{} lines before this one are missing: there were more than the log takes", missed);
        }
        return FilterReply.NEUTRAL;
    }

    private boolean takeOne() {
        long lines = (nanoTime.getAsLong() - filledAt) / NANOS_PER_LINE;
        filledAt += lines * NANOS_PER_LINE;
        allowance = Math.min(BURST, allowance + lines);
        if (allowance == 0) {
            return false;
        }
        allowance--;
        return true;
    }
}
