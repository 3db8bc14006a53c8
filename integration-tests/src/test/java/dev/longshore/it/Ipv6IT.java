package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A real kernel speaks IPv6 with the network. podman and gvproxy had none of it for years. */
@Timeout(120)
@BesideTheGuest
class Ipv6IT {
    private static final String HOST = "[" + Ipv6Lab.HOST + "]";
    private static final int MEGABYTES = 100;
    private static final int CURL_COULD_NOT_CONNECT = 7;
    private static final int CURL_SEND_ERROR = 55;
    private static final int CURL_RECEIVE_ERROR = 56;

    private static Ipv6Lab lab;

    @TempDir
    Path dir;

    @BeforeAll
    static void open() {
        lab = new Ipv6Lab();
    }

    @AfterAll
    static void close() {
        lab.close();
    }

    private Path file(RandomData data) throws Exception {
        Path file = dir.resolve("data");
        try (OutputStream out = Files.newOutputStream(file)) {
            data.writeTo(out);
        }
        return file;
    }

    /** A small web server of its own folder; it says {@code text}. */
    private Running http(String place, String address, int port, String text) throws Exception {
        Files.writeString(dir.resolve("index.html"), text);
        return lab.server(place, port, "busybox", "httpd", "-f", "-p", address + ":" + port, "-h", dir.toString());
    }

    private static Command.Result curl(String url) {
        return lab.guest("curl", "-6", "-sS", "-m", "10", url);
    }

    @Test
    void address_comesByAdvertisement_andNobodyElseClaimsIt() {
        assertThat(lab.guestAddresses())
                .contains(Ipv6Lab.PREFIX)
                .contains("dynamic")
                .doesNotContain("dadfailed");
    }

    @Test
    void routerDiscovery_showsPrefixLifetimeMtuAndResolver() {
        assertThat(lab.guest("rdisc6", "-1", "eth0").expectOk().out())
                .contains("from fe80::1")
                .contains("Prefix                   : fdc4:f303:9324::/64")
                .containsPattern("Router lifetime +: +1800 ")
                .containsPattern("MTU +: +1500 ")
                .containsPattern("Recursive DNS server +: " + Ipv6Lab.DNS)
                .contains(Ipv6Lab.SEARCH);
    }

    /** RFC 3397, as a client of DHCP reads it. */
    @Test
    void hostsSearchDomains_comeByDhcp() throws Exception {
        Path script = Files.writeString(dir.resolve("udhcpc"), """
                #!/bin/sh
                [ "$1" = bound ] && echo "$ip of $domain, searching $search, router $router, until $lease"
                exit 0
                """);
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
        String[] line = {"busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-O", "search", "-s", script.toString()};
        assertThat(lab.guest(line).expectOk().out())
                .contains("of corp.example, searching corp.example lab.corp.example, router 192.168.")
                .contains("until 604800");
    }

    @Test
    void neighborDiscovery_answersForOurAddressesOnly() {
        assertThat(lab.guest("ndisc6", "-1", Ipv6Lab.HOST, "eth0").expectOk().out())
                .contains("from " + Ipv6Lab.HOST);
        assertThat(lab.guest("ndisc6", "-r", "1", "-w", "500", Ipv6Lab.PREFIX + ":99", "eth0")
                        .out())
                .contains("No response");
    }

    @Test
    void gatewayAndHost_answerPings() {
        for (String address : List.of(Ipv6Lab.GATEWAY, Ipv6Lab.HOST, "fe80::1%eth0")) {
            lab.guest("ping", "-6", "-c", "1", "-W", "5", address).expectOk();
        }
    }

    @Test
    void hostsLoopback_isReached_inEitherFamily() throws Exception {
        try (Running _ = http("host", "[::1]", 8006, "hello");
                Running _ = http("host", "127.0.0.1", 8004, "hello")) {
            assertThat(curl("http://" + HOST + ":8006/").expectOk().out()).isEqualTo("hello");
            assertThat(curl("http://" + HOST + ":8004/").expectOk().out()).isEqualTo("hello");
        }
        assertThat(curl("http://" + HOST + ":8006/").exit()).as("refused").isEqualTo(CURL_COULD_NOT_CONNECT);
    }

