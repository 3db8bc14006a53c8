package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients that know nothing of a proxy, where nothing leaves but through one: what they say arrives as they say it. */
@Order(9)
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@BesideTheGuest
class InterceptIT {
    private static final int CURL_COULD_NOT_CONNECT = 7;
    private static final int CURL_COULD_NOT_RECEIVE = 56;
    private static final Duration GREETING = Duration.ofSeconds(30);

    private static InterceptLab lab;

    @TempDir
    static Path dir;

    private List<String> before = List.of();

    @BeforeAll
    @Timeout(value = 20, unit = TimeUnit.MINUTES) // the peers' root is made out of packages once
    static void open() throws IOException {
        lab = new InterceptLab(dir);
    }

    @AfterAll
    static void close() {
        if (lab != null) {
            String said = lab.said();
            lab.close();
            assertThat(said).doesNotContain("ERROR");
        }
    }

    @BeforeEach
    void remember() throws IOException {
        before = lab.asked();
    }

    /** Squid writes a line when a request or a tunnel is over. */
    private void assertAsked(String... lines) {
        Await.until(
                "squid was asked for " + List.of(lines),
                GREETING,
                () -> asked().containsAll(List.of(lines)),
                () -> asked().toString());
    }

    private List<String> asked() {
        try {
            List<String> all = lab.asked();
            return all.subList(before.size(), all.size());
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static String curl(String... arguments) {
        List<String> line = new java.util.ArrayList<>(List.of("curl", "-sS", "-k", "--max-time", "60"));
        line.addAll(List.of(arguments));
        return lab.guest(line.toArray(String[]::new)).run().expectOk().out();
    }

    private static String openssl(String... arguments) {
        List<String> line = new java.util.ArrayList<>(List.of("openssl", "s_client", "-quiet", "-no_ign_eof"));
        line.addAll(List.of(arguments));
        try (Running client = lab.guest(line.toArray(String[]::new)).start()) {
            client.type("GET / HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r");
            client.awaitOut("sni=", GREETING);
            return client.out();
        }
    }

    @Test
    void http11_isARequestToTheProxy() {
        assertThat(curl("http://web.test/page")).isEqualTo("HTTP/1.1 host=web.test sni=\n");
        assertAsked("GET http://web.test/page");
    }

    @Test
    void http11_twoRequestsOnOneConnection() {
        assertThat(curl("-w", "%{num_connects}\n", "http://web.test/a", "http://web.test/b"))
                .isEqualTo("HTTP/1.1 host=web.test sni=\n1\nHTTP/1.1 host=web.test sni=\n0\n");
        assertAsked("GET http://web.test/a", "GET http://web.test/b");
    }

    /** The name that DNS has told is the proxy's to look up. */
    @Test
    void http2OverTls_isTunnelledByName() {
        assertThat(curl("--http2", "https://tls.test/")).isEqualTo("HTTP/2.0 host=tls.test sni=tls.test\n");
        assertAsked("CONNECT tls.test:443");
    }

    @Test
    void http2WithPriorKnowledge_isTunnelled() {
        assertThat(curl("--http2-prior-knowledge", "http://h2c.test/")).startsWith("HTTP/2.0 ");
        assertAsked("CONNECT h2c.test:80");
    }

    @Test
    void http10WithoutHost_goesToTheAddress() {
        assertThat(curl("--http1.0", "-H", "Host:", "http://" + InterceptLab.NAMELESS + "/"))
                .isEqualTo("HTTP/1.1 host=" + InterceptLab.NAMELESS + " sni=\n");
        assertAsked("GET http://" + InterceptLab.NAMELESS + "/");
    }

    /** Squid passes no Upgrade on, so it is a tunnel. */
    @Test
    void webSocket_isARawStreamAfter101() throws Exception {
        try (ServerSocket _ = lab.serve(80, client -> {
                    String head = InterceptLab.head(client);
                    assertThat(head).contains("\r\nUpgrade: websocket\r\n");
                    InterceptLab.send(
                            client,
                            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
                    InterceptLab.send(
                            client,
                            "echo " + new String(client.getInputStream().readNBytes(6), StandardCharsets.ISO_8859_1));
                });
                Running client = lab.guest("socat", "-", "TCP4:raw.test:80").start()) {
            client.type("GET /ws HTTP/1.1\r\nHost: raw.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r");
            client.awaitOut("HTTP/1.1 101 ", GREETING);
            client.type("frame");
            client.awaitOut("echo frame", GREETING);
        }
        assertAsked("CONNECT raw.test:80");
    }

    /** An address that the proxy denies, and a name that only the client says. */
    @Test
    void serverName_opensWhatTheAddressDoesNot() {
        assertThat(openssl("-connect", InterceptLab.HIDDEN + ":443", "-servername", "inner.test"))
                .contains("sni=inner.test");
        assertAsked("CONNECT " + InterceptLab.HIDDEN + ":443", "CONNECT inner.test:443");
    }

    /** Thirty protocols' names make the hello longer than a record of 512 bytes. */
    @Test
    void helloInTwoRecords_isRead() {
        StringBuilder protocols = new StringBuilder("http/1.1");
        for (int i = 0; i < 30; i++) {
            protocols.append(",protocol-number-").append(i);
        }
        assertThat(openssl(
                        "-connect",
                        InterceptLab.HIDDEN + ":443",
                        "-servername",
                        "inner.test",
                        "-max_send_frag",
                        "512",
                        "-alpn",
                        protocols.toString()))
                .contains("sni=inner.test");
        assertAsked("CONNECT inner.test:443");
    }

    /** The device takes 256 bytes at a time, and the hello has 300 at least. */
    @Test
    void helloInTwoSegments_isRead() {
        lab.setGuestMtu(256);
        try {
            assertThat(openssl("-connect", InterceptLab.HIDDEN + ":443", "-servername", "inner.test"))
                    .contains("sni=inner.test");
        } finally {
            lab.setGuestMtu(1500);
        }
        assertAsked("CONNECT inner.test:443");
    }

    @Test
    void tlsWithoutAName_goesToTheAddress() {
        assertThat(openssl("-connect", InterceptLab.NAMELESS + ":443", "-noservername"))
                .contains(" sni=\n");
        assertAsked("CONNECT " + InterceptLab.NAMELESS + ":443");
    }

    /** As with an encrypted ClientHello: what is said in the open is the provider's name, and the way leads to the address that DNS gave. */
    @Test
    void outerName_isPassedUntouched() {
        assertThat(openssl("-connect", InterceptLab.NAMELESS + ":443", "-servername", "outer.test"))
                .contains("sni=outer.test");
        assertAsked("CONNECT " + InterceptLab.NAMELESS + ":443");
    }

    /** SMTP and SSH: the client says nothing before it is greeted. */
    @ParameterizedTest
    @ValueSource(ints = {25, 22})
    void serverThatSpeaksFirst_isHeard(int port) throws Exception {
        try (ServerSocket _ = lab.serve(port, client -> {
                    InterceptLab.send(client, "220 greetings\r\n");
                    InterceptLab.send(
                            client, "250 " + (char) client.getInputStream().read() + "\r\n");
                });
                Running client = lab.guest("socat", "-", "TCP4:" + InterceptLab.RAW + ":" + port)
                        .start()) {
            client.awaitOut("220 greetings", GREETING);
            client.type("QUIT");
            client.awaitOut("250 Q", GREETING);
        }
        assertThat(asked()).allMatch(line -> line.startsWith("CONNECT ") && line.endsWith(":" + port));
    }

    /** A protocol that begins like a request, on a port of its own. */
    @Test
    void requestOfAnotherProtocol_isTunnelled() throws Exception {
        try (ServerSocket _ = lab.serve(6379, client -> {
                    byte[] command = client.getInputStream().readNBytes(10);
                    InterceptLab.send(client, "$" + new String(command, StandardCharsets.ISO_8859_1).strip() + "\r\n");
                });
                Running client = lab.guest("socat", "-", "TCP4:raw.test:6379").start()) {
            client.type("GET /key1\r");
            client.awaitOut("$GET /key1", GREETING);
        }
    }

    /** HTTP/3 is no way around the proxy. */
    @Test
    void udp443_isRefused() {
        Command.Result result = lab.guest("socat", "-t", "20", "-", "UDP4:" + InterceptLab.TLS + ":443")
                .from(dir.resolve("admin.json"))
                .run();
        assertThat(result.err()).as("ICMP: prohibited").contains("No route to host");
    }

    /** What the proxy can't reach is not reached: the SYN is not answered before. */
    @Test
    void portThatIsClosed_isRefused() {
        assertThat(lab.guest("curl", "-sS", "-k", "https://web.test/").run().exit())
                .isEqualTo(CURL_COULD_NOT_CONNECT);
        assertAsked("CONNECT web.test:443");
    }

    /** What the policy forbids whatever it is called is refused before anybody listens to a request. */
    @ParameterizedTest
    @ValueSource(strings = {"http://", "https://"})
    void addressThatIsDenied_isRefused(String scheme) {
        Command.Result result = lab.guest("curl", "-sS", "-k", scheme + InterceptLab.DENIED + "/")
                .run();
        assertThat(result.exit()).as(result.err()).isEqualTo(CURL_COULD_NOT_CONNECT);
        assertThat(asked()).isEmpty();
    }

    /** A request that is taken and gets no connection ends as a connection, without a page of ours. */
    @Test
    void requestThatGetsNoConnection_isReset_andNothingIsAnswered() {
        Command.Result result = lab.guest(
                        "curl", "-sS", "-i", "-H", "Host: denied.test", "http://" + InterceptLab.NAMELESS + "/")
                .run();
        assertThat(result.err()).contains("reset by peer");
        assertThat(result.exit()).isEqualTo(CURL_COULD_NOT_RECEIVE);
        assertThat(result.out()).isEmpty();

        try (Running client = lab.guest("socat", "-d", "-", "TCP4:" + InterceptLab.NAMELESS + ":80")
                .start()) {
            client.type("GET / HTTP/1.1\r\nHost: denied.test\r\n\r");
            Await.until("the reset", GREETING, () -> client.err().contains("Connection reset by peer"));
            assertThat(client.out()).isEmpty();
        }
        assertThat(asked()).isEmpty();
    }

    /** Where the first bytes decide, the connection is there first, and is reset then. */
    @Test
    void portThatIsClosed_whereTheClientMustSpeakFirst_resets() {
        Command.Result result =
                lab.guest("curl", "-sS", "-k", "https://web.test:444/").run();
        assertThat(result.err()).contains("reset by peer");
        assertAsked("CONNECT web.test:444");
    }
}
