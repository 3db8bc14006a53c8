package dev.longshore.proxy.intercept;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.HttpProxy;
import dev.longshore.proxy.Intercepted;
import dev.longshore.proxy.audit.AuditEntry;
import dev.longshore.proxy.audit.AuditRecord;
import dev.longshore.proxy.audit.Auditor;
import dev.longshore.proxy.route.Hop;
import dev.longshore.proxy.route.ProxyAddress.Protocol;
import dev.longshore.proxy.route.RouteDecision;
import dev.longshore.proxy.route.RouteQuery;
import dev.longshore.proxy.route.Router;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.Dialer;
import dev.longshore.vpnkit.hostsocket.EgressDialer;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Dials for connections of the guest that did not ask for a proxy, and takes through one those for which the routes say so.
 *
 * <p>Theory of operation. The guest gives an address and a port; the routes want a name, and whether the proxy may read the
 * requests. The names are those that the guest was told for the address. As long as every name, read or not, is routed directly,
 * the connection is dialled directly, and nothing is different from a network without a proxy. Where there is one name at most
 * and the connection would be tunnelled in any case, the tunnel is made before the guest's SYN is answered: so what is refused
 * stays refused, and protocols in which the server speaks first wait for nothing. What the policy denies by any name is refused at once. Only where it depends on what the guest
 * says, because an address has several names, or because HTTP is to be passed on as requests, the SYN is answered first and a
 * {@link Sniffer} listens.
 *
 * <p>Confined to the link's event loop.
 */
public final class TransparentDialer implements Dialer {
    private static final int HTTP_PORT = 80;
    private static final int HTTPS_PORT = 443;

    /** A client that has not spoken by then is taken to wait for the server. Not on the ports of HTTP and HTTPS. */
    private static final Duration SERVER_FIRST = Duration.ofMillis(150);

    private final EgressDialer direct;
    private final Dialer tunnels;
    private final Router router;
    private final OwnAddresses own;
    private final Function<IpAddress, List<String>> told;
    private final HttpProxy http;
    private final Auditor auditor;
    private TransparentPorts ports = TransparentPorts.NONE;

    /**
     * @param direct for what is routed directly by every name, and the policy
     * @param tunnels connects along {@code router}'s routes; where that fails says why
     * @param told the names that the guest was told for an address, in small letters
     * @param http carries requests on
     * @param auditor hears of what is blocked here; {@code tunnels} and {@code http} tell of the rest
     */
    public TransparentDialer(
            EgressDialer direct,
            Dialer tunnels,
            Router router,
            OwnAddresses own,
            Function<IpAddress, List<String>> told,
            HttpProxy http,
            Auditor auditor) {
        this.auditor = auditor;
        this.direct = direct;
        this.tunnels = tunnels;
        this.router = router;
        this.own = own;
        this.told = told;
        this.http = http;
    }

    /** From the next connection on. On the loop. */
    public void setPorts(TransparentPorts wanted) {
        ports = wanted;
    }

    @Override
    public Future<DialResult> dial(Destination destination, EventLoop loop) {
        IpAddress address = destination.address();
        if (address == null
                || router.isOpen()
                || !ports.contains(destination.port())
                || own.isInGuestNetwork(address)) {
            return direct.dial(destination, loop);
        }
        Intercepted to = new Intercepted(address, destination.port(), destination.source(), told.apply(address));
        Attempt attempt = new Attempt(destination, to, loop);
        attempt.start();
        return attempt.result;
    }

    /** One connection on its way to a decision. */
    private final class Attempt {
        private final Destination destination;
        private final Intercepted to;
        private final EventLoop loop;
        private final Promise<DialResult> result;
        private final List<Future<RouteDecision>> routes = new ArrayList<>();
        private int open;
        private @Nullable Future<DialResult> dial;

        Attempt(Destination destination, Intercepted to, EventLoop loop) {
            this.destination = destination;
            this.to = to;
            this.loop = loop;
            this.result = loop.newPromise();
        }

