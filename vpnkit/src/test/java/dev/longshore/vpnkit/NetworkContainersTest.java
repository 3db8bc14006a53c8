package dev.longshore.vpnkit;

import static dev.longshore.testkit.GuestEnd.GATEWAY;
import static dev.longshore.testkit.GuestEnd.GATEWAY6;
import static dev.longshore.testkit.GuestEnd.GUEST;
import static dev.longshore.testkit.GuestEnd.GUEST_MAC;
import static dev.longshore.testkit.GuestEnd.HOST;
import static dev.longshore.testkit.GuestEnd.HOST6;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.Received;
import dev.longshore.testkit.TcpGuest;
import dev.longshore.testkit.TcpGuest.Segment;
import dev.longshore.testkit.VirtualLink;
import dev.longshore.testkit.VirtualLoop;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.flow.FlowOwners;
import dev.longshore.vpnkit.flow.FlowSnapshot;
import dev.longshore.vpnkit.flow.ScriptedDirectory;
import dev.longshore.vpnkit.flow.SeenFlow;
import dev.longshore.vpnkit.flow.Services;
import dev.longshore.vpnkit.hostsocket.DirectDialer;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import dev.longshore.vpnkit.icmp.PingSockets;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.tcp.TcpLimits;
import dev.longshore.vpnkit.tcp.TcpStack;
import io.netty.buffer.Unpooled;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the guest routes for its containers: answered to their addresses, by the guest's station, and attributed. */
class NetworkContainersTest {
    private static final int ISS = 5000;
    private static final int ACK = TcpHeader.ACK;
    private static final IpAddress WEB = IpAddress.parse("172.17.0.2");
    private static final IpAddress WEB6 = IpAddress.parse("fd00:17::2");
    private static final IpPlan PLAN = IpPlan.standard();
    private static final OwnAddresses OWN = new OwnAddresses(
            Set.of(PLAN.host(), PLAN.host6()),
            Set.of(),
            List.of(
                    new OwnAddresses.Subnet(PLAN.gateway(), PLAN.prefixLength()),
                    new OwnAddresses.Subnet(PLAN.gateway6(), 64)));

    private final VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
    private final VirtualLink link = new VirtualLink();
    private final GuestEnd guest = new GuestEnd(link);
    private final DirectDialer dialer = new DirectDialer(OWN);
    private final ScriptedDirectory directory = new ScriptedDirectory();
    private final FlowOwners owners = new FlowOwners(directory, GUEST::equals, loop);
    private @Nullable TcpStack made;
    private final Network network = new Network(
            NetworkConfig.of(PLAN, 1500, List.of()),
            link,
            loop,
            loop.clock()::nanos,
            PingSockets.ofHost(),
            (output, errors, l, clock) -> made = new TcpStack(
                    output, l, dialer, new Services(), errors, TcpLimits.defaults(), 0, clock, new Random(1)));

    @BeforeEach
    void start() {
        network.attribute(owners);
        tcp().attribute(owners);
        network.start();
        link.setUp(true);
        guest.sendArpRequest(GATEWAY); // from now on the network knows where the guest is
        guest.sendNeighborSolicitation(GuestEnd.GUEST6, GATEWAY6);
        guest.clearReceived();
        guest.address(WEB);
    }

    @AfterEach
    void close() {
        tcp().endAll();
        owners.close();
        network.close();
        dialer.close();
        loop.runDue();
        loop.close();
    }

    private TcpStack tcp() {
        return Objects.requireNonNull(made);
    }

    private List<FlowSnapshot> flows() {
        List<SeenFlow> seen = new ArrayList<>();
        network.collectFlows(seen);
        tcp().collect(seen);
        return seen.stream().map(SeenFlow::snapshot).toList();
    }

    private FlowSnapshot onlyFlow() {
        assertThat(flows()).hasSize(1);
        return flows().getFirst();
    }

    private static @Nullable String nameOf(FlowSnapshot flow) {
        return flow.owner() == null ? null : flow.owner().name();
    }

