package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.proxy.auth.AuthSettings;
import dev.longshore.proxy.auth.CredentialSource;
import dev.longshore.proxy.auth.ProxyState;
import dev.longshore.proxy.auth.Scheme;
import dev.longshore.proxy.route.Hop;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Login;
import dev.longshore.proxy.route.ProxyAddress.Protocol;
import dev.longshore.testkit.ScriptedChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** Authentication to upstream proxies: who sees what, how often, and on which connection. */
@SuppressWarnings("StringConcatToTextBlock") // CRLF must be seen
class UpstreamAuthTest {
    private static final String GET = "GET http://a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n";
    private static final String OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    private static final String CONNECT = "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n";
    private static final String BOB =
            "Basic " + Base64.getEncoder().encodeToString("bob:secret-of-bob".getBytes(StandardCharsets.UTF_8));
    private static final String NTLM_TYPE_2 =
            "TlRMTVNTUAACAAAADAAMADgAAAAzgoriASNFZ4mrze8AAAAAAAAAACQAJABEAAAABgBwFwAAAA9TAGUAcgB2AGUAcgACAAwARABvAG0AYQBpAG4AAQAMAFMAZQByAHYAZQByAAAAAAA=";

    private final UpstreamRig rig = new UpstreamRig(UpstreamRig.ONE);
    private final ScriptedChannel guest = rig.guest();

    private static String demand(String... challenges) {
        StringBuilder head = new StringBuilder("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 6\r\n");
        for (String c : challenges) {
            head.append("Proxy-Authenticate: ").append(c).append("\r\n");
        }
        return head.append("\r\nlogin!").toString();
    }

    // --- identities never share a connection: CVE-2014-0015, CVE-2016-0755, CVE-2026-1965 of others

    @Test
    void twoUsersOfOneProxy_shareNoConnection() {
        ProxyAddress alices = new ProxyAddress(Protocol.HTTP, "one.proxy", 3128, new Login("alice", "secret"));
        guest.receive(GET);
        ScriptedChannel bobs = rig.connect();
        authenticateByNtlm(bobs);
        bobs.receive(OK);
        guest.sent();

        rig.hops = List.of(new Hop.Through(alices));
        guest.receive(GET);

        assertThat(rig.dialed).hasSize(2);
        assertThat(bobs.sent()).isEmpty();
        ScriptedChannel other = rig.connect();
        assertThat(other.sent()).startsWith("GET ").doesNotContain("Proxy-Authorization");

        other.receive(OK);
        rig.hops = List.of(new Hop.Through(UpstreamRig.ONE));
        guest.receive(GET);
        assertThat(rig.dialed).hasSize(2); // back on bob's own
        assertThat(bobs.sent()).startsWith("GET ");
    }

    @Test
    void otherCredentialsOfTheSameProxy_doNotGetTheOldOnesConnection() {
        AtomicReference<Login> login = new AtomicReference<>(UpstreamRig.BOB);
        UpstreamRig r = new UpstreamRig(false, _ -> login.get(), AuthSettings.DEFAULT, UpstreamRig.TWO);
        ScriptedChannel g = r.guest();
        g.receive(GET);
        ScriptedChannel bobs = r.connect();
        authenticateByNtlm(bobs);
        bobs.receive(OK);

        login.set(new Login("alice", "secret"));
        r.authenticator.forgetRefusals();
        g.receive(GET);

        assertThat(r.dialed).hasSize(2);
        assertThat(bobs.sent()).isEmpty();
    }

    @Test
    void guestsOwnAuthorization_isAnIdentityOfItsOwn() {
        UpstreamRig r = new UpstreamRig(true, CredentialSource.NONE, AuthSettings.DEFAULT, UpstreamRig.ONE);
        ScriptedChannel g = r.guest();
        g.receive(GET);
        ScriptedChannel ours = r.connect();
        ours.receive(demand("Basic realm=r"));
        assertThat(ours.sent()).contains("Proxy-Authorization: " + BOB);
        ours.receive(OK);

        g.receive(GET.replace("\r\n\r\n", "\r\nProxy-Authorization: Basic Z3Vlc3Q6eA==\r\n\r\n"));
        ScriptedChannel guests = r.connect();
        assertThat(guests.sent())
                .contains("Proxy-Authorization: Basic Z3Vlc3Q6eA==\r\n")
                .doesNotContain(BOB);
        g.sent();
        guests.receive(demand("Basic realm=r"));
        assertThat(g.sent())
                .startsWith("HTTP/1.1 407 ")
                .contains("Proxy-Authenticate: Basic realm=r")
                .endsWith("login!");

        g.receive(GET.replace("\r\n\r\n", "\r\nProxy-Authorization: Basic b3RoZXI6eA==\r\n\r\n"));
        assertThat(r.dialed).hasSize(3);
    }

