package dev.longshore.proxy.auth;

import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Login;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Authentication to all upstream proxies. Thread-safe: the table of proxies is synchronized, what blocks has threads of its own.
 */
public final class Authenticator implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Authenticator.class);
    private static final int MAX_PROXIES = 256;
    private static final int THREADS = 4;
    private static final int WAITING = 1024;

    private volatile AuthSettings settings; // the last one that was set, seen by every later choice
    private final CredentialSource source;
    private final Executor blocking;
    private final LongSupplier nanoClock;
    private final Tickets tickets;
    private final SecureRandom random = new SecureRandom();
    private final Map<ProxyAddress, Account> accounts = new LinkedHashMap<>(16, 0.75f, true);

    public Authenticator(AuthSettings settings, CredentialSource source) {
        this(settings, source, newThreads(), System::nanoTime);
    }

    /** @param blocking runs what may wait for a KDC or a credential helper, in any thread; refuses by RejectedExecutionException */
    public Authenticator(AuthSettings settings, CredentialSource source, Executor blocking, LongSupplier nanoClock) {
        this.settings = settings;
        this.source = source;
        this.blocking = blocking;
        this.nanoClock = nanoClock;
        this.tickets = new Tickets(nanoClock, Kerberos::byKeytab);
    }

    private static ThreadPoolExecutor newThreads() {
        ThreadPoolExecutor threads = new ThreadPoolExecutor(
                THREADS,
                THREADS,
                30,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(WAITING),
                new DefaultThreadFactory("proxy-auth", true));
        threads.allowCoreThreadTimeOut(true);
        return threads;
    }

    /**
     * For a new connection to {@code proxy}.
     *
     * @param loop the connection's
     * @param binding to the proxy's certificate, where it speaks TLS
     */
    public ConnectionAuth connection(ProxyAddress proxy, EventLoop loop, ChannelBinding binding) {
        return new ConnectionAuth(this, account(proxy), loop, binding);
    }

    private Account account(ProxyAddress proxy) {
        synchronized (accounts) {
            if (accounts.size() >= MAX_PROXIES && !accounts.containsKey(proxy)) {
                accounts.remove(accounts.keySet().iterator().next());
            }
            return accounts.computeIfAbsent(proxy, p -> new Account(p, nanoClock));
        }
    }

    /**
     * Who the next request to {@code proxy} will be from, as far as is known: connections are kept under it. Opaque: compared by
     * equality only.
     */
    public Object identity(ProxyAddress proxy) {
        Account known;
        synchronized (accounts) {
            known = accounts.get(proxy);
        }
        Account.Accepted accepted = known == null ? null : known.accepted();
        return accepted == null ? "nobody yet" : accepted.identity();
    }

    /** False if a proxy that asks could get no answer. */
    boolean mayHaveCredentials(ProxyAddress proxy) {
        return proxy.login() != null
                || !source.equals(CredentialSource.NONE)
                || (settings.schemes().contains(Scheme.NEGOTIATE)
                        && (settings.keytab() != null || Kerberos.hasCache()));
    }

    /** The login for a proxy that takes one without being asked (SOCKS); null if none is known. */
    public Future<@Nullable Login> login(ProxyAddress proxy, EventLoop loop) {
        Login given = proxy.login();
        if (given != null || source.equals(CredentialSource.NONE)) {
            return loop.newSucceededFuture(given);
        }
        Promise<@Nullable Login> found = loop.newPromise();
        try {
            blocking.execute(() -> {
                try {
                    found.trySuccess(account(proxy).login(source));
                } catch (RuntimeException e) { // a helper's; its text may be the secret
                    LOG.warn("no login for {}: {}", proxy, e.getClass().getSimpleName());
                    found.trySuccess(null);
                }
            });
        } catch (RejectedExecutionException e) {
            found.trySuccess(null);
        }
        return found;
    }

    /** From any thread. */
    public List<ProxyState> states() {
        synchronized (accounts) {
            return new ArrayList<>(accounts.values())
                    .stream().map(Account::state).toList();
        }
    }

    /** Credentials, or how they are used, have been changed by the user: what was refused may be tried again. */
    public void forgetRefusals() {
        synchronized (accounts) {
            accounts.clear();
        }
    }

    /** From the next request on: what was accepted in a way that is not wanted any more is forgotten. */
    public void set(AuthSettings next) {
        boolean changed = !next.equals(settings);
        settings = next;
        if (changed) {
            forgetRefusals();
        }
    }

    /** Of who needs no password. May block. */
    Kerberos.Holder tickets() throws AuthFailure {
        return tickets.find(settings.keytab());
    }

    /** Where others may wait, too. */
    public Executor threads() {
        return blocking;
    }

    AuthSettings settings() {
        return settings;
    }

    CredentialSource source() {
        return source;
    }

    Executor blocking() {
        return blocking;
    }

    byte[] random(int bytes) {
        byte[] made = new byte[bytes];
        random.nextBytes(made);
        return made;
    }

    String cnonce() {
        return Base64.getEncoder().encodeToString(random(18));
    }

    /** Ends the threads. Idempotent. */
    @Override
    public void close() {
        if (blocking instanceof ThreadPoolExecutor threads) {
            threads.shutdownNow();
        }
    }
}