    private long dropped(String reason) {
        return network.readings().stream()
                .filter(r ->
                        r.metric().equals("vpnkit.packets.dropped") && r.tags().contains("layer=ip,reason=" + reason))
                .mapToLong(Counters.Reading::value)
                .sum();
    }

    private static ServerSocketChannel listener() throws IOException {
        return ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    }

    private static int port(ServerSocketChannel server) throws IOException {
        return ((InetSocketAddress) server.getLocalAddress()).getPort();
    }

    /** The container's port 4000 to a service on the host's loopback; the acknowledgment to go on with. */
    private int connect(TcpGuest conn) {
        conn.sendsSyn(ISS, 1460, 7);
        loop.runUntil(guest::hasReceived, "an answer to the SYN");
        Segment synAck = conn.receives();
        assertThat(synAck.flags()).isEqualTo(TcpHeader.SYN | ACK);
        conn.sends(ACK, ISS + 1, synAck.seq() + 1);
        return synAck.seq() + 1;
    }

    @Test
    void tcp_isAnsweredToTheContainer_andCountedForIt() throws IOException {
        directory.put("172.17.0.2", "web");
        try (ServerSocketChannel server = listener()) {
            TcpGuest conn = new TcpGuest(guest, 4000, HOST, port(server));
            int next = connect(conn);
            try (SocketChannel host = server.accept()) {
                conn.sends(TcpHeader.PSH | ACK, ISS + 1, next, "hello");
                ByteBuffer heard = ByteBuffer.allocate(5);
                while (heard.hasRemaining()) {
                    loop.runNow();
                    host.read(heard);
                }
                guest.clearReceived();
                host.write(ByteBuffer.wrap("good day".getBytes(StandardCharsets.US_ASCII)));
                loop.runUntil(guest::hasReceived, "the answer");
                Received frame = guest.receive();
                assertThat(frame.destination()).isEqualTo(WEB);
                assertThat(EthernetHeader.destination(frame.frame(), 0)).isEqualTo(GUEST_MAC);
                conn.sends(ACK, ISS + 6, next + 8);

                assertThat(onlyFlow().guest()).isEqualTo(WEB);
                assertThat(nameOf(onlyFlow())).isEqualTo("web");
                assertThat(owners.accounts()).hasSize(1);
                assertThat(owners.accounts().getFirst().bytesFromGuest()).isEqualTo(5);
                assertThat(owners.accounts().getFirst().bytesToGuest()).isEqualTo(8);
            }
        }
    }

    @Test
    void tcp_ofTheSamePort_byGuestAndContainer_areTwoFlows() throws IOException {
        directory.put("172.17.0.2", "web");
        try (ServerSocketChannel server = listener()) {
            connect(new TcpGuest(guest, 4000, HOST, port(server)));
            guest.address(GUEST);
            connect(new TcpGuest(guest, 4000, HOST, port(server)));

            assertThat(flows()).hasSize(2);
            assertThat(flows().stream().filter(f -> f.guest().equals(GUEST)).map(FlowSnapshot::owner))
                    .containsOnlyNulls();
            assertThat(flows().stream().filter(f -> f.guest().equals(WEB)).map(NetworkContainersTest::nameOf))
                    .containsExactly("web");
        }
    }

    @Test
    void tcp_keepsItsOwner_andTheNextContainerGetsItsOwn() throws IOException {
        directory.put("172.17.0.2", "web");
        try (ServerSocketChannel server = listener()) {
            connect(new TcpGuest(guest, 4000, HOST, port(server)));
            directory.put("172.17.0.2", "next");
            connect(new TcpGuest(guest, 4001, HOST, port(server)));

            assertThat(flows().stream()
                            .map(f -> f.guestPort() + " " + nameOf(f))
                            .sorted())
                    .containsExactly("4000 web", "4001 next");
        }
    }

    @Test
    void tcp_ofAContainerThatNobodyKnows_isConnectedAtOnce_andNamedLater() throws IOException {
        try (ServerSocketChannel server = listener()) {
            connect(new TcpGuest(guest, 4000, HOST, port(server)));
            assertThat(onlyFlow().owner()).isNull();
            directory.answer(ScriptedDirectory.container("web"));
            loop.runDue();
            assertThat(nameOf(onlyFlow())).isEqualTo("web");
        }
    }

