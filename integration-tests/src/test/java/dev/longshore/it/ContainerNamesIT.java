package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Whose traffic it is: containers on the default bridge and on networks of their own, behind the guest's packet filter. */
@Order(46)
@ExtendWith(SharedProduct.class)
class ContainerNamesIT {
    private static final String HOST = "host.docker.internal";
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private final Product product;
    private final DockerCli docker;
    private final TestHost testHost;

    ContainerNamesIT(Product product, DockerCli docker, TestHost testHost) {
        this.product = product;
        this.docker = docker;
        this.testHost = testHost;
    }

    @BeforeEach
    void makeNetworks() {
        docker.ok("network", "create", "names-net");
        docker.ok(
                "network",
                "create",
                "--ipv6",
                "--subnet",
                "fd00:6e:61::/64",
                "-o",
                "com.docker.network.bridge.enable_ip_masquerade=true",
                "names-net6");
    }

    @AfterEach
    void removeAll() {
        docker.remove("names-a", "names-b", "names-6", "names-host", "names-next", "names-web", "names-udp");
        docker.run("network", "rm", "names-net", "names-net6");
    }

    /** The lines of {@code longshore flows} in JSON. */
    private List<String> flows(String... filter) {
        String[] line = new String[filter.length + 3];
        System.arraycopy(new String[] {"flows", "--format", "json"}, 0, line, 0, 3);
        System.arraycopy(filter, 0, line, 3, filter.length);
        return product.longshore(line).run().expectOk().out().lines().toList();
    }

    private void awaitFlow(String what, String[] filter, String... parts) {
        Await.until(
                what,
                LIMIT,
                () -> flows(filter).stream()
                        .anyMatch(l -> List.of(parts).stream().allMatch(l::contains)),
                () -> String.join("\n", flows()));
    }

    private void run(String name, String network, String script) {
        docker.ok(
                "run",
                "-d",
                "--name",
                name,
                "--network",
                network,
                "--label",
                "com.docker.compose.project=names-project",
                "--label",
                "com.docker.compose.service=" + name + "-service",
                TestImage.NAME,
                "sh",
                "-c",
                script);
    }

    @Test
    void tcp_ofEveryNetwork_isNamed_andFoundByNameIdAndProject() throws Exception {
        CountDownLatch seen = new CountDownLatch(1);
        try (HostServer server = holding(seen)) {
            String script = "peer receive " + HOST + " " + server.port();
            run("names-a", "bridge", script);
            run("names-b", "names-net", script);
            run("names-6", "names-net6", script);
            docker.ok("run", "-d", "--name", "names-host", "--network", "host", TestImage.NAME, "sh", "-c", script);
            String port = String.valueOf(server.port());
            String[] filter = {"tcp", "port", port};
            awaitFlow("a", filter, "\"name\":\"names-a\"", "\"networks\":[\"bridge\"]", "\"guestAddress\":\"172.");
            awaitFlow("b", filter, "\"name\":\"names-b\"", "\"networks\":[\"names-net\"]");
            awaitFlow("6", filter, "\"name\":\"names-6\"", "\"image\":\"" + TestImage.NAME + "\"");
            awaitFlow("the guest's", filter, "\"ofGuestItself\":true");

            String id = docker.ok("inspect", "-f", "{{.Id}}", "names-b").trim();
            assertThat(flows("--container", "names-b", "port", port)).hasSize(1);
            assertThat(flows("--container", id.substring(0, 12), "port", port))
                    .hasSize(1)
                    .allMatch(l -> l.contains(id) && l.contains("\"service\":\"names-b-service\""));
            assertThat(flows("--container", "names-project", "port", port)).hasSize(3);
            assertThat(flows("--container", "nobody")).isEmpty();
            assertThat(product.longshore("flows", "port", port).run().expectOk().out())
                    .contains("CONTAINER", "names-a ", "names-b ", "names-6 ", "(guest) ");
            assertThat(product.longshore("metrics").run().expectOk().out())
                    .contains(
                            "vpnkit_container_flows_opened_total{container=\"names-a\",id=\"",
                            "vpnkit_container_bytes_total{container=\"names-b\",direction=\"toGuest\",id=\""
                                    + id.substring(0, 12) + "\"} 100000.0");
        } finally {
            seen.countDown();
        }
    }

    private static HostServer holding(CountDownLatch latch) {
        return new HostServer(s -> {
            s.getOutputStream().write(new byte[100_000]);
            s.getOutputStream().flush();
            latch.await(60, TimeUnit.SECONDS);
        });
    }

