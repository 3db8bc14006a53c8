package dev.longshore.vpnkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.Received;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** RFC 792, RFC 1122 §3.2.2. */
class NetworkIcmpTest {
    private static final IpAddress ELSEWHERE = IpAddress.parse("192.0.2.1");

    private final TestNetwork net = new TestNetwork();
    private final GuestEnd guest = net.guest;

    @AfterEach
    void close() {
        net.close();
    }

    @Test
    void pingToOurAddresses_isAnsweredWithItsData() {
        byte[] data = {1, 2, 3, 4, 5, 6, 7};
        for (IpAddress ours : new IpAddress[] {GuestEnd.GATEWAY, GuestEnd.DNS, GuestEnd.HOST}) {
            guest.sendPing(ours, 77, 5, data);
            Received reply = guest.receiveIcmp(IcmpHeader.ECHO_REPLY, 0);
            assertThat(reply.source()).isEqualTo(ours);
            assertThat(IcmpHeader.identifier(reply.frame(), reply.transportAt()))
                    .isEqualTo(77);
            assertThat(IcmpHeader.sequence(reply.frame(), reply.transportAt())).isEqualTo(5);
            assertThat(reply.bytesFrom(reply.transportAt() + IcmpHeader.BYTES)).isEqualTo(data);
        }
        assertThat(net.link.unflushedFrames()).isZero();
    }

    @Test
    void largePing_inFragments_isAnsweredInFragments() {
        byte[] data = new byte[4000];
        data[3999] = 9;
        ByteBuf b = Unpooled.buffer(8 + data.length);
        IcmpHeader.write(b, IcmpHeader.ECHO_REQUEST, 0, 1);
        b.writeBytes(data);
        IcmpHeader.complete(b, 0, b.writerIndex());
        guest.sendFragments(IpProtocol.ICMP, GuestEnd.GATEWAY, b, 1500);
        int bytes = 0;
        for (int i = 0; i < 3; i++) {
            Received piece = guest.receive();
            assertThat(Ipv4Header.isFragment(piece.frame(), piece.ipAt())).isTrue();
            assertThat(Ipv4Header.fragmentOffset(piece.frame(), piece.ipAt())).isEqualTo(bytes);
            bytes += piece.transportLen();
        }
        assertThat(bytes).isEqualTo(4008);
        guest.receivesNothing();
    }

    /** openvmm PR#3413: what was no TCP was marked for segmentation as TCP. The link checks the same of every frame there is. */
    @Test
    void largePing_ofAGuestThatTakesSegments_isAnsweredInFragmentsAllTheSame() {
        net.link.offloading();
        ByteBuf b = Unpooled.buffer(8 + 30_000);
        IcmpHeader.write(b, IcmpHeader.ECHO_REQUEST, 0, 1);
        b.writeZero(30_000);
        IcmpHeader.complete(b, 0, b.writerIndex());
        guest.sendFragments(IpProtocol.ICMP, GuestEnd.GATEWAY, b, 1500);
        int bytes = 0;
        while (bytes < 30_008) {
            Received piece = guest.receive();
            assertThat(piece.frame().readableBytes()).isLessThanOrEqualTo(1514);
            assertThat(Ipv4Header.fragmentOffset(piece.frame(), piece.ipAt())).isEqualTo(bytes);
            bytes += piece.transportLen();
        }
        guest.receivesNothing();
    }

    /** As nmap does, looking for the kind of a system. The guest's end checks the checksum. */
    @Test
    void pingWithCode_isAnsweredByAValidReply() {
        ByteBuf echo = Unpooled.buffer(8);
        IcmpHeader.write(echo, IcmpHeader.ECHO_REQUEST, 9, 1);
        IcmpHeader.complete(echo, 0, 8);
        guest.sendIp(IpProtocol.ICMP, GuestEnd.GATEWAY, echo, 0);
        guest.receiveIcmp(IcmpHeader.ECHO_REPLY, 0);
    }

    @Test
    void pingElsewhere_withoutPingSockets_isSaidToBeProhibited() {
        guest.sendPing(ELSEWHERE, 9, 3, new byte[8]);
        Received error = guest.receiveIcmp(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_ADMIN_PROHIBITED);
        int quoteAt = error.transportAt() + IcmpHeader.BYTES;
        assertThat(Ipv4Header.destination(error.frame(), quoteAt)).isEqualTo(ELSEWHERE.v4Bits());
        assertThat(Ipv4Header.protocol(error.frame(), quoteAt)).isEqualTo(IpProtocol.ICMP);
        assertThat(IcmpHeader.identifier(error.frame(), quoteAt + 20)).isEqualTo(9);
        assertThat(IcmpHeader.sequence(error.frame(), quoteAt + 20)).isEqualTo(3);
    }

