package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Programs that people use every day, from a guest to servers on its host: iperf3, ssh, curl, nmap; tshark is the judge. */
@Order(12)
@Timeout(120)
@BesideTheGuest
class ClientsIT {
    private static final int IPERF_PORT = 5201;
    private static final int SSH_PORT = 2222;
    private static final int HTTP_PORT = 8000;
    private static final int TCP_PORT = 8080;
    private static final int UDP_PORT = 8081;
    private static final int CLOSED_PORT = 9999;
    private static final String BULK = "/data";
    private static final long BULK_BYTES = 100_000_000;
    private static final long GROWTH = 16 << 20;
    private static final Pattern PORT = Pattern.compile("(?m)^(\\d+)/(tcp|udp) +(\\S+) ");

    private static ClientsLab lab;

    @TempDir
    static Path dir;

    private static final RandomData DATA = new RandomData(79, BULK_BYTES);

    @BeforeAll
    static void open() throws Exception {
        lab = new ClientsLab(dir);
        Files.createDirectories(dir.resolve("www"));
        try (OutputStream out = Files.newOutputStream(dir.resolve("www/data"))) {
            DATA.writeTo(out);
        }
        Files.writeString(dir.resolve("www/small"), "hello");
    }

    @AfterAll
    static void close() {
        try {
            lab.awaitNoTcpFlow();
            assertThat(lab.said()).doesNotContain("ERROR");
        } finally {
            lab.close();
        }
    }

    // ---- iperf3

    /** How many streams each form has, and its options. */
    private static final Object[][] FORMS = {
        {1, ""},
        {1, "-R"},
        {2, "--bidir"},
        {32, "-P 32"},
        {32, "-P 32 -R"},
        {1, "-M 536"},
        {1, "-M 536 -R"},
        {8, "-P 4 --bidir -M 536"},
        {1, "-u -b 100M"},
        {1, "-u -b 100M -R"},
        {2, "-u -b 50M --bidir"},
    };

    @Test
    void iperf_everyStreamOfEveryForm_moves() {
        for (Object[] form : FORMS) {
            iperf(ClientsLab.HOST, "127.0.0.1", (int) form[0], (String) form[1]);
        }
        iperf(ClientsLab.HOST6, "::1", 8, "-P 4 --bidir");
        iperf(ClientsLab.HOST6, "::1", 2, "-u -b 50M --bidir");
        lab.awaitTcpClosed();
    }

    /** For one test: between two of them, a server resets who comes while it opens its port anew. */
    private static Running iperfServer(String address) {
        return lab.server(
                IPERF_PORT, "iperf3", "-s", "-1", "--forceflush", "-B", address, "-p", String.valueOf(IPERF_PORT));
    }

    private static void iperf(String target, String loopback, int streams, String options) {
        List<String> line = new ArrayList<>(List.of("iperf3", "-f", "m", "-t", "1", "-c", target));
        line.addAll(List.of(options.split(" ")));
        line.removeIf(String::isEmpty);
        String out;
        try (Running server = iperfServer(loopback)) {
            Command.Result result = lab.guest(line.toArray(String[]::new)).run();
            assertThat(result.exit())
                    .as("%s: %s\nserver: %s%s", line, result.err(), server.out(), server.err())
                    .isZero();
            out = result.out();
        }
        List<String> received =
                out.lines().filter(l -> l.strip().endsWith("receiver")).toList();
        List<String> each =
                received.stream().filter(l -> !l.startsWith("[SUM]")).toList();
        assertThat(each).as(out).hasSize(streams).noneMatch(l -> l.contains(" 0.00 Bytes "));
        System.out.println("iperf3 " + options + ": " + received.getLast());
    }

    // ---- ssh

    @Test
    void ssh_runsACommand_andTenMegabytesEachWayAreExact() throws Exception {
        RandomData data = new RandomData(80, 10_000_000);
        Path file = dir.resolve("ten");
        try (OutputStream out = Files.newOutputStream(file)) {
            data.writeTo(out);
        }
        try (Running sshd = sshd()) {
            assertThat(ssh("echo \"$SSH_CONNECTION\"; exit 7")
                            .run()
                            .expectExit(7)
                            .text())
                    .matches("127\\.0\\.0\\.1 \\d+ 127\\.0\\.0\\.1 " + SSH_PORT);
            assertThat(ssh("sha256sum").from(file).run().expectOk().out()).startsWith(data.sha256());
            assertThat(ssh("cat " + file).read(data::compare)).isEqualTo("same");
            assertThat(sshd.isAlive()).isTrue();
        }
        lab.awaitTcpClosed();
    }

