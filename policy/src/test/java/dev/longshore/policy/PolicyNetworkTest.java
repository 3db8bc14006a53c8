package dev.longshore.policy;

import static dev.longshore.policy.Policies.container;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.TcpGuest;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The policy in a whole network: what the guest sees of it. */
class PolicyNetworkTest {
    private static final IpAddress REMOTE = IpAddress.parse("192.0.2.9");
    private static final IpAddress REMOTE6 = IpAddress.parse("2001:db8::9");
    private static final String DENY_ALL = "{'default': 'deny'}";

    private final PolicyRig rig = new PolicyRig();
    private final GuestEnd guest = rig.guest;

    @AfterEach
    void close() {
        rig.close();
    }

    private void isRefused(TcpGuest tcp) {
        rig.loop.runUntil(() -> guest.receivedCount() >= 2, "the refusal");
        guest.receiveIcmp(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_ADMIN_PROHIBITED);
        assertThat(tcp.receives().has(TcpHeader.RST)).isTrue();
    }

    // ---- TCP

    @Test
    void deniedConnection_isRefusedAtOnce_andToldOf() {
        rig.obey("{'rules': [{'name': 'doc', 'action': 'deny', 'to': '192.0.2.0/24', 'ports': 443}]}");
        isRefused(rig.dial(REMOTE, 443));
        assertThat(rig.told).containsExactly("denied: tcp the guest -> 192.0.2.9:443: by rule 'doc'");
        assertThat(rig.count(PolicyCounter.DENIED_BY_RULE)).isEqualTo(1);
    }

    @Test
    void deniedConnection_overIpv6_isAdministrativelyProhibited() {
        rig.obey("{'rules': [{'name': 'doc', 'action': 'deny', 'to': '2001:db8::/32'}]}");
        TcpGuest tcp = rig.dial(REMOTE6, 443);
        rig.loop.runUntil(() -> guest.receivedCount() >= 2, "the refusal");
        guest.receiveIcmp6(Icmpv6Header.DESTINATION_UNREACHABLE, 1); // RFC 4443 §3.1: administratively prohibited
        assertThat(tcp.receives().has(TcpHeader.RST)).isTrue();
    }

