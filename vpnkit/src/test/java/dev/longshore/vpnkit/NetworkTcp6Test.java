package dev.longshore.vpnkit;

import static dev.longshore.testkit.GuestEnd.GATEWAY6;
import static dev.longshore.testkit.GuestEnd.GUEST6;
import static dev.longshore.testkit.GuestEnd.HOST6;
import static dev.longshore.testkit.GuestEnd.ROUTER;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv6Header;
import dev.longshore.packet.wire.NdpMessage;
import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.Received;
import dev.longshore.testkit.TcpGuest;
import dev.longshore.testkit.TcpGuest.Segment;
import dev.longshore.testkit.VirtualLink;
import dev.longshore.testkit.VirtualLoop;
import dev.longshore.vpnkit.flow.Services;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.Dialer;
import dev.longshore.vpnkit.hostsocket.DirectDialer;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import dev.longshore.vpnkit.icmp.PingSockets;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.tcp.GuestCalls;
import dev.longshore.vpnkit.tcp.TcpLimits;
import dev.longshore.vpnkit.tcp.TcpStack;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** TCP over IPv6, from the frame to the host's socket and back. */
class NetworkTcp6Test {
    private static final int ISS = -7;
    private static final int ACK = TcpHeader.ACK;
    private static final IpAddress ELSEWHERE = IpAddress.parse("2001:db8::1");
    private static final IpPlan PLAN = IpPlan.standard();
    private static final OwnAddresses OWN = new OwnAddresses(
            Set.of(PLAN.host(), PLAN.host6()),
            Set.of(),
            List.of(
                    new OwnAddresses.Subnet(PLAN.gateway(), PLAN.prefixLength()),
                    new OwnAddresses.Subnet(PLAN.gateway6(), 64)));

    private final VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
    private final VirtualLink link = new VirtualLink().offloading();
    private final GuestEnd guest = new GuestEnd(link);
    private final DirectDialer dialer = new DirectDialer(OWN);
    private @Nullable TcpStack tcp;
    private @Nullable Network network;

    @AfterEach
    void close() {
        TcpStack t = tcp;
        Network n = network;
        if (t != null && n != null) {
            t.endAll();
            n.close();
        }
        dialer.close();
        loop.runDue();
        loop.close();
    }

    private TcpStack start(Dialer with) {
        Network n = new Network(
                NetworkConfig.of(PLAN, 1500, List.of()),
                link,
                loop,
                loop.clock()::nanos,
                PingSockets.none(),
                (output, errors, l, clock) -> tcp = new TcpStack(
                        output, l, with, new Services(), errors, TcpLimits.defaults(), 0, clock, new Random(1)));
        network = n;
        n.start();
        link.setUp(true);
        guest.clearReceived();
        return Objects.requireNonNull(tcp);
    }