    @Test
    void guestsOwnAuthorization_isDropped_whereItIsNotPassed() {
        guest.receive(GET.replace("\r\n\r\n", "\r\nProxy-Authorization: Basic Z3Vlc3Q6eA==\r\n\r\n"));

        assertThat(rig.connect().sent()).doesNotContain("Proxy-Authorization");
    }

    // --- Basic

    @Test
    void basic_onDemand_thenUnasked_onAllConnections() {
        guest.receive(GET);
        ScriptedChannel upstream = rig.connect();
        assertThat(upstream.sent()).doesNotContain("Proxy-Authorization");
        upstream.receive(demand("Basic realm=\"r\""));
        assertThat(upstream.sent()).startsWith("GET http://a.test/x ").contains("Proxy-Authorization: " + BOB);
        upstream.receive(OK);
        assertThat(guest.sent())
                .startsWith("HTTP/1.1 200 ")
                .endsWith("\r\n\r\nok")
                .doesNotContain("login!");

        ScriptedChannel other = rig.guest();
        other.receive(CONNECT);
        assertThat(rig.connect().sent()).startsWith("CONNECT ").contains("Proxy-Authorization: " + BOB);
        assertThat(rig.authenticator.states()).singleElement().satisfies(s -> assertThat(s.kind())
                .isEqualTo(ProxyState.Kind.ACCEPTED));
    }

    @Test
    void proxyThatClosesBehindThe407_isCalledAgain() {
        guest.receive(CONNECT);
        rig.connect()
                .receive("HTTP/1.0 407 No\r\nProxy-Authenticate: Basic realm=r\r\nConnection: close\r\n"
                        + "Content-Length: 0\r\n\r\n");

        ScriptedChannel again = rig.connect();
        assertThat(again.sent()).startsWith("CONNECT ").contains(BOB);
        again.receive("HTTP/1.1 200 OK\r\n\r\n");
        assertThat(guest.sent()).isEqualTo("HTTP/1.1 200 Connection established\r\n\r\n");
    }

    @Test
    void wrongPassword_isTriedOnce_byAllConnectionsTogether() {
        guest.receive(GET);
        ScriptedChannel first = rig.connect();
        ScriptedChannel second = rig.guest();
        second.receive(CONNECT);
        ScriptedChannel seconds = rig.connect();
        first.receive(demand("Basic realm=r"));
        assertThat(first.sent()).contains(BOB);
        seconds.sent();
        seconds.receive(demand("Basic realm=r"));
        assertThat(seconds.sent()).as("waits for how the first one ends").isEmpty();

        first.receive(demand("Basic realm=r"));

        assertThat(guest.sent())
                .startsWith("HTTP/1.1 502 ")
                .contains("refused the user and password")
                .doesNotContain("secret", "407");
        rig.run();
        assertThat(second.sent()).startsWith("HTTP/1.1 502 ");
        assertThat(seconds.sent()).isEmpty();
        assertThat(rig.authenticator.states()).singleElement().satisfies(s -> assertThat(s.kind())
                .isEqualTo(ProxyState.Kind.NEEDS_CREDENTIALS));

        guest.receive(GET);
        ScriptedChannel later = rig.connect();
        later.receive(demand("Basic realm=r"));
        assertThat(later.sent()).doesNotContain("Proxy-Authorization");
        assertThat(guest.sent()).startsWith("HTTP/1.1 502 ");

        rig.now.addAndGet(Duration.ofMinutes(16).toNanos());
        guest.receive(GET);
        ScriptedChannel after = rig.connect();
        after.sent();
        after.receive(demand("Basic realm=r"));
        assertThat(after.sent()).contains(BOB);
    }

    @Test
    void connectionLostWhileItTries_letsTheNextOneTry() {
        guest.receive(GET);
        ScriptedChannel first = rig.connect();
        first.receive(demand("Basic realm=r"));
        ScriptedChannel second = rig.guest();
        second.receive(GET);
        ScriptedChannel seconds = rig.connect();
        seconds.receive(demand("Basic realm=r"));
        assertThat(seconds.sent()).doesNotContain("Proxy-Authorization");

        guest.close();
        rig.run();

        assertThat(seconds.sent()).contains(BOB);
    }

