package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** {@code docker run -p}: what answers on the host, and whom the container sees. */
@Order(20)
@ExtendWith(SharedProduct.class)
class PublishedPortsIT {
    private static final Duration SOON = Duration.ofSeconds(20);
    private static final String GATEWAY = "192.168.65.1";
    private static final String GATEWAY6 = "fdc4:f303:9324::1";
    private static final String HELLO = "hello from the container\n";

    private final DockerCli docker;
    private final TestHost testHost;

    PublishedPortsIT(DockerCli docker, TestHost testHost) {
        this.docker = docker;
        this.testHost = testHost;
    }

    @AfterEach
    void removeContainers() {
        docker.remove("web", "web2", "udp", "echo");
    }

    private void runWeb(String name, String... publish) {
        String[] line = new String[publish.length + 12];
        System.arraycopy(new String[] {"run", "-d", "--name", name}, 0, line, 0, 4);
        System.arraycopy(publish, 0, line, 4, publish.length);
        System.arraycopy(
                new String[] {TestImage.NAME, "httpd", "-f", "-vv", "-p", "80", "-h", "/www"},
                0,
                line,
                4 + publish.length,
                8);
        docker.ok(line);
        // httpd says nothing when it is ready; its socket does.
        Await.until("httpd in " + name, SOON, () -> docker.ok("exec", name, "netstat", "-ltn")
                .contains(":80 "));
    }

    private void awaitLog(String container, String text) {
        Await.until(
                "'" + text + "' in the log of " + container,
                SOON,
                () -> log(container).contains(text),
                () -> log(container));
    }

    private String log(String container) {
        Command.Result logs = docker.run("logs", container);
        return logs.out() + logs.err();
    }

    /** As with a registry in a container: docker push localhost:5000/image. */
    @Test
    void publishedPort_answersTheEngineItself_onItsLoopback() {
        runWeb("web", "-p", "18520:80");
        for (String host : List.of("localhost", "127.0.0.1")) {
            assertThat(docker.run("pull", host + ":18520/none").err())
                    .as(host)
                    .contains("404")
                    .doesNotContain("refused");
        }
    }

    @Test
    void publishedPort_answersOnLoopback_andTheContainerSeesTheGateway() throws Exception {
        runWeb("web", "-p", "18080:80");

        assertThat(HostServer.get(18080)).isEqualTo(HELLO);
        awaitLog("web", GATEWAY + "]:");
        assertThat(docker.ok("port", "web")).contains("80/tcp -> 0.0.0.0:18080");
    }

    /** rootlesskit, gvproxy, slirp4netns: services saw the gateway in place of each caller. */
    @Test
    void publishedPort_answersAnotherHost_andTheContainerSeesItsAddress() {
        runWeb("web", "-p", "18080:80");

        String page = testHost.command(
                        "busybox", "wget", "-q", "-O", "-", "http://" + testHost.hostAddress() + ":18080/")
                .run()
                .expectOk()
                .out();

        assertThat(page).isEqualTo(HELLO);
        awaitLog("web", testHost.address() + "]:");
    }

    @Test
    void portOnLoopback_isNotReachableFromAnotherHost() throws Exception {
        runWeb("web", "-p", "127.0.0.1:18081:80");

        assertThat(HostServer.get(18081)).isEqualTo(HELLO);
        assertThat(testHost.peer("connect", testHost.hostAddress(), "18081")
                        .run()
                        .expectOk()
                        .out())
                .startsWith("Connection refused after");
    }

    @Test
    void udp_isEchoed_fromLoopbackAndFromAnotherHost() throws Exception {
        docker.ok("run", "-d", "--name", "udp", "-p", "19000:9000/udp", TestImage.NAME, "peer", "udp-echo", "9000");
        awaitLog("udp", "ready");

        try (DatagramSocket socket = new DatagramSocket()) {
            socket.setSoTimeout(10_000);
            for (int size : new int[] {1, 1000, 1472, 9000, 60_000}) {
                byte[] sent = "x".repeat(size).getBytes(StandardCharsets.US_ASCII);
                socket.send(new DatagramPacket(sent, size, InetAddress.ofLiteral("127.0.0.1"), 19000));
                DatagramPacket got = new DatagramPacket(new byte[65_536], 65_536);
                socket.receive(got);
                assertThat(got.getLength()).isEqualTo(size);
            }
        }
        awaitLog("udp", "from " + GATEWAY + ":");
        assertThat(testHost.peer("udp-ask", testHost.hostAddress(), "19000", "over there")
                        .run()
                        .expectOk()
                        .out())
                .isEqualTo("over there");
        awaitLog("udp", "from " + testHost.address() + ":");
    }

