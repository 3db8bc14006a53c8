package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.ScriptedChannel;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** RFC 9112 §11.2 and the things that real proxies let through: each must die here, before anything is dialed. */
class RequestGateTest {
    private static final String H = "Host: a.test\r\n";

    static Stream<Arguments> refused() {
        return Stream.of(
                // framing
                v(
                        400,
                        "POST http://a.test/ HTTP/1.1\r\n" + H
                                + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
                v(400, "POST http://a.test/ HTTP/1.1\r\n" + H + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"),
                v(400, "POST http://a.test/ HTTP/1.1\r\n" + H + "Content-Length: 3, 3\r\n\r\n"),
                v(400, "POST http://a.test/ HTTP/1.1\r\n" + H + "Content-Length: +3\r\n\r\n"),
                v(400, "POST http://a.test/ HTTP/1.1\r\n" + H + "Content-Length: -3\r\n\r\n"),
                v(400, "POST http://a.test/ HTTP/1.1\r\n" + H + "Content-Length: 0x3\r\n\r\n"),
                v(400, "POST http://a.test/ HTTP/1.1\r\n" + H + "Content-Length: 1_0\r\n\r\n"),
                v(400, "POST http://a.test/ HTTP/1.1\r\n" + H + "Content-Length: 1 2\r\n\r\n"),
                v(400, "POST http://a.test/ HTTP/1.1\r\n" + H + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n"),
                v(400, "POST http://a.test/ HTTP/1.1\r\n" + H + "Content-Length:\r\n\r\n"),
                v(400, "POST http://a.test/ HTTP/1.1\r\n" + H + "Content_Length: 3\r\n\r\n"),
                v(400, "POST http://a.test/ HTTP/1.1\r\n" + H + "Transfer_Encoding: chunked\r\n\r\n"),
                v(
                        400,
                        "POST http://a.test/ HTTP/1.1\r\n" + H
                                + "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\n"),
                v(
                        400,
                        "POST http://a.test/ HTTP/1.1\r\n" + H
                                + "Transfer-Encoding: \"chunked\"\r\nContent-Length: 1\r\n\r\n"),
                v(400, "POST http://a.test/ HTTP/1.1\r\n" + H + "Content-Length: \u00b2\r\n\r\n"),
                v(400, "POST http://a.test/ HTTP/1.1\r\n" + H + "Content-Length: 99999999999999999999\r\n\r\n"),
                v(501, "POST http://a.test/ HTTP/1.1\r\n" + H + "Transfer-Encoding: xchunked\r\n\r\n"),
                v(
                        400,
                        "POST http://a.test/ HTTP/1.1\r\n" + H
                                + "Transfer-Encoding: xchunked\r\nContent-Length: 1\r\n\r\n"),
                v(501, "POST http://a.test/ HTTP/1.1\r\n" + H + "Transfer-Encoding: identity\r\n\r\n"),
                v(501, "POST http://a.test/ HTTP/1.1\r\n" + H + "Transfer-Encoding: \"chunked\"\r\n\r\n"),
                v(501, "POST http://a.test/ HTTP/1.1\r\n" + H + "Transfer-Encoding: chunked, chunked\r\n\r\n"),
                v(501, "POST http://a.test/ HTTP/1.1\r\n" + H + "Transfer-Encoding: chunked, identity\r\n\r\n"),
                v(501, "POST http://a.test/ HTTP/1.1\r\n" + H + "Transfer-Encoding: gzip, chunked\r\n\r\n"),
                v(501, "POST http://a.test/ HTTP/1.1\r\n" + H + "Transfer-Encoding: chunked;q=1\r\n\r\n"),
                v(501, "POST http://a.test/ HTTP/1.1\r\n" + H + "Transfer-Encoding:\r\n\r\n"),
                v(
                        501,
                        "POST http://a.test/ HTTP/1.1\r\n" + H
                                + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"),
                v(
                        501,
                        "POST http://a.test/ HTTP/1.1\r\n" + H
                                + "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n"),
                v(400, "POST http://a.test/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
                // lines
                v(400, "GET http://a.test/ HTTP/1.1\n" + H + "\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n" + H + "\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n" + H + "X: a\rY: b\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n" + H + "X: a\0b\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n" + H + "X: a\u000bb\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n" + H + "X: a\u007fb\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n" + H + "X : a\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n" + H + "X\t: a\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n" + H + "X Y: a\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n" + H + ": a\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n" + H + "X\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n" + H + "X: a\r\n folded\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n" + H + "X: a\r\n\tfolded\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n Host: a.test\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n" + H + "X\u00e9: a\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n" + H + "X: a\r\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n" + H + "X: a\r\n\rb\r\n\r\n"),
                // start line
                v(400, "GET  http://a.test/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://a.test/  HTTP/1.1\r\n" + H + "\r\n"),
                v(400, " GET http://a.test/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET\thttp://a.test/\tHTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://a.test/ \r\n\r\n"),
                v(400, "GET http://a.test/\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1 \r\n" + H + "\r\n"),
                v(400, "GET http://a.test/ http/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://a.test/ HTTP/1.10\r\n" + H + "\r\n"),
                v(400, "GET http://a.test/ HTTP/01.1\r\n" + H + "\r\n"),
                v(505, "GET http://a.test/ HTTP/1.2\r\n" + H + "\r\n"),
                v(505, "GET http://a.test/ HTTP/2.0\r\n" + H + "\r\n"),
                v(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
                v(400, "GE(T http://a.test/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://a.test/a b HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://a.test/\u0001 HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://a.test/\t HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://a.test/#x HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "\u0016\u0003\u0001\u0002\u0000\u0001"),
                v(400, "\r\n\r\n\r\n\r\n\r\n\r\n"),
                // Host
                v(400, "GET http://a.test/ HTTP/1.1\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\n" + H + H + "\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\nHost:\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\nHost: a.test/x\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\nHost: u@a.test\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\nHost: a.test:\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\nHost: a.test:99999\r\n\r\n"),
                v(400, "GET http://a.test/ HTTP/1.1\r\nHost: a.test:80:80\r\n\r\n"),
                // target
                v(400, "GET / HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET * HTTP/1.1\r\nHost: http.docker.internal\r\n\r\n"),
                v(400, "GET https://a.test/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET ftp://a.test/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET a.test:80 HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http:///x HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://u:p@a.test/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://a.test:0/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://a..test/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://a%2etest/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://127.1/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://2130706433/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://0x7f.1/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://0177.0.0.1/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://1.2.3.256/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://[::1/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "GET http://[fe80::1%25eth0]/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "CONNECT a.test HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "CONNECT http://a.test/ HTTP/1.1\r\n" + H + "\r\n"),
                v(400, "CONNECT a.test:443 HTTP/1.1\r\n" + H + "Content-Length: 5\r\n\r\nhello"),
                v(400, "CONNECT a.test:443 HTTP/1.1\r\n" + H + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                // what containers must not reach
                v(403, "CONNECT 127.0.0.1:443 HTTP/1.1\r\n" + H + "\r\n"),
                v(403, "CONNECT [::1]:443 HTTP/1.1\r\n" + H + "\r\n"),
                v(403, "CONNECT [::ffff:127.0.0.1]:443 HTTP/1.1\r\n" + H + "\r\n"),
                v(403, "CONNECT 0.0.0.0:443 HTTP/1.1\r\n" + H + "\r\n"),
                v(403, "CONNECT localhost:443 HTTP/1.1\r\n" + H + "\r\n"),
                v(403, "CONNECT LocalHost.:443 HTTP/1.1\r\n" + H + "\r\n"),
                v(403, "CONNECT x.localhost:443 HTTP/1.1\r\n" + H + "\r\n"),
                v(403, "CONNECT 192.168.65.1:3128 HTTP/1.1\r\n" + H + "\r\n"),
                v(403, "CONNECT 192.168.65.3:2375 HTTP/1.1\r\n" + H + "\r\n"),
                v(403, "CONNECT [fdc4:f303:9324::1]:3128 HTTP/1.1\r\n" + H + "\r\n"),
                v(403, "CONNECT http.docker.internal:3128 HTTP/1.1\r\n" + H + "\r\n"),
                v(403, "CONNECT gateway.docker.internal:80 HTTP/1.1\r\n" + H + "\r\n"),
                v(403, "GET http://169.254.169.254/ HTTP/1.1\r\n" + H + "\r\n"),
                v(403, "GET http://224.0.0.1/ HTTP/1.1\r\n" + H + "\r\n"),
                v(403, "GET http://255.255.255.255/ HTTP/1.1\r\n" + H + "\r\n"),
                v(508, "GET http://a.test/ HTTP/1.1\r\n" + H + "Via: 1.1 other, 1.1 longshore-test\r\n\r\n"),
                // limits
                v(414, "GET http://a.test/" + "x".repeat(16 * 1024) + " HTTP/1.1\r\n" + H + "\r\n"),
                v(431, "GET http://a.test/ HTTP/1.1\r\n" + H + "X: " + "y".repeat(64 * 1024) + "\r\n\r\n"),
                v(431, "GET http://a.test/ HTTP/1.1\r\n" + H + "X: y\r\n".repeat(256) + "\r\n"));
    }

    /** What is unambiguous although it looks odd, and what the origin gets of it behind the Host. */
    static Stream<Arguments> forwarded() {
        return Stream.of(
                f("\r\n\r\nGET http://a.test/ HTTP/1.1\r\n" + H + "\r\n", ""),
                f("GET http://a.test/ HTTP/1.1\r\nHost: other.test:81\r\n\r\n", ""),
                f("GET http://a.test/ HTTP/1.1\r\nHost:\ta.test \t\r\n\r\n", ""),
                f("GET http://a.test/ HTTP/1.1\r\nhOST: a.test\r\n\r\n", ""),
                f("GET http://a.test/ HTTP/1.1\r\n" + H + "X:\r\n\r\n", "X: \r\n"),
                f("GET http://a.test/ HTTP/1.1\r\n" + H + "X:\u00e9\u0085\r\n\r\n", "X: \u00e9\u0085\r\n"),
                f("GET HTTP://A.TEST:80/ HTTP/1.1\r\n" + H + "\r\n", ""),
                f("GET http://a.test./ HTTP/1.1\r\n" + H + "\r\n", ""),
                f("POST http://a.test/ HTTP/1.1\r\n" + H + "Content-Length: 003\r\n\r\nabc", "Content-Length: 3\r\n"),
                f("POST http://a.test/ HTTP/1.1\r\n" + H + "Content-Length:\t0 \r\n\r\n", "Content-Length: 0\r\n"),
                f(
                        "POST http://a.test/ HTTP/1.1\r\n" + H + "TRANSFER-ENCODING:\t\tCHUNKED \r\n\r\n0\r\n\r\n",
                        "Transfer-Encoding: chunked\r\n"),
                f("POST http://a.test/ HTTP/1.0\r\nContent-Length: 1\r\n\r\nx", "Content-Length: 1\r\n"));
    }

    private static Arguments f(String request, String fields) {
        return Arguments.of(request, fields);
    }

    @ParameterizedTest
    @MethodSource("forwarded")
    void oddButUnambiguous_isForwardedInOneSpelling(String request, String fields) {
        ProxyRig rig = new ProxyRig();

        String forwarded = rig.request(request).sent();

        assertThat(forwarded).contains(" / HTTP/1.1\r\nHost: a.test\r\n" + fields + "Via: 1.");
    }

    private static Arguments v(int status, String request) {
        return Arguments.of(status, request);
    }

    @ParameterizedTest
    @MethodSource("refused")
    void isRefusedAndTheConnectionEnds(int status, String request) {
        ProxyRig rig = new ProxyRig();

        rig.guest.receive(request + "GET http://smuggled.test/ HTTP/1.1\r\nHost: smuggled.test\r\n\r\n");

        String answer = rig.guest.sent();
        assertThat(answer).startsWith("HTTP/1.1 " + status + " ").contains("Proxy-Status: longshore-test; error=");
        assertThat(answer).contains("Connection: close").containsOnlyOnce("HTTP/1.1 ");
        assertThat(rig.dialed).isEmpty();
        assertThat(rig.guest.isOutputShutdown()).isTrue();
    }

    @ParameterizedTest
    @MethodSource("refused")
    void isRefusedByteByByteToo(int status, String request) {
        ProxyRig rig = new ProxyRig();

        rig.guest.receiveBytewise(request);

        assertThat(rig.guest.sent()).startsWith("HTTP/1.1 " + status + " ").containsOnlyOnce("HTTP/1.1 ");
        assertThat(rig.dialed).isEmpty();
    }

    /** Whatever a guest sends, nothing throws, and what is forwarded is one unambiguous request. */
    @Test
    void mutatedRequests_neverThrowAndNeverForwardAmbiguity() {
        String[] seeds = refused().map(a -> (String) a.get()[1]).toArray(String[]::new);
        long seed = 20_260_101;
        Random random = new Random(seed);
        for (int round = 0; round < 20_000; round++) {
            String input = mutate(seeds[random.nextInt(seeds.length)], random);
            ProxyRig rig = new ProxyRig();
            rig.guest.receive(input.substring(0, Math.min(input.length(), 3000)));
            if (!rig.dials.isEmpty()) {
                ScriptedChannel origin = rig.connect();
                String forwarded = origin.sent();
                String what = "seed " + seed + ", round " + round + ": " + input;
                if (!forwarded.isEmpty() && !forwarded.startsWith("\r\n")) {
                    checkForwarded(forwarded, rig, what);
                }
                origin.finishAndReleaseAll();
            }
            rig.guest.finishAndReleaseAll();
        }
    }

    private static void checkForwarded(String forwarded, ProxyRig rig, String what) {
        if (rig.guest.sent().startsWith("HTTP/1.1 200 Connection established")) {
            return; // a tunnel: bytes are nobody's business
        }
        int end = forwarded.indexOf("\r\n\r\n");
        assertThat(end).as(what).isPositive();
        String head = forwarded.substring(0, end + 2);
        assertThat(head.replace("\r\n", "")).as(what).doesNotContain("\r", "\n", "\0");
        assertThat(head.lines().filter(l -> l.startsWith("Host:"))).as(what).hasSize(1);
        long framings = head.lines()
                .filter(l -> l.regionMatches(true, 0, "Content-Length:", 0, 15)
                        || l.regionMatches(true, 0, "Transfer-Encoding:", 0, 18))
                .count();
        assertThat(framings).as(what).isLessThanOrEqualTo(1);
    }

    private static String mutate(String seed, Random random) {
        StringBuilder s = new StringBuilder(seed.length() > 2000 ? seed.substring(0, 2000) : seed);
        String[] grafts = {"\r\n", "\n", " ", "\t", ":", ",", "chunked", "0", "\r\n\r\n", "\0", "Host: a.test\r\n", "é"
        };
        int edits = 1 + random.nextInt(4);
        for (int i = 0; i < edits && s.length() > 2; i++) {
            int at = random.nextInt(s.length() - 1);
            switch (random.nextInt(4)) {
                case 0 -> s.deleteCharAt(at);
                case 1 -> s.setCharAt(at, (char) random.nextInt(256));
                case 2 -> s.insert(at, grafts[random.nextInt(grafts.length)]);
                default -> s.delete(at, Math.min(s.length(), at + random.nextInt(12)));
            }
        }
        return s.toString();
    }
}
