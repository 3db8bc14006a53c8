package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.ScriptedChannel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What origins may do, at the edges of what is taken from them. */
@SuppressWarnings("StringConcatToTextBlock") // CRLF must be seen
class ResponsesTest {
    private static final String GET = "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n";
    private static final String OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    private final ProxyRig rig = new ProxyRig();
    private final ScriptedChannel guest = rig.guest;

    @Test
    void largeHeader_passes() {
        String field = "X-Long: " + "y".repeat(60 * 1024) + "\r\n";
        rig.request(GET).receive("HTTP/1.1 200 OK\r\n" + field + "Content-Length: 0\r\n\r\n");

        assertThat(guest.sent()).startsWith("HTTP/1.1 200 OK\r\n" + field);
    }

    @Test
    void tooLargeAHeader_is502() {
        isRefused("HTTP/1.1 200 OK\r\nX: " + "y".repeat(64 * 1024) + "\r\n\r\n");
    }

    @Test
    void tooManyFields_are502() {
        isRefused("HTTP/1.1 200 OK\r\n" + "X: y\r\n".repeat(257) + "\r\n");
    }

    @Test
    void statusLineWithoutEnd_is502() {
        isRefused("HTTP/1.1 200 " + "y".repeat(16 * 1024) + "\r\n\r\n");
    }

    private void isRefused(String response) {
        ScriptedChannel origin = rig.request(GET);
        origin.receive(response);

        assertThat(guest.sent()).startsWith("HTTP/1.1 502 ").doesNotContain("yyyy");
        assertThat(origin.isOpen()).isFalse();
    }

    /** The event loop must never wait for what only it can bring. */
    @Test
    @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void responseInPieces_whereverTheyAreCut_isWhole() {
        String response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n";
        String whole = "\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n";
        for (int cut = 1; cut < response.length(); cut++) {
            ProxyRig other = new ProxyRig();
            ScriptedChannel origin = other.request(GET);
            origin.receive(response.substring(0, cut));
            origin.receive(response.substring(cut));

            assertThat(other.guest.sent().replace("1\r\no\r\n1\r\nk", "2\r\nok"))
                    .as("cut at %d", cut)
                    .endsWith(whole);
        }
        ScriptedChannel origin = rig.request(GET);
        origin.receiveBytewise(response);
        assertThat(guest.sent()).endsWith("\r\n1\r\no\r\n1\r\nk\r\n0\r\nX-Sum: 1\r\n\r\n");
    }

    /** A body that a response can't have is neither the guest's nor the next request's. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil",
                "HTTP/1.1 304 Not Modified\r\n\r\nevil",
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
                "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n"
            })
    void bytesBehindTheResponse_goNowhere(String response) {
        ScriptedChannel origin = rig.request(GET);

        origin.receive(response);

        assertThat(guest.sent()).doesNotContain("evil").containsOnlyOnce("HTTP/1.1 ");
        assertThat(origin.isOpen()).isFalse();
        guest.receive(GET);
        rig.connect().receive(OK);
        assertThat(guest.sent()).endsWith("ok");
    }

    @Test
    void http10ThatKeepsAlive_isUsedAgain() {
        ScriptedChannel origin = rig.request(GET);
        origin.receive("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok");
        origin.sent();

        guest.receive(GET);

        assertThat(rig.dialed).hasSize(1);
        assertThat(origin.sent()).startsWith("GET / ");
    }

    @Test
    void expectationFailed_isPassedOn_andTheBodyIsNotWaitedFor() {
        ScriptedChannel origin = rig.request("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
                + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");

        origin.receive("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n");

        assertThat(guest.sent())
                .startsWith("HTTP/1.1 417 Expectation Failed\r\n")
                .contains("Connection: close");
        assertThat(guest.isOutputShutdown()).isTrue();
        assertThat(origin.isOpen()).isFalse();
    }

    /** Who names them in Connection would remove what the next one relies on. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "Host",
                "Authorization",
                "Cookie",
                "Content-Type",
                "Content-Encoding",
                "Cache-Control",
                "Expect",
                "Forwarded",
                "If-Match",
                "If-None-Match",
                "Max-Forwards",
                "Origin",
                "Range",
                "Referer",
                "User-Agent",
                "Via",
                "X-Forwarded-For",
                "X-Forwarded-Host",
                "X-Forwarded-Proto",
                "X-Real-IP"
            })
    void endToEndField_canNotBeNamedAway(String name) {
        String value = name.equals("Via") ? "1.1 fred" : "a.test";
        String host = name.equals("Host") ? "" : "Host: a.test\r\n";
        ScriptedChannel origin = rig.request("GET http://a.test/ HTTP/1.1\r\n" + host + name + ": " + value
                + "\r\nConnection: close, " + name + "\r\nProxy-Connection: " + name + "\r\n\r\n");

        assertThat(origin.sent()).containsOnlyOnce("\r\n" + name + ": " + value + "\r\n");
    }

    /** And framing is written anew, whatever is named. */
    @Test
    void framing_canNotBeNamedAway() {
        ScriptedChannel origin = rig.request("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n"
                + "Connection: Content-Length, Transfer-Encoding\r\n\r\nok");

        assertThat(origin.sent()).contains("\r\nContent-Length: 2\r\n").endsWith("\r\n\r\nok");
    }
}
