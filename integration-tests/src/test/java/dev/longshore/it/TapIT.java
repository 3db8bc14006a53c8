package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The network alone, for a namespace with a TAP device: the guest is this computer's own kernel. */
@Order(10)
@Timeout(300)
@BesideTheGuest
class TapIT {
    private static final String HOST = "192.168.77.254";
    private static final String[] SUBNET = {"--subnet", "192.168.77.0/24"};
    private static final int CURL_COULD_NOT_CONNECT = 7;
    private static final Duration TRANSFER = Duration.ofMinutes(2);

    private final String namespace = "lsit-tap-" + ProcessHandle.current().pid() % 65_536;

    @TempDir
    Path dir;

    @BeforeEach
    void addNamespace() {
        Command.of("ip", "netns", "add", namespace).run().expectOk();
    }

    @AfterEach
    void deleteNamespace() {
        Command.Result ignored = Command.of("ip", "netns", "del", namespace).run();
        assertThat(ignored.line()).isNotEmpty();
    }

    private Command guest(String... line) {
        List<String> inside = new ArrayList<>(List.of("ip", "netns", "exec", namespace));
        inside.addAll(List.of(line));
        return Command.of(inside);
    }

    private NetProgram net(String... more) {
        List<String> arguments = new ArrayList<>(List.of("--tap", "tap0@" + namespace));
        arguments.addAll(List.of(SUBNET));
        arguments.addAll(List.of(more));
        return new NetProgram(arguments.toArray(String[]::new));
    }

    @Test
    void guestByDhcp_resolvesPingsAndReachesTheHostsLoopback() throws Exception {
        Path script = Files.writeString(dir.resolve("udhcpc"), """
                #!/bin/sh
                [ "$1" = bound ] || exit 0
                ip addr add $ip/$mask dev $interface && ip link set $interface mtu $mtu && ip route add default via $router
                echo "leased $ip dns $dns mtu $mtu"
                """);
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
        try (NetProgram net = net();
                HostServer http = HostServer.http("from the host")) {
            guest("ip", "link", "set", "lo", "up").run().expectOk();
            guest("ip", "link", "set", "tap0", "up").run().expectOk();
            assertThat(guest("busybox", "udhcpc", "-i", "tap0", "-n", "-q", "-f", "-s", script.toString())
                            .run()
                            .expectOk()
                            .out())
                    .contains("leased 192.168.77.3 dns 192.168.77.7 mtu 1500");
            guest("ping", "-c", "2", "-W", "5", "192.168.77.1").run().expectOk();
            assertThat(guest("busybox", "nslookup", "host.docker.internal", "192.168.77.7")
                            .run()
                            .out())
                    .contains(HOST);
            assertThat(guest("curl", "-s", "http://" + HOST + ":" + http.port() + "/")
                            .run()
                            .expectOk()
                            .text())
                    .isEqualTo("from the host");
            assertThat(net.stop()).isZero();
        }
        assertThat(guest("ip", "link", "show", "tap0").run().exit())
                .as("the device is gone")
                .isNotZero();
    }

    @Test
    void threeHundredMegabytesEachWay_arriveUnchanged_andHalfCloseWorks() throws Exception {
        RandomData data = new RandomData(78, 300_000_000);
        Path file = dir.resolve("data");
        try (OutputStream out = Files.newOutputStream(file)) {
            data.writeTo(out);
        }
        try (NetProgram net = net("--configure");
                HostServer sending = HostServer.sending(data);
                HostServer digesting = HostServer.digesting()) {
            String down = guest("sh", "-c", "busybox nc " + HOST + " " + sending.port() + " </dev/null | sha256sum")
                    .within(TRANSFER)
                    .run()
                    .expectOk()
                    .text();
            assertThat(down).startsWith(data.sha256());
            // The digest comes back after the guest has shut its half down.
            String up = guest("busybox", "nc", HOST, String.valueOf(digesting.port()))
                    .from(file)
                    .within(TRANSFER)
                    .run()
                    .expectOk()
                    .text();
            assertThat(up).isEqualTo(data.sha256());
            assertThat(digesting.failures()).isEmpty();
            assertThat(net.stop()).isZero();
        }
    }