    /** A server of its own, in a mount namespace of its own: it wants a directory in /run, and an account that is not locked. */
    private static Running sshd() throws Exception {
        for (String key : List.of("host-key", "user-key")) {
            Command.of(
                            "ssh-keygen",
                            "-q",
                            "-t",
                            "ed25519",
                            "-N",
                            "",
                            "-f",
                            dir.resolve(key).toString())
                    .run()
                    .expectOk();
        }
        Files.writeString(
                dir.resolve("known_hosts"),
                "[" + ClientsLab.HOST + "]:" + SSH_PORT + " " + Files.readString(dir.resolve("host-key.pub")));
        Path config = Files.writeString(dir.resolve("sshd_config"), """
                Port %d
                ListenAddress 127.0.0.1
                HostKey %s
                AuthorizedKeysFile %s
                StrictModes no
                UsePAM no
                PasswordAuthentication no
                PermitRootLogin prohibit-password
                PidFile none
                """.formatted(
                        SSH_PORT, dir.resolve("host-key"), dir.resolve("user-key.pub")));
        Files.writeString(dir.resolve("shadow"), "root:*:20000:0:99999:7:::\nsshd:!*:20000::::::\n");
        Files.setPosixFilePermissions(dir.resolve("shadow"), PosixFilePermissions.fromString("rw-------"));
        return lab.server(
                SSH_PORT,
                "sh",
                "-c",
                "mount -t tmpfs none /run && mkdir -m 755 /run/sshd && mount --bind " + dir + "/shadow /etc/shadow"
                        + " && exec /usr/sbin/sshd -D -e -f " + config);
    }

    private static Command ssh(String command) {
        return lab.guest(
                "ssh",
                "-F",
                "none",
                "-p",
                String.valueOf(SSH_PORT),
                "-i",
                dir.resolve("user-key").toString(),
                "-o",
                "IdentityAgent=none",
                "-o",
                "BatchMode=yes",
                "-o",
                "StrictHostKeyChecking=yes",
                "-o",
                "UserKnownHostsFile=" + dir.resolve("known_hosts"),
                "root@" + ClientsLab.HOST,
                command);
    }

    // ---- curl

    /** The JDK's own web server, which keeps connections open. */
    private static Running httpServer(String address) {
        return lab.server(
                HTTP_PORT,
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx64m",
                "-m",
                "jdk.httpserver",
                "-b",
                address,
                "-p",
                String.valueOf(HTTP_PORT),
                "-d",
                dir.resolve("www").toString(),
                "-o",
                "none");
    }

    @ParameterizedTest
    @ValueSource(strings = {"4", "6"})
    void curl_keepsItsConnection_andAHundredMegabytesAreExact(String family) throws Exception {
        boolean v4 = family.equals("4");
        String url = "http://" + (v4 ? ClientsLab.HOST : "[" + ClientsLab.HOST6 + "]") + ":" + HTTP_PORT;
        try (Running server = httpServer(v4 ? "127.0.0.1" : "::1")) {
            String connections = lab.guest(
                            "curl",
                            "-" + family,
                            "-sS",
                            "-o",
                            "/dev/null",
                            "-w",
                            "%{num_connects} %{http_code}\n",
                            url + "/small?[1-50]")
                    .run()
                    .expectOk()
                    .out();
            assertThat(connections.lines().findFirst()).contains("1 200");
            assertThat(connections.lines().skip(1)).hasSize(49).containsOnly("0 200");
            assertThat(lab.guest("curl", "-" + family, "-sS", url + BULK).read(DATA::compare))
                    .isEqualTo("same");
            assertThat(server.isAlive()).isTrue();
        }
        lab.awaitTcpClosed();
    }

    // ---- nmap

    /** The state of each port as nmap has it. */
    private static Map<Integer, String> nmap(String address, String kind, String ports) {
        String out = lab.guest("nmap", "-n", "-Pn", "--reason", "--max-retries", "3", kind, "-p", ports, address)
                .run()
                .expectOk()
                .out();
        Map<Integer, String> states = new TreeMap<>();
        for (Matcher m = PORT.matcher(out); m.find(); ) {
            states.put(Integer.parseInt(m.group(1)), m.group(3));
        }
        return states;
    }

