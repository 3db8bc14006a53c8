package dev.longshore.proxy.auth;

import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Login;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What all connections to one proxy know of its authentication. Thread-safe: synchronized.
 *
 * <p>Theory of operation: directories lock accounts after a few wrong passwords, and a guest that pulls an image opens many
 * connections at once. So until an identity has been accepted, one connection alone tries it, while the others wait for how that
 * ends; and an identity that was refused is not tried again before {@link #REFUSAL} has passed or it is another one. A try that
 * has no answer after {@link #PATIENCE} is as good as accepted, since proxies refuse at once and what they pass on may take
 * hours: then the next one may try, again alone.
 */
final class Account {
    private static final Logger LOG = LoggerFactory.getLogger(Account.class);

    /** Two tries in half an hour are fewer than any directory locks an account for. */
    static final long REFUSAL = TimeUnit.MINUTES.toNanos(15);

    /** Credentials that were refused, or are none, are looked for again after this. */
    static final long LOOK_AGAIN = TimeUnit.SECONDS.toNanos(30);

    /** Of a directory behind the proxy; two tries in it are fewer than any locks an account for. */
    static final long PATIENCE = TimeUnit.SECONDS.toNanos(10);

    final ProxyAddress proxy;
    private final LongSupplier nanoClock;
    private final Deque<Waiting> waiting = new ArrayDeque<>();
    private ProxyState.Kind kind = ProxyState.Kind.UNKNOWN;
    private String text = "not used yet";
    private @Nullable Scheme scheme;
    private @Nullable Identity accepted;
    private @Nullable Identity refused;
    private long refusedAt;
    private @Nullable Identity tried;
    private long triedAt;
    private boolean waking; // somebody will look whether that takes too long
    private String token = "";
    private @Nullable Digest digest;
    private Kerberos.@Nullable Holder tickets;
    private @Nullable Login found;
    private boolean looked;
    private long lookedAt;

    private record Waiting(Identity identity, Promise<Permit> promise, EventLoop loop) {}

    /** May an identity be tried? */
    enum Permit {
        /** It has been accepted before. */
        KNOWN,
        /** By this connection alone, which says how it ends: {@link #accept}, {@link #refuse} or {@link #giveBack}. */
        ALONE,
        REFUSED
    }

    Account(ProxyAddress proxy, LongSupplier nanoClock) {
        this.proxy = proxy;
        this.nanoClock = nanoClock;
    }

    /** The login of the proxy's URL, or what {@code source} has. May block. */
    @Nullable
    Login login(CredentialSource source) {
        if (proxy.login() != null) {
            return proxy.login();
        }
        synchronized (this) {
            boolean satisfied = found != null && (refused == null || !found.equals(refused.login()));
            if (looked && (satisfied || nanoClock.getAsLong() - lookedAt < LOOK_AGAIN)) {
                return found;
            }
        }
        Login login = source.find(proxy);
        synchronized (this) {
            found = login;
            looked = true;
            lookedAt = nanoClock.getAsLong();
        }
        return login;
    }

    /** Completes on {@code loop}. */
    synchronized Future<Permit> permit(Identity identity, EventLoop loop) {
        Permit now = decide(identity);
        if (now != null) {
            return loop.newSucceededFuture(now);
        }
        Promise<Permit> promise = loop.newPromise();
        waiting.add(new Waiting(identity, promise, loop));
        wakeLater();
        return promise;
    }

    /** Under the lock. */
    private void wakeLater() {
        Waiting first = waiting.peek();
        if (first != null && !waking) {
            waking = true;
            long left = PATIENCE - (nanoClock.getAsLong() - triedAt);
            ScheduledFuture<?> _ = first.loop.schedule(this::wake, Math.max(left, 1), TimeUnit.NANOSECONDS);
        }
    }

    private void wake() {
        synchronized (this) {
            waking = false;
        }
        decideAgain(null);
    }

    /** Null to wait. */
    private @Nullable Permit decide(Identity identity) {
        if (identity.equals(accepted)) {
            return Permit.KNOWN;
        }
        if (identity.equals(refused) && nanoClock.getAsLong() - refusedAt < REFUSAL) {
            return Permit.REFUSED;
        }
        long now = nanoClock.getAsLong();
        if (tried != null && now - triedAt < PATIENCE) {
            return null;
        }
        tried = identity;
        triedAt = now;
        return Permit.ALONE;
    }

    /** The proxy has taken them. */
    void accept(Identity identity, Scheme by, String name, @Nullable Digest session, Kerberos.@Nullable Holder holder) {
        synchronized (this) {
            accepted = identity;
            scheme = by;
            token = name;
            tickets = identity.isTicket() ? null : holder;
            digest = session;
            kind = ProxyState.Kind.ACCEPTED;
            text = "accepted by " + by;
            if (identity.equals(refused)) {
                refused = null;
            }
        }
        giveBack(identity);
    }

    /** The proxy has refused them; {@code why} is for the user. */
    void refuse(Identity identity, String why) {
        synchronized (this) {
            if (identity.equals(accepted)) {
                accepted = null;
                scheme = null;
                digest = null;
                tickets = null;
            }
            refused = identity;
            refusedAt = nanoClock.getAsLong();
            lacks(why);
        }
        giveBack(identity);
    }

    /** There is nothing to try. */
    synchronized void lacks(String why) {
        if (kind != ProxyState.Kind.NEEDS_CREDENTIALS || !text.equals(why)) {
            LOG.warn("the upstream proxy {} needs credentials: {}", proxy, why);
        }
        kind = ProxyState.Kind.NEEDS_CREDENTIALS;
        text = why;
    }

    /** It ended without an answer: the next one may try. */
    void giveBack(Identity identity) {
        decideAgain(identity);
    }

    /** @param ended what is not tried any more, or null */
    private void decideAgain(@Nullable Identity ended) {
        Deque<Runnable> answers = new ArrayDeque<>();
        synchronized (this) {
            if (ended != null && ended.equals(tried)) {
                tried = null;
            }
            Deque<Waiting> again = new ArrayDeque<>(waiting);
            waiting.clear();
            for (Waiting w : again) {
                Permit now = decide(w.identity);
                if (now == null) {
                    waiting.add(w);
                } else {
                    answers.add(() -> answer(w, now));
                }
            }
            wakeLater();
        }
        answers.forEach(Runnable::run);
    }

    private void answer(Waiting w, Permit now) {
        if (!w.promise.trySuccess(now) && now == Permit.ALONE) {
            giveBack(w.identity); // gone meanwhile
        }
    }

    /** A request without credentials was answered. */
    synchronized void open() {
        if (kind == ProxyState.Kind.UNKNOWN) {
            kind = ProxyState.Kind.OPEN;
            text = "wants no credentials";
        }
    }

    /** It does want credentials. */
    synchronized void demanded() {
        if (kind == ProxyState.Kind.OPEN) {
            kind = ProxyState.Kind.UNKNOWN;
            text = "wants credentials";
        }
    }

    synchronized boolean isOpen() {
        return kind == ProxyState.Kind.OPEN;
    }

    /** What was accepted last; null if nothing was. */
    synchronized @Nullable Accepted accepted() {
        Identity who = accepted;
        Scheme how = scheme;
        return who == null || how == null ? null : new Accepted(who, how, digest);
    }

    /** Immutable, but for the digest's count. */
    record Accepted(
            Identity identity, Scheme scheme, @Nullable Digest digest) {}

    /** The name {@code by} was accepted under. */
    synchronized String token(Scheme by) {
        return by == scheme ? token : by.toString();
    }

    /** What {@code login} has from the KDC, or gets from it now by {@code ask}. May block. */
    Kerberos.Holder tickets(Login login, Asking ask) throws AuthFailure {
        synchronized (this) {
            Kerberos.Holder had = tickets;
            if (had != null && had.isCurrent() && accepted != null && login.equals(accepted.login())) {
                return had;
            }
        }
        return ask.ask();
    }

    interface Asking {
        Kerberos.Holder ask() throws AuthFailure;
    }

    synchronized ProxyState state() {
        return new ProxyState(proxy, kind, scheme, text);
    }
}