    /** vpnkit under rootlesskit: no port led to a guest without an agent. */
    @Test
    void publishedPort_leadsToTheGuest() throws Exception {
        try (NetProgram net = net("--configure", "--publish", "127.0.0.1:18378:80");
                Running server = guest(
                                "sh",
                                "-c",
                                "mkdir -p " + dir + "/www; echo hello > " + dir
                                        + "/www/index.html; exec busybox httpd -f -p 80 -h " + dir + "/www")
                        .start()) {
            Await.until(
                    "an answer through the published port",
                    Duration.ofSeconds(10),
                    () -> HostServer.get(18378).equals("hello\n"),
                    () -> server.out() + server.err());
            assertThat(net.stop()).isZero();
        }
    }

    /** An address given by hand, a MAC address of the kernel's choice, and not a single packet until it is called. */
    @Test
    void silentGuest_isFoundByArp_andOneThatIsNotThereIsSaid() throws Exception {
        Files.writeString(dir.resolve("index.html"), "hello");
        try (NetProgram net = net("--publish", "127.0.0.1:18379:80")) {
            guest("sysctl", "-qw", "net.ipv6.conf.tap0.disable_ipv6=1").run().expectOk();
            guest("ip", "link", "set", "tap0", "up").run().expectOk();
            Command call = Command.of("curl", "-sS", "-m", "20", "http://127.0.0.1:18379/");
            assertThat(call.run().err()).contains("reset by peer");
            Await.until(
                    "the reason, by both addresses",
                    Duration.ofSeconds(10),
                    () -> net.said()
                            .contains(
                                    "nobody on the guest's network answers for fdc4:f303:9324::3, nor for 192.168.77.3"),
                    net::said);

            guest("ip", "addr", "add", "192.168.77.3/24", "dev", "tap0").run().expectOk();
            try (Running _ = guest("busybox", "httpd", "-f", "-p", "80", "-h", dir.toString())
                    .start()) {
                Await.until(
                        "the guest listens",
                        Duration.ofSeconds(10),
                        () -> guest("ss", "-ltn").run().out().contains(":80 "));
                assertThat(call.run().expectOk().text()).isEqualTo("hello");
            }
            assertThat(net.stop()).isZero();
        }
    }

    /** One of the guest's kernel's own counters (netstat(8), proc_net_netstat). */
    private long kernelCounter(String name) {
        String line = guest("nstat", "-asz", name)
                .run()
                .expectOk()
                .out()
                .lines()
                .filter(l -> l.startsWith(name + " "))
                .findFirst()
                .orElseThrow();
        return Long.parseLong(line.split("\\s+", 3)[1]);
    }

    /** RFC 2883, judged by the kernel that sent: frames are doubled, lost and damaged on purpose. */
    @Test
    void guestsKernel_hearsOfWhatCameTwice_andBelievesIt() throws Exception {
        RandomData data = new RandomData(79, 60_000_000);
        Path file = dir.resolve("data");
        try (OutputStream out = Files.newOutputStream(file)) {
            data.writeTo(out);
        }
        try (NetProgram net = net("--configure", "--faults", "0.03");
                HostServer digesting = HostServer.digesting()) {
            String up = guest("busybox", "nc", HOST, String.valueOf(digesting.port()))
                    .from(file)
                    .within(TRANSFER)
                    .run()
                    .expectOk()
                    .text();
            assertThat(up).isEqualTo(data.sha256());
            long told = kernelCounter("TcpExtTCPDSACKRecv");
            long dubious = kernelCounter("TcpExtTCPDSACKIgnoredDubious");
            long discarded = kernelCounter("TcpExtTCPSACKDiscard");
            System.out.println("D-SACK: " + told + " received by the guest's kernel, "
                    + kernelCounter("TcpExtTCPDSACKOfoRecv") + " of text that waited, " + dubious
                    + " of what it had sent once, " + discarded + " SACK blocks discarded");
            assertThat(told).isPositive();
            // What the link doubled was sent once: then the kernel takes the first block for an ordinary one, and a
            // wrong one.
            assertThat(discarded).as("blocks that made no sense").isLessThanOrEqualTo(dubious);
            assertThat(net.stop()).isZero();
        }
    }

