package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.ScriptedChannel;
import dev.longshore.vpnkit.hostsocket.DialResult;
import org.junit.jupiter.api.Test;

/**
 * What well-known proxies do differently from each other, one difference a test: a raw client, and a raw origin that waits for
 * the whole message. Some of them leak, cut or misread each of these; {@code StrictProxyIT} asks them beside us.
 */
@SuppressWarnings("StringConcatToTextBlock") // CRLF must be seen
class PeerMatrixTest {
    private static final String VIA = "Via: 1.1 longshore-test\r\n";

    private final ProxyRig rig = new ProxyRig();
    private final ScriptedChannel guest = rig.guest;

    private static String get(String fields) {
        return "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n" + fields + "\r\n";
    }

    private static String post(String fields, String body) {
        return "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\n" + fields + "\r\n" + body;
    }

    private void isRefused(int status, String request) {
        guest.receive(request + get(""));
        assertThat(guest.sent())
                .startsWith("HTTP/1.1 " + status + " ")
                .containsOnlyOnce("HTTP/1.1 ")
                .contains("\r\nConnection: close\r\n");
        assertThat(rig.dialed).isEmpty();
        assertThat(guest.isOutputShutdown()).isTrue();
    }

    @Test
    void fieldThatConnectionNames_isRemoved() {
        assertThat(rig.request(get("Connection: X-Hop\r\nX-Hop: 1\r\n")).sent())
                .isEqualTo("GET / HTTP/1.1\r\nHost: a.test\r\n" + VIA + "\r\n");
    }

    /** One proxy overwrites Connection by Proxy-Connection before it looks what Connection names. */
    @Test
    void fieldThatConnectionNames_isRemoved_besideProxyConnection() {
        assertThat(rig.request(get("Connection: X-Hop\r\nProxy-Connection: keep-alive\r\nX-Hop: 1\r\n"))
                        .sent())
                .isEqualTo("GET / HTTP/1.1\r\nHost: a.test\r\n" + VIA + "\r\n");
    }

    @Test
    void proxyAuthorization_neverReachesAnOrigin() {
        assertThat(rig.request(get("Proxy-Authorization: Basic c2VjcmV0\r\n")).sent())
                .isEqualTo("GET / HTTP/1.1\r\nHost: a.test\r\n" + VIA + "\r\n");
    }

    @Test
    void hostField_isTheTargets() {
        assertThat(rig.request("GET http://a.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n")
                        .sent())
                .isEqualTo("GET / HTTP/1.1\r\nHost: a.test\r\n" + VIA + "\r\n");
    }

