package dev.longshore.packet.wire;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TcpHeaderTest {
    @Test
    void write_thenRead_givesTheSame() {
        ByteBuf b = Unpooled.buffer().writeZero(3);
        TcpHeader.write(b, 40_000, 80, -2, 7, TcpHeader.SYN | TcpHeader.ACK, 65535);
        TcpOptions.writeMss(b, 1460);
        TcpOptions.writeWindowScale(b, 8);
        TcpOptions.writeSackPermitted(b);
        TcpOptions.writeTimestamps(b, 11, 22);
        TcpHeader.finishHeader(b, 3);
        b.writeBytes(new byte[5]);

        int len = b.writerIndex() - 3;
        assertThat(TcpHeader.isValid(b, 3, len)).isTrue();
        assertThat(TcpHeader.sourcePort(b, 3)).isEqualTo(40_000);
        assertThat(TcpHeader.destinationPort(b, 3)).isEqualTo(80);
        assertThat(TcpHeader.seq(b, 3)).isEqualTo(-2);
        assertThat(TcpHeader.ack(b, 3)).isEqualTo(7);
        assertThat(TcpHeader.flags(b, 3)).isEqualTo(TcpHeader.SYN | TcpHeader.ACK);
        assertThat(TcpHeader.window(b, 3)).isEqualTo(65535);
        assertThat(TcpHeader.headerBytes(b, 3)).isEqualTo(44);
        assertThat(TcpHeader.segLen(b, 3, len)).isEqualTo(6);
        assertThat(TcpOptions.mss(b, 3)).isEqualTo(1460);
        assertThat(TcpOptions.windowScale(b, 3)).isEqualTo(8);
        assertThat(TcpOptions.sackPermitted(b, 3)).isTrue();
        assertThat(b.getInt(TcpOptions.timestampsIndex(b, 3))).isEqualTo(11);
        assertThat(b.getInt(TcpOptions.timestampsIndex(b, 3) + 4)).isEqualTo(22);
        assertThat(TcpOptions.sackBlocks(b, 3)).isZero();
    }

    /** A SYN as Linux 6.12 sends it: MSS, SACK-permitted, timestamps, NOP, window scale 7. */
    @Test
    void linuxSyn_optionsAreRead() {
        ByteBuf b = Unpooled.wrappedBuffer(ByteBufUtil.decodeHexDump(
                "9c4000500000000100000000a002faf000000000" + "020405b40402080a0000000100000000" + "01030307"));
        assertThat(TcpHeader.isValid(b, 0, 40)).isTrue();
        assertThat(TcpOptions.mss(b, 0)).isEqualTo(1460);
        assertThat(TcpOptions.windowScale(b, 0)).isEqualTo(7);
        assertThat(TcpOptions.sackPermitted(b, 0)).isTrue();
    }

    @Test
    void sackBlocks_areFound() {
        ByteBuf b = header("0101" + "0512" + "00000001" + "00000002" + "00000003" + "00000004");
        assertThat(TcpOptions.sackBlocks(b, 0)).isEqualTo(2);
        assertThat(b.getInt(TcpOptions.sackIndex(b, 0) + 12)).isEqualTo(4);
    }

    @Test
    void malformedOptions_endTheList() {
        assertThat(TcpOptions.mss(header("02000000"), 0)).isEqualTo(TcpOptions.ABSENT); // length 0 would loop for ever
        assertThat(TcpOptions.mss(header("0204"), 0)).isEqualTo(TcpOptions.ABSENT); // cut off
        assertThat(TcpOptions.mss(header("020605b400000000"), 0)).isEqualTo(TcpOptions.ABSENT);
        assertThat(TcpOptions.mss(header("00000000020405b4"), 0)).isEqualTo(TcpOptions.ABSENT);
        assertThat(TcpOptions.windowScale(header("030301ff"), 0)).isEqualTo(1);
        assertThat(TcpOptions.windowScale(header("0303ff00"), 0)).isEqualTo(TcpOptions.MAX_WINDOW_SCALE);
        assertThat(TcpOptions.sackBlocks(header("05030000"), 0)).isZero();
    }

    @Test
    void shortOrLyingLength_isInvalid() {
        ByteBuf b = header("");
        assertThat(TcpHeader.isValid(b, 0, 19)).isFalse();
        assertThat(TcpHeader.isValid(b, 0, 21)).isFalse();
        assertThat(TcpHeader.isValid(b, 0, 20)).isTrue();
        b.setByte(12, 4 << 4);
        assertThat(TcpHeader.isValid(b, 0, 20)).isFalse();
        b.setByte(12, 6 << 4);
        assertThat(TcpHeader.isValid(b, 0, 20)).isFalse();
    }

    @Test
    void randomBytes_accessorsStayInside() {
        long seed = 20_260_101;
        Random random = new Random(seed);
        for (int round = 0; round < 20_000; round++) {
            byte[] bytes = new byte[random.nextInt(80)];
            random.nextBytes(bytes);
            ByteBuf b = Unpooled.wrappedBuffer(bytes);
            if (TcpHeader.isValid(b, 0, bytes.length)) {
                TcpOptions.mss(b, 0);
                TcpOptions.windowScale(b, 0);
                TcpOptions.sackPermitted(b, 0);
                int t = TcpOptions.timestampsIndex(b, 0);
                assertThat(t + 8).as("seed %d round %d", seed, round).isLessThanOrEqualTo(bytes.length);
                int s = TcpOptions.sackIndex(b, 0);
                assertThat(s + 8 * TcpOptions.sackBlocks(b, 0)).isLessThanOrEqualTo(bytes.length);
            }
        }
    }

    private static ByteBuf header(String optionsHex) {
        ByteBuf b = Unpooled.buffer();
        TcpHeader.write(b, 1, 2, 3, 4, TcpHeader.ACK, 5);
        b.writeBytes(ByteBufUtil.decodeHexDump(optionsHex));
        while (b.writerIndex() % 4 != 0) {
            b.writeByte(1);
        }
        if (optionsHex.equals("0204")) {
            b.writerIndex(b.writerIndex() - 4)
                    .writeByte(1)
                    .writeByte(1)
                    .writeByte(2)
                    .writeByte(4);
        }
        TcpHeader.finishHeader(b, 0);
        return b;
    }
}
