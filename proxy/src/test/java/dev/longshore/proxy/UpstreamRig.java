package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.proxy.audit.Auditor;
import dev.longshore.proxy.auth.AuthSettings;
import dev.longshore.proxy.auth.Authenticator;
import dev.longshore.proxy.auth.CredentialSource;
import dev.longshore.proxy.route.Hop;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Login;
import dev.longshore.proxy.route.ProxyAddress.Protocol;
import dev.longshore.proxy.route.RouteDecision;
import dev.longshore.proxy.upstream.ProxyConnector;
import dev.longshore.proxy.upstream.ProxyTrust;
import dev.longshore.proxy.upstream.UpstreamSettings;
import dev.longshore.proxy.upstream.Upstreams;
import dev.longshore.testkit.ScriptedChannel;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.EgressDialer;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.net.SocketAddress;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A guest's connection to the proxy, upstream proxies in place of the Internet, all scripted. */
final class UpstreamRig {
    static final Login BOB = new Login("bob", "secret-of-bob");
    static final ProxyAddress ONE = new ProxyAddress(Protocol.HTTP, "one.proxy", 3128, BOB);
    static final ProxyAddress TWO = new ProxyAddress(Protocol.HTTP, "two.proxy", 3128, null);

    /** Where sockets were wanted to, as host:port, direct ones behind {@code direct:}. */
    final List<String> dialed = new ArrayList<>();

    final Deque<Promise<DialResult>> dials = new ArrayDeque<>();
    final Set<String> denied = new HashSet<>();
    final AtomicLong now = new AtomicLong(Long.MAX_VALUE - 1000);
    final Authenticator authenticator;
    final Upstreams upstreams;
    final HttpProxy proxy;
    private final ScriptedChannel loopOwner = new ScriptedChannel();
    List<Hop> hops;

    UpstreamRig(ProxyAddress... proxies) {
        this(false, CredentialSource.NONE, AuthSettings.DEFAULT, proxies);
    }

    UpstreamRig(boolean passes, CredentialSource source, AuthSettings settings, ProxyAddress... proxies) {
        this(passes, source, settings, Auditor.NONE, proxies);
    }

    UpstreamRig(
            boolean passes, CredentialSource source, AuthSettings settings, Auditor auditor, ProxyAddress... proxies) {
        hops = List.of(proxies).stream().<Hop>map(Hop.Through::new).toList();
        authenticator = new Authenticator(settings, source, Runnable::run, now::get);
        upstreams = new Upstreams(
                (query, loop) -> loop.newSucceededFuture(new RouteDecision(hops, "the test")),
                new Egress(),
                new ProxyConnector(
                        (host, port, loop) -> dial(host + ":" + port, loop), new ProxyTrust(List.of()), Runnable::run),
                authenticator,
                UpstreamSettings.of(ProxyRig.SETTINGS.pseudonym(), passes),
                now::get);
        proxy = new HttpProxy(ProxyRig.SETTINGS, upstreams, 100, auditor);
    }

    /** Denies names. */
    private final class Egress implements EgressDialer {
        @Override
        public Future<Optional<String>> refusal(Destination destination, EventLoop loop) {
            return loop.newSucceededFuture(
                    denied.contains(destination.name()) ? Optional.of("denied by the test") : Optional.empty());
        }

        @Override
        public Future<Optional<String>> refusalByAnyName(Destination destination, EventLoop loop) {
            return loop.newSucceededFuture(Optional.empty());
        }

        @Override
        public Future<DialResult> dialBy(Destination destination, EventLoop loop, Supplier<Future<DialResult>> way) {
            return way.get();
        }

        @Override
        public Future<DialResult> dial(Destination destination, EventLoop loop) {
            return UpstreamRig.this.dial("direct:" + destination, loop);
        }
    }

    private Future<DialResult> dial(String to, EventLoop loop) {
        Promise<DialResult> dial = loop.newPromise();
        dialed.add(to);
        dials.add(dial);
        return dial;
    }

    ScriptedChannel guest() {
        ScriptedChannel guest = ScriptedChannel.beside(loopOwner);
        guest.pipeline().addLast(proxy);
        return guest;
    }

    /** The oldest unanswered dial succeeds. */
    ScriptedChannel connect() {
        return connect(ScriptedChannel.beside(loopOwner));
    }

    /** It succeeds, with a peer that has an address. */
    ScriptedChannel connect(SocketAddress peer) {
        return connect(ScriptedChannel.beside(loopOwner).with(peer));
    }

    private ScriptedChannel connect(ScriptedChannel upstream) {
        answer(new DialResult.Connected(upstream));
        return upstream;
    }

    void answer(DialResult result) {
        assertThat(dials).as("dials in flight").isNotEmpty();
        dials.remove().setSuccess(result);
        run();
    }

    /** What the event loop has to do. */
    void run() {
        loopOwner.runPendingTasks();
    }

    void pass(long seconds) {
        loopOwner.pass(seconds);
    }

    static @Nullable String field(String head, String name) {
        return head.lines()
                .filter(l -> l.regionMatches(true, 0, name + ":", 0, name.length() + 1))
                .map(l -> l.substring(name.length() + 1).strip())
                .findFirst()
                .orElse(null);
    }
}
