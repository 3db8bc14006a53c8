package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.testkit.ScriptedChannel;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** One request after the other, as an origin and as a guest see them. */
@SuppressWarnings("StringConcatToTextBlock") // CRLF must be seen, and a text block would end its lines in LF
class ForwardingTest {
    private static final String GET = "GET http://a.test/x?q=1 HTTP/1.1\r\nHost: a.test\r\n\r\n";
    private static final String OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    private final ProxyRig rig = new ProxyRig();
    private final ScriptedChannel guest = rig.guest;

    @Test
    void get_becomesOriginFormWithTheTargetsHost() {
        ScriptedChannel origin =
                rig.request("GET http://A.test:8080/x?q=1 HTTP/1.1\r\nHost: evil.test\r\nAccept: */*\r\n\r\n");

        assertThat(rig.dialed).containsExactly(Destination.named("a.test", 8080));
        assertThat(origin.sent())
                .isEqualTo(
                        "GET /x?q=1 HTTP/1.1\r\nHost: a.test:8080\r\nAccept: */*\r\nVia: 1.1 longshore-test\r\n\r\n");

        origin.receive("HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX: y\r\n\r\nok");
        assertThat(guest.sent())
                .isEqualTo("HTTP/1.1 200 Fine\r\nX: y\r\nVia: 1.1 longshore-test\r\nContent-Length: 2\r\n\r\nok");
    }

    @Test
    void hostDockerInternal_isTheHostsAddress() {
        ScriptedChannel origin = rig.request("GET http://host.docker.internal:80/ HTTP/1.1\r\nHost: x\r\n\r\n");

        assertThat(rig.dialed).containsExactly(Destination.named("host.docker.internal", 80));
        assertThat(origin.sent()).contains("\r\nHost: host.docker.internal\r\n");
    }

    @Test
    void ipv6Literal_keepsItsBrackets() {
        ScriptedChannel origin = rig.request("GET http://[2001:DB8::1]:81/ HTTP/1.1\r\nHost: x\r\n\r\n");

        assertThat(rig.dialed).containsExactly(Destination.of(IpAddress.parse("2001:db8::1"), 81));
        assertThat(origin.sent()).contains("\r\nHost: [2001:db8::1]:81\r\n");
    }

    @Test
    void optionsWithoutAPath_becomesAsterisk() {
        ScriptedChannel origin =
                rig.request("OPTIONS http://a.test HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 5\r\n\r\n");

        assertThat(origin.sent()).startsWith("OPTIONS * HTTP/1.1\r\n").contains("Max-Forwards: 4\r\n");
    }

