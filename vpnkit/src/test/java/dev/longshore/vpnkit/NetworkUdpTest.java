package dev.longshore.vpnkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.UdpHeader;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.GuestEnd.Datagram;
import dev.longshore.testkit.Received;
import dev.longshore.vpnkit.flow.FlowSnapshot;
import dev.longshore.vpnkit.flow.GuestConnector.UdpFlow;
import dev.longshore.vpnkit.flow.GuestConnector.UdpReplies;
import dev.longshore.vpnkit.udp.UdpLimits;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.ResourceLeakDetector;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The guest's datagrams and host sockets, on the host's loopback behind .254. */
class NetworkUdpTest {
    private final TestNetwork net = new TestNetwork(
            new UdpLimits(8, Duration.ofSeconds(10), Duration.ofSeconds(120), Duration.ofSeconds(300)), List.of());
    private final GuestEnd guest = net.guest;
    private final List<Remote> remotes = new ArrayList<>();

    /** A socket of somebody on the host. */
    private final class Remote {
        final DatagramChannel channel;
        final ByteBuffer buffer = ByteBuffer.allocate(70_000);

        Remote() throws IOException {
            channel = DatagramChannel.open();
            channel.setOption(java.net.StandardSocketOptions.SO_RCVBUF, 1 << 20);
            channel.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                    .configureBlocking(false);
            remotes.add(this);
        }

        int port() {
            try {
                return ((InetSocketAddress) channel.getLocalAddress()).getPort();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        /** The next datagram's sender; its bytes are in {@link #buffer}. */
        InetSocketAddress receive() {
            SocketAddress[] from = new SocketAddress[1];
            net.loop.runUntil(
                    () -> {
                        try {
                            buffer.clear();
                            from[0] = channel.receive(buffer);
                            return from[0] != null;
                        } catch (IOException e) {
                            throw new UncheckedIOException(e);
                        }
                    },
                    "a datagram at the remote");
            buffer.flip();
            return (InetSocketAddress) from[0];
        }

        String text() {
            return StandardCharsets.UTF_8.decode(buffer.duplicate()).toString();
        }

        void send(String text, InetSocketAddress to) throws IOException {
            channel.send(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)), to);
        }
    }

    private Datagram receiveUdp() {
        net.loop.runUntil(guest::hasReceived, "a datagram at the guest");
        return guest.receiveUdp();
    }

    @AfterEach
    void close() throws IOException {
        for (Remote r : remotes) {
            r.channel.close();
        }
        net.close();
    }

    @Test
    void request_andReply_keepAddressesAndPorts() throws IOException {
        Remote remote = new Remote();
        guest.sendUdp(4000, GuestEnd.HOST, remote.port(), "hello");
        InetSocketAddress from = remote.receive();
        assertThat(remote.text()).isEqualTo("hello");
        remote.send("welcome", from);
        Datagram reply = receiveUdp();
        assertThat(reply.text()).isEqualTo("welcome");
        assertThat(reply.source()).isEqualTo(GuestEnd.HOST);
        assertThat(reply.sourcePort()).isEqualTo(remote.port());
        assertThat(reply.destination()).isEqualTo(GuestEnd.GUEST);
        assertThat(reply.destinationPort()).isEqualTo(4000);
    }

    @Test
    void flows_areListedWithTheirBytes() throws IOException {
        Remote remote = new Remote();
        guest.sendUdp(4000, GuestEnd.HOST, remote.port(), "hello");
        assertThat(net.network.udp().snapshot().getFirst().state()).isEqualTo("asking");
        remote.send("welcome", remote.receive());
        receiveUdp();
        net.loop.advance(Duration.ofSeconds(1));
        FlowSnapshot flow = net.network.udp().snapshot().getFirst();
        assertThat(flow.guest()).isEqualTo(GuestEnd.GUEST);
        assertThat(flow.guestPort()).isEqualTo(4000);
        assertThat(flow.remote()).isEqualTo(GuestEnd.HOST);
        assertThat(flow.state()).isEqualTo("answered");
        assertThat(flow.bytesFromGuest()).isEqualTo(5);
        assertThat(flow.bytesToGuest()).isEqualTo(7);
        assertThat(flow.ageNanos()).isEqualTo(Duration.ofSeconds(1).toNanos());
    }

