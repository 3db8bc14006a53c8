package dev.longshore.engine.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Heads: RFC 9112 §2 to §5, read strictly. */
class HeadScannerTest {
    private static final String GET = "GET /_ping HTTP/1.1\r\nHost: docker\r\nX-Y:\t a b \r\n\r\n";

    private static ByteBuf bytes(String text) {
        return Unpooled.copiedBuffer(text, StandardCharsets.ISO_8859_1);
    }

    private static RequestHead request(String text) throws BadMessage {
        HeadScanner scanner = HeadScanner.ofRequests();
        ByteBuf in = bytes(text);
        int length = scanner.scan(in);
        assertThat(length).isEqualTo(in.readableBytes());
        return scanner.request(in, length);
    }

    private static ResponseHead response(String text) throws BadMessage {
        HeadScanner scanner = HeadScanner.ofResponses();
        ByteBuf in = bytes(text);
        return scanner.response(in, scanner.scan(in));
    }

    private static int statusOf(String text) {
        try {
            HeadScanner scanner = HeadScanner.ofRequests();
            ByteBuf in = bytes(text);
            int length = scanner.scan(in);
            Framing.ofRequest(scanner.request(in, length));
            return 0;
        } catch (BadMessage e) {
            return e.status();
        }
    }

    @Test
    void request_isTakenApart() throws BadMessage {
        RequestHead head = request(GET);
        assertThat(head.method()).isEqualTo("GET");
        assertThat(head.target()).isEqualTo("/_ping");
        assertThat(head.minor()).isEqualTo(1);
        assertThat(head.fields().first("x-y")).isEqualTo("a b");
        assertThat(head.closes()).isFalse();
    }

    @Test
    void anyPieces_endIsFoundAtTheSamePlace() throws BadMessage {
        String all = GET + "next";
        for (int cut = 1; cut < all.length(); cut++) {
            HeadScanner scanner = HeadScanner.ofRequests();
            ByteBuf in = bytes(all.substring(0, cut));
            int first = scanner.scan(in);
            assertThat(first).as("cut at %d", cut).isEqualTo(cut < GET.length() ? 0 : GET.length());
            if (first == 0) {
                in = Unpooled.copiedBuffer(in, bytes(all.substring(cut)));
                assertThat(scanner.scan(in)).as("cut at %d", cut).isEqualTo(GET.length());
            }
        }
    }

    @Test
    void emptyLinesBeforeARequest_areLeftOut() throws BadMessage {
        HeadScanner scanner = HeadScanner.ofRequests();
        ByteBuf in = bytes("\r\n\r\n" + GET);
        assertThat(scanner.scan(in)).isEqualTo(GET.length());
        assertThat(in.toString(StandardCharsets.ISO_8859_1)).isEqualTo(GET);
        assertThatThrownBy(() -> scanner.scan(bytes("\r\n\r\n\r\n" + GET))).hasMessageContaining("empty line");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "GET / HTTP/1.1\nHost: a\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\r\n\n",
                "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\r\n\tfolded\r\n\r\n",
                "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
                "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
                "GET / HTTP/1.1\r\nHost\r\n\r\n",
                "GET / HTTP/1.1\r\n: a\r\n\r\n",
                "GET / HTTP/1.1\r\nHo\u00e4st: a\r\n\r\n",
                "GET / HTTP/1.1\r\nA: \u0000\r\n\r\n",
                "GET / HTTP/1.1\r\nA: \u007f\r\n\r\n",
                "GET  / HTTP/1.1\r\n\r\n",
                "GET /\r\n\r\n",
                "GET / HTTP/1.1 \r\n\r\n",
                " GET / HTTP/1.1\r\n\r\n",
                "G\u00c4T / HTTP/1.1\r\n\r\n",
                "GET /\tx HTTP/1.1\r\n\r\n",
                "GET / http/1.1\r\n\r\n",
                "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                "GET / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
                "GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
                "GET / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n",
                "GET / HTTP/1.1\r\nContent-Length:\r\n\r\n",
                "GET / HTTP/1.1\r\nContent-Length: 1234567890123456789\r\n\r\n",
                "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            })
    void whatCouldBeReadInTwoWays_isRefused(String text) {
        assertThat(statusOf(text)).isEqualTo(400);
    }

    @Test
    void whatIsUnderstoodButNotSpoken_hasStatusesOfItsOwn() {
        assertThat(statusOf("PRI * HTTP/2.0\r\n\r\n")).isEqualTo(505);
        assertThat(statusOf("GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"))
                .isEqualTo(501);
        assertThat(statusOf("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"))
                .isEqualTo(501);
        assertThat(statusOf("GET /" + "x".repeat(HeadScanner.MAX_BYTES) + " HTTP/1.1\r\n\r\n"))
                .isEqualTo(431);
    }

    @Test
    void framing_ofRequests() throws BadMessage {
        assertThat(Framing.ofRequest(request(GET))).isEqualTo(new Framing.None());
        assertThat(Framing.ofRequest(request("POST / HTTP/1.1\r\ncontent-length: 007\r\n\r\n")))
                .isEqualTo(new Framing.Length(7));
        assertThat(Framing.ofRequest(request("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n")))
                .isEqualTo(new Framing.Chunked());
    }

    @Test
    void framing_ofResponses() throws BadMessage {
        ResponseHead length = response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        assertThat(Framing.ofResponse(length, false)).isEqualTo(new Framing.Length(5));
        assertThat(Framing.ofResponse(length, true)).isEqualTo(new Framing.None());
        assertThat(Framing.ofResponse(response("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n"), false))
                .isEqualTo(new Framing.None());
        assertThat(Framing.ofResponse(response("HTTP/1.1 204\r\n\r\n"), false)).isEqualTo(new Framing.None());
        assertThat(Framing.ofResponse(response("HTTP/1.1 101 UPGRADED\r\n\r\n"), false))
                .isEqualTo(new Framing.None());
        assertThat(Framing.ofResponse(response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), false))
                .isEqualTo(new Framing.Chunked());
        assertThat(Framing.ofResponse(response("HTTP/1.0 200 OK\r\n\r\n"), false))
                .isEqualTo(new Framing.UntilClose());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"HTTP/2 200\r\n\r\n", "HTTP/1.1 20\r\n\r\n", "HTTP/1.1 099 x\r\n\r\n", "hello\r\n\r\n", "\r\n"})
    void badResponses_are502(String text) {
        assertThatThrownBy(() -> response(text)).isInstanceOfSatisfying(BadMessage.class, e -> assertThat(e.status())
                .isEqualTo(502));
    }

    @Test
    void connection_closesOrStays() throws BadMessage {
        assertThat(request("GET / HTTP/1.1\r\nConnection: Upgrade, Close\r\n\r\n")
                        .closes())
                .isTrue();
        assertThat(request("GET / HTTP/1.0\r\n\r\n").closes()).isTrue();
        assertThat(request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").closes())
                .isFalse();
        assertThat(response("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").closes())
                .isTrue();
    }

    @Test
    void otherBody_keepsTheOtherFieldsInOrder() throws BadMessage {
        String first = "POST /c HTTP/1.1\r\nHost: d\r\n";
        String framing = "Transfer-Encoding: chunked\r\nTrailer: X\r\n";
        String last = "X-Meta: \u00e4\r\n";
        RequestHead head = request(first + framing + "Expect: 100-continue\r\n" + last + "\r\n");
        assertThat(head.forBody(3)).isEqualTo(first + last + "Content-Length: 3\r\n\r\n");
        assertThat(head.withoutExpectation()).isEqualTo(first + framing + last + "\r\n");
    }
}
