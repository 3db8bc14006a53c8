package dev.longshore.proxy;

import java.util.concurrent.atomic.AtomicLong;

/**
 * How much all guest connections together may keep of requests that are not whole or not yet on their way. One connection keeps
 * 64 KiB at most; thousands of them, none of which ever ends its header, would take all memory there is. A request that
 * comes whole never waits, so it is served although others have used everything up. Thread-safe: an atomic sum.
 */
public final class WaitingBytes {
    private final long most;
    private final AtomicLong kept = new AtomicLong();

    /** @param most bytes */
    public WaitingBytes(long most) {
        this.most = most;
    }

    /** A connection keeps {@code by} more, or less if negative. */
    public void change(int by) {
        long now = kept.addAndGet(by);
        assert now >= 0 : now;
    }

    public boolean isFull() {
        return kept.get() > most;
    }

    /** For tests and metrics. */
    public long kept() {
        return kept.get();
    }
}
