package dev.longshore.engine.ports;

import dev.longshore.portforward.HostEndpoint;
import dev.longshore.portforward.PortSnapshot;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Compares what the Engine says is published with what is bound, and says what is to be done. Pure but for its memory of how long
 * a difference has lasted. Confined to the reconciler's loop.
 *
 * <p>Ports of the control API and of host networking are none of its business; where one of them is in the way, binding fails,
 * and is tried again.
 */
final class Reconciliation {
    /** What is to be done. */
    sealed interface Step {
        /** Nobody listens. */
        record Bind(Wanted wanted) implements Step {}

        /** Bound by us, and not wanted any more. */
        record Release(long id) implements Step {}

        /** A lease that nobody wants. */
        record Dismiss(long id, String text) implements Step {}
    }

    /** When to try, and how long to wait then, in nanoseconds. */
    private static final class Missing {
        long due;
        long delay;

        Missing(long due, long delay) {
            this.due = due;
            this.delay = delay;
        }
    }

    private final Patience patience;
    private final Map<Wanted, Missing> missing = new HashMap<>();
    private final Map<Long, Long> strays = new HashMap<>();
    private long nextLook = Long.MAX_VALUE;

    Reconciliation(Patience patience) {
        this.patience = patience;
    }

    /** @param now of a clock that never goes back, in nanoseconds */
    List<Step> look(long now, Collection<Wanted> wanted, List<PortSnapshot> bound) {
        nextLook = Long.MAX_VALUE;
        Map<HostEndpoint, Wanted> byHost = new LinkedHashMap<>();
        wanted.forEach(w -> byHost.putIfAbsent(w.host(), w));
        Map<HostEndpoint, Wanted> open = new LinkedHashMap<>(byHost);
        List<Step> steps = new ArrayList<>();
        Set<Long> stray = new HashSet<>();
        for (PortSnapshot p : bound) {
            Wanted w = byHost.get(wish(p));
            Wanted fits = w != null && w.fits(p.requested()) ? w : null;
            switch (p.owner().kind()) {
                case ENGINE -> {
                    if (fits != null) {
                        open.remove(fits.host());
                    } else {
                        steps.add(new Step.Release(p.id()));
                    }
                }
                case CONTAINER -> {
                    if (fits != null) {
                        open.remove(fits.host());
                    } else {
                        stray.add(p.id());
                        if (isOverdue(now, p.id(), w)) {
                            steps.add(new Step.Dismiss(p.id(), text(p, w)));
                        } else if (w != null) {
                            open.remove(w.host()); // its own lease holds the port for now
                        }
                    }
                }
                case CONTROL, HOST_NETWORK -> {}
            }
        }
        strays.keySet().retainAll(stray);
        missing.keySet().retainAll(new HashSet<>(open.values()));
        open.values().forEach(w -> bindIfDue(now, w, steps));
        return steps;
    }

    /** What was asked for; where any port would do, the one that was found. */
    private static HostEndpoint wish(PortSnapshot p) {
        return p.requested().host() instanceof HostEndpoint.Port w
                        && w.port() == 0
                        && p.host() instanceof HostEndpoint.Port h
                ? new HostEndpoint.Port(w.protocol(), w.address(), h.port())
                : p.requested().host();
    }

    private boolean isOverdue(long now, long id, @Nullable Wanted w) {
        long since = strays.computeIfAbsent(id, _ -> now);
        long due = since + (w == null ? patience.stray() : patience.wrong()).toNanos();
        return isDue(now, due);
    }

    private static String text(PortSnapshot p, @Nullable Wanted w) {
        return w == null
                ? p.text() + " was released: no running container publishes it"
                : p.text() + " was released: " + w.who() + " publishes it at " + w.forward();
    }

    private void bindIfDue(long now, Wanted w, List<Step> steps) {
        Missing m = missing.computeIfAbsent(
                w,
                _ -> new Missing(
                        now + patience.missing().toNanos(), patience.retry().toNanos()));
        if (isDue(now, m.due)) {
            m.due = now + m.delay;
            m.delay = Math.min(m.delay * 2, patience.maxRetry().toNanos());
            nextLook = Math.min(nextLook, m.due - now);
            steps.add(new Step.Bind(w));
        }
    }

    private boolean isDue(long now, long due) {
        if (now - due >= 0) {
            return true;
        }
        nextLook = Math.min(nextLook, due - now);
        return false;
    }

    /** Nanoseconds from the last look until time alone makes something due; {@link Long#MAX_VALUE} if nothing. */
    long nextLook() {
        return nextLook;
    }
}
