package dev.longshore.proxy.system;

import dev.longshore.proxy.route.ProxyConfig;

/**
 * What the host is set to now. Thread-safe.
 *
 * <p>The environment is the daemon's, which is that of whoever called {@code longshore up}; it does not change while the daemon
 * runs.
 */
public interface SystemProxies extends AutoCloseable {
    /** Never null: without any, it is {@link ProxyConfig.None}. Quick. */
    ProxyConfig current();

    /** {@code listener} is called, on any thread, when {@link #current} may be another one; at most one listener. */
    void onChange(Runnable listener);

    /** The listener is not called any more once this returns. Idempotent. */
    @Override
    void close();

    /** This host's; reads them at once, which may take a second. */
    static SystemProxies ofHost() {
        return new HostProxies(new RealHost());
    }
}
