package dev.longshore.vpnkit.ip;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/** A token bucket. Confined to the link's event loop. */
final class RateLimit {
    private final LongSupplier nanoClock;
    private final long nanosPerToken;
    private final long fullNanos;
    private long last;

    /** Saved-up time: {@link #nanosPerToken} buys one token. */
    private long savedNanos;

    RateLimit(LongSupplier nanoClock, int perSecond, int burst) {
        this.nanoClock = nanoClock;
        this.nanosPerToken = TimeUnit.SECONDS.toNanos(1) / perSecond;
        this.fullNanos = nanosPerToken * burst;
        this.savedNanos = fullNanos;
        this.last = nanoClock.getAsLong();
    }

    /** True if one more is allowed now. */
    boolean take() {
        long now = nanoClock.getAsLong();
        savedNanos = Math.min(fullNanos, savedNanos + (now - last));
        last = now;
        if (savedNanos < nanosPerToken) {
            return false;
        }
        savedNanos -= nanosPerToken;
        return true;
    }
}