    @Test
    void subnetAddressNobodyHas_isUnreachable() {
        guest.sendPing(IpAddress.parse("192.168.65.99"), 1, 1, new byte[0]);
        guest.receiveIcmp(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_HOST);
    }

    @Test
    void lastHop_isTheGateway() {
        ByteBuf echo = Unpooled.buffer(8);
        IcmpHeader.write(echo, IcmpHeader.ECHO_REQUEST, 0, 1);
        IcmpHeader.complete(echo, 0, 8);
        guest.sendFrame(guest.ip(IpProtocol.ICMP, GuestEnd.GUEST, ELSEWHERE, 1, echo), 0);
        Received error = guest.receiveIcmp(IcmpHeader.TIME_EXCEEDED, 0);
        assertThat(error.source()).isEqualTo(GuestEnd.GATEWAY);
    }

    @Test
    void unknownProtocol_isUnreachable() {
        guest.sendIp(132, ELSEWHERE, Unpooled.buffer().writeZero(12), 0); // SCTP
        guest.receiveIcmp(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_PROTOCOL);
    }

    @Test
    void errors_areLimitedAndRecover() {
        for (int i = 0; i < 200; i++) {
            guest.sendIp(132, ELSEWHERE, Unpooled.buffer().writeZero(12), 0);
        }
        assertThat(guest.receivedCount()).isEqualTo(50);
        guest.clearReceived();
        net.loop.advance(Duration.ofMillis(10));
        for (int i = 0; i < 200; i++) {
            guest.sendIp(132, ELSEWHERE, Unpooled.buffer().writeZero(12), 0);
        }
        assertThat(guest.receivedCount()).isEqualTo(10);
    }

    @Test
    void icmpErrorsAndBadChecksums_getNoAnswer() {
        ByteBuf error = Unpooled.buffer(8);
        IcmpHeader.write(error, IcmpHeader.TIME_EXCEEDED, 0, 0);
        IcmpHeader.complete(error, 0, 8);
        guest.sendFrame(guest.ip(IpProtocol.ICMP, GuestEnd.GUEST, ELSEWHERE, 1, error), 0);
        ByteBuf bad = Unpooled.buffer(8);
        IcmpHeader.write(bad, IcmpHeader.ECHO_REQUEST, 0, 1);
        bad.setShort(2, 0x1234);
        guest.sendIp(IpProtocol.ICMP, GuestEnd.GATEWAY, bad, 0);
        guest.receivesNothing();
        assertThat(net.dropped("layer=icmp,reason=checksum")).isEqualTo(1);
    }

    /** An ICMP error of the guest about a TCP segment of ours from {@code ELSEWHERE}:80 to its port 4000, quoting so many bytes of it. */
    private void sendsError(int code, int mtu, int quoted) {
        ByteBuf segment = Unpooled.buffer();
        Ipv4Header.write(segment, IpProtocol.TCP, 60, Ipv4Header.DF, ELSEWHERE.v4Bits(), GuestEnd.GUEST.v4Bits());
        Ipv4Header.complete(segment, 0, 1500);
        segment.writeShort(80).writeShort(4000).writeInt(-5).writeInt(0);
        ByteBuf b = Unpooled.buffer();
        IcmpHeader.write(b, IcmpHeader.DESTINATION_UNREACHABLE, code, mtu);
        b.writeBytes(segment, 0, Ipv4Header.MIN_BYTES + quoted);
        IcmpHeader.complete(b, 0, b.writerIndex());
        guest.sendIp(IpProtocol.ICMP, GuestEnd.GATEWAY, b, 0);
    }

    /** RFC 1191 §4. */
    @Test
    void tooBig_isTcpsToKnow_withWhatIsQuoted() {
        sendsError(IcmpHeader.CODE_TOO_BIG, 1300, 8);
        assertThat(net.tcp.tooBig).containsExactly(new TestNetwork.NoTcp.TooBig(4000, ELSEWHERE, 80, -5, 1300));
        assertThat(net.tcp.unreachable).isZero();
    }

    /** RFC 1191 §5. */
    @Test
    void tooBig_ofAnOldRouter_meansWhatEveryPathCarries() {
        sendsError(IcmpHeader.CODE_TOO_BIG, 0, 8);
        assertThat(net.tcp.tooBig).extracting(TestNetwork.NoTcp.TooBig::mtu).containsExactly(576);
    }

    @Test
    void tooBig_withoutASequenceNumber_isDropped() {
        sendsError(IcmpHeader.CODE_TOO_BIG, 1300, 4);
        assertThat(net.tcp.tooBig).isEmpty();
        assertThat(net.count("vpnkit.packets.dropped", "quote")).isEqualTo(1);
    }

    @Test
    void unreachable_isNotTooBig() {
        sendsError(IcmpHeader.CODE_HOST, 0, 8);
        assertThat(net.tcp.tooBig).isEmpty();
        assertThat(net.tcp.unreachable).isEqualTo(1);
    }
}
