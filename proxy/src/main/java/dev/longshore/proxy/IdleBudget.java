package dev.longshore.proxy;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * How many connections to origins all guest connections together may keep for later: each is a file descriptor that nobody is
 * using. Thread-safe: an atomic count.
 */
final class IdleBudget {
    private final int most;
    private final AtomicInteger kept = new AtomicInteger();

    IdleBudget(int most) {
        this.most = most;
    }

    /** True if there was one left, which is the caller's until {@link #giveBack}. */
    boolean take() {
        return kept.getAndUpdate(n -> n < most ? n + 1 : n) < most;
    }

    void giveBack() {
        int left = kept.decrementAndGet();
        assert left >= 0;
    }

    int kept() {
        return kept.get();
    }
}
