package dev.longshore.fileshare.watch;

/**
 * How much of the guest's time goes into hearing of changes. Each line costs the guest some requests, and a storm on the host (an installation, a
 * checkout) has thousands of them, while the guest has its own work. So as long as lines are unanswered, time is spent, of which there is a
 * fifth of all time; what was saved before lets a few hundred changes through at once. A guest that is busy answers late, and is told less
 * for it. Times are nanoseconds of a clock that never goes back. Thread-safe: synchronized.
 */
final class Pace {
    /** What can be saved, and what can be owed. */
    static final long MOST_NANOS = 400_000_000;

    /** One part of so many. */
    static final int SHARE = 5;

    private long left = MOST_NANOS;
    private long at;
    private int unanswered;

    Pace(long now) {
        at = now;
    }

    /** Nanoseconds until something may be sent; 0 for now. */
    synchronized long pause(long now) {
        pass(now);
        return left > 0 ? 0 : (1 - left) * SHARE;
    }

    synchronized void sent(long now) {
        pass(now);
        unanswered++;
    }

    /** How many are unanswered then. */
    synchronized int answered(long now) {
        pass(now);
        unanswered = Math.max(0, unanswered - 1);
        return unanswered;
    }

    /** Nothing will be answered. */
    synchronized void forget(long now) {
        pass(now);
        unanswered = 0;
    }

    synchronized int unanswered() {
        return unanswered;
    }

    private void pass(long now) {
        long passed = now - at;
        at = now;
        long spent = unanswered > 0 ? passed : 0;
        left = Math.clamp(left + passed / SHARE - spent, -MOST_NANOS, MOST_NANOS);
    }
}
