package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.HttpProxy;
import dev.longshore.proxy.ProxySettings;
import dev.longshore.vpnkit.hostsocket.DirectDialer;
import dev.longshore.vpnkit.hostsocket.HalfCloseEpoll;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The same raw bytes through our proxy, squid, tinyproxy and privoxy, where they are known to differ: ours does each well, and so no
 * worse than any of them. Our exact answers are {@code PeerMatrixTest}'s.
 */
@Order(7)
@Timeout(value = 1200, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@BesideTheGuest
class StrictProxyIT {
    private static final String OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    private static final MultiThreadIoEventLoopGroup LOOPS =
            new MultiThreadIoEventLoopGroup(1, HalfCloseEpoll.newFactory());

    /** How well a proxy does. */
    enum Verdict {
        /** Leaks, cuts, breaks or passes on what can be read in two ways. */
        BAD,
        /** Nothing wrong, but less than could be. */
        FAIR,
        GOOD
    }

    /**
     * One difference.
     *
     * @param answer the origin's
     * @param requests one after the other
     */
    record Row(String name, String answer, List<String> requests, Function<RawExchange, Verdict> judge) {
        Row {
            requests = List.copyOf(requests);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private static Row row(String name, String answer, List<String> requests, Function<RawExchange, Verdict> judge) {
        return new Row(name, answer, requests, judge);
    }

    private static Row row(String name, String request, Function<RawExchange, Verdict> judge) {
        return new Row(name, OK, List.of(request), judge);
    }

    static List<Row> rows() {
        return List.of(
                row(
                        "field named by connection",
                        get("Connection: X-Hop\r\nX-Hop: 1\r\n"),
                        x -> ok(x, !x.originGot("X-Hop"))),
                row(
                        "field named beside proxy connection",
                        get("Connection: X-Hop\r\nProxy-Connection: keep-alive\r\nX-Hop: 1\r\n"),
                        x -> ok(x, !x.originGot("X-Hop"))),
                row(
                        "proxy authorization",
                        get("Proxy-Authorization: Basic c2VjcmV0\r\n"),
                        x -> ok(x, !x.atOrigin().contains("c2VjcmV0"))),
                row(
                        "host of another",
                        "GET http://ORIGIN/ HTTP/1.1\r\nHost: evil.test\r\n\r\n",
                        x -> ok(x, x.count("Host") == 1 && !x.atOrigin().contains("evil.test"))),
                row(
                        "length and coding",
                        post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
                        StrictProxyIT::refusedOrOneFraming),
                row(
                        "unknown coding and length",
                        post("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", "hello"),
                        x -> x.originGot("Transfer-Encoding") ? Verdict.BAD : refusedOrOneFraming(x)),
                row(
                        "same length twice",
                        post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
                        StrictProxyIT::refusedOrOneFraming),
                row(
                        "bare line feeds",
                        "GET http://ORIGIN/ HTTP/1.1\nHost: ORIGIN\nX-F: 1\n\n",
                        x -> refusedOr(x, !x.atOrigin().replace("\r\n", "").contains("\n"))),
                row(
                        "continuation line",
                        get("X-F: a\r\n b\r\n"),
                        x -> refusedOr(x, !x.atOrigin().contains("\n "))),
                row(
                        "blank before colon",
                        get("X-F : a\r\n"),
                        x -> refusedOr(x, !x.atOrigin().contains("X-F :"))),
                row(
                        "chunks extension trailer",
                        post(
                                "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n",
                                "5;ext=1\r\nhello\r\n0\r\nX-Sum: abc\r\n\r\n"),
                        x -> !x.atOrigin().contains("hello") || x.status() != 200 || !isWhole(x)
                                ? Verdict.BAD
                                : x.atOrigin().contains("X-Sum: abc") ? Verdict.GOOD : Verdict.FAIR),
                row(
                        "websocket",
                        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                        List.of(get("Connection: Upgrade\r\nUpgrade: websocket\r\n"), "frames"),
                        x -> of(x.originGot("Upgrade")
                                && x.status() == 101
                                && x.atClient().endsWith("frames"))),
                row(
                        "early hints",
                        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
                        List.of(get("")),
                        x -> of(x.atClient().contains(" 103 ") && x.status() == 200)),
                row(
                        "trace that ends here",
                        "TRACE http://ORIGIN/ HTTP/1.1\r\nHost: ORIGIN\r\nMax-Forwards: 0\r\n\r\n",
                        x -> !x.atOrigin().isEmpty() ? Verdict.BAD : x.status() == 200 ? Verdict.GOOD : Verdict.FAIR),
                row(
                        "length and coding in response",
                        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
                        List.of(get("")),
                        x -> of(x.status() == 200
                                && x.atClient().contains("hello")
                                && !x.atClient().contains("Content-Length: 3"))),
                row(
                        "bare line feeds in response",
                        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
                        List.of(get("")),
                        x -> of(x.status() == 200 && x.atClient().endsWith("\r\n\r\nok"))),
                // by TLS, or not at all
                row(
                        "https in absolute form",
                        "GET https://ORIGIN/ HTTP/1.1\r\nHost: ORIGIN\r\n\r\n",
                        x -> of(x.isRefused() || x.atOrigin().startsWith("\u0016\u0003"))),
                row(
                        "field of 9 kib",
                        get("X-Long: " + "y".repeat(9 * 1024) + "\r\n"),
                        x -> ok(x, x.atOrigin().contains("y".repeat(9 * 1024)))),
                row(
                        "field of 70 kib",
                        get("X-Long: " + "y".repeat(70 * 1024) + "\r\n"),
                        x -> refusedOr(x, x.atOrigin().contains("y".repeat(70 * 1024)))),
                row(
                        "unknown method",
                        "FROB http://ORIGIN/ HTTP/1.1\r\nHost: ORIGIN\r\n\r\n",
                        x -> ok(x, x.atOrigin().startsWith("FROB /"))),
                row(
                        "second request",
                        OK,
                        List.of(get("X-N: 1\r\n"), get("X-N: 2\r\n")),
                        x -> x.atClient().split("HTTP/1\\.1 200", -1).length == 3 ? Verdict.GOOD : Verdict.FAIR),
                row(
                        "dead origin",
                        "GET http://localhost:1/ HTTP/1.1\r\nHost: localhost:1\r\n\r\n",
                        x -> x.status() >= 502 ? Verdict.GOOD : x.status() == 500 ? Verdict.FAIR : Verdict.BAD),
                row(
                        "via",
                        get(""),
                        x -> x.originGot("Via") && x.atClient().contains("Via: ") ? Verdict.GOOD : Verdict.FAIR));
    }

    private static String get(String fields) {
        return "GET http://ORIGIN/ HTTP/1.1\r\nHost: ORIGIN\r\n" + fields + "\r\n";
    }

    private static String post(String fields, String body) {
        return "POST http://ORIGIN/ HTTP/1.1\r\nHost: ORIGIN\r\n" + fields + "\r\n" + body;
    }

    private static Verdict of(boolean good) {
        return good ? Verdict.GOOD : Verdict.BAD;
    }

    private static Verdict ok(RawExchange x, boolean good) {
        return of(good && x.status() == 200);
    }

    private static Verdict refusedOr(RawExchange x, boolean good) {
        return of(x.isRefused() || (good && x.status() == 200));
    }

    private static Verdict refusedOrOneFraming(RawExchange x) {
        int framings = x.count("Content-Length") + x.count("Transfer-Encoding");
        return refusedOr(x, framings == 1 && x.atOrigin().contains("hello") && isWhole(x));
    }

    /** Whatever the framing: five bytes, or chunks up to their end. */
    private static boolean isWhole(RawExchange x) {
        return x.originGot("Transfer-Encoding")
                ? x.atOrigin().matches("(?s).*\r\n0\r\n(?:[^\r\n]+\r\n)*\r\n")
                : x.atOrigin().endsWith("\r\n\r\nhello");
    }

    private static final Map<String, Integer> PEERS = new LinkedHashMap<>();
    private static final List<Running> SERVERS = new ArrayList<>();
    private static PeerMachine machine;
    private static DirectDialer dialer;
    private static Channel ours;

    @BeforeAll
    @Timeout(value = 20, unit = TimeUnit.MINUTES) // the peers' root is made out of packages once
    static void start() throws Exception {
        OwnAddresses own = new OwnAddresses(
                Set.of(IpAddress.parse("192.168.65.254")),
                Set.of("host.docker.internal"),
                List.of(new OwnAddresses.Subnet(IpAddress.parse("192.168.65.0"), 24)));
        dialer = new DirectDialer(own);
        ours = new ServerBootstrap()
                .group(LOOPS)
                .channel(EpollServerSocketChannel.class)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childHandler(new HttpProxy(ProxySettings.of("longshore-it", own), dialer, 100))
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel();
        machine = PeerRoot.ensure().bootHere();
        int port = freePort();
        machine.write("/lab/squid.conf", """
                http_port 127.0.0.1:%d
                http_access allow all
                visible_hostname squid.test
                cache deny all
                access_log none
                cache_log /dev/null
                pid_filename none
                pinger_enable off
                netdb_filename none
                server_persistent_connections off
                """.formatted(port));
        serve("squid", port, "squid", "-N", "-f", "/lab/squid.conf");
        port = freePort();
        machine.write("/lab/tinyproxy.conf", "Listen 127.0.0.1\nPort " + port + "\nTimeout 60\nMaxClients 100\n");
        serve("tinyproxy", port, "tinyproxy", "-d", "-c", "/lab/tinyproxy.conf");
        port = freePort();
        machine.write("/lab/privoxy.conf", """
                listen-address 127.0.0.1:%d
                confdir /etc/privoxy
                keep-alive-timeout 60
                """.formatted(port));
        serve("privoxy", port, "privoxy", "--no-daemon", "/lab/privoxy.conf");
    }

    private static int freePort() throws IOException {
        try (ServerSocket s = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return s.getLocalPort();
        }
    }

    private static void serve(String name, int port, String... line) {
        SERVERS.add(machine.serve(port, line));
        PEERS.put(name, port);
    }

    @AfterAll
    static void stop() {
        SERVERS.forEach(Running::close);
        if (machine != null) {
            machine.close();
        }
        if (ours != null) {
            ours.close().syncUninterruptibly();
        }
        LOOPS.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        if (dialer != null) {
            dialer.close();
        }
    }

    private static RawExchange byUs(String answer, List<String> requests) throws Exception {
        List<String> own = requests.stream()
                .map(r -> r.replace("localhost:1", "host.docker.internal:1"))
                .toList();
        int port = ((InetSocketAddress) ours.localAddress()).getPort();
        return RawExchange.of(port, "host.docker.internal", answer, own.toArray(String[]::new));
    }

    private static RawExchange by(int peer, String answer, List<String> requests) throws Exception {
        return RawExchange.of(peer, "127.0.0.1", answer, requests.toArray(String[]::new));
    }

    /** Else what follows would say nothing of them. */
    @Test
    void everyProxy_servesWhatIsPlain() throws Exception {
        for (Map.Entry<String, Integer> peer : PEERS.entrySet()) {
            RawExchange x = by(peer.getValue(), OK, List.of(get("")));
            assertThat(x.status()).as("%s: %s", peer.getKey(), x).isEqualTo(200);
            assertThat(x.atOrigin()).as(peer.getKey()).startsWith("GET / HTTP/1.");
        }
    }

    @ParameterizedTest
    @MethodSource("rows")
    void ours_doesWell_whateverPeersDo(Row row) throws Exception {
        RawExchange exchange = byUs(row.answer, row.requests);
        Verdict verdict = row.judge.apply(exchange);
        StringBuilder all = new StringBuilder(row + ": ours " + verdict);
        Verdict best = Verdict.BAD;
        for (Map.Entry<String, Integer> peer : PEERS.entrySet()) {
            RawExchange x = by(peer.getValue(), row.answer, row.requests);
            Verdict theirs = row.judge.apply(x);
            best = theirs.compareTo(best) > 0 ? theirs : best;
            all.append(", ")
                    .append(peer.getKey())
                    .append(' ')
                    .append(theirs)
                    .append(" (")
                    .append(x.status())
                    .append(')');
        }
        System.out.println(all);

        assertThat(verdict).as("%s", exchange).isEqualTo(Verdict.GOOD).isGreaterThanOrEqualTo(best);
    }
}
