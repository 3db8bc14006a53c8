package dev.longshore.proxy.upstream;

import dev.longshore.proxy.audit.AuditEntry;
import dev.longshore.proxy.audit.AuditRecord;
import dev.longshore.proxy.audit.Auditor;
import dev.longshore.proxy.auth.Authenticator;
import dev.longshore.proxy.auth.ChannelBinding;
import dev.longshore.proxy.route.Hop;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Protocol;
import dev.longshore.proxy.route.RouteDecision;
import dev.longshore.proxy.route.RouteQuery;
import dev.longshore.proxy.route.Router;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.Dialer;
import dev.longshore.vpnkit.hostsocket.EgressDialer;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Connects to remotes along the routes. As a {@link Dialer} it opens tunnels. Thread-safe as far as its parts are: the calls of one
 * connection stay on its event loop.
 */
public final class Upstreams implements Dialer {
    private final Router router;
    private final EgressDialer egress;
    private final ProxyConnector connector;
    private final Authenticator authenticator;
    private volatile UpstreamSettings settings; // set by the user, seen by every later request
    private final HopMemory memory;

    /**
     * @param egress the policy, and the way there without a proxy
     * @param nanoClock compared by subtraction only
     */
    public Upstreams(
            Router router,
            EgressDialer egress,
            ProxyConnector connector,
            Authenticator authenticator,
            UpstreamSettings settings,
            LongSupplier nanoClock) {
        this.router = router;
        this.egress = egress;
        this.connector = connector;
        this.authenticator = authenticator;
        this.settings = settings;
        this.memory = new HopMemory(nanoClock);
    }

    /** Without any proxy. */
    public static Upstreams direct(String pseudonym, Dialer dialer) {
        Authenticator none = new Authenticator(
                dev.longshore.proxy.auth.AuthSettings.DEFAULT, dev.longshore.proxy.auth.CredentialSource.NONE);
        ProxyConnector never = new ProxyConnector(
                (host, port, loop) -> loop.newSucceededFuture(new DialResult.Denied("there are no proxies")),
                new ProxyTrust(java.util.List.of()),
                Runnable::run);
        return new Upstreams(
                Router.DIRECT,
                EgressDialer.allowing(dialer),
                never,
                none,
                UpstreamSettings.of(pseudonym, false),
                System::nanoTime);
    }

    public UpstreamSettings settings() {
        return settings;
    }

    /** From the next request on; from any thread. */
    public void set(UpstreamSettings next) {
        settings = next;
    }

    /** Asks the policy, as far as it can tell, and then for the route. */
    public Future<Plan> plan(Destination to, boolean plain, EventLoop loop) {
        Promise<Plan> plan = loop.newPromise();
        Future<java.util.Optional<String>> refusal = egress.refusal(to, loop);
        refusal.addListener(_ -> {
            if (refusal.isSuccess() && refusal.getNow().isPresent()) {
                String why = refusal.getNow().get();
                plan.trySuccess(new Plan(to, plain, RouteDecision.blocked(why), Reply.of(new DialResult.Denied(why))));
            } else {
                route(to, plain, loop, plan);
            }
        });
        return plan;
    }

    private void route(Destination to, boolean plain, EventLoop loop, Promise<Plan> plan) {
        String name = to.name();
        String host = name != null ? name : String.valueOf(to.address());
        Future<RouteDecision> route = router.route(new RouteQuery(plain, host, to.port(), to.address()), loop);
        route.addListener(_ -> plan.trySuccess(new Plan(
                to,
                plain,
                route.isSuccess() ? route.getNow() : RouteDecision.blocked("the route could not be found"),
                null)));
    }

