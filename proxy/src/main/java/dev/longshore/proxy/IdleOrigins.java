package dev.longshore.proxy;

import dev.longshore.proxy.upstream.Origin;
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

    private final IdleBudget budget;
    private final LinkedHashMap<Object, Origin> idle = new LinkedHashMap<>();

    IdleOrigins(IdleBudget budget) {
        this.budget = budget;
    }

    @Nullable
    Origin take(Object key) {
        Origin origin = idle.remove(key);
        if (origin == null) {
            return null;
        }
        budget.giveBack();
        origin.onClose(null);
        return origin.isOpen() ? origin : null;
    }

    /** Keeps {@code origin} in place of the oldest one if there are enough, or closes it if no more may be kept at all. */
    void put(Object key, Origin origin) {
        if (!origin.isOpen()) {
            origin.close();
            return;
        }
        Origin same = idle.get(key);
        if (same != null) {
            same.close();
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
        origin.onClose(() -> {
            if (idle.remove(key, origin)) {
                budget.giveBack();
            }
        });
        idle.put(key, origin);
        origin.setReading(true); // to see it close, or talk out of turn
    }

    private void closeOldest() {
        idle.firstEntry().getValue().close();
    }

    void closeAll() {
        List.copyOf(idle.values()).forEach(Origin::close);
    }
}
