package dev.longshore.proxy;

import dev.longshore.proxy.upstream.Origin;
import io.netty.util.concurrent.Ticker;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The connections to origins that one guest connection keeps for its next request, so that authentication bound to a
 * connection never serves another client, each under what it may be used for again. Confined to the guest connection's event loop.
 *
 * <p>Invariant: each one kept has its share of the {@link IdleBudget}, and gives it back when it is taken, evicted or closed by
 * whichever side.
 */
final class IdleOrigins {
    private static final int MAX = 4;

    /** What has been idle for longer is not used again: servers close it about then, and a request that they miss may not be repeated. */
    static final Duration MAX_IDLE = Duration.ofSeconds(60);

    private final IdleBudget budget;
    private final Ticker ticker;
    private final LinkedHashMap<Object, Kept> idle = new LinkedHashMap<>();

    /** @param since by the ticker, ns; compared by subtraction */
    private record Kept(Origin origin, long since) {}

    IdleOrigins(IdleBudget budget, Ticker ticker) {
        this.budget = budget;
        this.ticker = ticker;
    }

    @Nullable
    Origin take(Object key) {
        Kept kept = idle.remove(key);
        if (kept == null) {
            return null;
        }
        budget.giveBack();
        Origin origin = kept.origin;
        origin.onClose(null);
        if (ticker.nanoTime() - kept.since >= MAX_IDLE.toNanos()) {
            origin.close();
        }
        return origin.isOpen() ? origin : null;
    }

    /** Keeps {@code origin} in place of the oldest one if there are enough, or closes it if no more may be kept at all. */
    void put(Object key, Origin origin) {
        if (!origin.isOpen()) {
            origin.close();
            return;
        }
        Kept same = idle.get(key);
        if (same != null) {
            same.origin.close();
        }
        if (idle.size() == MAX) {
            closeOldest();
        }
        if (!budget.take()) {
            if (idle.isEmpty()) {
                origin.close();
                return;
            }
            closeOldest();
            if (!budget.take()) { // another connection was faster
                origin.close();
                return;
            }
        }
        Kept kept = new Kept(origin, ticker.nanoTime());
        origin.onClose(() -> {
            if (idle.remove(key, kept)) {
                budget.giveBack();
            }
        });
        idle.put(key, kept);
        origin.setReading(true); // to see it close, or talk out of turn
    }

    private void closeOldest() {
        idle.firstEntry().getValue().origin.close();
    }

    void closeAll() {
        List.copyOf(idle.values()).forEach(kept -> kept.origin.close());
    }
}
