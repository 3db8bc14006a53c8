package dev.longshore.proxy.pac;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import dev.longshore.proxy.route.ProxyConfig;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PacLoaderTest {
    private final PacLoader loader = new PacLoader(Duration.ofSeconds(20));
    private final List<String> authorizations = new ArrayList<>();

    @TempDir
    private Path files;

    private HttpServer server;

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.start();
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    private void serve(String path, int status, String type, byte[] body) {
        server.createContext(path, exchange -> {
            authorizations.add(String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")));
            if (status >= 300 && status < 400) {
                exchange.getResponseHeaders().set("Location", type);
            } else if (!type.isEmpty()) {
                exchange.getResponseHeaders().set("Content-Type", type);
            }
            exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
            try (OutputStream out = exchange.getResponseBody()) {
                out.write(body);
            }
        });
    }

    private String url(String path) {
        return "http://127.0.0.1:" + server.getAddress().getPort() + path;
    }

    private String load(String url) throws PacException {
        return loader.load(new ProxyConfig.Location(url, "", "shown"));
    }

    @ParameterizedTest
    @CsvSource({
        "application/x-ns-proxy-autoconfig, UTF-8",
        "text/html, UTF-8",
        "'', UTF-8",
        "'', ISO-8859-1",
        "'text/plain; charset=\"iso-8859-1\"', ISO-8859-1",
        "text/plain; charset=windows-1252, windows-1252",
        "text/plain; charset=nonsense, UTF-8",
        "'', UTF-16",
        "text/plain; charset=iso-8859-1, UTF-16",
    })
    void web_anyType_inItsEncoding(String type, String encoding) throws Exception {
        serve("/x", 200, type, "// ä script".getBytes(Charset.forName(encoding)));
        assertThat(load(url("/x"))).isEqualTo("// ä script");
    }

    @Test
    void web_byteOrderMark_isNoPartOfIt() throws Exception {
        serve("/x", 200, "text/plain; charset=iso-8859-1", "\uFEFF// ä".getBytes(StandardCharsets.UTF_8));
        assertThat(load(url("/x"))).isEqualTo("// ä");
    }

    @Test
    void web_redirectsAreFollowed_notForever_andNowhereElse() throws Exception {
        serve("/a", 302, "/b", new byte[0]);
        serve("/b", 301, "/c", new byte[0]);
        serve("/c", 200, "", "ok".getBytes(StandardCharsets.UTF_8));
        serve("/circle", 302, "/circle", new byte[0]);
        serve("/file", 302, "file:///etc/passwd", new byte[0]);
        assertThat(load(url("/a"))).isEqualTo("ok");
        assertThatThrownBy(() -> load(url("/circle"))).hasMessage("its server leads in circles");
        assertThatThrownBy(() -> load(url("/file"))).hasMessageContaining("elsewhere");
    }

    @Test
    void web_failures_areToldWithoutTheUrl() {
        serve("/gone", 404, "", new byte[0]);
        assertThatThrownBy(() -> load(url("/gone?secret"))).hasMessage("its server answers 404");
        assertThatThrownBy(() -> load("http://u:secret@127.0.0.1:1/x"))
                .hasMessageStartingWith("it can't be had: ")
                .message()
                .doesNotContain("secret");
        assertThatThrownBy(() -> load("http://secret secret/")).message().doesNotContain("secret");
        assertThatThrownBy(() -> load("ftp://a/b")).hasMessageContaining("none of http");
    }

    @Test
    void web_login_isSent() throws Exception {
        serve("/x", 200, "", "ok".getBytes(StandardCharsets.UTF_8));
        assertThat(load(url("/x").replace("//", "//user:pass@"))).isEqualTo("ok");
        assertThat(authorizations).containsExactly("Basic dXNlcjpwYXNz");
    }

    @Test
    void tooMuch_isRefused() throws IOException {
        serve("/x", 200, "", new byte[PacLoader.MAX_BYTES + 1]);
        assertThatThrownBy(() -> load(url("/x"))).hasMessage("it has more than 1 MiB");
        Path file = Files.write(files.resolve("big.pac"), new byte[PacLoader.MAX_BYTES + 1]);
        assertThatThrownBy(() -> load(file.toUri().toString())).hasMessage("it has more than 1 MiB");
    }

    @Test
    void file_isRead() throws Exception {
        Path file = Files.writeString(files.resolve("a b.pac"), "ä");
        assertThat(load(file.toUri().toString())).isEqualTo("ä");
        assertThat(PacLoader.file(new ProxyConfig.Location(file.toUri().toString(), "", "")))
                .isEqualTo(file);
        assertThat(PacLoader.file(new ProxyConfig.Location("http://a/b", "", "")))
                .isNull();
        assertThatThrownBy(() -> load(files.resolve("none").toUri().toString())).hasMessage("there is no such file");
        assertThatThrownBy(() -> load(files.toUri().toString())).hasMessage("it is no file");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            data:,ok                                        | ok
            data:text/plain,o%6B%20%C3%A4                   | ok ä
            data:application/x-ns-proxy-autoconfig;base64,b2s= | ok
            data:;charset=iso-8859-1,%E4                    | ä
            DATA:,%zz                                       | %zz
            """)
    void data_isDecoded(String url, String text) throws PacException {
        assertThat(load(url)).isEqualTo(text);
    }

    @Test
    void dataWithoutComma_isRefused() {
        assertThatThrownBy(() -> load("data:xyz")).hasMessageContaining("no comma");
    }

    @Test
    void embedded_isItself() throws PacException {
        assertThat(loader.load(new ProxyConfig.Location("", "text", "shown"))).isEqualTo("text");
    }

    /** A byte now and then is in time for each read, and never for the whole. */
    @Test
    @Timeout(60)
    void serverThatTricklesItsHeader_isGivenUpInTime() throws IOException {
        try (ServerSocket slow = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Thread.ofVirtual().start(() -> trickle(slow));
            PacLoader impatient = new PacLoader(Duration.ofMillis(500));
            String url = "http://127.0.0.1:" + slow.getLocalPort() + "/";
            assertThatThrownBy(() -> impatient.load(new ProxyConfig.Location(url, "", url)))
                    .isInstanceOf(PacException.class)
                    .hasMessageContaining("in time");
        }
    }

    private static void trickle(ServerSocket server) {
        try (Socket s = server.accept()) {
            OutputStream out = s.getOutputStream();
            out.write("HTTP/1.1 200 OK\r\nX: ".getBytes(StandardCharsets.US_ASCII));
            while (!new CountDownLatch(1).await(20, TimeUnit.MILLISECONDS)) {
                out.write('y');
            }
        } catch (IOException | InterruptedException e) {
            // the client is gone
        }
    }
}