    @Test
    void maxForwards0_isAnsweredHere() {
        guest.receive("TRACE http://a.test/ HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 0\r\n\r\n");

        assertThat(guest.sent()).startsWith("HTTP/1.1 200 OK\r\n");
        assertThat(rig.dialed).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"00", "0000000000000"})
    void maxForwards0InAnySpelling_isAnsweredHere(String zero) {
        guest.receive("OPTIONS http://a.test/ HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: " + zero + "\r\n\r\n");

        assertThat(guest.sent()).startsWith("HTTP/1.1 200 OK\r\n");
        assertThat(rig.dialed).isEmpty();
    }

    /** RFC 9110 §7.6.2: what is larger than we count becomes the most that we count. */
    @Test
    void maxForwards_isCountedDown_whateverItsSize() {
        assertThat(rig.request("TRACE http://a.test/ HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 99999999999\r\n\r\n")
                        .sent())
                .contains("\r\nMax-Forwards: 999999999\r\n");
    }

    /** RFC 9110 §9.3.8: secrets are not reflected to whoever may read the response. */
    @Test
    void trace_reflectsNoSecrets() {
        guest.receive("TRACE http://a.test/ HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 0\r\nCookie: s=1\r\n"
                + "Authorization: Basic b\r\nProxy-Authorization: Basic c\r\nVia: 1.1 fred\r\n\r\n");

        assertThat(guest.sent())
                .endsWith("\r\n\r\nTRACE http://a.test/ HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 0\r\n"
                        + "Via: 1.1 fred\r\n\r\n");
        guest.receive(GET);
        assertThat(rig.dials).as("the connection lives on").hasSize(1);
    }

    /** Without HTTP2-Settings, which ends here, no origin may take it (RFC 7540 §3.2.1), and some answer 400. */
    @Test
    void offerOfHttp2_isLeftOut() {
        ScriptedChannel origin = rig.request("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
                + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n");

        assertThat(origin.sent()).isEqualTo("GET / HTTP/1.1\r\nHost: a.test\r\nVia: 1.1 longshore-test\r\n\r\n");
    }

    @Test
    void hopByHopFields_endHereInBothDirections() {
        ScriptedChannel origin = rig.request("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
                + "Connection: x-secret, Host, authorization\r\nX-Secret: 1\r\nAuthorization: Basic b\r\n"
                + "Proxy-Authorization: Basic c\r\nProxy-Connection: keep-alive, x-other\r\nX-Other: 1\r\n"
                + "Keep-Alive: timeout=5\r\nTE: gzip, trailers\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n");

        assertThat(origin.sent())
                .isEqualTo("GET / HTTP/1.1\r\nHost: a.test\r\nAuthorization: Basic b\r\nTE: trailers\r\n"
                        + "Connection: TE\r\nVia: 1.1 longshore-test\r\n\r\n");

        origin.receive("HTTP/1.1 200 OK\r\nConnection: x-r, set-cookie\r\nX-R: 1\r\nSet-Cookie: a=b\r\n"
                + "Proxy-Authenticate: Basic\r\nKeep-Alive: 5\r\nContent-Length: 0\r\n\r\n");
        assertThat(guest.sent())
                .isEqualTo("HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nVia: 1.1 longshore-test\r\n"
                        + "Content-Length: 0\r\n\r\n");
    }

    @Test
    void secondRequest_reusesTheConnection() {
        ScriptedChannel origin = rig.request(GET);
        origin.receive(OK);
        guest.sent();

        guest.receive(GET);

        assertThat(rig.dialed).hasSize(1);
        assertThat(origin.sent()).contains("GET /x?q=1").contains("GET /x?q=1");
        origin.receive(OK);
        assertThat(guest.sent()).endsWith("ok");
    }

    @Test
    void anotherOrigin_getsItsOwnConnection_andTheFirstIsKept() {
        ScriptedChannel a = rig.request(GET);
        a.receive(OK);
        ScriptedChannel b = rig.request(GET.replace("a.test", "b.test"));
        b.receive(OK);
        a.sent();

        guest.receive(GET);

        assertThat(rig.dialed).hasSize(2);
        assertThat(a.sent()).startsWith("GET /x");
    }

    @Test
    void unsolicitedBytes_closeTheKeptConnection() {
        ScriptedChannel origin = rig.request(GET);
        origin.receive(OK);

        origin.receive("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
        assertThat(origin.isOpen()).isFalse();

        guest.receive(GET);
        assertThat(rig.dialed).hasSize(2);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
                "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"
            })
    void doubtfulResponse_isPassedOnButItsConnectionNotUsedAgain(String response) {
        ScriptedChannel origin = rig.request(GET);

        origin.receive(response);

        assertThat(guest.sent()).matches("(?s)HTTP/1.1 (20.|304) .*");
        assertThat(origin.isOpen()).isFalse();
        guest.receive(GET);
        assertThat(rig.dialed).hasSize(2);
        assertThat(guest.isOutputShutdown()).isFalse();
    }

    @Test
    void keptConnectionGone_isRetriedOnceForGet() {
        ScriptedChannel origin = rig.request(GET);
        origin.receive(OK);
        guest.sent();
        guest.receive(GET);
        origin.receiveEof();

        ScriptedChannel second = rig.connect();
        assertThat(second.sent()).startsWith("GET /x");
        second.receiveEof();

        assertThat(guest.sent()).startsWith("HTTP/1.1 502 ").contains("error=connection_terminated");
        assertThat(rig.dialed).hasSize(2);
    }

    @Test
    void keptConnectionGone_isNotRetriedForPost() {
        ScriptedChannel origin = rig.request(GET);
        origin.receive(OK);
        guest.sent();

        guest.receive("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n");
        origin.receiveEof();

        assertThat(rig.dialed).hasSize(1);
        assertThat(guest.sent()).startsWith("HTTP/1.1 502 ");
    }

    @Test
    void contentLengthBody_isStreamedAsItComes() {
        ScriptedChannel origin =
                rig.request("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\n\r\nabc");
        assertThat(origin.sent()).endsWith("Content-Length: 6\r\nVia: 1.1 longshore-test\r\n\r\nabc");

        guest.receive("def" + GET);

        assertThat(origin.sent()).isEqualTo("def");
        origin.receive(OK);
        assertThat(origin.sent()).startsWith("GET /x"); // what followed the body was the next request
    }

    @Test
    void chunkedBody_staysChunked_extensionsDropped_trailersFiltered() {
        ScriptedChannel origin = rig.request("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nTrailer: X-Sum\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n4;ext=\"v\"\r\nabcd\r\n");
        assertThat(origin.sent()).contains("Transfer-Encoding: chunked\r\n").endsWith("\r\n\r\n4\r\nabcd\r\n");

        guest.receiveBytewise(
                "A\r\n0123456789\r\n0\r\nX-Sum: 7\r\nHost: evil\r\nAuthorization: x\r\nContent-Length: 3\r\n\r\n");
        assertThat(origin.sent()).endsWith("9\r\n0\r\nX-Sum: 7\r\n\r\n").doesNotContain("evil");

        origin.receive(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nX-T: 1\r\nSet-Cookie: a\r\n\r\n");
        assertThat(guest.sent()).endsWith("\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Transfer-Encoding: chunked",
                "Content-Length: 3",
                "Host: evil",
                "Connection: X-Sum",
                "Authorization: Basic b",
                "Proxy-Authorization: Basic b",
                "Cookie: a=b",
                "Set-Cookie: a=b",
                "If-Match: x",
                "If-None-Match: x",
                "If-Modified-Since: x",
                "If-Unmodified-Since: x",
                "If-Range: x",
                "Warning: x",
                "X-Real-IP: 1.2.3.4",
                "X-Forwarded-For: 1.2.3.4",
                "Content-Type: text/html",
                "Content-Encoding: gzip"
            })
    void trailerThatWouldChangeTheMessage_isDroppedBothWays(String field) {
        String chunks = "1\r\nx\r\n0\r\nX-Sum: 7\r\n" + field + "\r\nGrpc-Status: 0\r\n\r\n";
        ScriptedChannel origin = rig.request(
                "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks);
        assertThat(origin.sent()).endsWith("\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 7\r\nGrpc-Status: 0\r\n\r\n");

        origin.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks);
        assertThat(guest.sent()).endsWith("\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 7\r\nGrpc-Status: 0\r\n\r\n");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "g\r\n",
                "0x3\r\nabc\r\n",
                "+3\r\nabc\r\n",
                " 3\r\nabc\r\n",
                "3 \r\nabc\r\n",
                "3\nabc\r\n",
                "3\r\nabcd\r\n",
                "3\r\nabc\n",
                "3;a\rb\r\nabc\r\n",
                "3;a\nb\r\nabc\r\n",
                "3;\r\nabc\r\n",
                "3;a;\r\nabc\r\n",
                "3;a\0\r\nabc\r\n",
                "FFFFFFFFFFFFFFFF1\r\n",
                "\r\n",
                ";x\r\n",
                "0\r\nX : y\r\n\r\n",
                "0\r\nX: y\n\r\n"
            })
    void malformedChunks_endBothConnections(String chunks) {
        ScriptedChannel origin =
                rig.request("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");

        guest.receive(chunks);

        assertThat(guest.sent()).startsWith("HTTP/1.1 400 ");
        assertThat(origin.isOpen()).isFalse();
        assertThat(guest.isOutputShutdown()).isTrue();
    }

    @Test
    void pipelinedRequests_areAnsweredInOrder() {
        guest.receive(GET + GET.replace("a.test", "b.test") + GET.replace("/x?q=1", "/third"));
        ScriptedChannel a = rig.connect();
        assertThat(rig.dialed).hasSize(1);
        a.receive(OK);
        ScriptedChannel b = rig.connect();
        b.receive("HTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nb");
        a.sent();
        a.receive("HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n");

        assertThat(guest.sent()).containsSubsequence("HTTP/1.1 200", "ok", "HTTP/1.1 404", "HTTP/1.1 201");
    }

    @Test
    void interimResponses_areRelayed() {
        ScriptedChannel origin = rig.request(
                "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
        assertThat(origin.sent()).contains("Expect: 100-continue\r\n");

        origin.receive("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        assertThat(guest.sent()).contains("HTTP/1.1 100 Continue\r\n").contains("103 Early Hints\r\nLink: </a>\r\n");

        guest.receive("x");
        assertThat(origin.sent()).isEqualTo("x");
        origin.receive(OK);
        assertThat(guest.sent()).startsWith("HTTP/1.1 200");
    }

    @Test
    void headAnd304_haveNoBodyButKeepTheLength() {
        ScriptedChannel origin = rig.request(GET.replace("GET", "HEAD"));
        origin.receive("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        assertThat(guest.sent()).contains("Content-Length: 1000\r\n");

        guest.receive(GET);
        origin.receive("HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: \"x\"\r\n\r\n");
        assertThat(guest.sent()).contains("304").contains("Content-Length: 1000\r\n");
        assertThat(rig.dialed).hasSize(1);
    }

    @Test
    void closeDelimitedResponse_endsTheGuestConnectionProperly() {
        ScriptedChannel origin = rig.request(GET);

        origin.receive("HTTP/1.0 200 OK\r\n\r\nsome ");
        origin.receive("bytes");
        origin.receiveEof();

        assertThat(guest.sent()).contains("Connection: close\r\n").endsWith("\r\n\r\nsome bytes");
        assertThat(guest.isOutputShutdown()).isTrue();
        assertThat(guest.isOpen()).isTrue();
        guest.receiveEof();
        guest.pass(5);
        assertThat(guest.isOpen()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"
            })
    void cutResponse_isCutForTheGuestToo(String response) {
        ScriptedChannel origin = rig.request(GET);

        origin.receive(response);
        origin.receiveEof();

        assertThat(guest.sent()).contains("abc").doesNotContain("0\r\n\r\n");
        assertThat(guest.isOpen()).isFalse();
    }

    @Test
    void lenientResponses_areRepaired() {
        ScriptedChannel origin = rig.request(GET);

        origin.receive("HTTP/1.1 200\nX : a\nY: b\n c\nContent-Length: 2\nContent-Length: 2\n\nok");

        assertThat(guest.sent())
                .isEqualTo("HTTP/1.1 200 \r\nX: a\r\nY: b c\r\nVia: 1.1 longshore-test\r\nContent-Length: 2\r\n\r\nok");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "SSH-2.0-OpenSSH_9.2\r\n\r\n",
                "HTTP/2.0 200 OK\r\n\r\n",
                "HTTP/1.1 20 OK\r\n\r\n",
                "HTTP/1.1 099 OK\r\n\r\n",
                "HTTP/1.1 200 OK\r\nX Y: z\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 1 2\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
                "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"
            })
    void nonsenseFromTheOrigin_is502(String response) {
        ScriptedChannel origin = rig.request(GET);

        origin.receive(response);

        assertThat(guest.sent()).startsWith("HTTP/1.1 502 ").contains("Proxy-Status: longshore-test; error=");
        assertThat(origin.isOpen()).isFalse();
        guest.receive(GET);
        assertThat(rig.dialed).hasSize(2);
    }

    @Test
    void http10_getsCloseAndNoChunks() {
        ScriptedChannel origin =
                rig.request("GET http://a.test/ HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n");
        assertThat(origin.sent())
                .startsWith("GET / HTTP/1.1\r\nHost: a.test\r\n")
                .doesNotContain("Expect");

        origin.receive("HTTP/1.1 103 Early\r\n\r\n");
        origin.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n");

        assertThat(guest.sent())
                .isEqualTo("HTTP/1.1 200 OK\r\nVia: 1.1 longshore-test\r\nConnection: close\r\n\r\nabc");
        assertThat(guest.isOutputShutdown()).isTrue();
    }

    @Test
    void upgrade_becomesARawStream() {
        ScriptedChannel origin = rig.request(
                "GET http://a.test/ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: ts2021\r\n\r\n");
        assertThat(origin.sent()).contains("Upgrade: ts2021\r\nConnection: Upgrade\r\n");

        origin.receive("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ts2021\r\n\r\n\0early");
        assertThat(guest.sent())
                .isEqualTo("HTTP/1.1 101 Switching Protocols\r\nVia: 1.1 longshore-test\r\nUpgrade: ts2021\r\n"
                        + "Connection: Upgrade\r\n\r\n\0early");

        guest.receive("GET / not http any more\n");
        assertThat(origin.sent()).isEqualTo("GET / not http any more\n");
        origin.receiveEof();
        assertThat(guest.isOutputShutdown()).isTrue();
        guest.receive("still");
        assertThat(origin.sent()).isEqualTo("still");
    }

    @Test
    void refusedUpgrade_isAnOrdinaryResponse() {
        ScriptedChannel origin = rig.request(
                "GET http://a.test/ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");

        origin.receive(
                "HTTP/1.1 426 Upgrade Required\r\nUpgrade: y\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n");

        assertThat(guest.sent()).startsWith("HTTP/1.1 426 ").contains("Upgrade: y\r\n");
    }

    @Test
    void dialErrors_haveTheirOwnStatus() {
        assertThat(answerTo(new DialResult.Refused()))
                .startsWith("HTTP/1.1 502 ")
                .contains("connection_refused");
        assertThat(answerTo(new DialResult.TimedOut()))
                .startsWith("HTTP/1.1 504 ")
                .contains("connection_timeout");
        assertThat(answerTo(new DialResult.UnknownHost("no \"a\\b\" é")))
                .startsWith("HTTP/1.1 502 ")
                .contains("error=dns_error; details=\"no \\\"a\\\\b\\\" ?\"");
        assertThat(answerTo(new DialResult.Denied("by rule 7")))
                .startsWith("HTTP/1.1 403 ")
                .endsWith("by rule 7\n");
        assertThat(answerTo(new DialResult.Unreachable(true, "no route"))).startsWith("HTTP/1.1 502 ");
        assertThat(answerTo(new DialResult.Failed("EMFILE"))).startsWith("HTTP/1.1 502 ");
    }

    private String answerTo(DialResult result) {
        guest.receive(GET); // the connection lives on: an error is an answer
        rig.answerDial(result);
        return guest.sent();
    }

    @Test
    void dialErrorWithAnUnreadBody_endsTheConnection() {
        guest.receive("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\n");
        rig.answerDial(new DialResult.Refused());

        assertThat(guest.sent()).startsWith("HTTP/1.1 502 ").contains("Connection: close");
        assertThat(guest.isOutputShutdown()).isTrue();
    }

    @Test
    void guestGoneWhileDialing_closesWhatTheDialBrings() {
        guest.receive(GET);
        guest.receiveReset();

        assertThat(rig.dials.remove().isCancelled()).isTrue();
    }

    @Test
    void guestHalfClose_stillGetsItsAnswer() {
        ScriptedChannel origin = rig.request(GET);
        guest.receiveEof();

        origin.receive(OK);

        assertThat(guest.sent()).endsWith("ok");
        assertThat(guest.isOpen()).isFalse();
    }

    @Test
    void guestGoneInTheMiddleOfABody_closesTheOrigin() {
        ScriptedChannel origin =
                rig.request("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\na");
        guest.receiveEof();

        assertThat(origin.isOpen()).isFalse();
        assertThat(guest.isOpen()).isFalse();
    }

    @Test
    void earlyAnswerToAnUpload_isDeliveredThenTheConnectionEnds() {
        ScriptedChannel origin =
                rig.request("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\na");

        origin.receive("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");

        assertThat(guest.sent()).startsWith("HTTP/1.1 413 ").endsWith("no");
        assertThat(guest.isOutputShutdown()).isTrue();
        guest.receive("bc"); // thrown away
        assertThat(guest.sent()).isEmpty();
    }

    @Test
    void ownPage_answersUnderOurNameOnly() {
        guest.receive("GET / HTTP/1.1\r\nHost: http.docker.internal:3128\r\n\r\n");
        assertThat(guest.sent()).startsWith("HTTP/1.1 200 OK\r\n").contains("ok: the HTTP proxy");
        guest.receive("GET /health HTTP/1.1\r\nHost: 192.168.65.1:3128\r\n\r\n");
        assertThat(guest.sent()).startsWith("HTTP/1.1 200 OK\r\n");
        guest.receive("HEAD http://http.docker.internal:3128/ HTTP/1.1\r\nHost: x\r\n\r\n");
        assertThat(guest.sent()).startsWith("HTTP/1.1 200 OK\r\n").endsWith("\r\n\r\n");
        guest.receive("GET /secret HTTP/1.1\r\nHost: http.docker.internal:3128\r\n\r\n");
        assertThat(guest.sent()).startsWith("HTTP/1.1 404 ");
        guest.receive("OPTIONS * HTTP/1.1\r\nHost: http.docker.internal:3128\r\n\r\n");
        assertThat(guest.sent()).startsWith("HTTP/1.1 200 ");
        guest.receive("PUT / HTTP/1.1\r\nHost: http.docker.internal:3128\r\n\r\n");
        assertThat(guest.sent()).startsWith("HTTP/1.1 405 ");
        assertThat(rig.dialed).isEmpty();
    }

    @Test
    void slowHead_isGivenUpAfterItsTime() {
        guest.receive("GET http://a.test/ HT");
        guest.pass(30);
        guest.receive("TP/1.1\r\nHost: a");
        guest.pass(29);
        assertThat(guest.sent()).isEmpty();
        guest.pass(1);

        assertThat(guest.sent()).startsWith("HTTP/1.1 408 ");
        assertThat(guest.isOutputShutdown()).isTrue();
        guest.pass(5);
        assertThat(guest.isOpen()).isFalse();
    }

    @Test
    void idleConnection_isClosedInTheEnd_aWorkingOneNever() {
        ScriptedChannel origin = rig.request(GET);
        guest.pass(100_000);
        origin.receive(OK);
        assertThat(guest.sent()).endsWith("ok");

        guest.pass(599);
        assertThat(guest.isOpen()).isTrue();
        guest.pass(1);
        assertThat(guest.isOpen()).isFalse();
        assertThat(origin.isOpen()).isFalse();
    }

    @Test
    void endlessInterimResponses_areCutOff() {
        ScriptedChannel origin = rig.request(GET);

        origin.receive("HTTP/1.1 102 Processing\r\n\r\n".repeat(101));

        assertThat(guest.sent().toLowerCase(Locale.ROOT)).contains("http/1.1 502");
        assertThat(origin.isOpen()).isFalse();
    }
}