    private static final String HOSTS_PORTS = TCP_PORT + "," + CLOSED_PORT;

    private static Running tcpServer() {
        return lab.server(TCP_PORT, "socat", "TCP4-LISTEN:" + TCP_PORT + ",bind=127.0.0.1,fork,reuseaddr", "EXEC:cat");
    }

    @ParameterizedTest
    @ValueSource(strings = {"-sS", "-sT"})
    void nmap_seesWhoListens(String kind) {
        try (Running _ = tcpServer()) {
            assertThat(nmap(ClientsLab.HOST, kind, HOSTS_PORTS))
                    .isEqualTo(Map.of(TCP_PORT, "open", CLOSED_PORT, "closed"));
            assertThat(nmap(ClientsLab.GATEWAY, kind, "53,3128")).isEqualTo(Map.of(53, "closed", 3128, "open"));
            assertThat(nmap(ClientsLab.DNS, kind, "53,3128")).isEqualTo(Map.of(53, "open", 3128, "closed"));
            assertThat(nmap(ClientsLab.PROHIBITED, kind, "80")).isEqualTo(Map.of(80, "filtered"));
            assertThat(nmap(ClientsLab.UNREACHABLE, kind, "80")).isEqualTo(Map.of(80, "filtered"));
            lab.awaitTcpClosed();
        }
    }

    /** No firewall is in the way of an ACK: every port answers RST, open or not. */
    @Test
    void nmap_withAcks_findsNothingFiltered() {
        try (Running _ = tcpServer()) {
            assertThat(nmap(ClientsLab.HOST, "-sA", HOSTS_PORTS))
                    .isEqualTo(Map.of(TCP_PORT, "unfiltered", CLOSED_PORT, "unfiltered"));
            assertThat(nmap(ClientsLab.GATEWAY, "-sA", "53,3128"))
                    .isEqualTo(Map.of(53, "unfiltered", 3128, "unfiltered"));
            lab.awaitTcpClosed();
        }
    }

    /**
     * Segments that begin nothing and acknowledge nothing. RFC 9293: a closed port answers RST, one in LISTEN nothing. Of our own
     * addresses that is known; the host's ports are behind a network that does not dial for such a segment, so they look as behind
     * any stateful one, and an open port is not called closed.
     */
    @ParameterizedTest
    @ValueSource(strings = {"-sN", "-sF", "-sX"})
    void nmap_withOddFlags_isNotToldThatAnOpenPortIsClosed(String kind) {
        try (Running _ = tcpServer()) {
            assertThat(nmap(ClientsLab.HOST, kind, HOSTS_PORTS))
                    .isEqualTo(Map.of(TCP_PORT, "open|filtered", CLOSED_PORT, "open|filtered"));
            assertThat(nmap(ClientsLab.GATEWAY, kind, "53,3128"))
                    .isEqualTo(Map.of(53, "closed", 3128, "open|filtered"));
            lab.awaitTcpClosed();
        }
    }

    @Test
    void nmap_withDatagrams_seesWhoAnswers() {
        try (Running _ = lab.udpServer(
                UDP_PORT,
                "socat",
                "-T",
                "1",
                "UDP4-RECVFROM:" + UDP_PORT + ",bind=127.0.0.1,fork",
                "EXEC:echo hello")) {
            assertThat(nmap(ClientsLab.HOST, "-sU", UDP_PORT + "," + CLOSED_PORT + ",53"))
                    .isEqualTo(Map.of(UDP_PORT, "open", CLOSED_PORT, "closed", 53, "closed"));
            assertThat(nmap(ClientsLab.DNS, "-sU", "53,67")).isEqualTo(Map.of(53, "open", 67, "closed"));
            assertThat(nmap(ClientsLab.GATEWAY, "-sU", "53,67")) // a DHCP server does not answer what is no DHCP
                    .isEqualTo(Map.of(53, "closed", 67, "open|filtered"));
            // nmap asks from one port, and who was answered there may ask again for some time.
            assertThat(lab.flows("udp").lines()).singleElement().satisfies(flow -> assertThat(flow)
                    .contains("\"state\":\"answered\"", "\"bytesToGuest\":6,"));
        }
    }