    private static ServerSocketChannel listener(String address) throws IOException {
        return ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getByName(address), 0));
    }

    private static int port(ServerSocketChannel server) throws IOException {
        return ((InetSocketAddress) server.getLocalAddress()).getPort();
    }

    /** The flow of a guest's port 4000 to {@code remote}, established; the acknowledgment to go on with. */
    private int connect(TcpGuest conn) {
        conn.sendsSyn(ISS, 1440, 7);
        loop.runUntil(guest::hasReceived, "an answer to the SYN");
        Segment synAck = conn.receives();
        assertThat(synAck.flags()).isEqualTo(TcpHeader.SYN | ACK);
        assertThat(synAck.mss()).isEqualTo(1440);
        conn.sends(ACK, ISS + 1, synAck.seq() + 1);
        return synAck.seq() + 1;
    }

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "::1"})
    void serviceOfTheHost_isReached_whicheverLoopbackItListensOn(String loopback) throws IOException {
        start(dialer);
        try (ServerSocketChannel server = listener(loopback)) {
            TcpGuest conn = new TcpGuest(guest, 4000, HOST6, port(server));
            int next = connect(conn);
            try (SocketChannel host = server.accept()) {
                conn.sends(TcpHeader.PSH | ACK, ISS + 1, next, "hello");
                ByteBuffer heard = ByteBuffer.allocate(5);
                while (heard.hasRemaining()) {
                    loop.runNow();
                    host.read(heard);
                }
                assertThat(new String(heard.array(), java.nio.charset.StandardCharsets.US_ASCII))
                        .isEqualTo("hello");
            }
        }
    }

    @Test
    void portNobodyListensOn_isReset() throws IOException {
        start(dialer);
        int port;
        try (ServerSocketChannel server = listener("127.0.0.1")) {
            port = port(server);
        }
        TcpGuest conn = new TcpGuest(guest, 4000, HOST6, port);
        conn.sendsSyn(ISS, 1440, 7);
        loop.runUntil(guest::hasReceived, "an answer to the SYN");
        assertThat(conn.receives().has(TcpHeader.RST)).isTrue();
    }

    /** Happy eyeballs (RFC 8305) of the guest must not wait for anything. */
    @Test
    void hostWithoutARoute_isToldAtOnce_soThatTheGuestTakesIpv4() {
        start((destination, l) ->
                l.<DialResult>newPromise().setSuccess(new DialResult.Unreachable(true, "Network is unreachable")));
        TcpGuest conn = new TcpGuest(guest, 4000, ELSEWHERE, 443);
        conn.sendsSyn(ISS, 1440, 7);
        loop.runNow();
        Received error = guest.receiveIcmp6(Icmpv6Header.DESTINATION_UNREACHABLE, Icmpv6Header.CODE_NO_ROUTE);
        assertThat(error.source()).isEqualTo(GATEWAY6);
        int quote = error.transportAt() + Icmpv6Header.BYTES;
        assertThat(Ipv6Header.destinationLo(error.frame(), quote)).isEqualTo(ELSEWHERE.lo());
        assertThat(Ipv6Header.nextHeader(error.frame(), quote)).isEqualTo(IpProtocol.TCP);
        assertThat(error.frame().getInt(quote + Ipv6Header.BYTES + 4))
                .as("the SYN's number")
                .isEqualTo(ISS);
        assertThat(conn.receives().has(TcpHeader.RST)).isTrue();
        guest.receivesNothing();
    }

    @Test
    void muchText_crossesInLargeSegments_bothWays() throws IOException {
        start(dialer);
        byte[] text = new byte[40_000];
        new Random(5).nextBytes(text);
        try (ServerSocketChannel server = listener("::1")) {
            TcpGuest conn = new TcpGuest(guest, 4000, HOST6, port(server)).window(0xFFFF);
            int next = connect(conn);
            try (SocketChannel host = server.accept()) {
                host.write(ByteBuffer.wrap(text));
                int largest = 0;
                int received = 0;
                while (received < text.length) {
                    loop.runUntil(guest::hasReceived, "more text");
                    Segment s = conn.receives();
                    largest = Math.max(largest, s.payload().length);
                    received += s.payload().length;
                    conn.sends(ACK, ISS + 1, next + received);
                }
                assertThat(largest).isGreaterThan(1440);

                guest.clearReceived();
                conn.sendsRaw(
                        conn.segment(TcpHeader.PSH | ACK, ISS + 1, next + received, text),
                        FrameSink.CHECKSUM_PARTIAL | FrameSink.LARGE_SEGMENT);
                ByteBuffer heard = ByteBuffer.allocate(text.length);
                while (heard.hasRemaining()) {
                    loop.runNow();
                    host.read(heard);
                }
                assertThat(heard.array()).isEqualTo(text);
            }
        }
    }

    // ---- into the guest

    private GuestCalls calls() {
        TcpStack stack = start(dialer);
        return new GuestCalls(stack, Objects.requireNonNull(network).guestAddresses(), new Random(2));
    }

    private void receivesSolicitation(IpAddress target) {
        Received ns = guest.receiveIcmp6(NdpMessage.NEIGHBOR_SOLICITATION, 0);
        assertThat(ns.source()).isEqualTo(ROUTER);
        assertThat(ns.destination()).isEqualTo(GuestEnd.solicitedNode(target));
        assertThat(NdpMessage.targetLo(ns.frame(), ns.transportAt())).isEqualTo(target.lo());
    }

    private long dropped(String reason) {
        return Objects.requireNonNull(network).readings().stream()
                .filter(r ->
                        r.metric().equals("vpnkit.packets.dropped") && r.tags().contains(reason))
                .mapToLong(r -> r.value())
                .sum();
    }

    @Test
    void guestThatWasNotHeardYet_isAskedForFirst() {
        var _ = calls().connectTcp(GUEST6, 80);
        loop.runNow();
        receivesSolicitation(GUEST6);
        guest.receivesNothing();
        guest.sendNeighborAdvertisement(GUEST6, ROUTER);
        Received syn = guest.receive();
        assertThat(syn.isIp(IpProtocol.TCP)).isTrue();
        assertThat(syn.source()).isEqualTo(GATEWAY6);
        assertThat(syn.destination()).isEqualTo(GUEST6);
        assertThat(syn.destinationMac()).isEqualTo(GuestEnd.GUEST_MAC);
        guest.receivesNothing();
    }

    @Test
    void addressBehindAGuestThatWasNotHeard_asksForTheGuest() {
        IpAddress container = IpAddress.parse("fd00:1::2");
        var _ = calls().connectTcp(container, 80);
        loop.runNow();
        receivesSolicitation(GUEST6);
        guest.sendNeighborAdvertisement(GUEST6, ROUTER);
        assertThat(guest.receive().destination()).isEqualTo(container);
        guest.receivesNothing();
    }

    @Test
    void guestThatIsNotThere_isAskedForThreeTimes() {
        var _ = calls().connectTcp(GUEST6, 80);
        loop.advance(Duration.ofMillis(2500));
        for (int i = 0; i < 3; i++) {
            receivesSolicitation(GUEST6);
        }
        guest.receivesNothing();
        loop.advance(Duration.ofMillis(600));
        assertThat(dropped("reason=unresolved")).isPositive();
    }

    @Test
    void manyUnknownAddresses_areNotAskedForAllAtOnce() {
        GuestCalls calls = calls();
        for (int i = 0; i < 100; i++) {
            var _ = calls.connectTcp(new IpAddress(GUEST6.hi(), 0x5000 + i), 80);
        }
        loop.runNow();
        assertThat(guest.receivedCount()).isEqualTo(8);
        assertThat(dropped("reason=unresolved")).isEqualTo(92);
    }

    @Test
    void addressBehindTheGuest_isRoutedThere() {
        IpAddress container = IpAddress.parse("fd00:1::2");
        GuestCalls calls = calls();
        guest.sendPing(GATEWAY6, 1, 1, new byte[8]);
        guest.clearReceived();
        var _ = calls.connectTcp(container, 80);
        loop.runNow();
        Received syn = guest.receive();
        assertThat(syn.destination()).isEqualTo(container);
        assertThat(syn.destinationMac()).isEqualTo(GuestEnd.GUEST_MAC);
    }
}
