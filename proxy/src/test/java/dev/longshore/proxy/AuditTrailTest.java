package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.audit.Audit;
import dev.longshore.proxy.audit.AuditRecord;
import dev.longshore.proxy.audit.AuditRecord.Kind;
import dev.longshore.proxy.audit.Auditor;
import dev.longshore.proxy.auth.AuthSettings;
import dev.longshore.proxy.auth.CredentialSource;
import dev.longshore.proxy.route.Hop;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.testkit.ScriptedChannel;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import io.netty.buffer.Unpooled;
import io.netty.util.concurrent.Future;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What goes through the proxy leaves a record each, once, with what is known and without secrets. */
@SuppressWarnings("StringConcatToTextBlock") // CRLF must be seen
class AuditTrailTest {
    private static final Instant NOW = Instant.parse("2026-01-02T03:04:05Z");
    private static final String CONNECT = "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n";

    private final List<AuditRecord> records = new ArrayList<>();
    private final List<Kind> begun = new ArrayList<>();
    private final Auditor auditor = new Auditor(
            new Audit() {
                @Override
                public void add(AuditRecord record) {
                    records.add(record);
                }

                @Override
                public void begun(Kind kind) {
                    begun.add(kind);
                }
            },
            InstantSource.fixed(NOW),
            source -> "web");
    private final UpstreamRig rig =
            new UpstreamRig(false, CredentialSource.NONE, AuthSettings.DEFAULT, auditor, UpstreamRig.TWO);
    private final ScriptedChannel guest = rig.guest();

    private AuditRecord only() {
        assertThat(records).hasSize(1);
        return records.removeFirst();
    }

    @Test
    void request_isRecordedWithItsBodies_withoutItsQuery() {
        guest.receive("POST http://a.test/x?token=secret HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello");
        ScriptedChannel upstream = rig.connect(new InetSocketAddress("192.0.2.3", 3128));
        rig.pass(3);
        upstream.receive("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok");

        AuditRecord r = only();
        assertThat(r.toJson())
                .isEqualTo(
                        "{\"time\":\"2026-01-02T03:04:05Z\",\"millis\":3000,\"kind\":\"request\",\"method\":\"POST\","
                                + "\"host\":\"a.test\",\"port\":80,\"named\":\"target\",\"path\":\"/x\",\"route\":\""
                                + UpstreamRig.TWO
                                + "\",\"remote\":\"192.0.2.3:3128\",\"rule\":\"the test\",\"status\":201,\"fromGuest\":5,\"toGuest\":2}");
        assertThat(r.route()).isEqualTo("http://two.proxy:3128");
        assertThat(UpstreamRig.ONE).asString().doesNotContain("secret-of-bob");
        guest.close();
        assertThat(records).isEmpty();
    }