    @Test
    void noCredentials_areSaidToBeMissing() {
        UpstreamRig r = new UpstreamRig(UpstreamRig.TWO);
        ScriptedChannel g = r.guest();
        g.receive(GET);
        r.connect().receive(demand("Negotiate", "NTLM", "Basic realm=r"));

        assertThat(g.sent())
                .startsWith("HTTP/1.1 502 ")
                .contains("http://two.proxy:3128: it wants credentials (negotiate, ntlm, basic)");
    }

    // --- Digest

    @Test
    void digest_isPreferredToBasic_countsUp_andRenewsAStaleNonce() {
        guest.receive(GET);
        ScriptedChannel upstream = rig.connect();
        upstream.receive(demand("Basic realm=r", "Digest realm=r, nonce=n1, qop=\"auth\", algorithm=SHA-256"));
        assertThat(upstream.sent())
                .contains("Proxy-Authorization: Digest username=\"bob\"")
                .contains("nonce=\"n1\"", "nc=00000001", "uri=\"http://a.test/x\"");
        upstream.receive(OK);
        guest.receive(GET);
        assertThat(upstream.sent()).contains("nonce=\"n1\"", "nc=00000002");

        upstream.receive(demand("Digest realm=r, nonce=n2, qop=\"auth\", algorithm=SHA-256, stale=true"));
        assertThat(upstream.sent()).contains("nonce=\"n2\"", "nc=00000001");
        upstream.receive(OK);
        assertThat(guest.sent()).endsWith("ok");
    }

    @Test
    void digestBeforeABody_getsAFreshNonceByAProbe() {
        guest.receive(GET);
        ScriptedChannel upstream = rig.connect();
        upstream.receive(demand("Digest realm=r, nonce=n1, qop=\"auth\""));
        upstream.receive(OK);
        upstream.sent();

        guest.receive("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody");

        assertThat(upstream.sent()).startsWith("OPTIONS http://a.test/ ").doesNotContain("body", "Proxy-Authorization");
        upstream.receive(demand("Digest realm=r, nonce=n2, qop=\"auth\""));
        assertThat(upstream.sent())
                .startsWith("POST http://a.test/ ")
                .contains("nonce=\"n2\"")
                .endsWith("\r\n\r\nbody");
    }

    @Test
    void basicBeforeABody_isAskedForOnce_andABodyIsNeverSentTwice() {
        String post = "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody";
        guest.receive(post);
        ScriptedChannel upstream = rig.connect();
        assertThat(upstream.sent()).startsWith("OPTIONS http://a.test/ ").doesNotContain("Max-Forwards");
        upstream.receive(demand("Basic realm=r"));
        assertThat(upstream.sent()).startsWith("POST ").contains(BOB).endsWith("body");
        upstream.receive(OK);
        guest.receive(post);
        assertThat(upstream.sent()).startsWith("POST ").contains(BOB).endsWith("body");

        guest.sent();
        upstream.receive(demand("Basic realm=r")); // the password has been changed
        assertThat(guest.sent()).startsWith("HTTP/1.1 502 ").contains("refused the user and password");
        assertThat(upstream.sent()).isEmpty();
    }

    @Test
    void proxyThatWantsNothing_isProbedOnce() {
        guest.receive("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody");
        ScriptedChannel upstream = rig.connect();
        assertThat(upstream.sent()).startsWith("OPTIONS ");
        upstream.receive("HTTP/1.1 405 No\r\nContent-Length: 2\r\n\r\nno");
        assertThat(upstream.sent()).startsWith("POST ").endsWith("body");
        upstream.receive(OK);
        assertThat(guest.sent()).startsWith("HTTP/1.1 200 ").endsWith("ok");

        ScriptedChannel other = rig.guest();
        other.receive("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody");
        assertThat(rig.connect().sent()).startsWith("POST ");
    }

    // --- NTLM

    private static void authenticateByNtlm(ScriptedChannel upstream) {
        upstream.sent();
        upstream.receive(demand("NTLM"));
        assertThat(upstream.sent()).contains("Proxy-Authorization: NTLM TlRMTVNTUAAB");
        upstream.receive(demand("NTLM " + NTLM_TYPE_2));
        assertThat(upstream.sent()).contains("Proxy-Authorization: NTLM TlRMTVNTUAAD");
    }

