package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.proxy.HttpProxy;
import dev.longshore.proxy.ProxySettings;
import dev.longshore.proxy.auth.AuthSettings;
import dev.longshore.proxy.auth.Authenticator;
import dev.longshore.proxy.auth.CredentialFile;
import dev.longshore.proxy.auth.CredentialSource;
import dev.longshore.proxy.auth.DockerCredentialHelper;
import dev.longshore.proxy.auth.Keytab;
import dev.longshore.proxy.auth.ProxyState;
import dev.longshore.proxy.auth.Scheme;
import dev.longshore.proxy.route.Hop;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Login;
import dev.longshore.proxy.route.ProxyAddress.Protocol;
import dev.longshore.proxy.route.RouteDecision;
import dev.longshore.proxy.upstream.ProxyConnector;
import dev.longshore.proxy.upstream.ProxyTrust;
import dev.longshore.proxy.upstream.UpstreamSettings;
import dev.longshore.proxy.upstream.Upstreams;
import dev.longshore.vpnkit.hostsocket.DirectDialer;
import dev.longshore.vpnkit.hostsocket.EgressDialer;
import dev.longshore.vpnkit.hostsocket.HalfCloseEpoll;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Our proxy with other people's in front of it, which verify who asks: what a company's network has. */
@Order(6)
@Timeout(value = 1200, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@BesideTheGuest
class UpstreamIT {
    private static final String URL = "http://" + UpstreamLab.ORIGIN + ":" + UpstreamLab.ORIGIN_PORT;

    private static UpstreamLab lab;

    @TempDir
    private Path files;

    private static final MultiThreadIoEventLoopGroup LOOPS =
            new MultiThreadIoEventLoopGroup(1, HalfCloseEpoll.newFactory());

    private @Nullable Authenticator authenticator;
    private @Nullable Channel proxy;
    private @Nullable DirectDialer dialer;

    /** The proxies that ask who is there, and who may. */
    enum Kind {
        BASIC(Protocol.HTTP, UpstreamLab.BASIC, "bob", "b0b:pa ss", Scheme.BASIC),
        DIGEST(Protocol.HTTP, UpstreamLab.DIGEST, "dora", "doras", Scheme.DIGEST),
        NTLM(Protocol.HTTP, UpstreamLab.NTLM, "PXHOST\\dave", "davepw", Scheme.NTLM),
        NTLM_IN_NEGOTIATE(Protocol.HTTP, UpstreamLab.NTLM_IN_NEGOTIATE, "dave", "davepw", Scheme.NTLM),
        KERBEROS(Protocol.HTTP, UpstreamLab.KERBEROS, "alice@" + UpstreamLab.REALM, "alicepw", Scheme.NEGOTIATE),
        TLS(Protocol.HTTPS, UpstreamLab.TLS, "bob", "b0b:pa ss", Scheme.BASIC);

        private final Protocol protocol;
        private final int port;
        private final String user;
        private final String password;
        private final Scheme scheme;

        Kind(Protocol protocol, int port, String user, String password, Scheme scheme) {
            this.protocol = protocol;
            this.port = port;
            this.user = user;
            this.password = password;
            this.scheme = scheme;
        }

        ProxyAddress good() {
            return with(password);
        }

        ProxyAddress with(String other) {
            return new ProxyAddress(protocol, UpstreamLab.PROXY_NAME, port, new Login(user, other));
        }
    }

    @BeforeAll
    @Timeout(1200) // it may have to make the root
    static void start() {
        lab = new UpstreamLab();
        System.setProperty("java.security.krb5.conf", lab.krb5Conf().toString());
    }

    @AfterAll
    static void stop() {
        System.clearProperty("java.security.krb5.conf");
        LOOPS.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        if (lab != null) {
            lab.close();
        }
    }

    @AfterEach
    void close() {
        if (proxy != null) {
            proxy.close().syncUninterruptibly();
        }
        if (dialer != null) {
            dialer.close();
        }
        if (authenticator != null) {
            authenticator.close();
        }
    }

    /** All requests go by {@code proxies}, whatever their names, in the lab. */
    private void through(ProxyAddress... proxies) throws Exception {
        through(CredentialSource.NONE, proxies);
    }

    private void through(CredentialSource logins, ProxyAddress... proxies) throws Exception {
        through(logins, AuthSettings.DEFAULT, proxies);
    }

    private void through(CredentialSource logins, AuthSettings settings, ProxyAddress... proxies) throws Exception {
        List<Hop> hops = List.of(proxies).stream().<Hop>map(Hop.Through::new).toList();
        OwnAddresses own = OwnAddresses.none();
        DirectDialer direct = new DirectDialer(own);
        dialer = direct;
        Authenticator auth = new Authenticator(settings, logins);
        authenticator = auth;
        Upstreams upstreams = new Upstreams(
                (query, loop) -> loop.newSucceededFuture(new RouteDecision(hops, "the test")),
                EgressDialer.allowing(direct),
                new ProxyConnector(
                        (host, port, loop) -> direct.dialAsHost(UpstreamLab.PEERS, port, loop),
                        new ProxyTrust(List.of(lab.certificate())),
                        auth.threads()),
                auth,
                UpstreamSettings.of("longshore-it", false),
                System::nanoTime);
        proxy = new ServerBootstrap()
                .group(LOOPS)
                .channel(EpollServerSocketChannel.class)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childHandler(new HttpProxy(ProxySettings.of("longshore-it", own), upstreams, 100))
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel();
    }

    private Socket guest() throws IOException {
        Socket s = new Socket();
        s.setSoTimeout(30_000);
        s.connect((InetSocketAddress) Objects.requireNonNull(proxy).localAddress());
        return s;
    }

    private static void send(Socket s, String text) throws IOException {
        s.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    private static String get(String path) {
        return "GET " + URL + path + " HTTP/1.1\r\nHost: x\r\n\r\n";
    }

    private static String connect(int port) {
        return "CONNECT " + UpstreamLab.ORIGIN + ":" + port + " HTTP/1.1\r\nHost: x\r\n\r\n";
    }

    private static String head(InputStream in) throws IOException {
        ByteArrayOutputStream head = new ByteArrayOutputStream();
        for (int c = in.read(); c >= 0; c = in.read()) {
            head.write(c);
            if (head.toString(StandardCharsets.ISO_8859_1).endsWith("\r\n\r\n")) {
                break;
            }
        }
        return head.toString(StandardCharsets.ISO_8859_1);
    }

    /** A response of which the length is known. */
    private static String response(Socket s) throws IOException {
        String head = head(s.getInputStream());
        int length = head.lines()
                .filter(l -> l.toLowerCase(java.util.Locale.ROOT).startsWith("content-length:"))
                .mapToInt(l -> Integer.parseInt(l.substring(15).strip()))
                .findFirst()
                .orElse(0);
        return head + new String(s.getInputStream().readNBytes(length), StandardCharsets.UTF_8);
    }

    private ProxyState state() {
        return Objects.requireNonNull(authenticator).states().getFirst();
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void rightPassword_requestsTunnelsAndBodies(Kind kind) throws Exception {
        through(kind.good());
        try (Socket s = guest()) {
            send(s, get("/x"));
            assertThat(response(s)).startsWith("HTTP/1.1 200 ").endsWith("from the origin\n");
            send(s, get("/x"));
            assertThat(response(s)).startsWith("HTTP/1.1 200 ");
        }
        assertThat(state().kind()).isEqualTo(ProxyState.Kind.ACCEPTED);
        assertThat(state().scheme()).isEqualTo(kind.scheme);
        try (Socket s = guest()) {
            send(s, connect(UpstreamLab.ORIGIN_PORT) + "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
            assertThat(head(s.getInputStream())).startsWith("HTTP/1.1 200 Connection established");
            assertThat(response(s)).startsWith("HTTP/1.1 200 ").endsWith("from the origin\n");
        }
        try (Socket s = guest()) {
            send(
                    s,
                    "POST " + URL + "/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                            + "5\r\nhello\r\n0\r\n\r\n");
            assertThat(response(s))
                    .startsWith("HTTP/1.1 200 ")
                    .contains("X-Method: POST")
                    .endsWith("echo");
        }
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void bodyFirst_isSentOnceTheProxyKnowsUs(Kind kind) throws Exception {
        through(kind.good());
        try (Socket s = guest()) {
            send(s, "POST " + URL + "/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
            assertThat(response(s))
                    .startsWith("HTTP/1.1 200 ")
                    .contains("X-Method: POST")
                    .endsWith("echo");
        }
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void wrongPassword_isTriedOnce_andTheGuestIsToldWhy(Kind kind) throws Exception {
        String name = kind.name().toLowerCase(java.util.Locale.ROOT);
        through(kind.with("wrong"));
        for (int i = 0; i < 3; i++) {
            try (Socket s = guest()) {
                send(s, i % 2 == 0 ? get("/x") : connect(UpstreamLab.ORIGIN_PORT));
                assertThat(response(s)).as(name).startsWith("HTTP/1.1 502 ").doesNotContain("wrong");
            }
        }
        assertThat(state().kind()).isEqualTo(ProxyState.Kind.NEEDS_CREDENTIALS);
    }

    /** Squid logs the user of a Basic login that it refused. */
    @Test
    void wrongPassword_isSeenOnceByTheProxy() throws Exception {
        long before = refusals();
        through(new ProxyAddress(
                Protocol.HTTP, UpstreamLab.PROXY_NAME, UpstreamLab.BASIC, new Login("carol", "not carol's")));
        List<CompletableFuture<Void>> all = new java.util.ArrayList<>();
        for (int i = 0; i < 8; i++) {
            all.add(CompletableFuture.runAsync(
                    () -> {
                        try (Socket s = guest()) {
                            send(s, get("/x"));
                            assertThat(response(s)).startsWith("HTTP/1.1 502 ");
                        } catch (IOException e) {
                            throw new java.io.UncheckedIOException(e);
                        }
                    },
                    r -> Thread.ofVirtual().start(r)));
        }
        all.forEach(CompletableFuture::join);

        assertThat(refusals() - before).isEqualTo(1);
    }

    private static long refusals() {
        return lab.log("basic")
                .filter(l -> l.contains("/407") && l.contains(" carol "))
                .count();
    }

    @Test
    void twoUsers_shareNoConnection() throws Exception {
        through(Kind.BASIC.good());
        try (Socket s = guest()) {
            send(s, get("/x?bob"));
            response(s);
        }
        close();
        through(new ProxyAddress(
                Protocol.HTTP, UpstreamLab.PROXY_NAME, UpstreamLab.BASIC, new Login("carol", "carols")));
        try (Socket s = guest()) {
            send(s, get("/x?carol"));
            response(s);
        }

        assertThat(lab.log("basic").filter(l -> l.contains("/200") && l.contains("x?bob")))
                .allMatch(l -> l.contains(" bob "))
                .isNotEmpty();
        assertThat(lab.log("basic").filter(l -> l.contains("/200") && l.contains("x?carol")))
                .allMatch(l -> l.contains(" carol "))
                .isNotEmpty();
    }

    @Test
    void refusedTunnel_showsTheProxysPage() throws Exception {
        through(Kind.BASIC.good());
        try (Socket s = guest()) {
            send(s, connect(UpstreamLab.FORBIDDEN_PORT));
            assertThat(response(s))
                    .startsWith("HTTP/1.1 403 ")
                    .contains("basic.squid")
                    .contains("</html>");
        }
    }

    @Test
    void deadProxy_theNextOneServes() throws Exception {
        through(new ProxyAddress(Protocol.HTTP, "dead.test", 1, null), Kind.BASIC.good());
        try (Socket s = guest()) {
            send(s, get("/x"));
            assertThat(response(s)).endsWith("from the origin\n");
        }
        close();
        through(new ProxyAddress(Protocol.HTTPS, UpstreamLab.PROXY_NAME, UpstreamLab.OPEN, null), Kind.BASIC.good());
        try (Socket s = guest()) {
            send(s, connect(UpstreamLab.ORIGIN_PORT));
            assertThat(head(s.getInputStream())).as("no TLS there").startsWith("HTTP/1.1 200 ");
        }
    }

    @Test
    void certificateOfAnotherName_isNotTrusted() throws Exception {
        through(new ProxyAddress(Protocol.HTTPS, "other.test.local", UpstreamLab.TLS, new Login("bob", "b0b:pa ss")));
        try (Socket s = guest()) {
            send(s, get("/x"));
            assertThat(response(s)).startsWith("HTTP/1.1 502 ").contains("certificate is not trusted");
        }
        assertThat(Objects.requireNonNull(authenticator).states()).isEmpty();
    }

    @Test
    void socks_rightAndWrongPassword() throws Exception {
        through(new ProxyAddress(
                Protocol.SOCKS5, UpstreamLab.PROXY_NAME, UpstreamLab.SOCKS, new Login("sam", "sampw")));
        try (Socket s = guest()) {
            send(s, get("/x"));
            assertThat(response(s)).endsWith("from the origin\n");
        }
        try (Socket s = guest()) {
            send(s, connect(UpstreamLab.ORIGIN_PORT) + "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
            assertThat(head(s.getInputStream())).startsWith("HTTP/1.1 200 ");
            assertThat(response(s)).endsWith("from the origin\n");
        }
        close();
        through(new ProxyAddress(Protocol.SOCKS5, UpstreamLab.PROXY_NAME, UpstreamLab.SOCKS, new Login("sam", "no")));
        try (Socket s = guest()) {
            send(s, get("/x"));
            assertThat(response(s)).startsWith("HTTP/1.1 502 ").contains("refused the user and password");
        }
    }

    /** With a name that only the proxy can look up, through ssh. */
    @Test
    void socks4a_namesAreTheProxysToLookUp() throws Exception {
        through(new ProxyAddress(Protocol.SOCKS4, UpstreamLab.PROXY_NAME, UpstreamLab.SOCKS_4A, null));
        try (Socket s = guest()) {
            send(s, get("/x"));
            assertThat(response(s)).endsWith("from the origin\n");
        }
        try (Socket s = guest()) {
            send(s, "CONNECT " + UpstreamLab.PEERS + ":" + UpstreamLab.ORIGIN_PORT + " HTTP/1.1\r\nHost: x\r\n\r\n");
            assertThat(head(s.getInputStream())).as("an address, as in 4").startsWith("HTTP/1.1 200 ");
        }
        try (Socket s = guest()) {
            send(s, connect(1));
            assertThat(response(s)).as("nobody listens there").startsWith("HTTP/1.1 502 ");
        }
    }

    /** docker-credential-pass, which asks GnuPG. */
    @Test
    void loginOfADockerCredentialHelper_isUsed() throws Exception {
        ProxyAddress squid = new ProxyAddress(Protocol.HTTP, UpstreamLab.PROXY_NAME, UpstreamLab.BASIC, null);
        List<String> store = lab.credentialStore(squid.toString(), new Login("bob", "b0b:pa ss"));
        through(
                new DockerCredentialHelper("pass", files.resolve("none.json"), _ -> store, Duration.ofSeconds(15)),
                squid);
        try (Socket s = guest()) {
            send(s, get("/x"));
            assertThat(response(s)).endsWith("from the origin\n");
        }
        close();

        ProxyAddress unknown = new ProxyAddress(Protocol.HTTP, UpstreamLab.PROXY_NAME, UpstreamLab.DIGEST, null);
        Path config = Files.writeString(files.resolve("config.json"), "{\"credsStore\": \"pass\"}");
        through(new DockerCredentialHelper("", config, _ -> store, Duration.ofSeconds(15)), unknown);
        try (Socket s = guest()) {
            send(s, get("/x"));
            assertThat(response(s)).startsWith("HTTP/1.1 502 ");
        }
        assertThat(state().kind()).isEqualTo(ProxyState.Kind.NEEDS_CREDENTIALS);
    }

    @Test
    void loginOfAFile_isUsed() throws Exception {
        Path logins = Files.writeString(
                files.resolve("proxy-logins"),
                "http://dora:doras@" + UpstreamLab.PROXY_NAME + ":" + UpstreamLab.DIGEST + "\n");
        Files.setPosixFilePermissions(logins, PosixFilePermissions.fromString("rw-------"));
        through(
                new CredentialFile(logins),
                new ProxyAddress(Protocol.HTTP, UpstreamLab.PROXY_NAME, UpstreamLab.DIGEST, null));
        try (Socket s = guest()) {
            send(s, get("/x"));
            assertThat(response(s)).endsWith("from the origin\n");
        }
    }

    /** No password is known anywhere, and nobody has to have called kinit. */
    @Test
    void keytab_isUsed_andAWrongOneAsksTheKdcOnce() throws Exception {
        ProxyAddress squid = new ProxyAddress(Protocol.HTTP, UpstreamLab.PROXY_NAME, UpstreamLab.KERBEROS, null);
        Path keys = files.resolve("svc.keytab");
        lab.keysOfSvc(keys);
        Keytab svc = new Keytab("svc@" + UpstreamLab.REALM, keys);
        through(CredentialSource.NONE, AuthSettings.of(false, Scheme.NEGOTIATE, svc), squid);
        for (int i = 0; i < 2; i++) {
            try (Socket s = guest()) {
                send(s, get("/x?keytab"));
                assertThat(response(s)).endsWith("from the origin\n");
            }
        }
        assertThat(lab.log("kerberos").filter(l -> l.contains("/200") && l.contains("x?keytab")))
                .allMatch(l -> l.contains(" svc@" + UpstreamLab.REALM + " "))
                .hasSize(2);
        close();

        lab.keysOfSvc(files.resolve("newer.keytab")); // ktadd makes new keys: the old ones are wrong now
        through(CredentialSource.NONE, AuthSettings.of(false, Scheme.NEGOTIATE, svc), squid);
        try (Socket s = guest()) {
            send(s, get("/x"));
            assertThat(response(s)).startsWith("HTTP/1.1 502 ").contains("there are none that fit");
        }
    }

    /** No password is known here: kinit has it, once. */
    @Test
    void ticketsOfKinit_areUsed() throws Exception {
        Path cache = Path.of(Objects.requireNonNull(System.getenv("KRB5CCNAME"), "set by the build"));
        ProxyAddress squid = new ProxyAddress(Protocol.HTTP, UpstreamLab.PROXY_NAME, UpstreamLab.KERBEROS, null);
        lab.ticketsOfAlice(cache);
        try {
            through(squid);
            try (Socket s = guest()) {
                send(s, get("/x?tickets"));
                assertThat(response(s)).endsWith("from the origin\n");
            }
            assertThat(lab.log("kerberos").filter(l -> l.contains("/200") && l.contains("x?tickets")))
                    .allMatch(l -> l.contains(" alice@" + UpstreamLab.REALM + " "))
                    .isNotEmpty();
        } finally {
            Files.delete(cache);
        }
        close();

        through(squid);
        try (Socket s = guest()) {
            send(s, get("/x"));
            assertThat(response(s)).startsWith("HTTP/1.1 502 ").contains("it wants credentials (negotiate)");
        }
    }

    /** Squid passes no Upgrade on, so the way is a tunnel. */
    @ParameterizedTest
    @EnumSource(Kind.class)
    void upgradedConnection_isRawBothWays(Kind kind) throws Exception {
        through(kind.good());
        try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getByName(UpstreamLab.US))) {
            CompletableFuture<String> asked = CompletableFuture.supplyAsync(
                    () -> {
                        try (Socket s = server.accept()) {
                            String head = head(s.getInputStream());
                            send(
                                    s,
                                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
                            s.getOutputStream().write(s.getInputStream().readNBytes(6));
                            return head;
                        } catch (IOException e) {
                            throw new java.io.UncheckedIOException(e);
                        }
                    },
                    r -> Thread.ofVirtual().start(r));
            try (Socket s = guest()) {
                send(
                        s,
                        "GET http://us.test.local:" + server.getLocalPort() + "/ws HTTP/1.1\r\nHost: x\r\n"
                                + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
                assertThat(head(s.getInputStream())).startsWith("HTTP/1.1 101 ");
                send(s, "frames");
                assertThat(new String(s.getInputStream().readNBytes(6), StandardCharsets.UTF_8))
                        .isEqualTo("frames");
            }
            assertThat(asked.join()).startsWith("GET /ws HTTP/1.1\r\n");
        }
    }

    @Test
    void manyTunnelsAtOnce_authenticateEach() throws Exception {
        through(Kind.NTLM.good());
        List<CompletableFuture<Void>> all = new java.util.ArrayList<>();
        for (int i = 0; i < 16; i++) {
            all.add(CompletableFuture.runAsync(
                    () -> {
                        try (Socket s = guest()) {
                            send(s, connect(UpstreamLab.ORIGIN_PORT) + "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
                            assertThat(head(s.getInputStream())).startsWith("HTTP/1.1 200 ");
                            assertThat(response(s)).endsWith("from the origin\n");
                        } catch (IOException e) {
                            throw new java.io.UncheckedIOException(e);
                        }
                    },
                    r -> Thread.ofVirtual().start(r)));
        }
        all.forEach(CompletableFuture::join);
    }
}
