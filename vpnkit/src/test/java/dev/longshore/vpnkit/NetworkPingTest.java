package dev.longshore.vpnkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.linux.DatagramSockets;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.Received;
import dev.longshore.vpnkit.flow.FlowSnapshot;
import dev.longshore.vpnkit.icmp.PingSockets;
import dev.longshore.vpnkit.udp.UdpLimits;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.net.Inet4Address;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Pings that leave by sockets of the host, to an address of the host that is not loopback: it answers itself. */
class NetworkPingTest {
    private final TestNetwork net = new TestNetwork(UdpLimits.standard(), List.of(), PingSockets.ofHost());
    private final GuestEnd guest = net.guest;
    private final DatagramSockets sockets = new DatagramSockets();
    private IpAddress self = GuestEnd.HOST;

    @BeforeEach
    void needsAnAddressAndASocket() throws SocketException {
        Optional<IpAddress> own = NetworkInterface.networkInterfaces()
                .flatMap(NetworkInterface::inetAddresses)
                .filter(a -> a instanceof Inet4Address && !a.isLoopbackAddress() && !a.isLinkLocalAddress())
                .map(IpAddress::of)
                .findAny();
        assumeTrue(own.isPresent(), "this host has loopback only");
        self = own.get();
        int ping = sockets.ping(true);
        int raw = sockets.rawEcho(true);
        assumeTrue(ping >= 0 || raw >= 0, "this host allows no pings");
        sockets.close(ping);
        sockets.close(raw);
    }

    @AfterEach
    void close() {
        net.close();
    }

    private Received answer() {
        net.loop.runUntil(guest::hasReceived, "an answer");
        return guest.receive();
    }

    @Test
    void ping_bringsTheRemotesAnswer_withItsTtlLessOneHop() {
        byte[] data = {1, 2, 3, 4, 5, 6, 7, 8, 9};
        guest.sendPing(self, 77, 5, data);
        Received reply = answer();
        assertThat(reply.source()).isEqualTo(self);
        assertThat(IcmpHeader.type(reply.frame(), reply.transportAt())).isEqualTo(IcmpHeader.ECHO_REPLY);
        assertThat(IcmpHeader.identifier(reply.frame(), reply.transportAt())).isEqualTo(77);
        assertThat(IcmpHeader.sequence(reply.frame(), reply.transportAt())).isEqualTo(5);
        assertThat(reply.bytesFrom(reply.transportAt() + IcmpHeader.BYTES)).isEqualTo(data);
        assertThat(Ipv4Header.ttl(reply.frame(), reply.ipAt())).isEqualTo(63);
        assertThat(net.link.unflushedFrames()).isZero();
    }

    @Test
    void pingsOfSeveralIdentifiers_keepTheirs() {
        for (int id = 100; id < 110; id++) {
            guest.sendPing(self, id, id + 1, new byte[id]);
        }
        for (int i = 0; i < 10; i++) {
            Received reply = answer();
            int id = IcmpHeader.identifier(reply.frame(), reply.transportAt());
            assertThat(IcmpHeader.sequence(reply.frame(), reply.transportAt())).isEqualTo(id + 1);
            assertThat(reply.transportLen()).isEqualTo(IcmpHeader.BYTES + id);
        }
    }

    @Test
    void largePing_crossesInFragments() {
        ByteBuf b = Unpooled.buffer();
        IcmpHeader.write(b, IcmpHeader.ECHO_REQUEST, 0, 1);
        b.writeZero(20_000);
        IcmpHeader.complete(b, 0, b.writerIndex());
        guest.sendFragments(IpProtocol.ICMP, self, b, 1500);
        int bytes = 0;
        while (bytes < 20_008) {
            Received piece = answer();
            assertThat(Ipv4Header.fragmentOffset(piece.frame(), piece.ipAt())).isEqualTo(bytes);
            bytes += piece.transportLen();
        }
        assertThat(bytes).isEqualTo(20_008);
    }

    /** gvproxy: a ping always succeeded, to dead hosts too. */
    @Test
    void nobodyAnswers_nothingIsForged() {
        guest.sendPing(IpAddress.parse("240.0.0.1"), 9, 1, new byte[8]); // no route leads there
        net.loop.advance(Duration.ofSeconds(5));
        for (Received r = guest.poll(); r != null; r = guest.poll()) {
            assertThat(IcmpHeader.type(r.frame(), r.transportAt())).isEqualTo(IcmpHeader.DESTINATION_UNREACHABLE);
        }
        assertThat(net.count("vpnkit.icmp.echo.replied", "")).isZero();
    }

    @Test
    void pings_areListed_andEndWhenIdle() {
        guest.sendPing(self, 77, 5, new byte[56]);
        answer();
        FlowSnapshot flow = net.network.echoes().snapshot().getFirst();
        assertThat(flow.guestPort()).isEqualTo(77);
        assertThat(flow.remote()).isEqualTo(self);
        assertThat(flow.bytesFromGuest()).isEqualTo(56);
        assertThat(flow.bytesToGuest()).isEqualTo(56);
        net.loop.advance(Duration.ofSeconds(40));
        assertThat(net.network.echoes().snapshot()).isEmpty();
        net.link.setUp(false); // the router's timer
        assertThat(net.loop.nanosToNextTimer()).isEqualTo(Long.MAX_VALUE);
    }
}
