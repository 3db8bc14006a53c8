package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What a container reaches: the host's loopback by name, names, the gateway. */
@Order(30)
@ExtendWith(SharedProduct.class)
class OutwardIT {
    private static final String HOST = "host.docker.internal";
    private static final long BIG = 300L * 1000 * 1000;

    private final DockerCli docker;
    private final TestHost testHost;

    OutwardIT(DockerCli docker, TestHost testHost) {
        this.docker = docker;
        this.testHost = testHost;
    }

    @Test
    void wget_reachesTheHostsLoopback() {
        try (HostServer server = HostServer.http("from the host")) {
            assertThat(docker.sh("wget -q -O - http://" + HOST + ":" + server.port() + "/"))
                    .isEqualTo("from the host");
        }
    }

    @Test
    void down300Megabytes_isBitExact() {
        RandomData data = new RandomData(1, BIG);
        try (HostServer server = HostServer.sending(data)) {
            long begin = System.nanoTime();
            String digest = docker.sh("peer receive " + HOST + " " + server.port() + " | sha256sum");
            report("down", begin);
            assertThat(digest).startsWith(data.sha256());
            assertThat(server.failures()).isEmpty();
        }
    }

    @Test
    void up300Megabytes_isBitExact() {
        RandomData data = new RandomData(2, BIG);
        try (HostServer server = HostServer.digesting()) {
            long begin = System.nanoTime();
            String digest = docker.sh("peer send-random " + HOST + " " + server.port() + " 2 " + BIG);
            report("up", begin);
            assertThat(digest).isEqualTo(data.sha256());
            assertThat(server.failures()).isEmpty();
        }
    }

    private static void report(String direction, long begin) {
        double seconds = (System.nanoTime() - begin) / 1e9;
        System.out.printf("300 MB %s: %.1f s, container start included%n", direction, seconds);
    }

    @Test
    void parallelConnections500_allSucceed() {
        try (HostServer server = HostServer.rendezvous(500)) {
            assertThat(docker.sh("peer parallel " + HOST + " " + server.port() + " 500"))
                    .isEqualTo("500 of 500");
            assertThat(server.failures()).isEmpty();
        }
    }

    @Test
    void refusedPort_isRefusedAtOnce() throws Exception {
        int port;
        try (ServerSocket unused = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.1"))) {
            port = unused.getLocalPort();
        }
        String answer = docker.sh("peer connect " + HOST + " " + port);
        assertThat(answer).matches("Connection refused after \\d{1,3} ms");
    }

    @Test
    void halfClose_isSeenByTheHost_andItsAnswerArrives() {
        try (HostServer server = new HostServer(s -> {
            byte[] all = s.getInputStream().readAllBytes();
            s.getOutputStream().write(("got " + all.length).getBytes(StandardCharsets.US_ASCII));
        })) {
            assertThat(docker.sh("peer half-close " + HOST + " " + server.port() + " 12345"))
                    .isEqualTo("got 5");
            assertThat(docker.sh("printf 123 | nc " + HOST + " " + server.port()))
                    .isEqualTo("got 3");
        }
    }

    @Test
    void anotherHost_isReachedByItsAddress() {
        try (Running server = testHost.peer("tcp-echo", "8000").start()) {
            server.awaitOut("ready", Duration.ofSeconds(10));
            assertThat(docker.sh("peer half-close " + testHost.address() + " 8000 there"))
                    .isEqualTo("there");
            server.awaitOut("from " + testHost.hostAddress() + ":", Duration.ofSeconds(10));
        }
    }

    @Test
    void names_areResolved_oursHereAndOthersByTheHostsResolver() {
        try (TestResolver resolver = new TestResolver()) {
            assertThat(docker.sh("nslookup -type=a " + HOST)).contains("192.168.65.254");
            assertThat(docker.sh("nslookup -type=a gateway.docker.internal")).contains("192.168.65.1");
            assertThat(docker.sh("nslookup -type=a http.docker.internal")).contains("192.168.65.1");
            assertThat(docker.sh("nslookup -type=a one.test")).contains("192.0.2.1");
            Command.Result missing =
                    docker.run("run", "--rm", TestImage.NAME, "nslookup", "-type=a", "no-such-name.test");
            assertThat(missing.exit()).isNotZero();
            assertThat(missing.out() + missing.err()).contains("NXDOMAIN");
            assertThat(resolver).isNotNull();
        }
    }

    /** AAAA of a name of ours exists without data: NXDOMAIN would make resolvers forget the A as well. */
    @Test
    void ourNames_haveNoIpv6ButExist() {
        assertThat(docker.run("run", "--rm", TestImage.NAME, "nslookup", "-type=aaaa", HOST)
                        .out())
                .doesNotContain("NXDOMAIN");
    }

    @Test
    void ping_ofTheGatewayAndOfTheHost_isAnswered() {
        assertThat(docker.sh("ping -c 2 -W 5 192.168.65.1")).contains("2 packets received");
        assertThat(docker.sh("ping -c 1 -W 5 " + HOST)).contains("1 packets received");
    }

    @Test
    void proxy_forwardsHttp() {
        try (HostServer server = new HostServer(s -> {
            String head = HostServer.readHead(s.getInputStream());
            String body = "seen: "
                    + head.lines().filter(l -> l.startsWith("GET ")).findFirst().orElse("?");
            HostServer.write(s, "HTTP/1.1 200 OK\r\nContent-Length: " + body.length() + "\r\n\r\n" + body);
        })) {
            String url = "http://" + HOST + ":" + server.port() + "/path?q=1";
            assertThat(docker.sh("http_proxy=http://http.docker.internal:3128 wget -q -O - " + url))
                    .isEqualTo("seen: GET /path?q=1 HTTP/1.1");
        }
    }

    @Test
    void proxy_connects() {
        try (HostServer server = new HostServer(s -> {
            byte[] all = s.getInputStream().readAllBytes();
            s.getOutputStream().write(all);
        })) {
            String connect =
                    "CONNECT " + HOST + ":" + server.port() + " HTTP/1.1\\r\\nHost: x\\r\\n\\r\\nthrough the tunnel";
            assertThat(docker.sh("printf '" + connect + "' | nc http.docker.internal 3128"))
                    .isEqualTo("HTTP/1.1 200 Connection established\r\n\r\nthrough the tunnel");
        }
    }

    @Test
    void proxy_refusesWhatIsOurs_andReportsWhatIsRefused() throws IOException {
        int port;
        try (ServerSocket unused = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.1"))) {
            port = unused.getLocalPort();
        }
        assertThat(connectStatus("127.0.0.1:22")).startsWith("HTTP/1.1 403 ");
        assertThat(connectStatus("192.168.65.3:2375")).startsWith("HTTP/1.1 403 ");
        assertThat(connectStatus(HOST + ":" + port)).startsWith("HTTP/1.1 502 ");
        assertThat(docker.sh("wget -q -O - http://http.docker.internal:3128/health"))
                .startsWith("ok");
    }

    private String connectStatus(String target) {
        return docker.sh(
                "printf 'CONNECT " + target + " HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' | nc http.docker.internal 3128");
    }
}