    @Test
    void onePortOfTheGuest_isOnePortOfTheHost_forAllRemotes() throws IOException {
        Remote a = new Remote();
        Remote b = new Remote();
        Remote stranger = new Remote();
        guest.sendUdp(4000, GuestEnd.HOST, a.port(), "to a");
        guest.sendUdp(4000, GuestEnd.HOST, b.port(), "to b");
        InetSocketAddress fromA = a.receive();
        InetSocketAddress fromB = b.receive();
        assertThat(fromA.getPort()).isEqualTo(fromB.getPort());
        a.send("from a", fromA);
        assertThat(receiveUdp().sourcePort()).isEqualTo(a.port());
        b.send("from b", fromB);
        assertThat(receiveUdp().sourcePort()).isEqualTo(b.port());
        stranger.send("unasked", fromA);
        Datagram unasked = receiveUdp();
        assertThat(unasked.text()).isEqualTo("unasked");
        assertThat(unasked.sourcePort()).isEqualTo(stranger.port());
        guest.sendUdp(4000, GuestEnd.HOST, a.port(), "again");
        a.receive();
        assertThat(a.text()).isEqualTo("again");
        assertThat(net.count("vpnkit.udp.flows.opened", "")).isEqualTo(1);
    }

    @Test
    void closedPort_isReportedToTheGuest() throws IOException {
        Remote gone = new Remote();
        int port = gone.port();
        gone.channel.close();
        guest.sendUdp(4000, GuestEnd.HOST, port, "anybody?");
        net.loop.runUntil(guest::hasReceived, "an ICMP error");
        Received error = guest.receiveIcmp(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_PORT);
        assertThat(error.source()).isEqualTo(GuestEnd.HOST);
        int quotedUdp = error.transportAt() + IcmpHeader.BYTES + 20;
        assertThat(UdpHeader.sourcePort(error.frame(), quotedUdp)).isEqualTo(4000);
        assertThat(UdpHeader.destinationPort(error.frame(), quotedUdp)).isEqualTo(port);
    }

    /** Once only the first remote of a port was heard of. */
    @Test
    void closedPortOfASecondRemote_isReportedToo_andTheFlowGoesOn() throws IOException {
        Remote open = new Remote();
        Remote gone = new Remote();
        int port = gone.port();
        gone.channel.close();
        guest.sendUdp(4000, GuestEnd.HOST, open.port(), "one");
        open.receive();
        guest.sendUdp(4000, GuestEnd.HOST, port, "anybody?");
        net.loop.runUntil(guest::hasReceived, "an ICMP error");
        Received error = guest.receiveIcmp(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_PORT);
        int quotedUdp = error.transportAt() + IcmpHeader.BYTES + 20;
        assertThat(UdpHeader.destinationPort(error.frame(), quotedUdp)).isEqualTo(port);
        assertThat(error.bytesFrom(quotedUdp + UdpHeader.BYTES)).isEqualTo("anybody?".getBytes(StandardCharsets.UTF_8));
        guest.sendUdp(4000, GuestEnd.HOST, open.port(), "two");
        open.receive();
        assertThat(open.text()).isEqualTo("two");
    }

    /** moby: the UDP proxy deadlocked after one failed dial. */
    @Test
    void refusals_oneAfterAnother_leaveEveryFlowUsable() throws IOException {
        Remote open = new Remote();
        Remote gone = new Remote();
        int port = gone.port();
        gone.channel.close();
        for (int i = 0; i < 20; i++) {
            guest.sendUdp(4000 + i % 4, GuestEnd.HOST, port, "refused");
            guest.sendUdp(4000 + i % 4, GuestEnd.HOST, open.port(), "taken " + i);
            open.receive();
            assertThat(open.text()).isEqualTo("taken " + i);
        }
        net.loop.runUntil(() -> net.count("vpnkit.udp.refused", "") == 20, "the refusals");
    }

    @Test
    void emptyDatagrams_crossBothWays() throws IOException {
        Remote remote = new Remote();
        guest.sendUdp(4000, GuestEnd.HOST, remote.port(), "");
        InetSocketAddress from = remote.receive();
        assertThat(remote.buffer.remaining()).isZero();
        remote.send("", from);
        assertThat(receiveUdp().bytes()).isEmpty();
    }

