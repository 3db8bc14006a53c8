package dev.longshore.vpnkit.tcp;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * The memory of all flows of one guest, and each flow's share of it. What waits for the host and what waits for the guest
 * are bounded apart, by the same number.
 *
 * <p>Confined to the link's event loop.
 *
 * <p>Theory of operation: a flow has as much as it uses ({@link Receiver#growth} for one way, twice the guest's window for
 * the other), but never more than an even share, and always {@link #MIN_BUFFER}. So few flows may be fast and many may be
 * there. The least buffers of all flows together can exceed the whole: then text of the guest is dropped, as if lost on
 * the way, and reading from hosts stops at {@link #LEAST_SHARE}.
 */
final class Memory {
    static final int MIN_BUFFER = 64 << 10;

    /** One flow, one way. */
    static final int MAX_BUFFER = 4 << 20;

    /** What a flow may keep however many there are, so that none is starved by the others. */
    private static final int LEAST_SHARE = 4 << 10;

    /** Counting walks over all flows. */
    private static final long RECOUNT_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    /** The flows, as far as this class needs to know them. */
    interface Flows {
        int count();

        /** What all of them keep for their hosts, counted one by one. */
        long keptForHosts();
    }

    private final long whole;
    private final Flows flows;
    private final LongSupplier clock;
    private long keptForHost; // at most: exact when it was counted last, grown since
    private long countedAt;
    private long keptForGuest;

    /** {@code whole}: bytes each way. */
    Memory(long whole, Flows flows, LongSupplier clock) {
        this.whole = whole;
        this.flows = flows;
        this.clock = clock;
        this.countedAt = clock.getAsLong() - RECOUNT_NANOS;
    }

    private long evenShare() {
        return whole / Math.max(1, flows.count());
    }

    /** What one flow that uses up to {@code wanted} bytes may keep for its host. */
    int forHost(int wanted) {
        return Math.clamp(evenShare(), MIN_BUFFER, Math.max(MIN_BUFFER, wanted));
    }

    /** What one flow may keep for the guest: less where the guest leaves too much untaken. */
    int forGuest() {
        return keptForGuest <= whole ? Math.clamp(evenShare(), MIN_BUFFER, MAX_BUFFER) : share();
    }

    private int share() {
        return Math.clamp(evenShare(), LEAST_SHARE, MAX_BUFFER);
    }

    /**
     * True if {@code bytes} more of the guest's may be kept for the host. A window that was promised can't be taken back,
     * and a guest may use all it was ever promised at once: what goes beyond our memory is dropped, but for flows that keep
     * less than their share.
     */
    boolean mayKeep(int keptByFlow, int bytes) {
        if (keptForHost + bytes > whole) {
            recount();
            if (keptForHost + bytes > whole && keptByFlow + bytes > share()) {
                return false;
            }
        }
        keptForHost += bytes;
        return true;
    }

    private void recount() {
        long now = clock.getAsLong();
        if (now - countedAt >= RECOUNT_NANOS) {
            countedAt = now;
            keptForHost = flows.keptForHosts();
        }
    }

    /** {@code change} of the memory that waits for the guest. */
    void onKeptForGuest(int change) {
        keptForGuest += change;
        assert keptForGuest >= 0 : keptForGuest;
    }

    /** For tests. */
    long keptForGuest() {
        return keptForGuest;
    }

    /** True if a flow that keeps {@code footprint} bytes for the guest has to go, so that the others can stay. */
    boolean isOverfull(int footprint) {
        return keptForGuest > 3 * whole && footprint > share();
    }
}
