package dev.longshore.proxy.auth;

import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where Kerberos tickets come from that need no password: the keytab of the settings, or else the user's cache. Thread-safe:
 * synchronized, so that many connections ask the KDC once. May block.
 */
final class Tickets {
    private static final Logger LOG = LoggerFactory.getLogger(Tickets.class);

    private final LongSupplier nanoClock;
    private final Source source;
    private @Nullable Keytab keytab;
    private Kerberos.@Nullable Holder held;
    private @Nullable AuthFailure failure;
    private long failedAt;

    /** Asks the KDC. */
    interface Source {
        Kerberos.Holder login(Keytab keytab) throws AuthFailure;
    }

    Tickets(LongSupplier nanoClock, Source source) {
        this.nanoClock = nanoClock;
        this.source = source;
    }

    /** Those of {@code wanted}; of the cache if that is null. */
    Kerberos.Holder find(@Nullable Keytab wanted) throws AuthFailure {
        return wanted == null ? Kerberos.fromCache() : byKeytab(wanted);
    }

    /** Keys that the KDC refused are as good as a wrong password, which directories lock accounts for. */
    private synchronized Kerberos.Holder byKeytab(Keytab wanted) throws AuthFailure {
        if (!wanted.equals(keytab)) {
            keytab = wanted;
            held = null;
            failure = null;
        }
        Kerberos.Holder had = held;
        if (had != null && had.isCurrent()) {
            return had;
        }
        AuthFailure last = failure;
        if (last != null && nanoClock.getAsLong() - failedAt < (last.wrong() ? Account.REFUSAL : Account.LOOK_AGAIN)) {
            throw last;
        }
        try {
            Kerberos.Holder got = source.login(wanted);
            held = got;
            failure = null;
            return got;
        } catch (AuthFailure e) {
            LOG.warn("no Kerberos ticket for {}: {}", wanted.principal(), e.text());
            failure = e;
            failedAt = nanoClock.getAsLong();
            throw e;
        }
    }
}