    /** The host's [::] leads to the container's own IPv6 address, as docker-proxy says it; both loopbacks see the gateway. */
    @Test
    void containerWithAnIpv6Address_isReachedOverIpv6() throws Exception {
        docker.ok("network", "create", "--ipv6", "--subnet", "fd00:18:87::/64", "six");
        try {
            runWeb("web", "--network", "six", "-p", "18087:80");

            assertThat(HostServer.get("::1", 18087)).isEqualTo(HELLO);
            awaitLog("web", "[" + GATEWAY6 + "]:");
            assertThat(HostServer.get(18087)).isEqualTo(HELLO);
            awaitLog("web", GATEWAY + "]:");
        } finally {
            docker.remove("web");
            docker.run("network", "rm", "six");
        }
    }

    @Test
    void portTakenByAnotherContainer_failsWithDockersText() throws Exception {
        runWeb("web", "-p", "18080:80");

        Command.Result second = docker.run("run", "--name", "web2", "-p", "18080:80", TestImage.NAME, "true");

        assertThat(second.exit()).isEqualTo(125);
        assertThat(second.err()).contains("Bind for 0.0.0.0:18080 failed: port is already allocated");
        assertThat(HostServer.get(18080)).isEqualTo(HELLO);
    }

    @Test
    void portTakenByAHostProcess_failsWithDockerDesktopsText() throws Exception {
        try (ServerSocket taken = new ServerSocket()) {
            taken.bind(new InetSocketAddress(InetAddress.ofLiteral("0.0.0.0"), 0));
            int port = taken.getLocalPort();

            Command.Result run = docker.run("run", "--name", "web2", "-p", port + ":80", TestImage.NAME, "true");

            assertThat(run.exit()).isEqualTo(125);
            assertThat(run.err())
                    .contains("ports are not available: exposing port TCP 0.0.0.0:" + port
                            + " -> 127.0.0.1:0: listen tcp 0.0.0.0:" + port + ": bind: address already in use");
        }
    }

    @Test
    void portIsFreeAtOnce_afterTheContainerIsGone() throws Exception {
        for (int round = 0; round < 3; round++) {
            runWeb("web", "-p", "18080:80");
            assertThat(HostServer.get(18080)).isEqualTo(HELLO);
            docker.ok("rm", "-f", "web");
            try (ServerSocket free = new ServerSocket()) {
                free.setReuseAddress(true); // connections in TIME_WAIT are no listener
                free.bind(new InetSocketAddress(InetAddress.ofLiteral("0.0.0.0"), 18080));
            }
        }
    }

    @Test
    void rangesAndRandomPorts_arePublished() throws Exception {
        runWeb("web", "-p", "18090-18092:80-82", "-P", "--expose", "8080");

        assertThat(HostServer.get(18090)).isEqualTo(HELLO);
        String ports = docker.ok("port", "web");
        assertThat(ports).contains("81/tcp -> 0.0.0.0:18091", "82/tcp -> 0.0.0.0:18092", "8080/tcp -> 0.0.0.0:");
    }

    @Test
    void halfClose_reachesTheContainer_andTheAnswerComesBack() throws Exception {
        docker.ok("run", "-d", "--name", "echo", "-p", "18084:9000", TestImage.NAME, "peer", "tcp-echo", "9000");
        awaitLog("echo", "ready");

        try (Socket s = HostServer.connect(18084)) {
            HostServer.write(s, "all of it");
            s.shutdownOutput();
            assertThat(s.getInputStream().readAllBytes()).asString().isEqualTo("all of it");
        }
    }

    @Test
    void bigStream_throughAPublishedPort_isBitExact() throws Exception {
        docker.ok("run", "-d", "--name", "echo", "-p", "18084:9000", TestImage.NAME, "peer", "tcp-echo", "9000");
        awaitLog("echo", "ready");
        RandomData data = new RandomData(84, 64L * 1024 * 1024);

        try (Socket s = HostServer.connect(18084)) {
            Thread sender = Thread.ofVirtual().start(() -> {
                try {
                    data.writeTo(s.getOutputStream());
                    s.shutdownOutput();
                } catch (java.io.IOException e) {
                    throw new AssertionError(e);
                }
            });
            assertThat(data.compare(s.getInputStream())).isEqualTo("same");
            sender.join();
        }
    }

    @Test
    void manyConnections_toAPublishedPort_allWork() {
        docker.ok("run", "-d", "--name", "echo", "-p", "18084:9000", TestImage.NAME, "peer", "tcp-echo", "9000");
        awaitLog("echo", "ready");

        long good = IntStream.range(0, 100)
                .parallel()
                .filter(i -> {
                    try (Socket s = HostServer.connect(18084)) {
                        HostServer.write(s, "n" + i);
                        s.shutdownOutput();
                        return new String(s.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).equals("n" + i);
                    } catch (java.io.IOException e) {
                        return false;
                    }
                })
                .count();

        assertThat(good).isEqualTo(100);
    }
}
