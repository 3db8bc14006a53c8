package dev.longshore.packet.wire;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** RFC 4443, RFC 4861 §4, RFC 8106 §5. */
class Icmpv6Test {
    private static final IpAddress A = IpAddress.parse("fe80::1");
    private static final IpAddress B = IpAddress.parse("ff02::1");
    private static final long MAC = 0x024C_5300_0001L;

    private final ByteBuf b = Unpooled.buffer();

    @Test
    void echo_roundTrips_andItsChecksumCoversTheAddresses() {
        Icmpv6Header.write(b, Icmpv6Header.ECHO_REQUEST, 0, 7 << 16 | 9);
        b.writeByte(1);
        Icmpv6Header.complete(b, 0, 9, A.hi(), A.lo(), B.hi(), B.lo());
        assertThat(Icmpv6Header.isValid(b, 0, 9)).isTrue();
        assertThat(Icmpv6Header.isValid(b, 0, 7)).isFalse();
        assertThat(Icmpv6Header.identifier(b, 0)).isEqualTo(7);
        assertThat(Icmpv6Header.sequence(b, 0)).isEqualTo(9);
        assertThat(Icmpv6Header.isChecksumRight(b, 0, 9, A.hi(), A.lo(), B.hi(), B.lo()))
                .isTrue();
        assertThat(Icmpv6Header.isChecksumRight(b, 0, 9, A.hi(), A.lo(), B.hi(), B.lo() + 1))
                .isFalse();
    }

    @Test
    void echoRequest_fromOneLinkLocalToAnother_hasTheChecksumOfAKnownPacket() {
        // By hand: fe80::1 > fe80::2, length 8, next header 58, 80 00 00 00 00 01 00 01.
        Icmpv6Header.write(b, Icmpv6Header.ECHO_REQUEST, 0, 0x0001_0001);
        IpAddress to = IpAddress.parse("fe80::2");
        Icmpv6Header.complete(b, 0, 8, A.hi(), A.lo(), to.hi(), to.lo());
        int sum = 0xFE80 + 1 + 0xFE80 + 2 + 8 + 58 + 0x8000 + 1 + 1;
        assertThat(b.getUnsignedShort(2)).isEqualTo(~((sum & 0xFFFF) + (sum >>> 16)) & 0xFFFF);
    }

    @Test
    void neighborSolicitation_roundTrips() {
        NdpMessage.writeSolicitation(b, A.hi(), A.lo());
        NdpMessage.writeLinkAddress(b, NdpMessage.OPTION_SOURCE_LINK, MAC);
        assertThat(NdpMessage.isValid(b, 0, 32)).isTrue();
        assertThat(NdpMessage.isValid(b, 0, 33)).as("more than there is").isFalse();
        assertThat(NdpMessage.isValid(b, 0, 31)).as("cut option").isFalse();
        assertThat(NdpMessage.isValid(b, 0, 25)).as("half an option header").isFalse();
        assertThat(NdpMessage.isValid(b, 0, 24)).as("no option").isTrue();
        assertThat(NdpMessage.isValid(b, 0, 23)).as("cut target").isFalse();
        assertThat(NdpMessage.targetHi(b, 0)).isEqualTo(A.hi());
        assertThat(NdpMessage.targetLo(b, 0)).isEqualTo(A.lo());
        assertThat(NdpMessage.linkAddress(b, 0, 32, NdpMessage.OPTION_SOURCE_LINK))
                .isEqualTo(MAC);
        assertThat(NdpMessage.linkAddress(b, 0, 32, NdpMessage.OPTION_TARGET_LINK))
                .isEqualTo(-1);
        b.setByte(25, 0);
        assertThat(NdpMessage.isValid(b, 0, 32)).as("RFC 4861 §4.6: length 0").isFalse();
    }

    @Test
    void neighborAdvertisement_roundTrips() {
        NdpMessage.writeAdvertisement(b, NdpMessage.FLAG_SOLICITED | NdpMessage.FLAG_OVERRIDE, A.hi(), A.lo());
        assertThat(NdpMessage.isValid(b, 0, 24)).isTrue();
        assertThat(NdpMessage.flags(b, 0)).isEqualTo(0x6000_0000);
    }

    @Test
    void routerAdvertisement_hasItsOptionsInWholeUnits() {
        NdpMessage.writeRouterAdvertisement(b, 64, NdpMessage.FLAG_MANAGED, 1800);
        NdpMessage.writePrefix(
                b, NdpMessage.PREFIX_ON_LINK | NdpMessage.PREFIX_AUTONOMOUS, NdpMessage.INFINITE, 3600, 0xFDC4L << 48);
        NdpMessage.writeMtu(b, 1500);
        NdpMessage.writeRdnss(b, 600, A.hi(), A.lo());
        NdpMessage.writeDnssl(b, 600, List.of());
        int at = b.writerIndex();
        NdpMessage.writeDnssl(b, 600, List.of("docker.internal", "a.b"));
        int len = b.readableBytes();
        assertThat(NdpMessage.isValid(b, 0, len)).isTrue();
        assertThat(NdpMessage.routerLifetime(b, 0)).isEqualTo(1800);
        assertThat(NdpMessage.routerFlags(b, 0)).isEqualTo(NdpMessage.FLAG_MANAGED);
        assertThat(NdpMessage.option(b, 0, len, NdpMessage.OPTION_DNSSL)).isEqualTo(at);
        assertThat(b.getUnsignedByte(at + 1)).isEqualTo((short) 4); // 8 + 17 + 5 bytes, padded to 32
        assertThat(b.getInt(NdpMessage.option(b, 0, len, NdpMessage.OPTION_MTU) + 4))
                .isEqualTo(1500);
    }

    @Test
    void randomMessages_validOrNot_neverFault() {
        long read = 0;
        for (int seed = 0; seed < 200_000; seed++) {
            Random random = new Random(seed);
            byte[] bytes = new byte[random.nextInt(80)];
            random.nextBytes(bytes);
            if (bytes.length > 0 && random.nextBoolean()) {
                bytes[0] = (byte) (NdpMessage.ROUTER_SOLICITATION + random.nextInt(5));
                for (int i = 9; i < bytes.length; i += 8) {
                    bytes[i] = (byte) random.nextInt(3);
                }
            }
            ByteBuf x = Unpooled.wrappedBuffer(bytes);
            int len = random.nextInt(bytes.length + 2);
            if (NdpMessage.isValid(x, 0, len)) {
                read += 1 + NdpMessage.linkAddress(x, 0, len, random.nextInt(4));
                if (x.getUnsignedByte(0) == NdpMessage.NEIGHBOR_SOLICITATION) {
                    read += NdpMessage.targetLo(x, 0);
                }
            }
        }
        assertThat(read).isNotZero();
    }
}
