package dev.longshore.packet.wire;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** RFC 8200 §4. */
class Ipv6ExtensionTest {
    private final ByteBuf b = Unpooled.buffer();

    private static ByteBuf options(int... bytes) {
        ByteBuf x = Unpooled.buffer().writeByte(IpProtocol.UDP).writeByte((bytes.length + 2) / 8 - 1);
        for (int value : bytes) {
            x.writeByte(value);
        }
        return x;
    }

    @Test
    void length_isCountedInEightsWithoutTheFirst() {
        ByteBuf x = options(1, 4, 0, 0, 0, 0);
        assertThat(Ipv6Extension.isValid(x, 0, 8)).isTrue();
        assertThat(Ipv6Extension.headerBytes(x, 0)).isEqualTo(8);
        assertThat(Ipv6Extension.nextHeader(x, 0)).isEqualTo(IpProtocol.UDP);
        x.setByte(1, 1);
        assertThat(Ipv6Extension.isValid(x, 0, 8)).isFalse();
    }

    @Test
    void options_thatMayBeSkipped_areSkipped() {
        assertThat(Ipv6Extension.badOption(options(1, 4, 0, 0, 0, 0), 0)).isEqualTo(Ipv6Extension.NONE);
        assertThat(Ipv6Extension.badOption(options(0, 0, 0, 0, 0, 0), 0)).isEqualTo(Ipv6Extension.NONE);
        assertThat(Ipv6Extension.badOption(options(5, 2, 0, 0, 1, 0), 0))
                .as("router alert, of MLD")
                .isEqualTo(Ipv6Extension.NONE);
    }

    @Test
    void optionsThatMustBeKnown_orDoNotFit_areFound() {
        assertThat(Ipv6Extension.badOption(options(0, 0xC2, 2, 0, 0, 0), 0)).isEqualTo(3);
        assertThat(Ipv6Extension.badOption(options(1, 5, 0, 0, 0, 0), 0)).isEqualTo(2);
        assertThat(Ipv6Extension.badOption(options(0, 0, 0, 0, 0, 1), 0)).isEqualTo(7);
        assertThat(Ipv6Extension.wantsError(0xC2)).isTrue();
        assertThat(Ipv6Extension.wantsError(0x82)).isTrue();
        assertThat(Ipv6Extension.wantsError(0x42)).isFalse();
    }

    @Test
    void fragment_roundTrips() {
        Ipv6Extension.writeFragment(b, IpProtocol.UDP, 1448, true, 0x1234_5678);
        assertThat(b.readableBytes()).isEqualTo(Ipv6Extension.FRAGMENT_BYTES);
        assertThat(Ipv6Extension.nextHeader(b, 0)).isEqualTo(IpProtocol.UDP);
        assertThat(Ipv6Extension.fragmentOffset(b, 0)).isEqualTo(1448);
        assertThat(Ipv6Extension.moreFragments(b, 0)).isTrue();
        assertThat(Ipv6Extension.identification(b, 0)).isEqualTo(0x1234_5678);
    }

    @Test
    void addresses_haveTheirScopes() {
        assertThat(IpAddress.isMulticast(IpAddress.parse("ff02::1").hi())).isTrue();
        assertThat(IpAddress.isMulticast(IpAddress.parse("fe80::1").hi())).isFalse();
        assertThat(IpAddress.isLinkLocal(IpAddress.parse("fe80::1").hi())).isTrue();
        assertThat(IpAddress.isLinkLocal(IpAddress.parse("febf::1").hi())).isTrue();
        assertThat(IpAddress.isLinkLocal(IpAddress.parse("fec0::1").hi())).isFalse();
    }

    @Test
    void randomBytes_neverFault() {
        int found = 0;
        for (int seed = 0; seed < 100_000; seed++) {
            Random random = new Random(seed);
            byte[] bytes = new byte[random.nextInt(70)];
            random.nextBytes(bytes);
            if (bytes.length > 1) {
                bytes[1] = (byte) random.nextInt(8);
            }
            ByteBuf x = Unpooled.wrappedBuffer(bytes);
            if (Ipv6Extension.isValid(x, 0, bytes.length) && Ipv6Extension.badOption(x, 0) >= 0) {
                found++;
            }
        }
        assertThat(found).isPositive();
    }
}
