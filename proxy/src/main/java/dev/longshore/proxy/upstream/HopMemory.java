package dev.longshore.proxy.upstream;

import dev.longshore.proxy.route.ProxyAddress;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Proxies that did not answer. Each is left alone for a while; then one connection may try it, and all others do as soon as that one
 * has succeeded. Thread-safe: synchronized.
 */
final class HopMemory {
    /** Chromium's time. */
    static final long LEFT_ALONE = TimeUnit.MINUTES.toNanos(5);

    private static final int MAX = 256;

    private final LongSupplier nanoClock;
    private final Map<ProxyAddress, Long> until = new LinkedHashMap<>();

    HopMemory(LongSupplier nanoClock) {
        this.nanoClock = nanoClock;
    }

    /** True if it may be tried now. Of a proxy whose time is over only one caller hears so; the others after another such time. */
    synchronized boolean mayTry(ProxyAddress proxy) {
        Long end = until.get(proxy);
        if (end == null) {
            return true;
        }
        long now = nanoClock.getAsLong();
        if (now - end < 0) {
            return false;
        }
        until.put(proxy, now + LEFT_ALONE); // unless this one succeeds
        return true;
    }

    synchronized boolean isBad(ProxyAddress proxy) {
        return until.containsKey(proxy);
    }

    synchronized void good(ProxyAddress proxy) {
        until.remove(proxy);
    }

    synchronized void bad(ProxyAddress proxy) {
        until.remove(proxy);
        if (until.size() >= MAX) {
            until.remove(until.keySet().iterator().next());
        }
        until.put(proxy, nanoClock.getAsLong() + LEFT_ALONE);
    }
}
