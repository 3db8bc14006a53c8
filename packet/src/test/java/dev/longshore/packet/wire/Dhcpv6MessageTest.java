package dev.longshore.packet.wire;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** RFC 8415 §8, §21. */
class Dhcpv6MessageTest {
    private static final long MAC = 0x024C_5300_0003L;

    private final ByteBuf b = Unpooled.buffer();

    @Test
    void solicit_roundTrips() {
        Dhcpv6Message.write(b, Dhcpv6Message.SOLICIT, 0xFFAB_CDEF);
        Dhcpv6Message.writeLinkLayerDuid(b, Dhcpv6Message.OPTION_CLIENT_ID, MAC);
        int request = Dhcpv6Message.beginOption(b, Dhcpv6Message.OPTION_REQUEST);
        b.writeShort(Dhcpv6Message.OPTION_DNS_SERVERS);
        Dhcpv6Message.endOption(b, request);
        int ia = Dhcpv6Message.beginOption(b, Dhcpv6Message.OPTION_IA_NA);
        b.writeInt(1).writeLong(0);
        Dhcpv6Message.writeAddress(b, 1, 2, 3, 4);
        Dhcpv6Message.endOption(b, ia);
        int len = b.readableBytes();
        assertThat(Dhcpv6Message.isValid(b, 0, len)).isTrue();
        assertThat(Dhcpv6Message.isValid(b, 0, len - 1)).isFalse();
        assertThat(Dhcpv6Message.isValid(b, 0, len + 1)).isFalse();
        assertThat(Dhcpv6Message.type(b, 0)).isEqualTo(Dhcpv6Message.SOLICIT);
        assertThat(Dhcpv6Message.transaction(b, 0)).isEqualTo(0xAB_CDEF);
        int duid = Dhcpv6Message.option(b, 0, len, Dhcpv6Message.OPTION_CLIENT_ID);
        assertThat(Dhcpv6Message.isLinkLayerDuid(b, duid, Dhcpv6Message.length(b, duid), MAC))
                .isTrue();
        assertThat(Dhcpv6Message.isLinkLayerDuid(b, duid, Dhcpv6Message.length(b, duid), MAC + 1))
                .isFalse();
        assertThat(Dhcpv6Message.requests(b, 0, len, Dhcpv6Message.OPTION_DNS_SERVERS))
                .isTrue();
        assertThat(Dhcpv6Message.requests(b, 0, len, Dhcpv6Message.OPTION_DOMAIN_LIST))
                .isFalse();
        int found = Dhcpv6Message.option(b, 0, len, Dhcpv6Message.OPTION_IA_NA);
        assertThat(found).isEqualTo(ia);
        int end = found + Dhcpv6Message.length(b, found);
        int address = Dhcpv6Message.optionIn(b, found + Dhcpv6Message.IA_BYTES, end, Dhcpv6Message.OPTION_IA_ADDRESS);
        assertThat(b.getLong(address + 8)).isEqualTo(2);
        assertThat(Dhcpv6Message.option(b, 0, len, Dhcpv6Message.OPTION_SERVER_ID))
                .isEqualTo(-1);
    }

    @Test
    void domains_areWrittenAsDnsNames() {
        Dhcpv6Message.writeDomains(b, List.of());
        assertThat(b.readableBytes()).isZero();
        Dhcpv6Message.writeDomains(b, List.of("docker.internal", "lan"));
        assertThat(b.getUnsignedShort(2)).isEqualTo(17 + 5);
        assertThat(b.getUnsignedByte(4)).isEqualTo((short) 6);
    }

    @Test
    void randomBytes_validOrNot_neverFault() {
        int read = 0;
        for (int seed = 0; seed < 100_000; seed++) {
            Random random = new Random(seed);
            byte[] bytes = new byte[random.nextInt(60)];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) random.nextInt(random.nextInt(8) == 0 ? 256 : 7);
            }
            ByteBuf x = Unpooled.wrappedBuffer(bytes);
            if (Dhcpv6Message.isValid(x, 0, bytes.length)) {
                read += Dhcpv6Message.requests(x, 0, bytes.length, 3) ? 1 : 2;
            }
            read += Dhcpv6Message.optionIn(x, 0, bytes.length, 3) > 0 ? 1 : 0;
        }
        assertThat(read).isPositive();
    }
}
