package dev.longshore.packet.wire;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What is written can be read; what is no header is not valid; what is valid can be read without a fault. */
class HeadersTest {
    private final ByteBuf b = Unpooled.buffer();

    @Test
    void ethernetAndArp_roundTrip() {
        EthernetHeader.write(b, EthernetHeader.BROADCAST, 0x024C_5300_0003L, EthernetHeader.TYPE_ARP);
        ArpPacket.write(b, ArpPacket.REQUEST, 0x024C_5300_0003L, 0xC0A8_4103, 0, 0xC0A8_4101);
        assertThat(EthernetHeader.isValid(b, 0, 42)).isTrue();
        assertThat(EthernetHeader.isValid(b, 0, 43)).isFalse();
        assertThat(EthernetHeader.destination(b, 0)).isEqualTo(EthernetHeader.BROADCAST);
        assertThat(EthernetHeader.toText(EthernetHeader.source(b, 0))).isEqualTo("02:4c:53:00:00:03");
        assertThat(EthernetHeader.isGroup(EthernetHeader.destination(b, 0))).isTrue();
        assertThat(EthernetHeader.isGroup(EthernetHeader.source(b, 0))).isFalse();
        assertThat(ArpPacket.isValid(b, 14, 28)).isTrue();
        assertThat(ArpPacket.isValid(b, 14, 27)).isFalse();
        assertThat(ArpPacket.senderMac(b, 14)).isEqualTo(0x024C_5300_0003L);
        assertThat(ArpPacket.targetIp(b, 14)).isEqualTo(0xC0A8_4101);
    }

    @Test
    void ipv4_roundTrips_andChecksItsLengths() {
        Ipv4Header.write(b, IpProtocol.UDP, 64, Ipv4Header.DF, 0x0A00_0001, 0x0A00_0002);
        b.writeZero(8);
        Ipv4Header.complete(b, 0, 28);
        assertThat(Ipv4Header.isValid(b, 0, 28)).isTrue();
        assertThat(Ipv4Header.isChecksumRight(b, 0)).isTrue();
        assertThat(Ipv4Header.isFragment(b, 0)).isFalse();
        assertThat(Ipv4Header.isValid(b, 0, 27)).as("cut").isFalse();
        assertThat(Ipv4Header.isValid(b, 0, 29)).as("more than there is").isFalse();
        assertThat(Ipv4Header.isValid(b.copy().setByte(0, 0x44), 0, 28))
                .as("short header")
                .isFalse();
        assertThat(Ipv4Header.isValid(b.copy().setByte(0, 0x48), 0, 28))
                .as("long header")
                .isFalse();
        assertThat(Ipv4Header.isValid(b.copy().setByte(0, 0x65), 0, 28))
                .as("version")
                .isFalse();
        assertThat(Ipv4Header.isValid(b.copy().setShort(2, 19), 0, 28))
                .as("total length")
                .isFalse();
        Ipv4Header.completeFragment(b, 0, 28, 7, 1480, true);
        assertThat(Ipv4Header.fragmentOffset(b, 0)).isEqualTo(1480);
        assertThat(Ipv4Header.moreFragments(b, 0)).isTrue();
        assertThat(Ipv4Header.identification(b, 0)).isEqualTo(7);
        assertThat(Ipv4Header.isChecksumRight(b, 0)).isTrue();
    }

    @Test
    void ipv6_roundTrips() {
        Ipv6Header.write(b, IpProtocol.ICMPV6, 255, 1, 2, 3, 4);
        b.writeZero(8);
        Ipv6Header.complete(b, 0, 8);
        assertThat(Ipv6Header.isValid(b, 0, 48)).isTrue();
        assertThat(Ipv6Header.isValid(b, 0, 47)).isFalse();
        assertThat(Ipv6Header.hopLimit(b, 0)).isEqualTo(255);
        assertThat(Ipv6Header.sourceLo(b, 0)).isEqualTo(2);
        assertThat(Ipv6Header.destinationHi(b, 0)).isEqualTo(3);
    }

    @Test
    void udp_checksumIsNeverZero_andZeroMeansNone() {
        UdpHeader.write(b, 1, 2, 10);
        b.writeShort(0);
        long lo = IpAddress.loOfV4(0);
        assertThat(UdpHeader.isChecksumRight(b, 0, 0, lo, 0, lo)).as("absent").isTrue();
        long sum = Checksum.pseudoHeader(0, lo, 0, lo, IpProtocol.UDP, 10) + Checksum.sum(b, 0, 10);
        b.setShort(8, Checksum.finish(sum)); // makes the whole sum 0xFFFF, so the checksum would be 0
        UdpHeader.setChecksum(b, 0, 0xFFFF);
        assertThat(UdpHeader.checksum(b, 0)).isEqualTo(0xFFFF);
        assertThat(UdpHeader.isChecksumRight(b, 0, 0, lo, 0, lo)).isTrue();
        assertThat(UdpHeader.isValid(b.setShort(4, 7), 0, 10)).isFalse();
        assertThat(UdpHeader.isValid(b.setShort(4, 11), 0, 10)).isFalse();
    }