    @Test
    void manyDatagramsInOneBatch_keepTheirOrderAndRemotes() throws IOException {
        Remote a = new Remote();
        Remote b = new Remote();
        for (int i = 0; i < 200; i++) { // runs of one size, others between them
            Remote to = i % 50 < 40 ? a : b;
            byte[] payload = new byte[i % 50 < 40 ? 700 : 10 + i];
            payload[0] = (byte) i;
            net.link.deliverInBatch(
                    guest.ip(
                            IpProtocol.UDP,
                            GuestEnd.GUEST,
                            GuestEnd.HOST,
                            64,
                            guest.udp(4000 + i / 100, GuestEnd.HOST, to.port(), payload)),
                    0);
        }
        net.link.endBatch();
        for (int i = 0; i < 200; i++) {
            Remote to = i % 50 < 40 ? a : b;
            to.receive();
            assertThat(to.buffer.get(0)).isEqualTo((byte) i);
            assertThat(to.buffer.remaining()).isEqualTo(i % 50 < 40 ? 700 : 10 + i);
        }
        assertThat(net.dropped("layer=udp")).isZero();
    }

    @Test
    void zeroChecksumAndIpOptions_areTolerated() throws IOException {
        Remote remote = new Remote();
        ByteBuf datagram =
                guest.udp(4000, GuestEnd.HOST, remote.port(), new byte[] {7}).setShort(6, 0);
        ByteBuf plain = guest.ip(IpProtocol.UDP, GuestEnd.GUEST, GuestEnd.HOST, 64, datagram);
        int ipAt = EthernetHeader.BYTES;
        ByteBuf options = Unpooled.buffer();
        options.writeBytes(plain, 0, ipAt + 20).writeInt(0x0101_0100); // NOP, NOP, NOP, end
        options.writeBytes(plain, ipAt + 20, plain.writerIndex() - ipAt - 20);
        options.setByte(ipAt, 0x46);
        Ipv4Header.complete(options, ipAt, options.writerIndex() - ipAt);
        guest.sendFrame(plain, 0);
        remote.receive();
        guest.sendFrame(options, 0);
        remote.receive();
        assertThat(remote.buffer.get(0)).isEqualTo((byte) 7);
    }

    @Test
    void multicastAndBroadcast_areCountedAndGoNowhere() {
        IpAddress mdns = IpAddress.parse("224.0.0.251");
        guest.sendUdp(5353, mdns, 5353, "who is printer.local?");
        guest.sendIp(2, IpAddress.parse("224.0.0.22"), Unpooled.buffer().writeZero(8), 0); // IGMP
        assertThat(net.dropped("layer=ip,reason=multicast")).isEqualTo(2);
        guest.sendUdp(4000, IpAddress.parse("255.255.255.255"), 9, "anybody");
        guest.sendUdp(4000, IpAddress.parse("192.168.65.255"), 9, "anybody");
        assertThat(net.dropped("layer=udp,reason=broadcast")).isEqualTo(2);
        guest.receivesNothing();
        assertThat(net.count("vpnkit.udp.flows.opened", "")).isZero();
    }

    /** gvproxy and vpnkit: UDP-heavy guests exhausted the host's descriptors. */
    @Test
    void hundredThousandPorts_takeNoMoreSocketsThanAllowed() throws IOException {
        Remote remote = new Remote();
        long before = openDescriptors();
        ResourceLeakDetector.Level level = ResourceLeakDetector.getLevel();
        ResourceLeakDetector.setLevel(
                ResourceLeakDetector.Level.DISABLED); // a stack trace for each access takes minutes
        try {
            for (int i = 0; i < 100_000; i++) {
                guest.address(i < 50_000 ? GuestEnd.GUEST : IpAddress.parse("192.168.65.4"));
                guest.sendUdp(1 + i % 50_000, GuestEnd.HOST, remote.port(), "x");
            }
        } finally {
            ResourceLeakDetector.setLevel(level);
        }
        assertThat(net.count("vpnkit.udp.flows.active", "")).isEqualTo(8);
        assertThat(net.count("vpnkit.udp.flows.ended", "evicted")).isEqualTo(100_000 - 8);
        assertThat(openDescriptors()).isEqualTo(before + 8);
        net.loop.advance(Duration.ofSeconds(130));
        assertThat(openDescriptors()).isEqualTo(before);
    }

    private static long openDescriptors() throws IOException {
        try (Stream<Path> list = Files.list(Path.of("/proc/self/fd"))) {
            return list.count();
        }
    }

