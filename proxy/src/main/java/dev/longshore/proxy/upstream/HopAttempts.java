package dev.longshore.proxy.upstream;

import dev.longshore.proxy.route.Hop;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Login;
import dev.longshore.proxy.route.ProxyAddress.Protocol;
import dev.longshore.vpnkit.hostsocket.DialResult;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One plan's hops, one after the other, until one connects. Those that did not answer lately come last. Confined to the event loop of
 * the connection that is opened.
 */
final class HopAttempts {
    private static final Logger LOG = LoggerFactory.getLogger(HopAttempts.class);

    private final Upstreams upstreams;
    private final Plan plan;
    private final boolean tunnel;
    private final @Nullable String guestAuthorization;
    private final EventLoop loop;
    private final Promise<Way> result;
    private final Deque<Hop> left = new ArrayDeque<>();
    private final Deque<Hop> later = new ArrayDeque<>();
    private @Nullable Future<?> current;
    private Reply failure = new Reply(502, "proxy_internal_error", "there is no way there");

    HopAttempts(Upstreams upstreams, Plan plan, boolean tunnel, @Nullable String guestAuthorization, EventLoop loop) {
        this.upstreams = upstreams;
        this.plan = plan;
        this.tunnel = tunnel;
        this.guestAuthorization = guestAuthorization;
        this.loop = loop;
        this.result = loop.newPromise();
        left.addAll(plan.route().hops());
    }

    Future<Way> start() {
        assert loop.inEventLoop();
        result.addListener(_ -> {
            Future<?> c = current;
            if (result.isCancelled() && c != null) {
                c.cancel(false);
            }
        });
        Reply refused = plan.refused();
        if (refused != null) {
            fail(refused);
        } else {
            next();
        }
        return result;
    }

    private void next() {
        if (result.isDone()) {
            return;
        }
        Hop hop = left.poll();
        boolean second = hop == null;
        if (second) {
            hop = later.poll();
        }
        switch (hop) {
            case null -> fail(failure);
            case Hop.Blocked b -> fail(new Reply(403, "http_request_denied", b.reason()));
            case Hop.Direct _ -> direct();
            case Hop.Through t
            when !second && !upstreams.memory().mayTry(t.proxy()) -> {
                later.add(t);
                next();
            }
            case Hop.Through t -> through(t.proxy());
        }
    }

    /** Runs {@code then} with what came of {@code dial}, unless nobody waits any more. */
    private void await(Future<DialResult> dial, Consumer<DialResult> then) {
        current = dial;
        dial.addListener(_ -> {
            DialResult ended = dial.isSuccess() ? dial.getNow() : new DialResult.Failed("the dial was given up");
            if (!result.isDone()) {
                then.accept(ended);
            } else if (ended instanceof DialResult.Connected late) {
                late.channel().close();
            }
        });
    }

    private void direct() {
        await(upstreams.egress().dial(plan.to(), loop), ended -> {
            if (ended instanceof DialResult.Connected c) {
                succeed(new Way.Remote(c.channel(), null, ""), c.channel());
            } else {
                failure = Reply.of(ended);
                next();
            }
        });
    }

    private void through(ProxyAddress proxy) {
        await(upstreams.connect(proxy, plan.to(), loop), ended -> {
            switch (ended) {
                case DialResult.Connected c -> speak(proxy, c.channel());
                case DialResult.Denied d -> fail(Reply.of(d)); // by the policy
                default -> broken(proxy, Reply.of(ended));
            }
        });
    }

    private void speak(ProxyAddress proxy, DuplexChannel channel) {
        switch (proxy.protocol()) {
            case SOCKS5, SOCKS4 -> socks(proxy, channel);
            case HTTP, HTTPS -> {
                ProxyConnection connection = upstreams.connection(proxy, plan.to(), channel, loop);
                if (plan.plain() && !tunnel) {
                    upstreams.memory().good(proxy);
                    succeed(new Way.Proxy(connection), channel);
                } else {
                    connect(proxy, connection);
                }
            }
        }
    }

    private void connect(ProxyAddress proxy, ProxyConnection connection) {
        Future<ConnectTunnel.Outcome> opening =
                ConnectTunnel.open(connection, plan.to(), upstreams.settings(), guestAuthorization);
        current = opening;
        opening.addListener(_ -> {
            switch (opening.isSuccess() ? opening.getNow() : null) {
                case null -> {}
                case ConnectTunnel.Outcome.Broken b -> skipped(proxy, b.why());
                case ConnectTunnel.Outcome.Done d -> {
                    upstreams.memory().good(proxy);
                    finish(d.way());
                }
            }
        });
    }

    private void socks(ProxyAddress proxy, DuplexChannel channel) {
        Future<@Nullable Login> login = upstreams.login(proxy, loop);
        login.addListener(_ -> {
            if (result.isDone()) {
                channel.close();
                return;
            }
            Login known = login.isSuccess() ? login.getNow() : null;
            Duration timeout = upstreams.settings().answerTimeout();
            Future<SocksHandshake.Outcome> handshake = proxy.protocol() == Protocol.SOCKS5
                    ? SocksHandshake.run5(channel, plan.to(), known, timeout)
                    : SocksHandshake.run4(channel, plan.to(), known, timeout);
            result.addListener(_ -> {
                if (result.isCancelled()) {
                    channel.close();
                }
            });
            String auth = known == null ? "" : "SOCKS";
            handshake.addListener(_ -> onSocks(proxy, channel, auth, handshake.getNow()));
        });
    }

    private void onSocks(ProxyAddress proxy, DuplexChannel channel, String auth, SocksHandshake.Outcome outcome) {
        switch (outcome) {
            case SocksHandshake.Outcome.Open _ -> {
                upstreams.memory().good(proxy);
                succeed(new Way.Remote(channel, proxy, auth), channel);
            }
            case SocksHandshake.Outcome.Refused r -> {
                channel.close();
                upstreams.memory().good(proxy);
                fail(r.why().by(proxy));
            }
            case SocksHandshake.Outcome.Broken b -> {
                channel.close();
                Reply why = new Reply(502, "connection_terminated", b.why());
                if (b.spoken()) {
                    skipped(proxy, why);
                } else {
                    broken(proxy, why);
                }
            }
        }
    }

    private void broken(ProxyAddress proxy, Reply why) {
        upstreams.memory().bad(proxy);
        skipped(proxy, why);
    }

    /**
     * The next one is tried, but nothing is held against this one: some proxies hang up where they do not like the remote, and a guest
     * that names one must not send everybody's connections past the proxy for minutes.
     */
    private void skipped(ProxyAddress proxy, Reply why) {
        failure = why.by(proxy);
        LOG.info("{}{}", failure.text(), left.isEmpty() && later.isEmpty() ? "" : "; the next one is tried");
        next();
    }

    private void succeed(Way way, DuplexChannel channel) {
        if (!result.trySuccess(way)) {
            channel.close();
        }
    }

    private void fail(Reply why) {
        result.trySuccess(new Way.Failed(why));
    }

    private void finish(Way way) {
        if (result.trySuccess(way)) {
            return;
        }
        switch (way) {
            case Way.Remote r -> r.channel().close();
            case Way.Proxy p -> p.connection().close();
            case Way.Answered a -> a.body().release();
            case Way.Failed _ -> {}
        }
    }
}
