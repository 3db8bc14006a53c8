package dev.longshore.proxy.intercept;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.HttpProxy;
import dev.longshore.proxy.ProxySettings;
import dev.longshore.proxy.audit.AuditRecord;
import dev.longshore.proxy.audit.Auditor;
import dev.longshore.proxy.route.Hop;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Protocol;
import dev.longshore.proxy.route.RouteDecision;
import dev.longshore.proxy.route.RouteQuery;
import dev.longshore.testkit.ScriptedChannel;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.Dialer;
import dev.longshore.vpnkit.hostsocket.EgressDialer;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** Which connections are taken, when the guest's SYN is answered, and where they go. */
@SuppressWarnings("StringConcatToTextBlock") // CRLF must be seen
class TransparentDialerTest {
    private static final IpAddress REMOTE = IpAddress.parse("203.0.113.9");
    private static final IpAddress SOURCE = IpAddress.parse("172.17.0.2");
    private static final Hop DIRECT = new Hop.Direct();
    private static final Hop BLOCKED = new Hop.Blocked("rule 7");
    private static final Hop HTTP = new Hop.Through(new ProxyAddress(Protocol.HTTP, "proxy.test", 3128, null));
    private static final Hop SOCKS = new Hop.Through(new ProxyAddress(Protocol.SOCKS5, "proxy.test", 1080, null));

    /** Whose event loop all is on. */
    private final ScriptedChannel guest = new ScriptedChannel();

    private final List<AuditRecord> audited = new ArrayList<>();
    private final List<String> directly = new ArrayList<>();
    private final List<String> tunnelled = new ArrayList<>();
    private final List<Destination> destinations = new ArrayList<>();
    private final Deque<Promise<DialResult>> dials = new ArrayDeque<>();
    private final Map<String, Hop> routes = new HashMap<>();
    private final Set<IpAddress> denied = new HashSet<>();
    private final Map<IpAddress, List<String>> told = new HashMap<>();
    private final OwnAddresses own = new OwnAddresses(
            Set.of(IpAddress.parse("192.168.65.254")),
            Set.of("host.docker.internal"),
            List.of(new OwnAddresses.Subnet(IpAddress.parse("192.168.65.0"), 24)));
    private final HttpProxy http = new HttpProxy(ProxySettings.of("longshore-test", own), recorder(tunnelled), 10);
    private final TransparentDialer dialer = new TransparentDialer(
            policy(recorder(directly)),
            recorder(tunnelled),
            this::route,
            own,
            address -> told.getOrDefault(address, List.of()),
            http,
            new Auditor(audited::add, InstantSource.system(), source -> "web"));

    TransparentDialerTest() {
        dialer.setPorts(TransparentPorts.parse("*"));
    }

    private Dialer recorder(List<String> list) {
        return (destination, loop) -> {
            list.add(destination.toString()
                    + (destination.name() != null && destination.address() != null ? " at it" : ""));
            destinations.add(destination);
            Promise<DialResult> dial = loop.newPromise();
            dials.add(dial);
            return dial;
        };
    }

    /** Denies {@link #denied} by any name. */
    private EgressDialer policy(Dialer dialer) {
        EgressDialer allowing = EgressDialer.allowing(dialer);
        return new EgressDialer() {
            @Override
            public Future<DialResult> dial(Destination destination, EventLoop loop) {
                return allowing.dial(destination, loop);
            }

            @Override
            public Future<Optional<String>> refusal(Destination destination, EventLoop loop) {
                return allowing.refusal(destination, loop);
            }

            @Override
            public Future<Optional<String>> refusalByAnyName(Destination destination, EventLoop loop) {
                boolean no = denied.contains(destination.address());
                return loop.newSucceededFuture(no ? Optional.of("by rule 8") : Optional.empty());
            }

            @Override
            public Future<DialResult> dialBy(
                    Destination destination, EventLoop loop, Supplier<Future<DialResult>> way) {
                return way.get();
            }
        };
    }

    private Future<RouteDecision> route(RouteQuery q, EventLoop loop) {
        Hop hop = routes.getOrDefault((q.plain() ? "read " : "tunnel ") + q.host(), routes.getOrDefault("*", DIRECT));
        return loop.newSucceededFuture(new RouteDecision(List.of(hop), "test"));
    }