    @Test
    void hostsPort_isReachedWhereAllowed() throws IOException {
        try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            rig.obey("{'default': 'deny', 'rules': [{'action': 'allow', 'to': 'host.docker.internal', 'ports': "
                    + server.getLocalPort() + "}]}");
            rig.connected(rig.dial(GuestEnd.HOST, server.getLocalPort()));
            int other = server.getLocalPort() == 65_535 ? 1 : server.getLocalPort() + 1;
            isRefused(rig.dial(GuestEnd.HOST, other));
        }
        assertThat(rig.told).singleElement().asString().contains("host.docker.internal:", "by default");
    }

    @Test
    void ownServices_areReachedWhateverThePolicy() {
        rig.obey(DENY_ALL);
        rig.resolves("www.example.com", "192.0.2.80");
        guest.sendPing(GuestEnd.GATEWAY, 1, 1, new byte[8]);
        guest.receiveIcmp(IcmpHeader.ECHO_REPLY, 0);
        rig.connected(rig.dial(GuestEnd.GATEWAY, 3128));
        assertThat(rig.told).isEmpty();
    }

    // ---- datagrams and pings

    @Test
    void deniedDatagram_isAdministrativelyProhibited_others_go() throws IOException {
        try (DatagramChannel open = DatagramChannel.open();
                DatagramChannel shut = DatagramChannel.open()) {
            open.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                    .configureBlocking(false);
            shut.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                    .configureBlocking(false);
            int openPort = ((InetSocketAddress) open.getLocalAddress()).getPort();
            int shutPort = ((InetSocketAddress) shut.getLocalAddress()).getPort();
            rig.obey("{'rules': [{'name': 'shut', 'action': 'deny', 'protocols': 'udp', 'ports': " + shutPort + "}]}");

            guest.sendUdp(4000, GuestEnd.HOST, shutPort, "no");
            guest.receiveIcmp(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_ADMIN_PROHIBITED);
            guest.sendUdp(4000, GuestEnd.HOST, openPort, "yes");
            awaitText(open, "yes");
            guest.sendUdp(4000, GuestEnd.HOST, shutPort, "no"); // the same flow, another remote
            guest.receiveIcmp(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_ADMIN_PROHIBITED);
            guest.sendUdp(4000, GuestEnd.HOST, openPort, "again");
            awaitText(open, "again");
            assertThat(shut.receive(ByteBuffer.allocate(10))).isNull();
        }
        assertThat(rig.told).hasSize(1); // the second one is like it
        assertThat(rig.count(PolicyCounter.DENIED_BY_RULE)).isEqualTo(2);
    }

    private void awaitText(DatagramChannel channel, String text) {
        ByteBuffer buffer = ByteBuffer.allocate(100);
        rig.loop.runUntil(
                () -> {
                    try {
                        return channel.receive(buffer) != null;
                    } catch (IOException e) {
                        throw new java.io.UncheckedIOException(e);
                    }
                },
                "a datagram");
        assertThat(StandardCharsets.UTF_8.decode(buffer.flip()).toString()).isEqualTo(text);
    }

    @Test
    void flowOfDatagrams_thatAnotherPolicyDenies_ends() throws IOException {
        try (DatagramChannel remote = DatagramChannel.open()) {
            remote.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                    .configureBlocking(false);
            int port = ((InetSocketAddress) remote.getLocalAddress()).getPort();
            guest.sendUdp(4000, GuestEnd.HOST, port, "hello");
            awaitText(remote, "hello");
            assertThat(rig.network.udp().snapshot()).hasSize(1);
            rig.obey(DENY_ALL);
            assertThat(rig.network.udp().snapshot()).isEmpty();
        }
    }

    @Test
    void deniedPing_isAdministrativelyProhibited() {
        rig.obey("{'rules': [{'name': 'pings', 'action': 'deny', 'protocols': 'icmp'}]}");
        guest.sendPing(REMOTE, 7, 1, new byte[8]);
        guest.receiveIcmp(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_ADMIN_PROHIBITED);
        assertThat(rig.told).containsExactly("denied: icmp the guest -> 192.0.2.9: by rule 'pings'");
        guest.sendPing(REMOTE6, 7, 1, new byte[8]);
        guest.receiveIcmp6(Icmpv6Header.DESTINATION_UNREACHABLE, 1);
    }

    // ---- names

    @Test
    void nameDenied_isDeniedAtTheAddressThatTheGuestWasTold() {
        rig.obey("{'rules': [{'name': 'ads', 'action': 'deny', 'to': '*.ads.example'}]}");
        rig.resolves("www.ads.example", "192.0.2.9");
        isRefused(rig.dial(REMOTE, 80));
        assertThat(rig.told).containsExactly("denied: tcp the guest -> 192.0.2.9:80 (www.ads.example): by rule 'ads'");
    }

    @Test
    void nameAllowed_isAllowedOnlyAtAddressesThatTheGuestWasTold_andOnlyWhileTheyHold() {
        rig.obey("{'default': 'deny', 'rules': [{'name': 'ok', 'action': 'allow', 'to': 'ok.example'}]}");
        isRefused(rig.dial(REMOTE, 80));
        rig.resolves("ok.example", "192.0.2.9");
        rig.dial(REMOTE, 80);
        assertThat(rig.count(PolicyCounter.ALLOWED)).isEqualTo(1);
        isRefused(rig.dial(IpAddress.parse("192.0.2.10"), 80));
        rig.loop.advance(Duration.ofSeconds(301));
        guest.clearReceived();
        isRefused(rig.dial(REMOTE, 80));
    }

    /** A container gives the address names of its own, so that the one that is denied is forgotten. */
    @Test
    void nameDenied_isNotForgottenForNamesThatNoRuleIsAbout() {
        rig.obey("{'rules': [{'name': 'ads', 'action': 'deny', 'to': '*.ads.example'}]}");
        rig.resolves("www.ads.example", "192.0.2.9");
        for (int i = 0; i < 20; i++) {
            rig.resolves("n" + i + ".attacker.example", "192.0.2.9");
        }
        isRefused(rig.dial(REMOTE, 80));
    }

    /** As a client says it in SNI or Host on a connection to an address. */
    @Test
    void nameThatComesWithAnAddress_saysNothing_unlessTheGuestWasToldIt() {
        rig.obey("{'default': 'deny', 'rules': [{'action': 'allow', 'to': 'ok.example'}]}");
        Destination said = new Destination("ok.example", REMOTE, 443, 0, null);
        assertThat(rig.dialer.dial(said, rig.loop).getNow()).isInstanceOf(DialResult.Denied.class);
        rig.resolves("ok.example", "192.0.2.9");
        Future<DialResult> dial = rig.dialer.dial(said, rig.loop);
        assertThat(rig.count(PolicyCounter.ALLOWED)).isEqualTo(1);
        dial.cancel(false);
    }

    @Test
    void networkOfIpv4_isMeantBehindATranslator_too() {
        rig.obey("{'rules': [{'name': 'doc', 'action': 'deny', 'to': '192.0.2.0/24'}]}");
        TcpGuest tcp = rig.dial(IpAddress.parse("64:ff9b::192.0.2.9"), 443);
        rig.loop.runUntil(() -> guest.receivedCount() >= 2, "the refusal");
        guest.receiveIcmp6(Icmpv6Header.DESTINATION_UNREACHABLE, 1);
        assertThat(tcp.receives().has(TcpHeader.RST)).isTrue();
    }

    // ---- containers

    @Test
    void containersRule_holdsForThatContainerAlone() {
        rig.containers.known.put(PolicyRig.WEB, container("web"));
        rig.containers.known.put(PolicyRig.DB, container("db"));
        rig.obey("{'rules': [{'name': 'web', 'action': 'deny', 'from': {'container': 'web'}, 'to': '192.0.2.0/24'}]}");
        isRefused(rig.as(PolicyRig.WEB).dial(REMOTE, 80));
        rig.as(PolicyRig.DB).dial(REMOTE, 80);
        rig.as(GuestEnd.GUEST).dial(REMOTE, 80);
        assertThat(rig.told).containsExactly("denied: tcp container web -> 192.0.2.9:80: by rule 'web'");
        assertThat(rig.count(PolicyCounter.ALLOWED)).isEqualTo(2);
        assertThat(rig.containers.asked).isEmpty();
    }

    @Test
    void unknownContainer_isAskedFor_andTheConnectionWaits() {
        rig.obey("{'rules': [{'name': 'web', 'action': 'deny', 'from': {'container': 'web'}}]}");
        TcpGuest tcp = rig.as(PolicyRig.WEB).dial(REMOTE, 80);
        guest.receivesNothing();
        rig.containers.answer(container("web"));
        isRefused(tcp);
    }

    @Test
    void unknownContainer_thatNobodyKnows_isJudgedByRulesForEverybody_andNotAskedForAgainForAWhile() {
        rig.obey("""
                {'rules': [{'action': 'allow', 'from': {'container': '*'}}, {'name': 'rest', 'action': 'deny'}]}
                """);
        TcpGuest tcp = rig.as(PolicyRig.WEB).dial(REMOTE, 80);
        rig.containers.answerFromMemory(null);
        isRefused(tcp);
        isRefused(rig.dial(REMOTE, 81));
        assertThat(rig.containers.asked).isEmpty();
        rig.loop.advance(Duration.ofSeconds(4));
        rig.dial(REMOTE, 82);
        assertThat(rig.containers.asked).hasSize(1);
    }

    /** A build step gets the address of a container that has just ended, and the Engine lists neither. */
    @Test
    void addressOfAContainerThatHasEnded_isNotThatContainersAnyMore() {
        rig.obey("""
                {'default': 'deny', 'rules': [{'action': 'allow', 'from': {'container': 'web'}}]}
                """);
        TcpGuest tcp = rig.as(PolicyRig.WEB).dial(REMOTE, 80);
        rig.containers.answerFromMemory(container("web"));
        isRefused(tcp);
        assertThat(rig.told).containsExactly("denied: tcp unknown 172.17.0.2 -> 192.0.2.9:80: by default");
    }

    @Test
    void containerWithAnAddressOnTheLink_isNotTheGuest() {
        IpAddress macvlan = IpAddress.parse("192.168.65.50");
        IpAddress macvlan6 = IpAddress.parse("fdc4:f303:9324::50");
        rig.containers.known.put(macvlan, container("near"));
        rig.containers.known.put(macvlan6, container("near"));
        rig.obey("{'default': 'deny', 'rules': [{'action': 'allow', 'from': 'guest'}]}");
        isRefused(rig.as(macvlan).dial(REMOTE, 80));
        rig.obey("{'rules': [{'name': 'near', 'action': 'deny', 'from': {'container': 'near'}}]}");
        isRefused(rig.dial(REMOTE, 80));
        guest.sendUdp(4000, REMOTE, 53, "no");
        guest.receiveIcmp(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_ADMIN_PROHIBITED);
        assertThat(rig.egress.whoHas(macvlan6)).hasToString("container near");
    }

    /** A container with raw sockets can send from there. */
    @Test
    void addressOnTheLinkThatNobodyHas_isNotTheGuest() {
        rig.obey("{'default': 'deny', 'rules': [{'action': 'allow', 'from': 'guest'}]}");
        rig.as(IpAddress.parse("192.168.65.77"));
        guest.sendUdp(4000, REMOTE, 53, "no");
        guest.receiveIcmp(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_ADMIN_PROHIBITED);
    }

    @Test
    void unknownContainersDatagrams_areLostUntilItIsKnown() {
        rig.obey("{'rules': [{'name': 'web', 'action': 'deny', 'from': {'container': 'web'}}]}");
        rig.as(PolicyRig.WEB);
        guest.sendUdp(4000, REMOTE, 53, "one");
        guest.sendUdp(4000, REMOTE, 53, "two");
        guest.receivesNothing();
        assertThat(rig.containers.asked).hasSize(1); // both ask the same
        rig.containers.known.put(PolicyRig.WEB, container("web"));
        rig.containers.answer(container("web"));
        guest.sendUdp(4000, REMOTE, 53, "three");
        guest.receiveIcmp(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_ADMIN_PROHIBITED);
    }

    @Test
    void policyWithoutContainers_asksNobody() {
        rig.obey("{'rules': [{'name': 'doc', 'action': 'deny', 'to': '192.0.2.0/24'}]}");
        isRefused(rig.as(PolicyRig.WEB).dial(REMOTE, 80));
        assertThat(rig.containers.asked).isEmpty();
    }

    @Test
    void connectionGivenUp_whileItsContainerIsAskedFor_isNotDialled() {
        rig.obey("{'rules': [{'name': 'db', 'action': 'deny', 'from': {'container': 'db'}}]}");
        TcpGuest tcp = rig.as(PolicyRig.WEB).dial(REMOTE, 80);
        tcp.sends(TcpHeader.RST, 1000, 0);
        rig.loop.runDue();
        rig.containers.answer(container("web"));
        assertThat(rig.count(PolicyCounter.ALLOWED)).isZero();
    }

    // ---- changes

    @Test
    void openConnection_thatAnotherPolicyDenies_isResetOnBothSides() throws IOException {
        try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            TcpGuest tcp = rig.dial(GuestEnd.HOST, server.getLocalPort());
            rig.connected(tcp);
            Socket accepted = server.accept();
            assertThat(rig.egress.use().connections()).isEqualTo(1);

            rig.obey("{'rules': [{'action': 'deny', 'to': '192.0.2.0/24'}]}"); // another destination
            guest.receivesNothing();
            rig.obey("{'rules': [{'action': 'deny', 'to': 'host.docker.internal'}]}");

            rig.loop.runUntil(guest::hasReceived, "the reset");
            assertThat(tcp.receives().has(TcpHeader.RST)).isTrue();
            assertThat(org.assertj.core.api.Assertions.catchThrowable(
                            () -> accepted.getInputStream().read()))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("reset");
            assertThat(rig.count(PolicyCounter.CUT)).isEqualTo(1);
            assertThat(rig.egress.use().connections()).isZero();
            accepted.close();
        }
    }

    /** The policy changes between the decision and the remote's answer, which the remote can put off for a minute. */
    @Test
    void connectionUnderWay_thatAnotherPolicyDenies_doesNotComeToBe() throws IOException {
        try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            rig.hostNames.put("slow.example", java.util.List.of("127.0.0.1"));
            CountDownLatch go = new CountDownLatch(1);
            rig.lookUpsWaitFor = go;
            TcpGuest tcp = rig.dial(GuestEnd.GATEWAY, 3128);
            int next = rig.connected(tcp);
            String connect = "CONNECT slow.example:" + server.getLocalPort() + " HTTP/1.1\r\n\r\n";
            tcp.sends(TcpHeader.ACK | TcpHeader.PSH, 1000, next, connect);
            rig.loop.runDue();
            rig.obey("{'rules': [{'name': 'late', 'action': 'deny', 'to': 'slow.example'}]}");
            go.countDown();
            assertThat(answer(tcp)).startsWith("HTTP/1.1 403 ").contains("by rule 'late'");
            assertThat(rig.egress.use().connections()).isZero();
        }
    }

    @Test
    void connectionAllowedByName_outlivesTheName_whenThePolicyChanges() throws IOException {
        try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            rig.obey("{'default': 'deny', 'rules': [{'action': 'allow', 'to': 'host.docker.internal'}]}");
            TcpGuest tcp = rig.dial(GuestEnd.HOST, server.getLocalPort());
            rig.connected(tcp);
            rig.loop.advance(Duration.ofSeconds(400));
            guest.clearReceived();
            rig.obey("""
                    {'default': 'deny', 'rules': [
                      {'action': 'deny', 'to': '10.0.0.0/8'}, {'action': 'allow', 'to': 'host.docker.internal'}]}
                    """);
            guest.receivesNothing();
        }
    }

    // ---- dry run

    @Test
    void dryRun_letsThrough_andTells() throws IOException {
        try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            rig.obey("{'mode': 'dry-run', 'default': 'deny'}");
            rig.connected(rig.dial(GuestEnd.HOST, server.getLocalPort()));
            rig.obey("{'rules': [{'name': 'trial', 'action': 'deny', 'dryRun': true}]}");
            rig.connected(rig.dial(GuestEnd.HOST, server.getLocalPort()));
        }
        assertThat(rig.told)
                .satisfiesExactly(
                        first -> assertThat(first)
                                .startsWith("dry run, would be denied: ")
                                .endsWith(": by default"),
                        second -> assertThat(second)
                                .startsWith("dry run, would be denied: ")
                                .endsWith(": by rule 'trial'"));
        assertThat(rig.count(PolicyCounter.WOULD_DENY)).isEqualTo(2);
        assertThat(rig.egress.use().rules().getFirst().trials()).isEqualTo(1);
    }

    // ---- the proxy

    @Test
    void proxy_refusesWhatIsDeniedByName_beforeItIsLookedUp() {
        rig.obey("{'rules': [{'name': 'bad', 'action': 'deny', 'to': '*.bad.example'}]}");
        assertThat(throughProxy("CONNECT www.BAD.example:443 HTTP/1.1\r\nHost: www.bad.example:443\r\n\r\n"))
                .startsWith("HTTP/1.1 403 ")
                .contains("Proxy-Status: longshore; error=", "details=\"denied by the egress policy, by rule 'bad'\"");
        assertThat(rig.told).containsExactly("denied: tcp the guest -> www.bad.example:443: by rule 'bad'");
    }

    @Test
    void proxy_refusesNamesWhoseAddressesAreDenied() {
        rig.hostNames.put("inside.example", java.util.List.of("10.1.2.3"));
        rig.obey("{'rules': [{'name': 'lan', 'action': 'deny', 'to': '10.0.0.0/8'}]}");
        assertThat(throughProxy("GET http://inside.example/ HTTP/1.1\r\nHost: inside.example\r\n\r\n"))
                .startsWith("HTTP/1.1 403 ")
                .contains("by rule 'lan'");
    }

    /** Who owns a name can have it lead anywhere: to the host's loopback as the host knows it, and as the guest does. */
    @Test
    void proxy_namesThatLeadToTheHost_areTheHosts() throws IOException {
        rig.hostNames.put("loop.example", java.util.List.of("127.0.0.1"));
        rig.hostNames.put("loop6.example", java.util.List.of("::1"));
        rig.hostNames.put("alias.example", java.util.List.of("192.168.65.254"));
        rig.hostNames.put("alias6.example", java.util.List.of("fdc4:f303:9324::254"));
        try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            for (String to : java.util.List.of("host.docker.internal", "*.docker.internal", "192.168.65.254")) {
                rig.obey(
                        "{'rules': [{'name': 'host', 'action': 'deny', 'to': ['" + to + "', 'fdc4:f303:9324::/64']}]}");
                for (String name : java.util.List.of("loop", "loop6", "alias", "alias6")) {
                    assertThat(throughProxy(
                                    "CONNECT " + name + ".example:" + server.getLocalPort() + " HTTP/1.1\r\n\r\n"))
                            .as("%s, denied %s", name, to)
                            .startsWith("HTTP/1.1 403 ")
                            .contains("by rule 'host'");
                }
            }
            rig.obey("{'default': 'deny', 'rules': [{'action': 'allow', 'to': 'host.docker.internal'}]}");
            assertThat(throughProxy("CONNECT loop.example:" + server.getLocalPort() + " HTTP/1.1\r\n\r\n"))
                    .startsWith("HTTP/1.1 200 ");
        }
    }

    @Test
    void proxysConnectionToTheHost_byAnotherName_isCut_whenTheHostIsDenied() throws IOException {
        rig.hostNames.put("loop.example", java.util.List.of("127.0.0.1"));
        try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            String connect = "CONNECT loop.example:" + server.getLocalPort() + " HTTP/1.1\r\n\r\n";
            assertThat(throughProxy(connect)).startsWith("HTTP/1.1 200 ");
            rig.obey("{'rules': [{'action': 'allow', 'to': '*.example', 'protocols': 'udp'}]}");
            assertThat(throughProxy(connect)).startsWith("HTTP/1.1 200 ");
            rig.obey("{'rules': [{'action': 'deny', 'to': 'host.docker.internal'}]}");
            assertThat(rig.count(PolicyCounter.CUT)).isEqualTo(2);
        }
    }

    @Test
    void proxy_isJudgedForTheContainerThatUsesIt() {
        rig.containers.known.put(PolicyRig.WEB, container("web"));
        rig.obey("{'rules': [{'name': 'web', 'action': 'deny', 'from': {'container': 'web'}}]}");
        rig.as(PolicyRig.WEB);
        assertThat(throughProxy("CONNECT 192.0.2.9:443 HTTP/1.1\r\nHost: 192.0.2.9:443\r\n\r\n"))
                .startsWith("HTTP/1.1 403 ");
    }

    private String throughProxy(String request) {
        TcpGuest tcp = rig.dial(GuestEnd.GATEWAY, 3128);
        int next = rig.connected(tcp);
        tcp.sends(TcpHeader.ACK | TcpHeader.PSH, 1000, next, request);
        return answer(tcp);
    }

    private String answer(TcpGuest tcp) {
        StringBuilder text = new StringBuilder();
        rig.loop.runUntil(
                () -> {
                    while (guest.hasReceived()) {
                        text.append(tcp.receives().text());
                    }
                    return text.indexOf("\r\n\r\n") > 0;
                },
                "the proxy's answer");
        return text.toString();
    }
}
