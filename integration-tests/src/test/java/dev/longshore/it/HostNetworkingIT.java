package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** {@code docker run --net=host} with {@code hostNetworkingEnabled}: one loopback for the host and such containers. */
@Order(22)
@Timeout(value = 5, unit = TimeUnit.MINUTES)
@ExtendWith(SharedProduct.class)
class HostNetworkingIT {
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final String HELLO = "hello from the container\n";

    private final DockerCli docker;
    private final Product product;
    private Set<String> before = Set.of();

    HostNetworkingIT(DockerCli docker, Product product) {
        this.docker = docker;
        this.product = product;
    }

    @BeforeEach
    void enable() {
        before = listeners();
        set(true);
    }

    @AfterEach
    void disable() {
        docker.remove("host", "user", "other");
        set(false);
        Await.until("no listener is left", SOON, () -> listeners().equals(before), () -> listeners() + " " + before);
    }

    private Set<String> listeners() {
        // the sockets of flows of the guest's are not connected either, and stay for a while
        return HostListeners.of(product.daemonPid()).stream()
                .filter(l -> l.startsWith("tcp") || l.matches("udp. 1855[0-9]"))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private void set(boolean on) {
        product.longshore("settings", "set", "hostNetworkingEnabled", String.valueOf(on))
                .run()
                .expectOk();
    }

    private void runHost(String name, String... line) {
        String[] all = new String[line.length + 6];
        System.arraycopy(new String[] {"run", "-d", "--net=host", "--name", name, TestImage.NAME}, 0, all, 0, 6);
        System.arraycopy(line, 0, all, 6, line.length);
        docker.ok(all);
    }

    private void awaitPage(String address, int port, String page) {
        Await.until(
                "a page from " + address + " " + port,
                SOON,
                () -> HostServer.get(address, port).equals(page),
                () -> listeners() + product.logs());
    }

    /** What {@code peer half-close} got from an address of the guest's loopback. */
    private String ask(String address, int port, String text) {
        return docker.run("exec", "user", "peer", "half-close", address, String.valueOf(port), text)
                .out();
    }

    @Test
    void listenersOfTheContainer_areOnTheHostsLoopback_ofBothFamilies_andGoWithIt() {
        runHost("host", "httpd", "-f", "-p", "[::]:18550", "-h", "/www");

        awaitPage("127.0.0.1", 18550, HELLO);
        awaitPage("::1", 18550, HELLO);
        assertThat(product.longshore("ports").run().out()).contains("host-network");
        docker.remove("host");
        Await.until("both are gone", SOON, () -> listeners().equals(before), () -> listeners()
                .toString());
    }

    @Test
    void listenerOnTheGuestsLoopback_isOnTheHosts() {
        runHost("host", "httpd", "-f", "-p", "127.0.0.1:18551", "-h", "/www");
        runHost("other", "httpd", "-f", "-p", "[::1]:18552", "-h", "/www");

        awaitPage("127.0.0.1", 18551, HELLO);
        awaitPage("::1", 18552, HELLO);
    }

    @Test
    void datagrams_goBothWays() throws Exception {
        runHost("host", "peer", "udp-echo", "18553");
        Await.until("the container's UDP port", SOON, () -> listeners().contains("udp4 18553"));
        try (DatagramSocket socket = new DatagramSocket()) {
            socket.setSoTimeout(10_000);
            byte[] sent = "there".getBytes(StandardCharsets.US_ASCII);
            socket.send(new DatagramPacket(sent, sent.length, InetAddress.ofLiteral("127.0.0.1"), 18553));
            DatagramPacket got = new DatagramPacket(new byte[100], 100);
            socket.receive(got);
            assertThat(new String(got.getData(), 0, got.getLength(), StandardCharsets.US_ASCII))
                    .isEqualTo("there");
        }

        // begun before the host listens: what the guest's connection tracker remembers of it is forgotten
        Running asking = docker.start(
                "run", "--rm", "--net=host", TestImage.NAME, "peer", "udp-ask", "127.0.0.1", "18554", "back");
        Await.until("it runs", SOON, () -> docker.ok("ps").contains("udp-ask"));
        try (DatagramSocket server =
                new DatagramSocket(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 18554))) {
            server.setSoTimeout(30_000);
            DatagramPacket got = new DatagramPacket(new byte[100], 100);
            server.receive(got);
            server.send(got);
            assertThat(asking.result(SOON).expectOk().out()).contains("back");
        }
    }

    @Test
    void servicesOfTheHost_areOnTheGuestsLoopback_ofBothFamilies_butItsOwnComeFirst() throws Exception {
        runHost("user", "sleep", "1000");
        try (HostServer service = HostServer.http("the host's")) {
            Await.until(
                    "the host's service at 127.0.0.1",
                    SOON,
                    () -> ask("127.0.0.1", service.port(), "GET / HTTP/1.0\r\n\r\n")
                            .contains("the host's"),
                    product::logs);
            // the test image's programs know IPv4 only, the guest's own busybox both
            assertThat(docker.ok(
                            "run",
                            "--rm",
                            "--privileged",
                            "--pid=host",
                            "--net=host",
                            TestImage.NAME,
                            "nsenter",
                            "-t",
                            "1",
                            "-m",
                            "-n",
                            "/bin/sh",
                            "-c",
                            "PATH=/usr/sbin:/usr/bin; busybox wget -q -T 10 -O - http://[::1]:" + service.port() + "/"))
                    .isEqualTo("the host's");
        }
        try (HostServer service = HostServer.http("the host's")) {
            runHost("host", "peer", "tcp-echo", String.valueOf(service.port()));
            Await.until("the guest's own", SOON, () -> ask("127.0.0.1", service.port(), "mine")
                    .equals("mine"));
        }
    }

    @Test
    void portThatTheHostHas_isAConflict_toldInEventsAndStatus_andGoneWhenItIsFree() throws Exception {
        try (ServerSocket taken = new ServerSocket()) {
            taken.bind(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 18556));
            runHost("host", "httpd", "-f", "-p", "18556", "-h", "/www");
            Await.until("the conflict in status", SOON, () -> product.longshore("status")
                    .run()
                    .out()
                    .contains("a container's port 18556 is not on the host's loopback: ports are not available"));
            assertThat(product.logs()).contains("port 18556 is not on the host's loopback");
        }
        awaitPage("127.0.0.1", 18556, HELLO);
        assertThat(product.longshore("status").run().out()).doesNotContain("18556");
    }

    @Test
    void switchedOff_nothingIsMirrored_andOnAgain_itIs() {
        runHost("host", "httpd", "-f", "-p", "18557", "-h", "/www");
        awaitPage("127.0.0.1", 18557, HELLO);

        set(false);
        Await.until("nothing", SOON, () -> listeners().equals(before), () -> listeners()
                .toString());
        set(true);
        awaitPage("127.0.0.1", 18557, HELLO);
    }
}