    private Future<DialResult> dial(int port) {
        return dialer.dial(new Destination(null, REMOTE, port, 0, SOURCE), guest.eventLoop());
    }

    private ScriptedChannel sniffed(Future<DialResult> dial) {
        assertThat(dial.getNow()).isInstanceOf(DialResult.InProcess.class);
        guest.pipeline().addLast(((DialResult.InProcess) dial.getNow()).remote());
        guest.config().setAutoRead(true);
        return guest;
    }

    private ScriptedChannel connect() {
        ScriptedChannel origin = ScriptedChannel.beside(guest);
        answer(new DialResult.Connected(origin));
        return origin;
    }

    private void answer(DialResult result) {
        dials.remove().setSuccess(result);
        guest.runPendingTasks();
    }

    private static String hello(String sni) {
        return new String(ClientHellos.of(sni), ISO_8859_1);
    }

    @Test
    void withoutAProxy_nothingIsDifferent() {
        told.put(REMOTE, List.of("a.test", "b.test"));

        dial(80);
        dial(443);
        dial(22);

        assertThat(directly).containsExactly("203.0.113.9:80", "203.0.113.9:443", "203.0.113.9:22");
        assertThat(destinations).allMatch(d -> d.source() != null && d.name() == null);
    }

    @Test
    void otherPorts_andOurOwnAddresses_areNotTaken() {
        routes.put("*", BLOCKED);
        dialer.setPorts(TransparentPorts.parse("80,443"));

        dial(22);
        dialer.dial(Destination.of(IpAddress.parse("192.168.65.254"), 80), guest.eventLoop());
        dialer.dial(Destination.named("a.test", 80), guest.eventLoop());

        assertThat(directly).containsExactly("203.0.113.9:22", "192.168.65.254:80", "a.test:80");
    }

    @Test
    void blockedByEveryName_isDeniedBeforeTheSynIsAnswered() {
        routes.put("*", BLOCKED);

        assertThat(dial(443).getNow()).isEqualTo(new DialResult.Denied("rule 7"));
        assertThat(dial(25).getNow()).isEqualTo(new DialResult.Denied("rule 7"));
        assertThat(audited)
                .extracting(r -> r.container() + " " + r.host() + ":" + r.port() + " " + r.kind() + " " + r.error())
                .containsExactly("web 203.0.113.9:443 TAKEN_TUNNEL rule 7", "web 203.0.113.9:25 TAKEN_TUNNEL rule 7");
    }

    /** Where requests would be read, or the name be listened for: there is nothing that it could say to be let through. */
    @Test
    void deniedByThePolicyByAnyName_isDeniedBeforeTheSynIsAnswered() {
        denied.add(REMOTE);
        routes.put("*", HTTP);
        assertThat(dial(80).getNow()).isEqualTo(new DialResult.Denied("by rule 8"));
        assertThat(dial(8080).getNow()).isEqualTo(new DialResult.Denied("by rule 8"));
        told.put(REMOTE, List.of("a.test", "b.test"));
        assertThat(dial(443).getNow()).isEqualTo(new DialResult.Denied("by rule 8"));

        assertThat(audited)
                .extracting(r -> r.host() + ":" + r.port() + " " + r.rule() + ": " + r.error())
                .containsExactly(
                        "203.0.113.9:80 the egress policy: by rule 8",
                        "203.0.113.9:8080 the egress policy: by rule 8",
                        "203.0.113.9:443 the egress policy: by rule 8");
        denied.clear();
        assertThat(dial(80).getNow()).isInstanceOf(DialResult.InProcess.class);
    }

    /** for-mac#5572: what is refused looks refused, also through a proxy. */
    @Test
    void oneName_tunnelIsMadeBeforeTheSynIsAnswered() {
        told.put(REMOTE, List.of("a.test"));
        routes.put("tunnel a.test", HTTP);

        Future<DialResult> dial = dial(443);
        assertThat(tunnelled).containsExactly("a.test:443 at it");
        assertThat(dial.isDone()).isFalse();

        answer(new DialResult.Refused());
        assertThat(dial.getNow()).isEqualTo(new DialResult.Refused());
    }

