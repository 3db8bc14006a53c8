package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.proxy.route.Hop;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Protocol;
import dev.longshore.testkit.ScriptedChannel;
import dev.longshore.vpnkit.hostsocket.DialResult;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Requests and tunnels through upstream proxies, without authentication. */
@SuppressWarnings("StringConcatToTextBlock") // CRLF must be seen
class UpstreamTest {
    private static final String GET = "GET http://a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n";
    private static final String OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    private static final String CONNECT = "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n";
    private static final ProxyAddress SOCKS = new ProxyAddress(Protocol.SOCKS5, "socks.proxy", 1080, null);

    private final UpstreamRig rig = new UpstreamRig(UpstreamRig.TWO);
    private final ScriptedChannel guest = rig.guest();

    @Test
    void via_isLeftOut_whereTheUserWantsThat() {
        rig.upstreams.set(rig.upstreams.settings().with(false, false, Duration.ZERO));
        guest.receive("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nVia: 1.0 fred\r\n\r\n");
        ScriptedChannel upstream = rig.connect();
        assertThat(upstream.sent()).contains("Via: 1.0 fred\r\n").doesNotContain("longshore");
        upstream.receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assertThat(guest.sent()).startsWith("HTTP/1.1 200 OK\r\n").doesNotContain("Via");

        rig.upstreams.set(rig.upstreams.settings().with(true, false, Duration.ZERO));
        guest.receive("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assertThat(upstream.sent()).contains("Via: 1.1 longshore");

        rig.upstreams.set(rig.upstreams.settings().with(false, false, Duration.ZERO));
        ScriptedChannel other = rig.guest();
        other.receive("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
        ScriptedChannel tunnel = rig.connect();
        assertThat(tunnel.sent()).startsWith("CONNECT ").doesNotContain("Via");
        tunnel.receive("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
        assertThat(other.sent()).startsWith("HTTP/1.1 403 No\r\n").doesNotContain("Via");
    }

    @Test
    void get_goesInAbsoluteForm_onAConnectionThatIsKept() {
        guest.receive(GET);
        ScriptedChannel upstream = rig.connect();

        assertThat(rig.dialed).containsExactly("two.proxy:3128");
        assertThat(upstream.sent())
                .isEqualTo("GET http://a.test/x HTTP/1.1\r\nHost: a.test\r\nVia: 1.1 longshore-test\r\n\r\n");
        upstream.receive(OK);
        assertThat(guest.sent()).startsWith("HTTP/1.1 200 OK").endsWith("ok");

        guest.receive(GET);
        assertThat(rig.dialed).hasSize(1);
        assertThat(upstream.sent()).startsWith("GET http://a.test/x");
    }

    @Test
    void optionsAsterisk_hasNoPath_rfc9112_3_2_4() {
        guest.receive("OPTIONS http://a.test:8080 HTTP/1.1\r\nHost: a.test:8080\r\n\r\n");

        assertThat(rig.connect().sent()).startsWith("OPTIONS http://a.test:8080 HTTP/1.1\r\n");
    }

    @Test
    void anotherRoute_isAnotherConnection() {
        guest.receive(GET);
        rig.connect().receive(OK);
        guest.sent();

        rig.hops = List.of(new Hop.Direct());
        guest.receive(GET);

        assertThat(rig.dialed).containsExactly("two.proxy:3128", "direct:a.test:80");
        assertThat(rig.connect().sent()).startsWith("GET /x HTTP/1.1\r\n");
    }

    @Test
    void bodyTrailersAndInterim_pass() {
        guest.receive("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n"
                + "Expect: 100-continue\r\nTrailer: X-T\r\n\r\n");
        ScriptedChannel upstream = rig.connect();

        assertThat(upstream.sent())
                .startsWith("POST http://a.test/ HTTP/1.1\r\n")
                .contains("Expect: 100-continue");
        upstream.receive("HTTP/1.1 100 Continue\r\n\r\n");
        assertThat(guest.sent()).startsWith("HTTP/1.1 100 Continue\r\n");
        guest.receive("3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n");
        assertThat(upstream.sent()).isEqualTo("3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n");
        upstream.receive(OK);
        assertThat(guest.sent()).endsWith("ok");

        guest.receive("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi");
        assertThat(upstream.sent()).startsWith("POST ").endsWith("hi");
    }

    @Test
    void connect_answersAfterAny2xx_andKeepsEarlyBytesOfBothSides() {
        guest.receive(CONNECT + "early");
        ScriptedChannel upstream = rig.connect();
        assertThat(upstream.sent())
                .isEqualTo("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nVia: 1.1 longshore-test\r\n\r\n");
        assertThat(guest.sent()).isEmpty();

        upstream.receive("HTTP/1.0 299 Fine\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\nserver first");

        assertThat(guest.sent()).isEqualTo("HTTP/1.1 200 Connection established\r\n\r\nserver first");
        assertThat(upstream.sent()).isEqualTo("early");
        guest.receiveEof();
        assertThat(upstream.isOutputShutdown()).isTrue();
        upstream.receive("late");
        upstream.receiveEof();
        assertThat(guest.sent()).isEqualTo("late");
        assertThat(guest.isOutputShutdown()).isTrue();
    }

    @Test
    void refusedTunnel_isRelayedWithItsPage_andNoOtherHopTried() {
        rig.hops = List.of(new Hop.Through(UpstreamRig.TWO), new Hop.Direct());
        guest.receive(CONNECT);
        ScriptedChannel upstream = rig.connect();

        upstream.receive("HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n"
                + "Proxy-Authenticate: Basic\r\n\r\n4\r\npage\r\n0\r\n\r\n");

        assertThat(guest.sent())
                .startsWith("HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n")
                .contains("Content-Length: 4\r\n")
                .doesNotContain("Proxy-Authenticate")
                .endsWith("\r\n\r\npage");
        assertThat(guest.isOutputShutdown()).isTrue();
        assertThat(rig.dialed).hasSize(1);
    }

    @Test
    void tooLongAPage_isOneLine() {
        guest.receive(CONNECT);
        ScriptedChannel upstream = rig.connect();

        upstream.receive("HTTP/1.1 403 Forbidden\r\n\r\n" + "x".repeat(300 * 1024));

        assertThat(guest.sent()).startsWith("HTTP/1.1 403 ").hasSizeLessThan(1000);
        assertThat(upstream.isOpen()).isFalse();
    }

    @Test
    void unreachableProxy_theNextOneIsTried_andItIsLeftAloneForFiveMinutes() {
        rig.hops = List.of(new Hop.Through(UpstreamRig.ONE), new Hop.Through(UpstreamRig.TWO));
        guest.receive(GET);
        rig.answer(new DialResult.Refused());
        rig.connect().receive(OK);
        assertThat(rig.dialed).containsExactly("one.proxy:3128", "two.proxy:3128");
        assertThat(guest.sent()).endsWith("ok");

        connectOnce();
        assertThat(rig.dialed).last().isEqualTo("two.proxy:3128");

        rig.now.addAndGet(Duration.ofMinutes(5).toNanos() + 1);
        ScriptedChannel probing = rig.guest();
        probing.receive(CONNECT);
        assertThat(rig.dialed).last().isEqualTo("one.proxy:3128");
        connectOnce(); // one probe is enough: this does not wait for it
        assertThat(rig.dialed).last().isEqualTo("two.proxy:3128");
    }

    /** Another guest's tunnel. The oldest dial is answered last. */
    private void connectOnce() {
        ScriptedChannel other = rig.guest();
        other.receive(CONNECT);
        var first = rig.dials.size() > 1 ? rig.dials.remove() : null;
        rig.connect().receive("HTTP/1.1 200 OK\r\n\r\n");
        assertThat(other.sent()).startsWith("HTTP/1.1 200 ");
        if (first != null) {
            rig.dials.add(first);
        }
    }

    @Test
    void proxyThatHangsUpOnConnect_isSkipped() {
        rig.hops = List.of(new Hop.Through(UpstreamRig.ONE), new Hop.Direct());
        guest.receive(CONNECT);
        rig.connect().receiveEof();

        assertThat(rig.dialed).containsExactly("one.proxy:3128", "direct:a.test:443");
        rig.connect();
        assertThat(guest.sent()).startsWith("HTTP/1.1 200 ");

        rig.guest().receive(CONNECT);
        assertThat(rig.dialed)
                .as("a guest cannot have it skipped for others")
                .last()
                .isEqualTo("one.proxy:3128");
    }

    /** A remote that never answers is not the proxy's fault, and no reason to go past it. */
    @Test
    void socksProxyThatWaitsForTheRemote_isAnErrorOfThat() {
        rig.hops = List.of(new Hop.Through(SOCKS), new Hop.Direct());
        guest.receive(CONNECT);
        ScriptedChannel upstream = rig.connect();
        upstream.receive("\5\0");
        rig.pass(151);
        assertThat(guest.sent()).startsWith("HTTP/1.1 504 ");
        assertThat(upstream.isOpen()).isFalse();

        rig.guest().receive(CONNECT);
        rig.connect().receiveEof(); // before it has said anything: that is one that does not work
        assertThat(rig.dialed).last().isEqualTo("direct:a.test:443");
    }

    @Test
    void allProxiesBad_theyAreTriedNevertheless_andTheErrorNamesTheLast() {
        guest.receive(GET);
        rig.answer(new DialResult.Refused());
        assertThat(guest.sent()).startsWith("HTTP/1.1 502 ").contains("two.proxy:3128: connection refused");

        guest.receive(GET);
        assertThat(rig.dialed).containsExactly("two.proxy:3128", "two.proxy:3128");
    }

    @Test
    void blockedRoute_is403_withTheReason() {
        rig.hops = List.of(new Hop.Blocked("rule 'no a' blocks it"));
        guest.receive(GET);

        assertThat(guest.sent())
                .startsWith("HTTP/1.1 403 ")
                .contains("rule 'no a' blocks it")
                .contains("Proxy-Status: longshore-test; error=http_request_denied");
        assertThat(rig.dialed).isEmpty();
    }

    @Test
    void deniedName_isNotAskedOfTheProxy() {
        rig.denied.add("a.test");
        guest.receive(GET);
        assertThat(guest.sent()).startsWith("HTTP/1.1 403 ").contains("denied by the test");
        guest.receive(CONNECT);
        assertThat(guest.sent()).startsWith("HTTP/1.1 403 ");
        assertThat(rig.dialed).isEmpty();
    }

    @Test
    void upgrade_goesThroughATunnel_inOriginForm() {
        guest.receive(
                "GET http://a.test/ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        ScriptedChannel upstream = rig.connect();
        assertThat(upstream.sent()).startsWith("CONNECT a.test:80 HTTP/1.1\r\n");
        upstream.receive("HTTP/1.1 200 OK\r\n\r\n");
        assertThat(upstream.sent()).startsWith("GET /ws HTTP/1.1\r\n").contains("Upgrade: websocket\r\n");
        upstream.receive("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi");
        assertThat(guest.sent()).startsWith("HTTP/1.1 101 ").endsWith("\r\n\r\nhi");
        guest.receive("frame");
        assertThat(upstream.sent()).isEqualTo("frame");
    }

    @Test
    void upgrade_whereTheProxyRefusesATunnel_isARequestToIt() {
        guest.receive(
                "GET http://a.test/ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        rig.connect().receive("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");

        assertThat(rig.connect().sent()).startsWith("GET http://a.test/ws ").contains("Upgrade: websocket\r\n");
    }

    @Test
    void offerOfH2c_isNotForTheProxy() {
        guest.receive("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                + "Upgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n");

        assertThat(rig.connect().sent())
                .startsWith("GET http://a.test/ HTTP/1.1\r\n")
                .doesNotContain("h2c");
    }

    @Test
    void socks5_looksNamesUpThere_thenOriginForm() {
        rig.hops = List.of(new Hop.Through(SOCKS));
        guest.receive(GET);
        ScriptedChannel upstream = rig.connect();
        assertThat(upstream.sent()).isEqualTo("\5\1\0");
        upstream.receive("\5\0");
        assertThat(upstream.sent()).isEqualTo("\5\1\0\3\6a.test\0P");
        upstream.receiveBytewise("\5\0\0\1\0\0\0\0\0\0");

        assertThat(upstream.sent()).startsWith("GET /x HTTP/1.1\r\n");
        upstream.receive(OK);
        guest.receive(GET);
        assertThat(rig.dialed).hasSize(1);
    }

    @Test
    void socks5_userAndPassword_andEarlyBytes() {
        rig.hops = List.of(new Hop.Through(new ProxyAddress(Protocol.SOCKS5, "socks.proxy", 1080, UpstreamRig.BOB)));
        guest.receive("CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: x\r\n\r\n");
        ScriptedChannel upstream = rig.connect();
        assertThat(upstream.sent()).isEqualTo("\5\2\0\2");
        upstream.receive("\5\2");
        assertThat(upstream.sent()).isEqualTo("\1\3bob\15secret-of-bob");
        upstream.receive("\1\0");
        assertThat(upstream.sent()).startsWith("\5\1\0\4 \1\r\u00b8").hasSize(22);
        upstream.receive("\5\0\0\3\1x\0\0banner");

        assertThat(guest.sent()).endsWith("\r\n\r\nbanner");
    }

    @Test
    void socks5_refusals_areErrorsOfTheirOwn() {
        rig.hops = List.of(new Hop.Through(SOCKS), new Hop.Direct());
        guest.receive(GET);
        ScriptedChannel upstream = rig.connect();
        upstream.receive("\5\0");
        upstream.receive("\5\5\0\1\0\0\0\0\0\0");
        assertThat(guest.sent()).startsWith("HTTP/1.1 502 ").contains("error=connection_refused");

        guest.receive(GET);
        rig.connect().receive("\5\u00ff");
        assertThat(guest.sent()).startsWith("HTTP/1.1 502 ").contains("wants credentials");
        assertThat(rig.dialed).doesNotContain("direct:a.test:80");
    }

    @Test
    void socks4a_sendsTheName() {
        rig.hops = List.of(new Hop.Through(new ProxyAddress(Protocol.SOCKS4, "socks.proxy", 1080, null)));
        guest.receive(CONNECT);
        ScriptedChannel upstream = rig.connect();
        assertThat(upstream.sent()).isEqualTo("\4\1\1\u00bb\0\0\0\1\0a.test\0");
        upstream.receive("\0Z\0\0\0\0\0\0");

        assertThat(guest.sent()).startsWith("HTTP/1.1 200 ");
    }

    @Test
    void guestThatLeaves_endsWhatWasBegun() {
        guest.receive(CONNECT);
        ScriptedChannel upstream = rig.connect();
        guest.close();
        rig.run();

        assertThat(upstream.isOpen()).isFalse();
    }

    @Test
    void keptConnectionThatDied_isReplacedOnce() {
        guest.receive(GET);
        ScriptedChannel upstream = rig.connect();
        upstream.receive(OK);
        guest.receive(GET);
        upstream.receiveReset();

        rig.connect().receive(OK);
        assertThat(guest.sent()).endsWith("ok");
    }
}