    @Test
    void ntlm_threeLegsOnOneConnection_whichStaysAuthenticated() {
        guest.receive(GET);
        ScriptedChannel upstream = rig.connect();
        authenticateByNtlm(upstream);
        upstream.receive(OK);
        assertThat(guest.sent()).startsWith("HTTP/1.1 200 ");

        guest.receive(GET);
        assertThat(upstream.sent()).startsWith("GET ").doesNotContain("Proxy-Authorization");
        upstream.receive(OK);

        ScriptedChannel other = rig.guest();
        other.receive(CONNECT);
        ScriptedChannel tunnel = rig.connect();
        assertThat(tunnel.sent()).contains("Proxy-Authorization: NTLM TlRMTVNTUAAB"); // unasked by now
        tunnel.receive(demand("NTLM " + NTLM_TYPE_2));
        assertThat(tunnel.sent()).contains("Proxy-Authorization: NTLM TlRMTVNTUAAD");
        tunnel.receive("HTTP/1.1 200 OK\r\n\r\n");
        assertThat(other.sent()).startsWith("HTTP/1.1 200 ");
    }

    @Test
    void ntlmInNegotiate_whereThereIsNoTicket() {
        guest.receive(GET);
        ScriptedChannel upstream = rig.connect();
        upstream.receive(demand("Negotiate"));
        assertThat(upstream.sent()).contains("Proxy-Authorization: Negotiate TlRMTVNTUAAB");
        upstream.receive(demand("Negotiate " + NTLM_TYPE_2));
        assertThat(upstream.sent()).contains("Proxy-Authorization: Negotiate TlRMTVNTUAAD");
        upstream.receive(demand("Negotiate"));
        assertThat(guest.sent()).startsWith("HTTP/1.1 502 ").contains("refused");
    }

    @Test
    void ntlmBeforeABody_sendsTheBodyOnce() {
        guest.receive("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody");
        ScriptedChannel upstream = rig.connect();
        assertThat(upstream.sent()).startsWith("OPTIONS ").doesNotContain("Proxy-Authorization");
        upstream.receive(demand("NTLM"));
        assertThat(upstream.sent())
                .startsWith("OPTIONS ")
                .contains("NTLM TlRMTVNTUAAB")
                .doesNotContain("body");
        upstream.receive(demand("NTLM " + NTLM_TYPE_2));

        assertThat(upstream.sent())
                .startsWith("POST ")
                .contains("NTLM TlRMTVNTUAAD")
                .endsWith("\r\n\r\nbody");
    }

    @Test
    void proxyThatClosesInTheMiddleOfNtlm_isAnErrorAndNoRefusal() {
        guest.receive(GET);
        ScriptedChannel upstream = rig.connect();
        upstream.receive(demand("NTLM"));
        upstream.receive(
                demand("NTLM " + NTLM_TYPE_2).replace("Content-Length", "Connection: close\r\nContent-Length"));

        assertThat(guest.sent()).startsWith("HTTP/1.1 502 ").contains("in the middle of the authentication");
    }

    @Test
    void proxyThatDoesNotGoOnWithNtlm_isAnsweredInAnotherWay() {
        guest.receive(GET);
        ScriptedChannel upstream = rig.connect();
        upstream.receive(demand("Negotiate", "Basic realm=r"));
        assertThat(upstream.sent()).contains("Negotiate TlRMTVNTUAAB");
        upstream.receive(demand("Negotiate", "Basic realm=r"));

        assertThat(upstream.sent()).contains(BOB);
        upstream.receive(OK);
        assertThat(guest.sent()).endsWith("ok");
    }

    @Test
    void connectionThatWaitsForAnothers_doesNotWaitForEver() {
        guest.receive(GET);
        rig.connect().receive(demand("Basic realm=r"));
        ScriptedChannel second = rig.guest();
        second.receive(GET);
        rig.connect().receive(demand("Basic realm=r"));
        assertThat(second.sent()).isEmpty();

        rig.pass(61);

        assertThat(second.sent()).startsWith("HTTP/1.1 502 ").contains("takes too long");
    }

    /** The first request may be answered in an hour, as a long poll is: the proxy took its password, or it would have said so. */
    @Test
    void firstRequestThatIsAnsweredLate_keepsNobodyFromTheProxy() {
        guest.receive(GET);
        ScriptedChannel slow = rig.connect();
        slow.receive(demand("Basic realm=r"));
        assertThat(slow.sent()).contains(BOB);
        List<ScriptedChannel> others = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            rig.guest().receive(GET);
            ScriptedChannel other = rig.connect();
            other.receive(demand("Basic realm=r"));
            assertThat(other.sent()).doesNotContain("Proxy-Authorization");
            others.add(other);
        }