    @Test
    void hundredMegabytesEachWay_arriveUnchanged_inLargeFrames() throws Exception {
        RandomData data = new RandomData(66, MEGABYTES * 1_000_000L);
        Path file = file(data);
        long most = data.bytes() / 1440 / 2; // half of what single segments would be
        try (Running _ = lab.server("host", 8100, "socat", "-u", "OPEN:" + file, "TCP6-LISTEN:8100,bind=[::1]");
                Running _ = lab.server("host", 8101, "socat", "TCP6-LISTEN:8101,bind=[::1]", "SYSTEM:sha256sum")) {
            long before = lab.frames("rx");
            String down = lab.guest("sh", "-c", "socat -u TCP6:" + HOST + ":8100 - | sha256sum")
                    .expectOk()
                    .out();
            assertThat(down).startsWith(data.sha256());
            assertThat(lab.frames("rx") - before).as("frames to the guest").isLessThan(most);

            before = lab.frames("tx");
            String up = lab.guest("sh", "-c", "socat -t 20 - TCP6:" + HOST + ":8101 < " + file)
                    .expectOk()
                    .out();
            assertThat(up).startsWith(data.sha256());
            assertThat(lab.frames("tx") - before).as("frames from the guest").isLessThan(most);
        }
    }

    @Test
    void throughput_bothWays_isPrinted() {
        for (String direction : new String[] {"", "-R"}) {
            try (Running _ = lab.server("host", 5201, "iperf3", "-s", "-1", "-B", "::1")) {
                String out = lab.guest("sh", "-c", "iperf3 -6 -t 1 " + direction + " -c " + Ipv6Lab.HOST)
                        .expectOk()
                        .out();
                System.out.println("iperf3 -6 " + (direction.isEmpty() ? "from" : "to") + " the guest: "
                        + out.lines()
                                .filter(l -> l.contains("receiver"))
                                .toList()
                                .getLast());
            }
        }
    }

    @Test
    void datagramOf65507Bytes_crossesBothWays_inFragments() throws Exception {
        RandomData data = new RandomData(67, 65_507);
        Path file = file(data);
        String listen = "UDP6-RECVFROM:5001,fork,rcvbuf=1000000";
        try (Running _ = lab.server("host", 5001, "socat", "-b", "65536", listen + ",bind=[::1]", "PIPE");
                Running _ = lab.server("server", 5001, "socat", "-b", "65536", listen, "PIPE")) {
            for (String address : List.of(Ipv6Lab.HOST, Ipv6Lab.SERVER)) {
                String back = lab.guest(
                                "sh",
                                "-c",
                                "socat -b 65536 -t 1 - UDP6:[" + address + "]:5001,rcvbuf=1000000 < " + file
                                        + " | sha256sum")
                        .expectOk()
                        .out();
                assertThat(back).as(address).startsWith(data.sha256());
            }
        }
    }

    @Test
    void names_areAnsweredOverUdpAndTcp() {
        for (String way : List.of("+notcp", "+tcp")) {
            assertThat(dig(way, "host.docker.internal", "AAAA")).isEqualTo(Ipv6Lab.HOST);
            assertThat(dig(way, "-x", Ipv6Lab.HOST)).isEqualTo("host.docker.internal.");
        }
    }

    private static String dig(String... question) {
        List<String> line = new ArrayList<>(List.of("dig", "@" + Ipv6Lab.DNS, "+short", "+tries=1"));
        line.addAll(List.of(question));
        return lab.guest(line.toArray(String[]::new)).expectOk().text();
    }

    @Test
    void traceroute_showsTheGateway_theRouterAndTheServer() {
        for (String kind : List.of("-U", "-I")) {
            List<String> hops = lab.guest("traceroute", "-6", kind, "-n", "-q", "1", "-w", "3", Ipv6Lab.SERVER)
                    .expectOk()
                    .out()
                    .lines()
                    .skip(1)
                    .map(line -> line.strip().split("\\s+", -1)[1])
                    .toList();
            assertThat(hops).as(kind).containsExactly(Ipv6Lab.GATEWAY, Ipv6Lab.NEAR, Ipv6Lab.SERVER);
        }
    }

    @Test
    void tracepath_findsTheNarrowMtu() {
        assertThat(lab.guest("tracepath", "-6", "-n", Ipv6Lab.SERVER).expectOk().out())
                .contains("Resume: pmtu " + Ipv6Lab.NARROW_MTU + " hops 3");
    }

    @Test
    void serverBeyondTheRouter_answersPings_andADeadOneIsReportedByTheRouter() {
        assertThat(lab.guest("ping", "-6", "-c", "1", "-W", "5", Ipv6Lab.SERVER)
                        .expectOk()
                        .out())
                .contains("ttl=62 "); // 64, less the router and longshore
        assertThat(lab.guest("ping", "-6", "-c", "1", "-W", "8", Ipv6Lab.DEAD)
                        .expectExit(1)
                        .out())
                .contains("From " + Ipv6Lab.NEAR)
                .contains("Address unreachable");
    }