    @Test
    void dhcpOptions_endWhereTheyStopMakingSense() {
        DhcpMessage.write(b, DhcpMessage.BOOT_REQUEST, 1, true, 0, 0, 0, 0, 0x0200_0000_0001L);
        DhcpMessage.writeByteOption(b, DhcpMessage.OPTION_MESSAGE_TYPE, DhcpMessage.DISCOVER);
        b.writeZero(3); // padding between options
        DhcpMessage.writeIntOption(b, DhcpMessage.OPTION_REQUESTED_ADDRESS, 0x0A00_0001);
        DhcpMessage.writeEnd(b, 0);
        int len = b.readableBytes();
        assertThat(len).isEqualTo(300);
        assertThat(DhcpMessage.isValid(b, 0, len)).isTrue();
        assertThat(DhcpMessage.wantsBroadcast(b, 0)).isTrue();
        assertThat(DhcpMessage.clientMac(b, 0)).isEqualTo(0x0200_0000_0001L);
        assertThat(DhcpMessage.byteOption(b, 0, len, DhcpMessage.OPTION_MESSAGE_TYPE, 0))
                .isEqualTo(1);
        assertThat(DhcpMessage.intOption(b, 0, len, DhcpMessage.OPTION_REQUESTED_ADDRESS, 0))
                .isEqualTo(0x0A00_0001);
        assertThat(DhcpMessage.intOption(b, 0, len, DhcpMessage.OPTION_SERVER_ID, 9))
                .isEqualTo(9);
        b.setByte(241, 200); // the first option claims more than there is
        assertThat(DhcpMessage.option(b, 0, len, DhcpMessage.OPTION_REQUESTED_ADDRESS))
                .isEqualTo(-1);
    }

    @Test
    void dnsName_followsPointersBackwardsOnly() {
        DnsMessage.writeQueryHeader(b, 7);
        DnsMessage.writeQuestion(b, "Host.Docker.Internal", DnsMessage.TYPE_A);
        int second = b.writerIndex();
        b.writeByte(1).writeByte('a').writeShort(0xC000 | 17); // a + .docker.internal
        int loop = b.writerIndex();
        b.writeShort(0xC000 | loop);
        int forward = b.writerIndex();
        b.writeShort(0xC000 | (forward + 2)).writeByte(0);
        int len = b.readableBytes();
        assertThat(DnsMessage.name(b, 0, len, 12)).isEqualTo("host.docker.internal");
        assertThat(DnsMessage.name(b, 0, len, second)).isEqualTo("a.docker.internal");
        assertThat(DnsMessage.skipName(b, 0, len, second)).isEqualTo(second + 4);
        assertThat(DnsMessage.name(b, 0, len, loop)).isNull();
        assertThat(DnsMessage.name(b, 0, len, forward)).isNull();
    }

    @Test
    void dnsName_thatIsTooLongOrHasOddBytes_isNone() {
        b.writeZero(12);
        for (int i = 0; i < 5; i++) {
            b.writeByte(60).writeBytes("x".repeat(60).getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        }
        b.writeByte(0);
        assertThat(DnsMessage.name(b, 0, b.readableBytes(), 12)).isNull();
        assertThat(DnsMessage.skipName(b, 0, b.readableBytes(), 12)).isEqualTo(-1);
        int odd = b.writerIndex();
        b.writeByte(3).writeByte('a').writeByte('.').writeByte('b').writeByte(0);
        assertThat(DnsMessage.name(b, 0, b.readableBytes(), odd)).isNull();
    }

    @Test
    void randomBytes_validOrNot_neverFault() {
        long read = 0;
        for (int seed = 0; seed < 100_000; seed++) {
            Random random = new Random(seed);
            byte[] bytes = new byte[random.nextInt(120)];
            random.nextBytes(bytes);
            ByteBuf x = Unpooled.wrappedBuffer(bytes);
            int at = bytes.length == 0 ? 0 : random.nextInt(bytes.length);
            int len = random.nextInt(bytes.length + 2);
            read += readAll(x, at, len);
        }
        assertThat(read).isNotZero();
    }

    private static long readAll(ByteBuf x, int at, int len) {
        long read = 0;
        if (Ipv4Header.isValid(x, at, len)) {
            read += Ipv4Header.totalLength(x, at) + (Ipv4Header.isChecksumRight(x, at) ? 1 : 0);
        }
        if (Ipv6Header.isValid(x, at, len)) {
            read += Ipv6Header.destinationLo(x, at);
        }
        if (UdpHeader.isValid(x, at, len)) {
            read += UdpHeader.isChecksumRight(x, at, 0, 0, 0, 0) ? 1 : 2;
        }
        if (IcmpHeader.isValid(x, at, len)) {
            read += IcmpHeader.isChecksumRight(x, at, len) ? 1 : 2;
        }
        if (ArpPacket.isValid(x, at, len)) {
            read += ArpPacket.targetIp(x, at);
        }
        if (DnsMessage.isValid(x, at, len)) {
            String name = DnsMessage.name(x, at, len, at + DnsMessage.HEADER_BYTES);
            read += name == null ? 1 : name.length();
            int i = DnsMessage.skipQuestion(x, at, len, at + DnsMessage.HEADER_BYTES);
            while (i >= 0 && i < at + len) {
                read++;
                i = DnsMessage.skipRecord(x, at, len, i);
            }
        }
        return read;
    }
}