    /** The server speaks first in SMTP, SSH, MySQL: there is nothing to wait for. */
    @Test
    void socksAndNoHttpToRead_tunnelsEveryPortAtOnce() {
        routes.put("*", SOCKS);

        Future<DialResult> dial = dial(25);
        ScriptedChannel origin = connect();

        assertThat(tunnelled).containsExactly("203.0.113.9:25");
        assertThat(dial.getNow()).isEqualTo(new DialResult.Connected(origin));
    }

    @Test
    void cancelledDial_cancelsTheTunnel() {
        routes.put("*", SOCKS);
        Future<DialResult> dial = dial(25);

        dial.cancel(false);
        guest.runPendingTasks();

        assertThat(dials.remove().isCancelled()).isTrue();
    }

    @Test
    void severalNames_theClientsHelloSaysWhich() {
        told.put(REMOTE, List.of("a.test", "b.test"));
        routes.put("tunnel b.test", HTTP);
        ScriptedChannel g = sniffed(dial(443));

        String hello = hello("b.test");
        g.receiveBytewise(hello);
        assertThat(tunnelled).containsExactly("b.test:443 at it");
        assertThat(g.wantsToRead()).isFalse();
        ScriptedChannel origin = connect();

        assertThat(origin.sent()).isEqualTo(hello);
        origin.receive("server hello");
        assertThat(g.sent()).isEqualTo("server hello");
    }

    /** A container may say anything: it gets what the name means, never this address under that name. */
    @Test
    void nameThatWasNotToldForTheAddress_isLookedUpAnew() {
        told.put(REMOTE, List.of("a.test", "b.test"));
        routes.put("*", HTTP);
        ScriptedChannel g = sniffed(dial(443));

        g.receive(hello("allowed.test"));

        assertThat(tunnelled).containsExactly("allowed.test:443");
        assertThat(destinations.getLast().address()).isNull();
        assertThat(destinations.getLast().source()).isEqualTo(SOURCE);
    }

    @Test
    void proxyThatDeniesAnAddress_isAskedByTheNameOfTheHello() {
        routes.put("*", HTTP);
        Future<DialResult> dial = dial(443);
        assertThat(tunnelled).containsExactly("203.0.113.9:443");

        answer(new DialResult.Denied("the proxy says 403"));
        ScriptedChannel g = sniffed(dial);
        g.receive(hello("a.test"));

        assertThat(tunnelled).containsExactly("203.0.113.9:443", "a.test:443");
    }

    @Test
    void tunnelThatFailsLater_resets() {
        told.put(REMOTE, List.of("a.test", "b.test"));
        routes.put("*", HTTP);
        ScriptedChannel g = sniffed(dial(443));
        g.receive(hello("a.test"));

        answer(new DialResult.TimedOut());

        assertThat(g.isOpen()).isFalse();
        assertThat(g.sent()).isEmpty();
    }

    @Test
    void guestThatClosesMeanwhile_cancelsTheTunnel() {
        told.put(REMOTE, List.of("a.test", "b.test"));
        routes.put("*", HTTP);
        ScriptedChannel g = sniffed(dial(443));
        g.receive(hello("a.test"));

        g.receiveReset();

        assertThat(dials.remove().isCancelled()).isTrue();
    }

