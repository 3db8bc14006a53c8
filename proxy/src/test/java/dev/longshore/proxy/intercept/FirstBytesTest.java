package dev.longshore.proxy.intercept;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.proxy.intercept.FirstBytes.Kind;
import dev.longshore.proxy.message.HeadReader;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class FirstBytesTest {
    private static FirstBytes of(String text) {
        return FirstBytes.of(Unpooled.copiedBuffer(text, ISO_8859_1));
    }

    private static FirstBytes of(byte[] bytes) {
        return FirstBytes.of(Unpooled.wrappedBuffer(bytes));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "GET / HTTP/1.1\r\n",
                "G-x!z / HTTP/1.1\n",
                "POST /a?b HTTP/1.0\r\nHost",
                "GET /a b HTTP/1.1\r\n",
                "OPTIONS * HTTP/1.1\r\n",
                "M-SEARCH / HTTP/1.1\r\n"
            })
    void requestToAServer_isHttp(String text) {
        assertThat(of(text).kind()).isEqualTo(Kind.HTTP);
    }

    /** The version is at the line's end, and these have none or another one: RTSP, memcached, Redis, HTTP/0.9 and what is to come. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n",
                "get /key\r\n",
                "GET /key\r\n",
                "GET / HTTP/2.0\r\n",
                "GET /HTTP/1.1\r\n",
                "SOURCE /mount ICE/1.0\r\n"
            })
    void requestOfAnotherProtocol_isOther(String text) {
        assertThat(of(text).kind()).isEqualTo(Kind.OTHER);
    }

    @ParameterizedTest
    @ValueSource(strings = {"GET /", "GET / HTTP/1.1", "GET / HTTP/1.1\r", "OPTIONS *", "get /key"})
    void beginningOfARequestLine_isOneThatMayBecomeARequest(String text) {
        assertThat(of(text).kind()).isEqualTo(Kind.REQUEST_LINE);
    }

    /** It is answered 414 then. */
    @Test
    void requestLineWithoutEnd_isHttp() {
        assertThat(of("GET /" + "x".repeat(HeadReader.MAX_START_LINE)).kind()).isEqualTo(Kind.HTTP);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                "GET http://a.test/ HTTP/1.1\r\n",
                "CONNECT a.test:443 HTTP/1.1\r\n",
                "SSH-2.0-OpenSSH_9.2p1\r\n",
                "* OK IMAP4rev1",
                "\u0000\u0001",
                "GET\t/ HTTP/1.1\r\n",
                "HELO me\r\n",
                "THISMETHODISLONGERTHANANYBODYWOULDMAKEIT / HTTP/1.1\r\n"
            })
    void anythingElse_isOther(String text) {
        assertThat(of(text).kind()).isEqualTo(Kind.OTHER);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "G", "GET", "GET ", "OPTIONS "})
    void beginning_isUndecided(String text) {
        assertThat(of(text).kind()).isEqualTo(Kind.UNDECIDED);
    }

    @ParameterizedTest
    @CsvSource({"a.test, a.test", "A.Test, a.test", "xn--nxasmq6b.example, xn--nxasmq6b.example"})
    void clientHello_saysItsName(String sni, String name) {
        assertThat(of(ClientHellos.of(sni))).isEqualTo(new FirstBytes(Kind.TLS, name));
    }

    @Test
    void clientHelloWithoutAName_isTlsAllTheSame() {
        assertThat(of(ClientHellos.of(null))).isEqualTo(new FirstBytes(Kind.TLS, null));
    }

    /** What is said in the open beside an encrypted ClientHello is the name of who can decrypt it (draft-ietf-tls-esni, 0xfe0d). */
    @Test
    void helloWithAnEncryptedOneInside_saysItsOuterName() {
        byte[] hello = ClientHellos.withExtension(0xFE0D, new byte[200], ClientHellos.of("public.test"));

        assertThat(of(hello)).isEqualTo(new FirstBytes(Kind.TLS, "public.test"));
    }

    /** Whatever the segments: undecided until the last byte, and then the same. */
    @Test
    void clientHello_byteByByte() {
        byte[] hello = ClientHellos.of("a.test");
        for (int length = 0; length < hello.length; length++) {
            assertThat(of(Arrays.copyOf(hello, length)).kind())
                    .as("%d bytes", length)
                    .isEqualTo(Kind.UNDECIDED);
        }
        assertThat(of(hello).sni()).isEqualTo("a.test");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 7, 64, 200})
    void clientHelloInManyRecords_isRead(int size) {
        byte[] split = ClientHellos.inRecordsOf(size, ClientHellos.of("a.test"));

        assertThat(of(split)).isEqualTo(new FirstBytes(Kind.TLS, "a.test"));
        assertThat(of(Arrays.copyOf(split, split.length - 1)).kind()).isEqualTo(Kind.UNDECIDED);
    }

    /** A name that is an address is none (RFC 6066 §3), and would be looked up as one. */
    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "0x7f.1", "a..b", "-", "a b"})
    void whatIsNoName_isNotTaken(String name) {
        byte[] hello = ClientHellos.of("placehold.er.test");
        byte[] wanted = name.getBytes(ISO_8859_1);
        int at = new String(hello, ISO_8859_1).indexOf("placehold.er.test");
        // the lengths of extension, list and name, big-endian, stand before it
        int shorter = "placehold.er.test".length() - wanted.length;
        byte[] out = new byte[hello.length];
        System.arraycopy(hello, 0, out, 0, hello.length);
        Arrays.fill(out, at, at + "placehold.er.test".length(), (byte) 'x');
        System.arraycopy(wanted, 0, out, at, wanted.length);
        out[at - 1] = (byte) (out[at - 1] - shorter);
        FirstBytes first = of(out);

        assertThat(first.kind()).isEqualTo(Kind.TLS);
        assertThat(first.sni()).isEqualTo(name.equals("-") ? "-" : null);
    }

    @Test
    void recordsThatAreNoHandshake_areOther() {
        assertThat(of(new byte[] {22, 3, 1, 0, 4, 2, 0, 0, 0}).kind()).isEqualTo(Kind.OTHER); // a ServerHello
        assertThat(of(new byte[] {22, 3, 1, 0, 0}).kind()).isEqualTo(Kind.OTHER); // empty
        assertThat(of(new byte[] {22, 9, 9, 0, 1, 1}).kind()).isEqualTo(Kind.OTHER); // another version
    }

    @Test
    void helloLongerThanAnybodys_goesOnWithoutItsName() {
        assertThat(of(new byte[] {22, 3, 1, 0x40, 0, 1, 1, 0, 0}).kind()).isEqualTo(Kind.TLS);
    }

    /** Damaged hellos end in some verdict, never in an exception, and a name that comes out is one. */
    @Test
    void damagedHellos_neverThrow() {
        Random random = new Random(22);
        byte[] hello = ClientHellos.of("a.test");
        for (int n = 0; n < 20_000; n++) {
            byte[] damaged = Arrays.copyOf(hello, 1 + random.nextInt(hello.length));
            for (int i = random.nextInt(4); i >= 0; i--) {
                damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
            }
            ByteBuf b = Unpooled.wrappedBuffer(damaged);
            FirstBytes first = FirstBytes.of(b);
            assertThat(b.readerIndex()).isZero();
            String sni = first.sni();
            if (sni != null) {
                assertThat(sni).matches("[a-z0-9._-]{1,253}");
            }
        }
    }
}