    /** vpnkit and Docker Desktop kept sockets after SYN and RST until the machine was started again. */
    @Test
    void nmap_ofManyPorts_leavesNoFlowAndNoMemory() {
        try (Running _ = tcpServer()) {
            assertThat(nmap(ClientsLab.HOST, "-sS", "1-12000")).containsEntry(TCP_PORT, "open");
            lab.awaitTcpClosed();
            long before = lab.residentBytes();
            assertThat(nmap(ClientsLab.HOST, "-sS", "1-12000")).containsEntry(TCP_PORT, "open");
            lab.awaitTcpClosed();
            assertThat(lab.residentBytes() - before).as("growth").isLessThan(GROWTH);
        }
    }

    /** The port that the host's kernel gives a dial may be the one that is dialed: the socket is then connected to itself. */
    @Test
    void nmap_ofThePortsThatDialsComeFrom_findsThemClosed() {
        String was = lab.in("host", "sysctl", "-n", "net.ipv4.ip_local_port_range")
                .run()
                .expectOk()
                .text();
        lab.in("host", "sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40009")
                .run()
                .expectOk();
        try {
            for (int i = 0; i < 5; i++) {
                assertThat(nmap(ClientsLab.HOST, "-sS", "40000-40009").values())
                        .hasSize(10)
                        .containsOnly("closed");
            }
        } finally {
            lab.in("host", "sysctl", "-qw", "net.ipv4.ip_local_port_range=" + was)
                    .run()
                    .expectOk();
        }
    }

    // ---- tshark

    private static void judge(String what, Set<String> more, Runnable traffic) {
        Path file = dir.resolve(what.replace(' ', '-') + ".pcapng");
        try (GuestCapture capture = new GuestCapture(lab, file)) {
            traffic.run();
            lab.awaitTcpClosed();
            Set<String> harmless = new java.util.HashSet<>(GuestCapture.FLOW_CONTROL);
            harmless.addAll(more);
            assertThat(capture.complaints(harmless)).as(what).isEmpty();
        }
    }

    /** As fast as both ends can: either may fall behind, and says so by its window. */
    @ParameterizedTest
    @ValueSource(strings = {ClientsLab.HOST, ClientsLab.HOST6})
    void bulkBothWays_isCleanToTshark(String host) {
        String loopback = host.equals(ClientsLab.HOST) ? "127.0.0.1" : "::1";
        for (String direction : List.of("", "-R")) {
            try (Running _ = iperfServer(loopback)) {
                judge("bulk " + direction + loopback, GuestCapture.SLOW_RECEIVER, () -> lab.guest(
                                "sh", "-c", "iperf3 -n 200M " + direction + " -c " + host)
                        .run()
                        .expectOk());
            }
        }
    }

    /** At a speed that leaves both ends time: nobody's window is ever closed. */
    @Test
    void streamsAtAPace_areCleanToTshark_withoutAClosedWindow() {
        try (Running _ = iperfServer("127.0.0.1")) {
            judge("paced", Set.of(), () -> lab.guest(
                            "iperf3", "-b", "40M", "-n", "5M", "-P", "4", "--bidir", "-c", ClientsLab.HOST)
                    .run()
                    .expectOk());
        }
    }

    /** Small writes, one packet each: more packets are under way than a TAP device usually holds. */
    @Test
    void smallWritesAtFullSpeed_areCleanToTshark() {
        try (Running _ = iperfServer("127.0.0.1")) {
            judge("small writes", GuestCapture.SLOW_RECEIVER, () -> lab.guest(
                            "iperf3", "-N", "-l", "1448", "-n", "100M", "-c", ClientsLab.HOST)
                    .run()
                    .expectOk());
        }
    }

    @Test
    void shortConnections_areCleanToTshark() {
        try (Running _ = httpServer("127.0.0.1")) {
            judge("short", Set.of(), () -> lab.guest(
                            "curl",
                            "-sS",
                            "-H",
                            "Connection: close",
                            "-o",
                            "/dev/null",
                            "http://" + ClientsLab.HOST + ":" + HTTP_PORT + "/small?[1-300]")
                    .run()
                    .expectOk());
        }
    }
}