    /** gvproxy: a capture nobody had named went to a directory that takes no files, and that ended the program without a word. */
    @Test
    void captureThatCannotBeWritten_isSaidOnOneLine_andNoOtherIsMade() throws Exception {
        Command.Result result = Command.of(
                        NetProgram.launcher(), "net", "--tap", "tap0@" + namespace, "--pcap", dir + "/no/such/file")
                .run()
                .expectExit(1);
        assertThat(result.err().strip().lines()).hasSize(1);
        assertThat(result.err()).contains("--pcap").contains(dir + "/no/such/file");

        try (NetProgram net = NetProgram.of(Command.of(
                "sh",
                "-c",
                "cd " + dir + " && exec " + NetProgram.launcher() + " net --tap tap0@" + namespace + " --configure"))) {
            guest("ping", "-c", "1", "-W", "5", "192.168.65.1").run().expectOk();
            assertThat(net.stop()).isZero();
        }
        try (Stream<Path> files = Files.list(dir)) {
            assertThat(files).isEmpty();
        }
    }

    /** podman, pasta: it failed where the host had no route yet, and kept the addresses of then. */
    @Test
    void hostWithoutAnyRoute_servesItsGuest_andTheNetworkOnceItComes() {
        String host = namespace + "-host";
        String server = namespace + "-server";
        Command.of(NetProgram.launcher(), "net", "--help")
                .within(Duration.ofMinutes(10))
                .run(); // builds, outside of the namespace
        try {
            for (String name : List.of(host, server)) {
                Command.of("ip", "netns", "add", name).run().expectOk();
                Command.of("ip", "-n", name, "link", "set", "lo", "up").run().expectOk();
            }
            try (NetProgram net = NetProgram.of(Command.of(
                    "ip",
                    "netns",
                    "exec",
                    host,
                    NetProgram.launcher(),
                    "net",
                    "--tap",
                    "tap0@" + namespace,
                    "--configure"))) {
                guest("ping", "-c", "1", "-W", "5", "192.168.65.254").run().expectOk();
                Command call = guest("curl", "-sS", "-m", "20", "http://10.79.1.2/");
                assertThat(call.run().exit()).as("refused, not silent").isEqualTo(CURL_COULD_NOT_CONNECT);

                Files.writeString(dir.resolve("index.html"), "hello");
                Command.of("ip", "-n", host, "link", "add", "lan0", "type", "veth", "peer", "wan0", "netns", server)
                        .run()
                        .expectOk();
                Command.of("ip", "-n", server, "addr", "add", "10.79.1.2/24", "dev", "wan0")
                        .run()
                        .expectOk();
                Command.of("ip", "-n", server, "link", "set", "wan0", "up")
                        .run()
                        .expectOk();
                Command.of("ip", "-n", host, "addr", "add", "10.79.1.1/24", "dev", "lan0")
                        .run()
                        .expectOk();
                Command.of("ip", "-n", host, "link", "set", "lan0", "up").run().expectOk();
                try (Running _ = Command.of(
                                "ip",
                                "netns",
                                "exec",
                                server,
                                "busybox",
                                "httpd",
                                "-f",
                                "-p",
                                "80",
                                "-h",
                                dir.toString())
                        .start()) {
                    Await.until(
                            "the server answers the guest",
                            Duration.ofSeconds(20),
                            () -> call.run().text().equals("hello"),
                            net::said);
                }
                assertThat(net.stop()).isZero();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            Command.of("ip", "netns", "del", host).run();
            Command.of("ip", "netns", "del", server).run();
        }
    }

    @Test
    void deviceThatIsRemoved_endsTheProgramWithAnError() {
        try (NetProgram net = net()) {
            Command.of("ip", "-n", namespace, "link", "del", "tap0").run().expectOk();
            assertThat(net.awaitEnd()).isEqualTo(1);
            assertThat(net.said()).contains("is gone");
        }
    }

    @Test
    void namespaceThatIsNot_isSaidOnOneLine() {
        Command.Result result = Command.of(
                        Path.of(System.getProperty("longshore.root", ".."), "longshore")
                                .toString(),
                        "net",
                        "--tap",
                        "tap0@no-such-namespace")
                .run()
                .expectExit(1);
        assertThat(result.err()).contains("TAP tap0 in no-such-namespace: no such file or directory");
        assertThat(result.err().strip().lines()).hasSize(1);
    }
}