    @Test
    void publishedPortOnIpv6_leadsToTheGuest() throws Exception {
        try (Running _ = http("guest", "0.0.0.0", 80, "hello")) {
            assertThat(lab.in("host", "curl", "-sS", "-m", "10", "http://[::1]:" + Ipv6Lab.PUBLISHED + "/")
                            .run()
                            .expectOk()
                            .out())
                    .isEqualTo("hello");
        }
    }

    /** As socat writes an address. */
    private static String full(String address) {
        return "["
                + String.join(
                        ":",
                        Stream.of(IpAddress.parse(address))
                                .flatMapToLong(a -> LongStream.of(a.hi(), a.lo()))
                                .mapToObj(half -> "%016x".formatted(half).replaceAll("(....)(?!$)", "$1:"))
                                .toList())
                + "]";
    }

    @Test
    void guestsIpv6OnlyService_isReachedFromEitherLoopback_andSeesTheGateway() {
        try (Running _ = lab.sayingWhoCalls(80);
                Running _ = lab.sayingWhoCalls(81)) {
            for (String target : List.of("TCP6:[::1]:" + Ipv6Lab.PUBLISHED, "TCP4:127.0.0.1:" + Ipv6Lab.PUBLISHED_V4)) {
                assertThat(lab.called("host", target).expectOk().text())
                        .as(target)
                        .isEqualTo(full(Ipv6Lab.GATEWAY));
            }
        }
    }

    @Test
    void guestsIpv6OnlyService_seesTheCallerItself_ifItHasAWayBack() {
        String target = "TCP6:[" + Ipv6Lab.NEAR_HOST + "]:" + Ipv6Lab.PUBLISHED_ANY;
        try (Running _ = lab.sayingWhoCalls(82)) {
            assertThat(lab.called("near", target).expectOk().text()).isEqualTo(full(Ipv6Lab.NEAR));
            lab.deleteHostRoute();
            try {
                lab.awaitDefaultRoute(false);
                assertThat(lab.called("near", target).expectOk().text()).isEqualTo(full(Ipv6Lab.GATEWAY));
            } finally {
                lab.addHostRoute();
                lab.awaitDefaultRoute(true);
            }
        }
    }

    @Test
    void guestsIpv6OnlyUdpService_answersEitherLoopback() {
        try (Running _ = lab.server("guest", 83, "socat", "UDP6-RECVFROM:83,ipv6only=1,fork", "PIPE")) {
            for (String target : List.of("UDP6:[::1]:", "UDP4:127.0.0.1:")) {
                assertThat(lab.in("host", "sh", "-c", "echo hello | socat -t 5 - " + target + Ipv6Lab.PUBLISHED_UDP)
                                .run()
                                .expectOk()
                                .text())
                        .as(target)
                        .isEqualTo("hello");
            }
        }
    }

    /** The caller was accepted before the guest was asked, so what it gets is RST, wherever in curl that is noticed. */
    @Test
    void closedPortOfTheGuest_resetsTheCaller_whicheverFamilyIsCalled() {
        for (String target : List.of("[::1]:" + Ipv6Lab.PUBLISHED, "127.0.0.1:" + Ipv6Lab.PUBLISHED_V4)) {
            Command.Result result = lab.in("host", "curl", "-sS", "-m", "10", "http://" + target + "/")
                    .run();
            assertThat(result.exit())
                    .as(result.err())
                    .isIn(CURL_COULD_NOT_CONNECT, CURL_SEND_ERROR, CURL_RECEIVE_ERROR);
        }
    }

    /** Programs that try both families take IPv4 at once, whether the guest has heard of it already or not. */
    @Test
    void hostWithoutAnIpv6Route_isToldAtOnce_andTakesTheGuestsDefaultRouteAway() {
        lab.deleteHostRoute();
        try {
            assertThat(lab.guest("ping", "-6", "-c", "1", "-W", "5", Ipv6Lab.SERVER)
                            .expectExit(1)
                            .out())
                    .contains("From " + Ipv6Lab.GATEWAY)
                    .contains("No route");
            assertThat(curl("http://[" + Ipv6Lab.SERVER + "]/").exit())
                    .as("no timeout")
                    .isEqualTo(CURL_COULD_NOT_CONNECT);

            lab.awaitDefaultRoute(false);
            assertThat(lab.guest("ping", "-6", "-c", "1", Ipv6Lab.SERVER).err()).contains("Network is unreachable");
            lab.guest("ping", "-6", "-c", "1", "-W", "5", Ipv6Lab.HOST).expectOk();
        } finally {
            lab.addHostRoute();
            lab.awaitDefaultRoute(true);
        }
    }
}