    @Test
    void answerThatIsCut_andGuestThatLeaves_areErrors() {
        guest.receive("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
        ScriptedChannel upstream = rig.connect();
        upstream.receive("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok");
        upstream.receiveReset();

        AuditRecord cut = only();
        assertThat(cut.status()).isEqualTo(200);
        assertThat(cut.bytesToGuest()).isEqualTo(2);
        assertThat(cut.error()).isNotEmpty();
        assertThat(cut.container()).isEmpty(); // no address is known of an embedded channel

        ScriptedChannel other = rig.guest();
        other.receive("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
        other.close();
        rig.run();
        assertThat(only().error()).isEqualTo("the guest's connection ended");
    }

    @Test
    void tunnel_isRecordedAtItsEnd_withAllBytes() {
        guest.receive(CONNECT + "early");
        ScriptedChannel upstream = rig.connect(new InetSocketAddress("192.0.2.4", 3128));
        assertThat(begun).containsExactly(Kind.CONNECT);
        upstream.receive("HTTP/1.1 200 OK\r\n\r\nserver");
        guest.receive("more");
        upstream.receive("last");
        assertThat(records).isEmpty();
        guest.receiveEof();
        upstream.receiveEof();

        AuditRecord r = only();
        assertThat(r.kind()).isEqualTo(Kind.CONNECT);
        assertThat(r.host() + ":" + r.port()).isEqualTo("a.test:443");
        assertThat(r.remote()).isEqualTo("192.0.2.4:3128");
        assertThat(r.status()).isEqualTo(200);
        assertThat(r.named()).isEqualTo(AuditRecord.Named.CONNECT);
        assertThat(r.auth()).isEmpty();
        assertThat(r.bytesFromGuest()).isEqualTo("earlymore".length());
        assertThat(r.bytesToGuest()).isEqualTo("serverlast".length());
        assertThat(r.error()).isEmpty();
    }

    /** Somebody's quiet session: TCP's keep-alive decides. */
    @Test
    void tunnelThatIsQuiet_staysOpen_ifNothingElseIsWanted() {
        ScriptedChannel upstream = tunnel();

        rig.pass(TimeUnit.DAYS.toSeconds(30));

        assertThat(guest.isOpen()).isTrue();
        assertThat(upstream.isOpen()).isTrue();
    }

    @Test
    void tunnelThatIsQuietForTooLong_isReset_andTheRecordSaysWhy() {
        ScriptedChannel upstream = tunnel();
        rig.upstreams.set(rig.upstreams.settings().with(true, false, Duration.ofMinutes(90))); // counts for it, too

        rig.pass(TimeUnit.MINUTES.toSeconds(80));
        guest.receive("x");
        rig.pass(TimeUnit.MINUTES.toSeconds(80));
        upstream.receive("y");
        rig.pass(TimeUnit.MINUTES.toSeconds(89));
        assertThat(guest.isOpen()).isTrue();
        rig.pass(61);

        assertThat(guest.isOpen()).isFalse();
        assertThat(upstream.isOpen()).isFalse();
        AuditRecord r = only();
        assertThat(r.error()).isEqualTo("nothing came through for 90 min");
        assertThat(r.bytesFromGuest()).isEqualTo(1);
        assertThat(r.bytesToGuest()).isEqualTo(1);
    }

    /** Who has said that there is no more to come, and hears nothing, waits for nobody. */
    @Test
    void halfClosedTunnel_endsAfterTwoQuietHours_whateverIsWanted() {
        ScriptedChannel upstream = tunnel();
        guest.receiveEof();
        upstream.receive("late");
        rig.pass(TimeUnit.MINUTES.toSeconds(119));
        assertThat(guest.isOpen()).isTrue();
        rig.pass(61);

        assertThat(guest.isOpen()).isFalse();
        assertThat(upstream.isOpen()).isFalse();
        assertThat(only().error()).isEqualTo("nothing came through for 120 min");
    }

    @Test
    void takenTunnel_hasTheSameLimits() {
        rig.upstreams.set(rig.upstreams.settings().with(true, false, Duration.ofMinutes(1)));
        Destination to = new Destination(null, IpAddress.parse("203.0.113.9"), 443, 0, null);
        Future<DialResult> dial = rig.upstreams.audited(auditor).dial(to, guest.eventLoop());
        ScriptedChannel upstream = rig.connect();
        upstream.receive("HTTP/1.1 200 OK\r\n\r\n");
        rig.run();
        assertThat(dial.getNow()).isEqualTo(new DialResult.Connected(upstream));

        rig.pass(61);

        assertThat(upstream.isOpen()).isFalse();
        assertThat(only().error()).isEqualTo("nothing came through for 1 min");
    }

    private ScriptedChannel tunnel() {
        guest.receive(CONNECT);
        ScriptedChannel upstream = rig.connect();
        upstream.receive("HTTP/1.1 200 OK\r\n\r\n");
        rig.run();
        return upstream;
    }

    @Test
    void refusals_areRecorded_eachWithItsReason() {
        guest.receive(CONNECT);
        rig.connect().receive("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        assertThat(only().status()).isEqualTo(403);

        rig.hops = List.of(new Hop.Blocked("by rule 7"));
        rig.guest().receive("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
        AuditRecord blocked = only();
        assertThat(blocked.status()).isEqualTo(403);
        assertThat(blocked.error()).contains("by rule 7");
        assertThat(blocked.route()).isEmpty();

        rig.denied.add("a.test");
        rig.guest().receive(CONNECT);
        assertThat(only().error()).contains("denied by the test");

        rig.guest().receive("GET / HTTP/9.9\r\n\r\n");
        AuditRecord invalid = only();
        assertThat(invalid.kind()).isEqualTo(Kind.INVALID);
        assertThat(invalid.toJson()).doesNotContain("port").contains("\"error\":");
    }

    @Test
    void authentication_isRecordedByItsScheme_neverByItsSecret() {
        rig.hops = List.of(new Hop.Through(UpstreamRig.ONE));
        String demand = "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=r\r\nContent-Length: 0\r\n\r\n";
        guest.receive("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
        ScriptedChannel upstream = rig.connect();
        upstream.receive(demand);
        rig.run();
        upstream.receive("HTTP/1.1 204 No\r\n\r\n");

        AuditRecord request = only();
        assertThat(request.auth()).isEqualTo("Basic");
        assertThat(request.toJson()).doesNotContain("secret-of-bob");

        rig.guest().receive(CONNECT); // what was accepted goes unasked
        ScriptedChannel tunnel = rig.connect();
        tunnel.receive("HTTP/1.1 200 OK\r\n\r\n");
        tunnel.receiveReset();
        assertThat(only().auth()).isEqualTo("Basic");
    }

    @Test
    void guestsOwnAuthentication_isRecordedAsItsOwn() {
        UpstreamRig r = new UpstreamRig(true, CredentialSource.NONE, AuthSettings.DEFAULT, auditor, UpstreamRig.TWO);
        r.guest().receive("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nProxy-Authorization: Basic eA==\r\n\r\n");
        r.connect().receive("HTTP/1.1 204 No\r\n\r\n");

        assertThat(only().auth()).isEqualTo("guest");
    }

    /** A tunnel that is kept for the next request is still a proxy's. */
    @Test
    void keptTunnel_isRecordedAsItsProxys() {
        ProxyAddress socks = new ProxyAddress(ProxyAddress.Protocol.SOCKS5, "s", 1, null);
        rig.hops = List.of(new Hop.Through(socks));
        String request = "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n";
        guest.receive(request);
        ScriptedChannel upstream = rig.connect();
        upstream.receive("\5\0");
        upstream.receive("\5\0\0\1\0\0\0\0\0\0");
        rig.run();
        upstream.receive("HTTP/1.1 204 No\r\n\r\n");
        assertThat(only().route()).isEqualTo("socks5://s:1");

        guest.receive(request);
        assertThat(rig.dials).isEmpty();
        upstream.receive("HTTP/1.1 204 No\r\n\r\n");
        assertThat(only().route()).isEqualTo("socks5://s:1");

        rig.hops = List.of(new Hop.Direct());
        guest.receive(request);
        assertThat(rig.dialed.getLast()).startsWith("direct:");
    }

    /** A thousand records and more are in memory. */
    @Test
    void longPath_isCut() {
        rig.hops = List.of(new Hop.Blocked("x".repeat(5_000)));
        guest.receive("GET http://a.test/" + "y".repeat(5_000) + " HTTP/1.1\r\nHost: a.test\r\n\r\n");

        AuditRecord r = only();
        assertThat(r.path()).hasSize(1_000).startsWith("/yyy");
        assertThat(r.error()).hasSize(1_000);
    }

    @Test
    void takenTunnel_isCountedOnItsChannel_asOtherWaysAre() {
        rig.hops = List.of(new Hop.Direct());
        Destination to =
                new Destination("b.test", IpAddress.parse("203.0.113.9"), 443, 0, IpAddress.parse("172.17.0.2"));
        Future<DialResult> dial = rig.upstreams.audited(auditor).dial(to, guest.eventLoop());
        ScriptedChannel remote = rig.connect(new InetSocketAddress("2001:db8::9", 443));
        assertThat(dial.getNow()).isEqualTo(new DialResult.Connected(remote));

        remote.writeAndFlush(Unpooled.copiedBuffer("hello", StandardCharsets.US_ASCII));
        remote.receive("abc");
        assertThat(records).isEmpty();
        remote.close();

        AuditRecord r = only();
        assertThat(r.kind()).isEqualTo(Kind.TAKEN_TUNNEL);
        assertThat(r.container()).isEqualTo("web");
        assertThat(r.host()).isEqualTo("b.test");
        assertThat(r.named()).isEqualTo(AuditRecord.Named.DNS);
        assertThat(r.rule()).isEqualTo("the test");
        assertThat(r.route()).isEqualTo("DIRECT");
        assertThat(r.remote()).isEqualTo("[2001:db8::9]:443");
        assertThat(r.bytesFromGuest()).isEqualTo(5);
        assertThat(r.bytesToGuest()).isEqualTo(3);

        rig.upstreams.audited(auditor).dial(to, guest.eventLoop());
        rig.answer(new DialResult.Refused());
        assertThat(only().error()).isEqualTo("connection refused");
    }
}
