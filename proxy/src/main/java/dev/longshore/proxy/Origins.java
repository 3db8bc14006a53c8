package dev.longshore.proxy;

import dev.longshore.proxy.upstream.Origin;
import dev.longshore.proxy.upstream.OriginConnection;
import dev.longshore.proxy.upstream.Plan;
import dev.longshore.proxy.upstream.ProxyConnection;
import dev.longshore.proxy.upstream.Reply;
import dev.longshore.proxy.upstream.UpstreamSettings;
import dev.longshore.proxy.upstream.Upstreams;
import dev.longshore.proxy.upstream.Way;
import dev.longshore.vpnkit.hostsocket.Destination;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Where one guest connection's requests go: finds the way, takes a connection that was kept or opens one, and keeps those that can be
 * used again. Confined to the guest connection's event loop.
 */
final class Origins {
    /** What there is for an exchange. */
    sealed interface Opened {
        /**
         * A connection that is free.
         *
         * @param kept it has served before
         * @param by the proxy whose tunnel it is, or null
         */
        record Ready(Origin origin, boolean kept, Destination to, dev.longshore.proxy.route.@Nullable ProxyAddress by)
                implements Opened {}

        record Failed(Reply why) implements Opened {}
    }

    private final Upstreams upstreams;
    private final IdleOrigins idle;
    private final EventLoop loop;

    Origins(Upstreams upstreams, IdleBudget budget, EventLoop loop) {
        this.upstreams = upstreams;
        this.idle = new IdleOrigins(budget, loop.ticker());
        this.loop = loop;
    }

    UpstreamSettings settings() {
        return upstreams.settings();
    }

    /**
     * For CONNECT: never {@link Way.Proxy}. Cancelling closes what was begun.
     *
     * @param decided hears of what decided the way, unless it is cancelled before
     */
    Future<Way> tunnel(Destination to, @Nullable String guestAuthorization, Consumer<String> decided) {
        Promise<Way> way = loop.newPromise();
        Future<Plan> plan = upstreams.plan(to, false, loop);
        plan.addListener(_ -> {
            if (!way.isDone()) {
                decided.accept(plan.getNow().route().because());
                pass(upstreams.open(plan.getNow(), true, guestAuthorization, loop), way);
            }
        });
        return way;
    }

    private static void pass(Future<Way> from, Promise<Way> to) {
        from.addListener(_ -> {
            Way way = from.isSuccess() ? from.getNow() : new Way.Failed(new Reply(502, null, "given up"));
            if (!to.trySuccess(way)) {
                drop(way);
            }
        });
        to.addListener(_ -> {
            if (to.isCancelled()) {
                from.cancel(false);
            }
        });
    }

    private static void drop(Way way) {
        switch (way) {
            case Way.Remote r -> r.channel().close();
            case Way.Proxy p -> p.connection().close();
            case Way.Answered a -> a.body().release();
            case Way.Failed _ -> {}
        }
    }

    /**
     * For an exchange, which is told whether it goes to a proxy. Cancelling closes what was begun.
     *
     * @param fresh none that was kept
     * @param decided as for {@link #tunnel}
     */
    Future<Opened> open(Exchange x, Destination to, boolean fresh, Consumer<String> decided) {
        Promise<Opened> opened = loop.newPromise();
        Future<Plan> planned = upstreams.plan(to, true, loop);
        planned.addListener(_ -> {
            if (opened.isDone()) {
                return;
            }
            Plan plan = planned.getNow();
            decided.accept(plan.route().because());
            Object key = upstreams.key(plan, x.guestAuthorization());
            Origin kept = fresh || plan.refused() != null ? null : idle.take(key);
            if (kept != null) {
                boolean proxy = kept instanceof ProxyConnection;
                x.sendTo(proxy);
                opened.trySuccess(new Opened.Ready(kept, true, to, proxy ? null : Upstreams.tunnelOf(key)));
            } else {
                connect(x, plan, x.offersUpgrade(), opened);
            }
        });
        return opened;
    }

    /** What is not HTTP in the end goes through a tunnel, or if the proxy allows none, as a request. */
    private void connect(Exchange x, Plan plan, boolean tunnel, Promise<Opened> opened) {
        Promise<Way> way = loop.newPromise();
        pass(upstreams.open(plan, tunnel, x.guestAuthorization(), loop), way);
        way.addListener(_ -> {
            Way w = way.isSuccess() ? way.getNow() : new Way.Failed(new Reply(502, null, "given up"));
            if (w instanceof Way.Answered a && tunnel && !opened.isDone()) {
                a.body().release();
                connect(x, plan, false, opened);
            } else if (!opened.trySuccess(ready(x, plan.to(), w))) {
                drop(w);
            }
        });
        opened.addListener(_ -> {
            if (opened.isCancelled()) {
                way.cancel(false);
            }
        });
    }

    private static Opened ready(Exchange x, Destination to, Way way) {
        x.sendTo(way instanceof Way.Proxy);
        return switch (way) {
            case Way.Remote r -> new Opened.Ready(new OriginConnection(r.channel()), false, to, r.by());
            case Way.Proxy p -> new Opened.Ready(p.connection(), false, to, null);
            case Way.Answered _ -> new Opened.Failed(new Reply(502, "http_protocol_error", "an answer to no question"));
            case Way.Failed f -> new Opened.Failed(f.why());
        };
    }

    /** For later requests. Takes ownership. */
    void keep(Opened.Ready used, @Nullable String guestAuthorization) {
        Object key = used.origin() instanceof ProxyConnection p
                ? Upstreams.keyOf(p, used.to(), guestAuthorization)
                : Upstreams.keyOf(used.to(), used.by());
        idle.put(key, used.origin());
    }

    void closeAll() {
        idle.closeAll();
    }
}