    @Test
    void tcp6_ofAContainer_isAnsweredByWayOfTheGuest() throws IOException {
        directory.put("fd00:17::2", "web");
        guest.address(WEB6);
        try (ServerSocketChannel server = listener()) {
            TcpGuest conn = new TcpGuest(guest, 4000, HOST6, port(server));
            conn.sendsSyn(ISS, 1440, 7);
            loop.runUntil(guest::hasReceived, "an answer to the SYN");
            Received synAck = guest.receive();
            assertThat(synAck.destination()).isEqualTo(WEB6);
            assertThat(EthernetHeader.destination(synAck.frame(), 0)).isEqualTo(GUEST_MAC);
            assertThat(nameOf(onlyFlow())).isEqualTo("web");
        }
    }

    /** A socket of somebody on the host's loopback. */
    private final class Remote implements AutoCloseable {
        final DatagramChannel channel = DatagramChannel.open();
        final ByteBuffer buffer = ByteBuffer.allocate(70_000);

        Remote() throws IOException {
            channel.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                    .configureBlocking(false);
        }

        int port() throws IOException {
            return ((InetSocketAddress) channel.getLocalAddress()).getPort();
        }

        InetSocketAddress receive() {
            @Nullable SocketAddress[] from = new SocketAddress[1];
            loop.runUntil(() -> (from[0] = poll()) != null, "a datagram at the remote");
            buffer.flip();
            return (InetSocketAddress) Objects.requireNonNull(from[0]);
        }