    /**
     * What a connection must have been opened for to serve {@code plan}: two that differ are never exchanged for one another. Identity
     * is part of it, since a proxy may take all that comes on a connection for the one who authenticated it.
     *
     * @param guestAuthorization the guest's own, where it is passed on
     */
    public Object key(Plan plan, @Nullable String guestAuthorization) {
        for (Hop hop : plan.route().hops()) {
            if (!(hop instanceof Hop.Through t)) {
                return new Key(plan.to(), null, "");
            }
            if (!memory.isBad(t.proxy())) {
                ProxyAddress p = t.proxy();
                return readsRequests(p) ? key(plan.to(), p, identity(p, guestAuthorization)) : keyOf(plan.to(), p);
            }
        }
        return new Object(); // nothing like it was ever kept
    }

    private Object identity(ProxyAddress proxy, @Nullable String guestAuthorization) {
        return guestAuthorization != null ? new Guests(guestAuthorization) : authenticator.identity(proxy);
    }

    /** For one that has been used; see {@link #key(Plan, String)}. */
    public static Object keyOf(ProxyConnection connection, Destination to, @Nullable String guestAuthorization) {
        Object identity = guestAuthorization != null ? new Guests(guestAuthorization) : connection.identity();
        return key(to, connection.proxy(), identity);
    }

    private static Object key(Destination to, ProxyAddress proxy, Object identity) {
        return new Key(to, proxy, identity);
    }

    /** For a connection to {@code to} itself, in the tunnel of a proxy or without one. */
    public static Object keyOf(Destination to, @Nullable ProxyAddress by) {
        return new Key(to, by, "");
    }

    /** Whose tunnel a connection with this key is; null for a socket to the remote. */
    public static @Nullable ProxyAddress tunnelOf(Object key) {
        return key instanceof Key k ? k.proxy : null;
    }

    private static boolean readsRequests(ProxyAddress proxy) {
        return proxy.protocol() == Protocol.HTTP || proxy.protocol() == Protocol.HTTPS;
    }

    /** Never printed: what is in it may be a secret. */
    private record Key(Destination to, @Nullable ProxyAddress proxy, Object identity) {
        @Override
        public String toString() {
            return to + (proxy == null ? "" : " by " + proxy);
        }
    }

    private record Guests(String authorization) {
        @Override
        public String toString() {
            return "xxxxx";
        }
    }

    /**
     * Connects. Hops are tried in their order: the next one if a proxy cannot be connected to or does not answer, never because of what
     * it answered.
     *
     * @param tunnel bytes are wanted, not requests in absolute-form
     * @param guestAuthorization the guest's own Proxy-Authorization for HTTP proxies, in place of ours; or null
     * @return never fails; cancelling it closes what was begun
     */
    public Future<Way> open(Plan plan, boolean tunnel, @Nullable String guestAuthorization, EventLoop loop) {
        HopAttempts attempts = new HopAttempts(this, plan, tunnel, guestAuthorization, loop);
        return attempts.start();
    }

    /** As {@link #dial}, for connections that were taken unasked: each leaves a record. */
    public Dialer audited(Auditor auditor) {
        return (to, loop) -> dial(to, loop, auditor.begin(AuditRecord.Kind.TAKEN_TUNNEL, "", to, "", loop));
    }

    @Override
    public Future<DialResult> dial(Destination to, EventLoop loop) {
        return dial(to, loop, null);
    }

    private Future<DialResult> dial(Destination to, EventLoop loop, @Nullable AuditEntry entry) {
        Promise<DialResult> result = loop.newPromise();
        if (entry != null) {
            result.addListener(_ -> note(result, entry));
        }
        Future<Plan> plan = plan(to, false, loop);
        plan.addListener(_ -> {
            if (result.isDone() || !plan.isSuccess()) {
                return;
            }
            if (entry != null) {
                entry.rule(plan.getNow().route().because());
            }
            if (isDirect(plan.getNow())) {
                route(entry, null);
                pass(egress.dial(to, loop), result);
                return;
            }
            Future<Way> way = open(plan.getNow(), true, null, loop);
            way.addListener(_ -> {
                Way opened = way.isSuccess() ? way.getNow() : new Way.Failed(new Reply(502, null, "given up"));
                if (opened instanceof Way.Remote r) {
                    route(entry, r.by());
                    if (entry != null) {
                        entry.auth(r.auth());
                    }
                    TunnelLimit.watch(r.channel(), this::settings, entry == null ? why -> {} : entry::endsFor);
                }
                DialResult ended = asDial(opened);
                if (!result.trySuccess(ended) && ended instanceof DialResult.Connected late) {
                    late.channel().close();
                }
            });
            cancelWith(result, way);
        });
        return result;
    }