    @Test
    void ourOtherAddresses_haveNoOpenPorts() {
        guest.sendUdp(4000, GuestEnd.GATEWAY, 9, "x");
        Received error = guest.receiveIcmp(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_PORT);
        assertThat(error.source()).isEqualTo(GuestEnd.GATEWAY);
    }

    @Test
    void largestDatagram_crossesBothWaysByFragments() throws IOException {
        Remote remote = new Remote();
        byte[] big = new byte[UdpHeader.MAX_PAYLOAD_V4];
        new Random(7).nextBytes(big);
        guest.sendFragments(IpProtocol.UDP, GuestEnd.HOST, guest.udp(4000, GuestEnd.HOST, remote.port(), big), 1500);
        InetSocketAddress from = remote.receive();
        byte[] got = new byte[remote.buffer.remaining()];
        remote.buffer.get(got);
        assertThat(got).isEqualTo(big);
        remote.channel.send(ByteBuffer.wrap(big), from);
        assertThat(receiveUdp().bytes()).isEqualTo(big);
        assertThat(net.count("vpnkit.ip.reassembled", "")).isEqualTo(1);
    }

    @Test
    void partialChecksum_isTrusted_wrongOneIsNot() throws IOException {
        Remote remote = new Remote();
        byte[] payload = {1};
        ByteBuf wrong = guest.udp(4000, GuestEnd.HOST, remote.port(), payload).setShort(6, 0x1111);
        guest.sendIp(IpProtocol.UDP, GuestEnd.HOST, wrong.copy(), 0);
        assertThat(net.dropped("layer=udp,reason=checksum")).isEqualTo(1);
        guest.sendIp(IpProtocol.UDP, GuestEnd.HOST, wrong, dev.longshore.packet.link.FrameSink.CHECKSUM_PARTIAL);
        remote.receive();
        assertThat(remote.buffer.remaining()).isEqualTo(1);
    }

