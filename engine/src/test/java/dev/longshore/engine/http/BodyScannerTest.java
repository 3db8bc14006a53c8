package dev.longshore.engine.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where bodies end: RFC 9112 §6 and §7.1. */
class BodyScannerTest {
    private final StringBuilder content = new StringBuilder();
    private final BodyScanner.Content collector =
            (b, index, length) -> content.append(b.toString(index, length, StandardCharsets.ISO_8859_1));

    private static ByteBuf bytes(String text) {
        return Unpooled.copiedBuffer(text, StandardCharsets.ISO_8859_1);
    }

    private int scan(Framing framing, String text) throws BadMessage {
        BodyScanner scanner = BodyScanner.ofRequest(framing, collector);
        int n = scanner.scan(bytes(text), 0, text.length());
        assertThat(scanner.isDone()).isTrue();
        return n;
    }

    @Test
    void length_endsBehindIt() throws BadMessage {
        assertThat(scan(new Framing.Length(3), "abcGET /")).isEqualTo(3);
        assertThat(content).hasToString("abc");
        assertThat(scan(new Framing.Length(0), "GET /")).isZero();
        assertThat(scan(new Framing.None(), "GET /")).isZero();
    }

    @Test
    void chunked_withExtensionsAndTrailers_givesTheContent() throws BadMessage {
        String body = "5;a=\"b\"\r\nhello\r\n00A\r\n, world..\n\r\n0;x\r\nDigest: sha-256=x\r\nEmpty:\r\n\r\n";
        assertThat(scan(new Framing.Chunked(), body + "GET")).isEqualTo(body.length());
        assertThat(content).hasToString("hello, world..\n");
    }

    @Test
    void untilClose_neverEnds() throws BadMessage {
        BodyScanner scanner = BodyScanner.ofResponse(new Framing.UntilClose(), BodyScanner.IGNORED);
        assertThat(scanner.scan(bytes("abc"), 0, 3)).isEqualTo(3);
        assertThat(scanner.isDone()).isFalse();
        assertThat(scanner.endsWithStream()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "5\nhello\r\n0\r\n\r\n",
                "5\r\nhello\n0\r\n\r\n",
                "5\r\nhello!\r\n0\r\n\r\n",
                "5 \r\nhello\r\n0\r\n\r\n",
                " 5\r\nhello\r\n0\r\n\r\n",
                "+5\r\nhello\r\n0\r\n\r\n",
                "-1\r\nhello\r\n0\r\n\r\n",
                "0x5\r\nhello\r\n0\r\n\r\n",
                "\r\nhello\r\n0\r\n\r\n",
                ";x\r\n",
                "5;\u0000\r\n",
                "5;a\rb\r\n",
                "1000000000000000\r\n",
                "0\r\n folded: x\r\n\r\n",
                "0\r\nName : x\r\n\r\n",
                "0\r\n: x\r\n\r\n",
                "0\r\nname\r\n\r\n",
                "0\r\nA: b\n\r\n",
                "0\r\n\n",
                "0\n\r\n",
            })
    void badChunks_areRefused(String text) {
        assertThatThrownBy(() -> scan(new Framing.Chunked(), text))
                .isInstanceOfSatisfying(
                        BadMessage.class, e -> assertThat(e.status()).isEqualTo(400));
    }

    @Test
    void endlessLines_areRefused() {
        assertThatThrownBy(() -> scan(new Framing.Chunked(), "5;" + "x".repeat(5000)))
                .isInstanceOf(BadMessage.class);
        assertThatThrownBy(() -> scan(new Framing.Chunked(), "0\r\n" + "A: b\r\n".repeat(20_000)))
                .isInstanceOf(BadMessage.class);
    }

    @Test
    void randomChunksInRandomPieces_endAtTheSamePlace() throws BadMessage {
        for (int seed = 0; seed < 300; seed++) {
            Random random = new Random(seed);
            StringBuilder body = new StringBuilder();
            StringBuilder expected = new StringBuilder();
            for (int i = random.nextInt(5); i > 0; i--) {
                String chunk = "\r\n0;x".repeat(1 + random.nextInt(30));
                body.append(Integer.toHexString(chunk.length()))
                        .append(random.nextBoolean() ? ";e=1" : "")
                        .append("\r\n")
                        .append(chunk)
                        .append("\r\n");
                expected.append(chunk);
            }
            body.append("0\r\n").append(random.nextBoolean() ? "T: x\r\n" : "").append("\r\n");
            String all = body + "GET / HTTP/1.1\r\n\r\n";
            content.setLength(0);
            BodyScanner scanner = BodyScanner.ofRequest(new Framing.Chunked(), collector);
            int at = 0;
            while (!scanner.isDone()) {
                int piece = Math.min(all.length() - at, 1 + random.nextInt(20));
                at += scanner.scan(bytes(all), at, piece);
            }
            assertThat(at).as("seed %d", seed).isEqualTo(body.length());
            assertThat(content.toString()).as("seed %d", seed).isEqualTo(expected.toString());
        }
    }
}