        rig.now.addAndGet(Duration.ofSeconds(11).toNanos());
        rig.pass(11);

        assertThat(others.get(0).sent()).contains(BOB);
        assertThat(others.get(1).sent()).as("one at a time").isEmpty();
        others.get(0).receive(OK);
        rig.run();
        assertThat(others.get(1).sent()).contains(BOB);
        assertThat(others.get(2).sent()).contains(BOB);
    }

    @Test
    void wrongPasswordOfASlowDirectory_isTriedAgainByOne() {
        guest.receive(GET);
        ScriptedChannel slow = rig.connect();
        slow.receive(demand("Basic realm=r"));
        List<ScriptedChannel> others = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            rig.guest().receive(GET);
            ScriptedChannel other = rig.connect();
            other.receive(demand("Basic realm=r"));
            other.sent();
            others.add(other);
        }
        rig.now.addAndGet(Duration.ofSeconds(11).toNanos());
        rig.pass(11);
        slow.receive(demand("Basic realm=r"));
        rig.run();
        others.get(0).sent();
        others.get(0).receive(demand("Basic realm=r"));
        rig.run();
        assertThat(others.get(1).sent() + others.get(2).sent()).doesNotContain("Proxy-Authorization");
    }

    /** What nobody knows is no reason to leave what is known; and an answer to half an NTLM handshake proves no password. */
    @Test
    void unknownDigest_isPassedOver() {
        guest.receive(GET);
        ScriptedChannel upstream = rig.connect();
        upstream.receive(demand("Digest realm=r, nonce=n, algorithm=SHA-512", "Digest realm=r, nonce=n"));
        assertThat(upstream.sent()).contains("Proxy-Authorization: Digest username=");
    }

    @Test
    void answerInTheMiddleOfNtlm_acceptsNobody() {
        guest.receive(GET);
        ScriptedChannel upstream = rig.connect();
        upstream.receive(demand("NTLM"));
        assertThat(upstream.sent()).contains("Proxy-Authorization: NTLM ");
        upstream.receive(OK);
        assertThat(guest.sent()).endsWith("ok");
        assertThat(rig.authenticator.states()).singleElement().satisfies(s -> assertThat(s.kind())
                .isNotEqualTo(ProxyState.Kind.ACCEPTED));
        guest.receive(GET);
        assertThat(rig.dials).isEmpty();
        assertThat(upstream.sent()).doesNotContain("Proxy-Authorization");
    }

    @Test
    void kerberosAndNtlm_canBeForbidden() {
        UpstreamRig r = new UpstreamRig(false, CredentialSource.NONE, AuthSettings.of(false), UpstreamRig.ONE);
        ScriptedChannel g = r.guest();
        g.receive(GET);
        ScriptedChannel upstream = r.connect();
        upstream.receive(demand("Negotiate", "NTLM", "Basic realm=r"));

        assertThat(upstream.sent()).contains(BOB);
    }

    @Test
    void pinnedScheme_isTheOnlyOne_andCountsAtOnce() {
        guest.receive(GET);
        ScriptedChannel upstream = rig.connect();
        upstream.receive(demand("Digest realm=r, nonce=n, algorithm=SHA-256, qop=auth", "Basic realm=r"));
        assertThat(upstream.sent()).contains("Proxy-Authorization: Digest ");
        upstream.receive(OK);

        rig.authenticator.set(AuthSettings.of(true, Scheme.BASIC, null));
        guest.receive(GET);
        ScriptedChannel other = rig.connect();
        assertThat(other.sent()).doesNotContain("Proxy-Authorization");
        other.receive(demand("Digest realm=r, nonce=n, algorithm=SHA-256, qop=auth", "NTLM", "Basic realm=r"));
        assertThat(other.sent()).contains(BOB);

        rig.authenticator.set(AuthSettings.of(false, Scheme.NTLM, null));
        ScriptedChannel g = rig.guest();
        g.receive(GET);
        rig.connect().receive(demand("Basic realm=r"));
        assertThat(g.sent()).startsWith("HTTP/1.1 502 ").contains("there are none that fit");
    }

    @Test
    void endlessChallenges_end() {
        guest.receive(GET);
        ScriptedChannel upstream = rig.connect();
        for (int i = 0; i < 20 && upstream.isOpen(); i++) {
            upstream.receive(demand("NTLM " + NTLM_TYPE_2));
        }

        assertThat(guest.sent()).startsWith("HTTP/1.1 502 ");
        assertThat(upstream.isOpen()).isFalse();
    }
}