    @Test
    void idleFlows_end_sooner_ifTheyAskedDns() throws IOException {
        Remote remote = new Remote();
        guest.sendUdp(4000, GuestEnd.HOST, remote.port(), "x");
        guest.sendUdp(4001, GuestEnd.HOST, 53, "x"); // nobody there; the flow counts all the same
        net.loop.advance(Duration.ofSeconds(12));
        assertThat(net.count("vpnkit.udp.flows.active", "")).isEqualTo(1);
        net.loop.advance(Duration.ofSeconds(100));
        assertThat(net.count("vpnkit.udp.flows.active", "")).isEqualTo(1);
        net.loop.advance(Duration.ofSeconds(12));
        assertThat(net.count("vpnkit.udp.flows.active", "")).isZero();
        net.link.setUp(false); // the router's timer
        assertThat(net.loop.nanosToNextTimer()).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void moreFlowsThanAllowed_endTheLeastRecentlyUsed() throws IOException {
        Remote remote = new Remote();
        for (int i = 0; i < 8; i++) {
            guest.sendUdp(4000 + i, GuestEnd.HOST, remote.port(), "x");
        }
        guest.sendUdp(4000, GuestEnd.HOST, remote.port(), "still in use");
        guest.sendUdp(5000, GuestEnd.HOST, remote.port(), "one more");
        assertThat(net.count("vpnkit.udp.flows.active", "")).isEqualTo(8);
        assertThat(net.count("vpnkit.udp.flows.ended", "evicted")).isEqualTo(1);
        guest.sendUdp(4000, GuestEnd.HOST, remote.port(), "x");
        assertThat(net.count("vpnkit.udp.flows.opened", "")).isEqualTo(9);
    }

    @Test
    void linkDown_endsAllFlows() throws IOException {
        Remote remote = new Remote();
        guest.sendUdp(4000, GuestEnd.HOST, remote.port(), "x");
        net.link.setUp(false);
        assertThat(net.count("vpnkit.udp.flows.active", "")).isZero();
    }

    /** What a published port's owner hears. */
    private static final class Replies implements UdpReplies {
        final List<String> texts = new ArrayList<>();
        int unreachable;

        @Override
        public void onReply(ByteBuf b, int at, int len) {
            texts.add(b.toString(at, len, StandardCharsets.UTF_8));
        }

        @Override
        public void onUnreachable() {
            unreachable++;
        }
    }

    private static void send(UdpFlow flow, String text) {
        ByteBuf b = Unpooled.copiedBuffer(text, StandardCharsets.UTF_8);
        flow.sendToGuest(b, 0, b.readableBytes());
    }

    @Test
    void publishedPort_showsTheRemotesOwnAddress_andBringsReplies() {
        Replies replies = new Replies();
        IpAddress container = IpAddress.parse("172.17.0.2");
        IpAddress source = IpAddress.parse("10.9.8.7");
        UdpFlow flow = net.network.udp().openInbound(container, 9000, source, 5555, replies);
        send(flow, "ping");
        Datagram d = receiveUdp();
        assertThat(d.source()).isEqualTo(source);
        assertThat(d.sourcePort()).isEqualTo(5555);
        assertThat(d.destination()).isEqualTo(container);
        assertThat(d.destinationPort()).isEqualTo(9000);
        guest.address(container).sendUdp(9000, source, 5555, "pong");
        assertThat(replies.texts).containsExactly("pong");
        flow.close();
        flow.close();
        assertThat(net.count("vpnkit.udp.inbound.active", "")).isZero();
    }

    @Test
    void publishedPort_calledFromLoopbackOrTwice_showsTheGateway() {
        Replies replies = new Replies();
        IpAddress container = IpAddress.parse("172.17.0.2");
        UdpFlow loopback = net.network.udp().openInbound(container, 9000, IpAddress.parse("127.0.0.1"), 5555, replies);
        UdpFlow neighbour =
                net.network.udp().openInbound(container, 9000, IpAddress.parse("172.17.0.1"), 5555, replies);
        send(loopback, "a");
        Datagram a = receiveUdp();
        send(neighbour, "b");
        Datagram b = receiveUdp();
        assertThat(a.source()).isEqualTo(GuestEnd.GATEWAY);
        assertThat(b.source()).isEqualTo(GuestEnd.GATEWAY);
        assertThat(a.sourcePort()).isNotEqualTo(b.sourcePort());
        guest.address(container).sendUdp(9000, GuestEnd.GATEWAY, b.sourcePort(), "to b");
        assertThat(replies.texts).containsExactly("to b");
    }

    /** More callers on the loopback than the gateway has ports to stand for them: a count, and no exception. */
    @Test
    void publishedPort_calledByMoreThanTheGatewayCanStandFor_theRestIsUnreachable() {
        Replies replies = new Replies();
        IpAddress container = IpAddress.parse("172.17.0.2");
        IpAddress loopback = IpAddress.parse("127.0.0.1");
        for (int i = 0; i < 16_384; i++) {
            UdpFlow _ = net.network.udp().openInbound(container, 9000, loopback, 1024 + i, replies);
        }

        UdpFlow one = net.network.udp().openInbound(container, 9000, loopback, 60_000, replies);
        send(one, "x");

        assertThat(replies.unreachable).isEqualTo(1);
        assertThat(net.count("vpnkit.packets.dropped", "layer=udp,reason=no_gateway_port"))
                .isEqualTo(1);
        one.close();
    }

    @Test
    void publishedPort_nobodyListens_ownerHearsIt() {
        Replies replies = new Replies();
        IpAddress container = IpAddress.parse("172.17.0.2");
        UdpFlow flow = net.network.udp().openInbound(container, 9000, IpAddress.parse("10.9.8.7"), 5555, replies);
        send(flow, "x");
        net.loop.runUntil(guest::hasReceived, "a datagram at the guest");
        guest.address(container).sendUnreachable(guest.receive(), IcmpHeader.CODE_PORT);
        assertThat(replies.unreachable).isEqualTo(1);
    }

    @Test
    void publishedPort_ofASilentGuest_bringsAWholeDatagramWhenItIsFound() {
        net.link.setUp(false);
        net.link.setUp(true);
        guest.clearReceived();
        IpAddress container = IpAddress.parse("172.17.0.2");
        UdpFlow flow = net.network.udp().openInbound(container, 9000, IpAddress.parse("10.9.8.7"), 5555, new Replies());
        String text = "x".repeat(65_507);
        send(flow, text);
        net.loop.runUntil(guest::hasReceived, "a question");
        assertThat(guest.receive().isArp()).isTrue();
        guest.receivesNothing();
        guest.sendArpReply(GuestEnd.GATEWAY);
        assertThat(receiveUdp().text()).isEqualTo(text);
    }

    @Test
    void publishedPort_ofNobody_ownerHearsIt() {
        net.link.setUp(false);
        net.link.setUp(true);
        guest.clearReceived();
        Replies replies = new Replies();
        UdpFlow flow = net.network
                .udp()
                .openInbound(IpAddress.parse("172.17.0.2"), 9000, IpAddress.parse("10.9.8.7"), 5555, replies);
        send(flow, "x");
        net.loop.advance(Duration.ofMillis(3001));
        assertThat(replies.unreachable).isEqualTo(1);
        guest.clearReceived();
    }

    private UdpFlow openToGuestItself(Replies replies) {
        guest.sendPing(GuestEnd.GATEWAY, 1, 1, new byte[8]);
        guest.sendPing(GuestEnd.GATEWAY6, 1, 1, new byte[8]);
        guest.clearReceived();
        return net.network.udp().openInbound(GuestEnd.GUEST, 9000, IpAddress.parse("10.9.8.7"), 5555, replies);
    }

    @Test
    void publishedPortOfTheGuestItself_ipv6OnlyListener_getsTheFirstDatagramToo() {
        Replies replies = new Replies();
        UdpFlow flow = openToGuestItself(replies);
        send(flow, "first");
        net.loop.runUntil(guest::hasReceived, "a datagram at the guest");
        guest.sendUnreachable(guest.receive(), IcmpHeader.CODE_PORT);
        Datagram again = receiveUdp();
        assertThat(again.text()).isEqualTo("first");
        assertThat(again.destination()).isEqualTo(GuestEnd.GUEST6);
        assertThat(again.source()).isEqualTo(GuestEnd.GATEWAY6);
        guest.sendUdp(9000, GuestEnd.GATEWAY6, again.sourcePort(), "pong");
        assertThat(replies.texts).containsExactly("pong");
        send(flow, "second");
        assertThat(receiveUdp().destination()).isEqualTo(GuestEnd.GUEST6);
        flow.close();
        assertThat(net.count("vpnkit.udp.inbound.active", "")).isZero();
    }

    @Test
    void publishedPortOfTheGuestItself_nobodyListens_isSaidOnce() {
        Replies replies = new Replies();
        UdpFlow flow = openToGuestItself(replies);
        send(flow, "x");
        net.loop.runUntil(guest::hasReceived, "a datagram at the guest");
        guest.sendUnreachable(guest.receive(), IcmpHeader.CODE_PORT);
        net.loop.runUntil(guest::hasReceived, "a datagram at the guest");
        guest.sendUnreachable(guest.receive(), IcmpHeader.CODE_PORT);
        assertThat(replies.unreachable).isEqualTo(1);
        guest.receivesNothing();
    }

    @Test
    void publishedPortOfTheGuestItself_thatAnswered_staysWhereItIs() {
        Replies replies = new Replies();
        UdpFlow flow = openToGuestItself(replies);
        send(flow, "ping");
        Datagram d = receiveUdp();
        guest.sendUdp(9000, d.source(), d.sourcePort(), "pong");
        send(flow, "again");
        net.loop.runUntil(guest::hasReceived, "a datagram at the guest");
        guest.sendUnreachable(guest.receive(), IcmpHeader.CODE_PORT);
        guest.receivesNothing();
        assertThat(replies.unreachable).isEqualTo(1);
    }

    @Test
    void publishedPortOfTheGuestItself_longFirstDatagram_isLost_andTheNextArrives() {
        UdpFlow flow = openToGuestItself(new Replies());
        send(flow, "x".repeat(3000));
        net.loop.runUntil(guest::hasReceived, "a datagram at the guest");
        guest.sendUnreachable(guest.receive(), IcmpHeader.CODE_PORT);
        guest.clearReceived();
        send(flow, "next");
        assertThat(receiveUdp().destination()).isEqualTo(GuestEnd.GUEST6);
    }

    @Test
    void guestWithoutRoom_losesDatagrams_andNothingElse() throws IOException {
        Remote remote = new Remote();
        guest.sendUdp(4000, GuestEnd.HOST, remote.port(), "x");
        InetSocketAddress from = remote.receive();
        net.link.limitRoom(0);
        remote.send("lost", from);
        net.loop.runUntil(() -> net.dropped("layer=udp,reason=no_room") == 1, "the drop");
        net.link.makeRoom();
        remote.send("found", from);
        assertThat(receiveUdp().text()).isEqualTo("found");
    }
}