        void start() {
            result.addListener(_ -> {
                Future<DialResult> d = dial;
                if (result.isCancelled() && d != null) {
                    d.cancel(false);
                }
            });
            boolean read = to.port() != HTTPS_PORT;
            boolean tunnelled = to.port() != HTTP_PORT;
            List<String> hosts = to.told().isEmpty() ? List.of(to.address().toString()) : to.told();
            for (String host : hosts) {
                if (read) {
                    routes.add(router.route(new RouteQuery(true, host, to.port(), to.address()), loop));
                }
                if (tunnelled) {
                    routes.add(router.route(new RouteQuery(false, host, to.port(), to.address()), loop));
                }
            }
            open = routes.size();
            routes.forEach(route -> route.addListener(_ -> onRoute()));
        }

        private void onRoute() {
            if (--open == 0 && !result.isDone()) {
                decide();
            }
        }

        private void decide() {
            if (all(Hop.Direct.class)) {
                pass(direct.dial(destination, loop));
            } else if (all(Hop.Blocked.class)) {
                Future<RouteDecision> route = routes.getFirst();
                block(
                        ((Hop.Blocked) first(route)).reason(),
                        route.isSuccess() ? route.getNow().because() : "");
            } else if (to.told().size() <= 1 && (to.port() == HTTPS_PORT || nobodyReads())) {
                tunnel();
            } else {
                sniff();
            }
        }

        private void block(String why, String because) {
            AuditEntry entry = auditor.begin(AuditRecord.Kind.TAKEN_TUNNEL, "", to.towards(null), "", loop);
            entry.rule(because);
            entry.end(why);
            result.trySuccess(new DialResult.Denied(why));
        }

        /** No route leads to a proxy that is given requests as such. */
        private boolean nobodyReads() {
            return to.port() != HTTP_PORT
                    && routes.stream()
                            .map(this::first)
                            .noneMatch(h -> h instanceof Hop.Through t
                                    && reads(t.proxy().protocol()))
                    && routes.stream()
                                    .map(this::first)
                                    .map(Object::getClass)
                                    .distinct()
                                    .count()
                            == 1;
        }

        private static boolean reads(Protocol protocol) {
            return protocol == Protocol.HTTP || protocol == Protocol.HTTPS;
        }

        private boolean all(Class<? extends Hop> kind) {
            return routes.stream().allMatch(route -> kind.isInstance(first(route)));
        }

        /** A route that fails is a bug there, and blocks: never a way around a proxy. */
        private Hop first(Future<RouteDecision> route) {
            return route.isSuccess()
                    ? route.getNow().hops().getFirst()
                    : new Hop.Blocked("the route could not be found: " + route.cause());
        }

        /** By the only name that is known. A proxy that knows no such address may still know the name that the client says. */
        private void tunnel() {
            Future<DialResult> attempt = tunnels.dial(to.towards(null), loop);
            dial = attempt;
            attempt.addListener(_ -> {
                boolean unnamed = to.told().isEmpty() && to.port() == HTTPS_PORT;
                if (unnamed && attempt.isSuccess() && attempt.getNow() instanceof DialResult.Denied) {
                    dial = null;
                    sniff();
                } else {
                    finish(attempt);
                }
            });
        }

        private void sniff() {
            Future<Optional<String>> refusal = direct.refusalByAnyName(destination, loop);
            refusal.addListener(_ -> {
                Optional<String> why = refusal.isSuccess() ? refusal.getNow() : Optional.empty();
                if (result.isDone()) {
                    return;
                }
                if (why.isPresent()) {
                    block(why.get(), "the egress policy");
                } else {
                    listen();
                }
            });
        }

        private void listen() {
            boolean clientFirst = to.port() == HTTP_PORT || to.port() == HTTPS_PORT;
            Sniffer sniffer = new Sniffer(to, tunnels, http, clientFirst ? null : SERVER_FIRST);
            result.trySuccess(new DialResult.InProcess(sniffer));
        }

        private void pass(Future<DialResult> attempt) {
            dial = attempt;
            attempt.addListener(_ -> finish(attempt));
        }

        private void finish(Future<DialResult> attempt) {
            DialResult ended = attempt.isSuccess() ? attempt.getNow() : new DialResult.Failed("the dial was given up");
            if (!result.trySuccess(ended) && ended instanceof DialResult.Connected late) {
                late.channel().close();
            }
        }
    }
}