    @Test
    void tcp6_ofAContainer_isNamed() throws Exception {
        CountDownLatch seen = new CountDownLatch(1);
        try (HostServer server = holding(seen)) {
            run("names-6", "names-net6", "nc fdc4:f303:9324::254 " + server.port());
            awaitFlow(
                    "6",
                    new String[] {"tcp", "port", String.valueOf(server.port())},
                    "\"guestAddress\":\"fd00:6e:61:",
                    "\"name\":\"names-6\"",
                    "\"bytesToGuest\":100000");
        } finally {
            seen.countDown();
        }
    }

    @Test
    void udp_andPing_areNamed() throws Exception {
        try (DatagramSocket echo = new DatagramSocket(0, InetAddress.ofLiteral("127.0.0.1"))) {
            Thread.ofPlatform().daemon().start(() -> echoAll(echo));
            run("names-a", "bridge", "peer udp-ask " + HOST + " " + echo.getLocalPort() + " hello");
            run("names-b", "names-net", "ping -c 1 -W 5 " + testHost.address());
            awaitFlow("udp", new String[] {"udp"}, "\"name\":\"names-a\"", "\"state\":\"answered\"");
            awaitFlow("ping", new String[] {"icmp"}, "\"name\":\"names-b\"", "\"state\":\"answered\"");
            assertThat(docker.ok("logs", "names-a").trim()).isEqualTo("hello");
        }
    }

    private static void echoAll(DatagramSocket echo) {
        try {
            DatagramPacket packet = new DatagramPacket(new byte[2000], 2000);
            while (true) {
                echo.receive(packet);
                echo.send(packet);
            }
        } catch (java.io.IOException e) {
            // closed
        }
    }

    /** Both pings have the identifier 1, as the process has. */
    @Test
    void nextContainerWithTheSameAddress_hasItsOwnFlow() {
        run("names-a", "bridge", "exec ping -c 1 -W 5 " + testHost.address());
        awaitFlow("the first", new String[] {"icmp"}, "\"name\":\"names-a\"", "\"state\":\"answered\"");
        docker.remove("names-a");
        run("names-next", "bridge", "exec ping -c 1 -W 5 " + testHost.address());
        awaitFlow("the next", new String[] {"icmp"}, "\"name\":\"names-next\"", "\"bytesFromGuest\":56");
    }

    @Test
    void shortLivedContainer_isNamed() {
        docker.ok("run", "--rm", "--name", "names-a", TestImage.NAME, "ping", "-c", "1", "-W", "5", testHost.address());
        awaitFlow("after its end", new String[] {"icmp"}, "\"name\":\"names-a\"");
    }

    @Test
    void publishedPort_isItsContainers_andWhoCallsItselfByTheHostIsTwoFlows() throws Exception {
        docker.ok("run", "-d", "--name", "names-web", "-p", "18095:80", TestImage.NAME, "peer", "tcp-echo", "80");
        Await.until("it listens", LIMIT, () -> docker.ok("logs", "names-web").contains("ready"));
        try (Running caller = docker.start(
                "exec", "-i", "names-web", "sh", "-c", "(echo hi; exec sleep 60) | nc " + HOST + " 18095")) {
            caller.awaitOut("hi", Duration.ofSeconds(20));
            awaitFlow("out", new String[] {"tcp", "by", "guest"}, "\"name\":\"names-web\"", "\"remotePort\":18095");
            awaitFlow("in", new String[] {"tcp", "by", "host"}, "\"name\":\"names-web\"", "\"guestPort\":80");
        }
    }

    @Test
    void publishedUdpPort_isItsContainers() throws Exception {
        docker.ok(
                "run", "-d", "--name", "names-udp", "-p", "18096:9000/udp", TestImage.NAME, "peer", "udp-echo", "9000");
        Await.until("it listens", LIMIT, () -> docker.ok("logs", "names-udp").contains("ready"));
        try (DatagramSocket socket = new DatagramSocket()) {
            socket.setSoTimeout(10_000);
            byte[] text = "hello".getBytes(StandardCharsets.US_ASCII);
            socket.send(new DatagramPacket(text, text.length, InetAddress.ofLiteral("127.0.0.1"), 18096));
            socket.receive(new DatagramPacket(new byte[100], 100));
            awaitFlow("in", new String[] {"udp", "by", "host"}, "\"name\":\"names-udp\"", "\"guestPort\":9000");
        }
    }

    /** What routers say goes to the container that asked. */
    @Test
    void traceroute_ofAContainer_seesTheGuestAndTheGateway() {
        String way = docker.sh("traceroute -n -q 1 -w 5 -m 3 " + testHost.address());
        assertThat(way).contains("172.17.0.1", "192.168.65.1", testHost.address());
    }
}