        private @Nullable SocketAddress poll() {
            try {
                return channel.receive(buffer.clear());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }

    @Test
    void udp_wholeAndInFragments_isAnsweredToTheContainer() throws IOException {
        directory.put("172.17.0.2", "web");
        try (Remote remote = new Remote()) {
            byte[] large = new byte[5000];
            new Random(3).nextBytes(large);
            guest.sendFragments(IpProtocol.UDP, HOST, guest.udp(5000, HOST, remote.port(), large), 1500);
            InetSocketAddress from = remote.receive();
            assertThat(remote.buffer.remaining()).isEqualTo(5000);
            remote.channel.send(remote.buffer, from);
            loop.runUntil(guest::hasReceived, "the answer");
            GuestEnd.Datagram answer = guest.receiveUdp();

            assertThat(answer.bytes()).isEqualTo(large);
            assertThat(nameOf(onlyFlow())).isEqualTo("web");
            assertThat(owners.accounts().getFirst().bytesFromGuest()).isEqualTo(5000);
            assertThat(owners.accounts().getFirst().bytesToGuest()).isEqualTo(5000);
        }
    }

    /** A port of the guest's, with a socket of the host's that it keeps for minutes, must not pass to the next container. */
    @Test
    void udp_ofTheNextContainerWithTheSameAddressAndPort_isAnotherFlow() throws IOException {
        directory.put("172.17.0.2", "web");
        try (Remote remote = new Remote()) {
            guest.sendUdp(5000, HOST, remote.port(), "one");
            InetSocketAddress first = remote.receive();
            directory.put("172.17.0.9", "other");
            guest.sendUdp(5000, HOST, remote.port(), "two");
            assertThat(remote.receive()).isEqualTo(first);

            directory.remove("172.17.0.2");
            directory.put("172.17.0.2", "next");
            guest.sendUdp(5000, HOST, remote.port(), "three");
            remote.receive();
            assertThat(nameOf(onlyFlow())).isEqualTo("next");
            assertThat(onlyFlow().bytesFromGuest()).isEqualTo(5);
        }
    }

    @Test
    void ping_ofOurAddress_andOfARemote_isTheContainers() {
        directory.put("172.17.0.2", "web");
        guest.sendPing(GATEWAY, 7, 1, new byte[8]);
        assertThat(guest.receiveIcmp(IcmpHeader.ECHO_REPLY, 0).destination()).isEqualTo(WEB);

        guest.sendPing(IpAddress.parse("203.0.113.9"), 1, 1, new byte[56]);
        loop.runNow();
        for (FlowSnapshot ping : flows()) { // none where this host allows no pings, or has no route
            assertThat(nameOf(ping)).isEqualTo("web");
        }
    }

    /** busybox' ping has its process id as identifier, which in a container is 1. */
    @Test
    void ping_ofTheNextContainerWithTheSameIdentifier_isAnotherFlow() {
        directory.put("172.17.0.2", "web");
        guest.sendPing(IpAddress.parse("203.0.113.9"), 1, 1, new byte[56]);
        directory.put("172.17.0.2", "next");
        guest.sendPing(IpAddress.parse("203.0.113.9"), 1, 1, new byte[56]);
        loop.runNow();
        for (FlowSnapshot ping : flows()) {
            assertThat(nameOf(ping)).isEqualTo("next");
            assertThat(ping.bytesFromGuest()).isEqualTo(56);
        }
    }

    @Test
    void packetWhoseLifeEnds_isReportedToTheContainer() {
        guest.sendFrame(
                guest.ip(
                        IpProtocol.UDP,
                        WEB,
                        IpAddress.parse("203.0.113.9"),
                        1,
                        guest.udp(5000, IpAddress.parse("203.0.113.9"), 33_434, new byte[20])),
                0);
        Received error = guest.receiveIcmp(IcmpHeader.TIME_EXCEEDED, 0);
        assertThat(error.source()).isEqualTo(GATEWAY);
        assertThat(error.destination()).isEqualTo(WEB);
        assertThat(EthernetHeader.destination(error.frame(), 0)).isEqualTo(GUEST_MAC);
    }

    @Test
    void packet6WhoseLifeEnds_isReportedToTheContainer() {
        guest.address(WEB6);
        IpAddress far = IpAddress.parse("2001:db8::9");
        guest.sendFrame(guest.ip(IpProtocol.UDP, WEB6, far, 1, guest.udp(5000, far, 33_434, new byte[20])), 0);
        Received error = guest.receiveIcmp6(Icmpv6Header.TIME_EXCEEDED, 0);
        assertThat(error.destination()).isEqualTo(WEB6);
        assertThat(EthernetHeader.destination(error.frame(), 0)).isEqualTo(GUEST_MAC);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "192.168.65.1",
                "192.168.65.7",
                "192.168.65.254",
                "192.168.65.0",
                "192.168.65.255",
                "127.0.0.1",
                "0.1.2.3",
                "224.0.0.1",
                "240.0.0.1",
                "255.255.255.255",
                "fdc4:f303:9324::1",
                "fdc4:f303:9324::7",
                "fdc4:f303:9324::254",
                "fe80::1",
                "::1",
                "ff02::1"
            })
    void sourceNobodyMayHave_isDropped(String source) {
        refuses(source, "source");
        guest.receivesNothing();
    }

    @ParameterizedTest
    @ValueSource(strings = {"169.254.7.7", "fe80::7"})
    void sourceOfTheLinkAlone_isNotRoutedOn(String source) {
        refuses(source, "scope"); // of IPv6, with an error to the sender (RFC 4443 §3.1)
    }

    private void refuses(String source, String reason) {
        IpAddress from = IpAddress.parse(source);
        IpAddress to = IpAddress.parse(from.isV4() ? "203.0.113.9" : "2001:db8::9");
        guest.address(from);
        guest.sendFrame(guest.ip(IpProtocol.UDP, from, to, 64, guest.udp(5000, to, 9999, new byte[20])), 0);
        loop.runNow();
        assertThat(dropped(reason)).isEqualTo(1);
        assertThat(flows()).isEmpty();
    }

    @Test
    void malformedDatagrams_ofUnknownContainers_askNothing() {
        for (int i = 0; i < 100; i++) {
            guest.sendIp(IpProtocol.UDP, HOST, Unpooled.buffer(8).writeZero(8), 0);
        }
        assertThat(directory.asking()).as("no flow, no question").isZero();
    }
}