    @Test
    void lengthAndTransferCoding_inARequest_areRefused() {
        isRefused(400, post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"));
    }

    @Test
    void unknownTransferCodingAndLength_areRefused() {
        isRefused(400, post("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", "hello"));
    }

    @Test
    void unknownTransferCoding_isNotImplemented() {
        isRefused(501, post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"));
    }

    @Test
    void sameLengthTwice_inARequest_isRefused() {
        isRefused(400, post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"));
    }

    @Test
    void bareLineFeeds_inARequest_areRefused() {
        isRefused(400, "GET http://a.test/ HTTP/1.1\nHost: a.test\n\n");
    }

    @Test
    void continuationLine_inARequest_isRefused() {
        isRefused(400, get("X-F: a\r\n b\r\n"));
    }

    @Test
    void blankBeforeTheColon_inARequest_isRefused() {
        isRefused(400, get("X-F : a\r\n"));
    }

    /** Two proxies lose the end of this body, one the trailer, one refuses it. */
    @Test
    void chunksWithExtensionAndTrailer_arriveWhole() {
        ScriptedChannel origin = rig.request(post("Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n", ""));
        assertThat(origin.sent())
                .isEqualTo("POST / HTTP/1.1\r\nHost: a.test\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n" + VIA
                        + "\r\n");

        guest.receive("5;ext=1\r\nhello\r\n0\r\nX-Sum: abc\r\n\r\n");

        assertThat(origin.sent()).isEqualTo("5\r\nhello\r\n0\r\nX-Sum: abc\r\n\r\n");
    }

    @Test
    void webSocket_withoutATunnel_isARawStreamAfter101() {
        ScriptedChannel origin =
                rig.request(get("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n"));
        assertThat(origin.sent())
                .isEqualTo("GET / HTTP/1.1\r\nHost: a.test\r\nSec-WebSocket-Key: a\r\nUpgrade: websocket\r\n"
                        + "Connection: Upgrade\r\n" + VIA + "\r\n");

        origin.receive(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\u0081\u0000");
        assertThat(guest.sent()).startsWith("HTTP/1.1 101 ").endsWith("\r\n\r\n\u0081\u0000");
        guest.receive("\u0088\u0000");
        assertThat(origin.sent()).isEqualTo("\u0088\u0000");
    }

    @Test
    void earlyHints_arePassedOn() {
        ScriptedChannel origin = rig.request(get(""));
        origin.receive("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");

        assertThat(guest.sent())
                .isEqualTo("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n" + VIA + "\r\nHTTP/1.1 200 OK\r\n" + VIA
                        + "Content-Length: 0\r\n\r\n");
    }

    @Test
    void traceThatMayGoNoFurther_isReflectedHere() {
        guest.receive("TRACE http://a.test/x HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 0\r\nX: y\r\n\r\n");

        assertThat(guest.sent())
                .startsWith("HTTP/1.1 200 OK\r\nContent-Type: message/http\r\n")
                .endsWith("\r\n\r\nTRACE http://a.test/x HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 0\r\nX: y\r\n\r\n");
        assertThat(rig.dialed).isEmpty();
    }

    @Test
    void lengthAndTransferCoding_inAResponse_areReadAsChunks() {
        rig.request(get(""))
                .receive("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + "5\r\nhello\r\n0\r\n\r\n");

        assertThat(guest.sent())
                .isEqualTo("HTTP/1.1 200 OK\r\n" + VIA + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    }

    @Test
    void bareLineFeeds_inAResponse_areRepaired() {
        rig.request(get("")).receive("HTTP/1.1 200 OK\nX: y\nContent-Length: 2\n\nok");

        assertThat(guest.sent()).isEqualTo("HTTP/1.1 200 OK\r\nX: y\r\n" + VIA + "Content-Length: 2\r\n\r\nok");
    }

    @Test
    void httpsInAbsoluteForm_isRefused() {
        isRefused(400, "GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
    }

    @Test
    void fieldOf9KiB_passes() {
        String field = "X-Long: " + "y".repeat(9 * 1024) + "\r\n";
        assertThat(rig.request(get(field)).sent()).contains(field);
    }

    @Test
    void fieldOf70KiB_isTooLarge() {
        isRefused(431, get("X-Long: " + "y".repeat(70 * 1024) + "\r\n"));
    }

    @Test
    void methodThatNobodyKnows_passes() {
        assertThat(rig.request("FROB http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n")
                        .sent())
                .startsWith("FROB / HTTP/1.1\r\n");
    }

    @Test
    void clientsConnection_isKept() {
        ScriptedChannel origin = rig.request(get(""));
        origin.receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        origin.sent();
        assertThat(guest.sent()).doesNotContain("Connection:");

        guest.receive(get("X: second\r\n"));

        assertThat(origin.sent()).contains("X: second\r\n");
    }

    @Test
    void originThatIsDead_is502() {
        guest.receive(get(""));
        rig.answerDial(new DialResult.Refused());

        assertThat(guest.sent())
                .startsWith("HTTP/1.1 502 Bad Gateway\r\n")
                .contains(
                        "\r\nProxy-Status: longshore-test; error=connection_refused; details=\"connection refused\"\r\n");
    }

    @Test
    void via_isAddedBothWays_behindOthers() {
        ScriptedChannel origin = rig.request(get("Via: 1.0 fred\r\n"));
        assertThat(origin.sent()).contains("\r\nVia: 1.0 fred\r\nVia: 1.1 longshore-test\r\n");

        origin.receive("HTTP/1.0 200 OK\r\nVia: 1.1 joe\r\nContent-Length: 0\r\n\r\n");
        assertThat(guest.sent()).contains("\r\nVia: 1.1 joe\r\nVia: 1.0 longshore-test\r\n");
    }
}