    private static void route(@Nullable AuditEntry entry, @Nullable ProxyAddress by) {
        if (entry != null) {
            entry.route(by == null ? "DIRECT" : by.toString());
        }
    }

    private static void note(Future<DialResult> dialled, AuditEntry entry) {
        if (!dialled.isSuccess()) {
            entry.end("the guest gave it up");
        } else if (dialled.getNow() instanceof DialResult.Connected c) {
            entry.endWith(c.channel());
        } else {
            entry.end(text(dialled.getNow()));
        }
    }

    private static String text(DialResult failed) {
        return Reply.of(failed).text();
    }

    /** What goes directly ends as it would without us: refused is refused. */
    private static boolean isDirect(Plan plan) {
        return plan.refused() == null && plan.route().hops().getFirst() instanceof Hop.Direct;
    }

    static void pass(Future<DialResult> from, Promise<DialResult> to) {
        from.addListener(_ -> {
            DialResult ended = from.isSuccess() ? from.getNow() : new DialResult.Failed("the dial was given up");
            if (!to.trySuccess(ended) && ended instanceof DialResult.Connected late) {
                late.channel().close();
            }
        });
        cancelWith(to, from);
    }

    static void cancelWith(Promise<?> result, Future<?> cause) {
        result.addListener(_ -> {
            if (result.isCancelled()) {
                cause.cancel(false);
            }
        });
    }

    private static DialResult asDial(Way way) {
        return switch (way) {
            case Way.Remote r -> new DialResult.Connected(r.channel());
            case Way.Proxy p -> {
                p.connection().close();
                yield new DialResult.Failed("not a tunnel");
            }
            case Way.Answered a -> {
                a.body().release();
                int status = a.head().status();
                String text = "the upstream proxy answered " + status;
                yield status == 504
                        ? new DialResult.TimedOut()
                        : status >= 500 ? new DialResult.Failed(text) : new DialResult.Denied(text);
            }
            case Way.Failed f -> asDial(f.why());
        };
    }

    private static DialResult asDial(Reply why) {
        return switch (String.valueOf(why.error())) {
            case "connection_refused" -> new DialResult.Refused();
            case "connection_timeout" -> new DialResult.TimedOut();
            case "destination_ip_unroutable" -> new DialResult.Unreachable(false, why.text());
            default -> why.status() == 403 ? new DialResult.Denied(why.text()) : new DialResult.Failed(why.text());
        };
    }

    // --- for the attempts

    EgressDialer egress() {
        return egress;
    }

    HopMemory memory() {
        return memory;
    }

    /** TCP and TLS to a proxy, for a connection to {@code to} that the policy allows. */
    Future<DialResult> connect(ProxyAddress proxy, Destination to, EventLoop loop) {
        return egress.dialBy(to, loop, () -> connector.connect(proxy, loop));
    }

    /** Takes ownership of {@code channel}. */
    ProxyConnection connection(ProxyAddress proxy, Destination to, DuplexChannel channel, EventLoop loop) {
        ChannelBinding binding =
                proxy.protocol() == Protocol.HTTPS ? ProxyConnector.binding(channel) : ChannelBinding.NONE;
        return new ProxyConnection(
                proxy, channel, authenticator.connection(proxy, loop, binding), () -> connect(proxy, to, loop));
    }

    /** The login for SOCKS, which may have to be looked for. */
    Future<ProxyAddress.@Nullable Login> login(ProxyAddress proxy, EventLoop loop) {
        return authenticator.login(proxy, loop);
    }
}