    @Test
    void request_isServedByTheProxy_withTheConnectionsDestination() {
        told.put(REMOTE, List.of("a.test"));
        routes.put("read a.test", HTTP);
        ScriptedChannel g = sniffed(dial(80));

        g.receive("GET /x HTTP/1.1\r\nHost: A.test\r\n\r\n");
        assertThat(tunnelled).containsExactly("a.test:80 at it");
        ScriptedChannel origin = connect();
        assertThat(origin.sent()).isEqualTo("GET /x HTTP/1.1\r\nHost: a.test\r\nVia: 1.1 longshore-test\r\n\r\n");

        origin.receive("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        assertThat(g.sent()).endsWith("\r\n\r\nok");
        g.receive("GET /y HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assertThat(origin.sent()).startsWith("GET /y ");
    }

    /** for-mac#5572: whoever scans ports, or waits for one to open, must not be answered by a page of ours. */
    @Test
    void requestThatGetsNoConnection_isReset_notAnswered() {
        routes.put("*", HTTP);
        for (DialResult failure : List.of(
                new DialResult.Refused(),
                new DialResult.TimedOut(),
                new DialResult.Unreachable(false, "no route"),
                new DialResult.UnknownHost("no such name"),
                new DialResult.Denied("rule 7"))) {
            ScriptedChannel g = ScriptedChannel.beside(guest);
            g.pipeline().addLast(((DialResult.InProcess) dial(80).getNow()).remote());
            g.config().setAutoRead(true);
            g.receive("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
            answer(failure);

            assertThat(g.sent()).isEmpty();
            assertThat(g.isOpen()).isFalse();
        }
        assertThat(audited).isEmpty(); // this proxy has no auditor
    }

    /** What can't be understood never was for anybody: a server would have said so, too. */
    @Test
    void requestThatIsNoRequest_isAnswered() {
        routes.put("*", HTTP);
        ScriptedChannel g = sniffed(dial(80));

        g.receive("GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n");

        assertThat(g.sent()).startsWith("HTTP/1.1 400 ");
    }

    /** for-win#13258: HTTP/1.0 without Host. */
    @Test
    void requestWithoutHost_goesToTheAddress() {
        routes.put("*", HTTP);
        ScriptedChannel g = sniffed(dial(8080));

        g.receive("GET / HTTP/1.0\r\n\r\n");
        assertThat(tunnelled).containsExactly("203.0.113.9:8080");
        assertThat(connect().sent()).startsWith("GET / HTTP/1.1\r\nHost: 203.0.113.9:8080\r\n");
    }

    @Test
    void hostThatIsLied_leadsToThatHost_notToTheAddressUnderItsName() {
        told.put(REMOTE, List.of("a.test"));
        routes.put("*", HTTP);
        ScriptedChannel g = sniffed(dial(80));

        g.receive("GET / HTTP/1.1\r\nHost: allowed.test\r\n\r\n");

        assertThat(tunnelled).containsExactly("allowed.test:80");
    }

    @Test
    void hostOfOurs_isNoWayToTheHost() {
        routes.put("*", HTTP);
        ScriptedChannel g = sniffed(dial(80));

        g.receive("GET / HTTP/1.1\r\nHost: host.docker.internal\r\n\r\n");

        assertThat(tunnelled).containsExactly("203.0.113.9:80");
    }

    /** for-win#13127: a container that talks to a proxy of its own on port 80 is not rerouted. */
    @Test
    void requestMeantForAProxy_isTunnelled() {
        routes.put("*", HTTP);
        ScriptedChannel g = sniffed(dial(80));

        g.receive("GET http://b.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n");

        assertThat(tunnelled).containsExactly("203.0.113.9:80");
        assertThat(connect().sent()).isEqualTo("GET http://b.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n");
    }

    /** for-win#13258: gRPC without TLS begins with HTTP/2's preface. */
    @Test
    void http2WithPriorKnowledge_isTunnelled() {
        routes.put("*", HTTP);
        ScriptedChannel g = sniffed(dial(80));

        g.receive("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

        assertThat(connect().sent()).isEqualTo("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    }

    @Test
    void serverThatSpeaksFirst_isNotKeptWaiting() {
        routes.put("*", HTTP);
        ScriptedChannel g = sniffed(dial(25));
        assertThat(tunnelled).isEmpty();

        g.pass(1); // 150 ms would do

        assertThat(tunnelled).containsExactly("203.0.113.9:25");
        ScriptedChannel origin = connect();
        origin.receive("220 mail.test");
        assertThat(g.sent()).isEqualTo("220 mail.test");
    }

    /** A client of Redis or memcached: what it says looks like a request until its end of line. */
    @Test
    void requestOfAnotherProtocol_isTunnelled() {
        routes.put("*", HTTP);
        ScriptedChannel g = sniffed(dial(6379));

        g.receiveBytewise("GET /key\r\n");

        assertThat(tunnelled).containsExactly("203.0.113.9:6379");
        assertThat(connect().sent()).isEqualTo("GET /key\r\n");
    }

    @Test
    void requestLineInPieces_isServed_howeverLongTheyTake() {
        routes.put("*", HTTP);
        ScriptedChannel g = sniffed(dial(8080));

        g.receive("GET /a");
        g.pass(1); // a server's turn, were it not for what has come
        assertThat(tunnelled).isEmpty();
        g.receive("b HTTP/1.1\r\nHost: a.test\r\n\r\n");

        assertThat(tunnelled).containsExactly("a.test:8080");
        assertThat(connect().sent()).startsWith("GET /ab HTTP/1.1\r\n");
    }

    @Test
    void halfARequestLineAndTheEnd_isTunnelled() {
        routes.put("*", HTTP);
        ScriptedChannel g = sniffed(dial(80));

        g.receive("GET /key");
        g.receiveEof();

        assertThat(connect().sent()).isEqualTo("GET /key");
    }

    @Test
    void silentClientOfPort80_isWaitedFor() {
        routes.put("*", HTTP);
        ScriptedChannel g = sniffed(dial(80));

        g.pass(60);
        assertThat(tunnelled).isEmpty();
        assertThat(g.isOpen()).isTrue();

        g.pass(600);
        assertThat(g.isOpen()).isFalse();
    }

    @Test
    void clientThatEndsWithoutAWord_isClosed_andOneWithHalfAWordTunnelled() {
        routes.put("*", HTTP);
        ScriptedChannel g = sniffed(dial(80));
        g.receiveEof();
        assertThat(g.isOpen()).isFalse();
        assertThat(tunnelled).isEmpty();
    }

    @Test
    void halfAWordAndTheEnd_areTunnelled() {
        routes.put("*", HTTP);
        ScriptedChannel g = sniffed(dial(80));
        g.receive("QUI");
        g.receiveEof();

        ScriptedChannel origin = connect();
        assertThat(origin.sent()).isEqualTo("QUI");
        assertThat(origin.isOutputShutdown()).isTrue();
    }

    /** A route that breaks is no way around the proxy. */
    @Test
    void brokenRoute_blocks() {
        TransparentDialer broken = new TransparentDialer(
                policy(recorder(directly)),
                recorder(tunnelled),
                (q, loop) -> loop.newFailedFuture(new IllegalStateException("bug")),
                own,
                address -> List.of(),
                http,
                Auditor.NONE);
        broken.setPorts(TransparentPorts.parse("*"));

        Future<DialResult> dial = broken.dial(Destination.of(REMOTE, 443), guest.eventLoop());

        assertThat(dial.getNow()).isInstanceOf(DialResult.Denied.class);
        assertThat(directly).isEmpty();
    }

    @Test
    void routeThatTakesItsTime_isWaitedFor_andAGuestThatGivesUpEndsIt() {
        Promise<RouteDecision> slow = guest.eventLoop().newPromise();
        TransparentDialer waiting = new TransparentDialer(
                policy(recorder(directly)),
                recorder(tunnelled),
                (q, loop) -> slow,
                own,
                address -> List.of(),
                http,
                Auditor.NONE);
        waiting.setPorts(TransparentPorts.parse("443"));
        Future<DialResult> dial = waiting.dial(Destination.of(REMOTE, 443), guest.eventLoop());
        assertThat(dial.isDone()).isFalse();

        dial.cancel(false);
        slow.setSuccess(RouteDecision.direct("late"));
        guest.runPendingTasks();

        assertThat(directly).isEmpty();
    }

    /** What waits for its verdict is part of what all connections of the proxy may keep. */
    @Test
    void bytesThatWait_areCounted_andGivenBack() {
        routes.put("*", HTTP);
        told.put(REMOTE, List.of("a.test", "b.test"));
        ScriptedChannel g = sniffed(dial(443));
        g.receive(hello("a.test").substring(0, 100));
        assertThat(http.waiting().kept()).isEqualTo(100);

        g.receiveReset();
        assertThat(http.waiting().kept()).isZero();
    }
}
