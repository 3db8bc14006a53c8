package dev.longshore.packet.wire;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** RFC 1071, RFC 1624. */
class ChecksumTest {
    /** The definition, word by word. */
    private static int naive(byte[] bytes) {
        int sum = 0;
        for (int i = 0; i < bytes.length; i += 2) {
            int low = i + 1 < bytes.length ? bytes[i + 1] & 0xFF : 0;
            sum += (bytes[i] & 0xFF) << 8 | low;
            sum = (sum & 0xFFFF) + (sum >>> 16);
        }
        return ~sum & 0xFFFF;
    }

    private static byte[] random(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    @Test
    void exampleOfRfc1071_hasItsSum() {
        ByteBuf b = Unpooled.wrappedBuffer(
                new byte[] {0, 1, (byte) 0xf2, 3, (byte) 0xf4, (byte) 0xf5, (byte) 0xf6, (byte) 0xf7});
        assertThat(Checksum.fold(Checksum.sum(b, 0, 8))).isEqualTo(0xddf2);
    }

    @Test
    void anyLengthAndOffset_equalsTheDefinition() {
        for (int seed = 0; seed < 2000; seed++) {
            Random random = new Random(seed);
            byte[] bytes = random(random, random.nextInt(300));
            int before = random.nextInt(9);
            ByteBuf b = Unpooled.directBuffer().writeZero(before).writeBytes(bytes);
            assertThat(Checksum.finish(Checksum.sum(b, before, bytes.length)))
                    .as("seed " + seed)
                    .isEqualTo(naive(bytes));
            b.release();
        }
    }

    @Test
    void allOnes_foldsToAllOnes_atTheLargestSize() {
        ByteBuf b = Unpooled.buffer(65_536);
        for (int i = 0; i < 8192; i++) {
            b.writeLong(-1);
        }
        assertThat(Checksum.fold(Checksum.sum(b, 0, 65_536))).isEqualTo(0xFFFF);
        assertThat(Checksum.fold(0)).isZero();
        assertThat(Checksum.fold(Long.MAX_VALUE)).isBetween(0, 0xFFFF);
    }

    @Test
    void pieces_ofAnyLengths_sumLikeTheWhole() {
        for (int seed = 0; seed < 500; seed++) {
            Random random = new Random(seed);
            byte[] bytes = random(random, 1 + random.nextInt(200));
            ByteBuf b = Unpooled.wrappedBuffer(bytes);
            long sum = 0;
            for (int at = 0; at < bytes.length; ) {
                int len = 1 + random.nextInt(bytes.length - at);
                sum = Checksum.append(sum, at, Checksum.sum(b, at, len));
                at += len;
            }
            assertThat(Checksum.finish(sum)).as("seed " + seed).isEqualTo(naive(bytes));
        }
    }

    @Test
    void update_equalsComputingAgain() {
        for (int seed = 0; seed < 500; seed++) {
            Random random = new Random(seed);
            byte[] bytes = random(random, 40);
            int old = naive(bytes);
            int at = 2 * random.nextInt(20);
            int oldWord = (bytes[at] & 0xFF) << 8 | (bytes[at + 1] & 0xFF);
            int newWord = random.nextInt(1 << 16);
            bytes[at] = (byte) (newWord >>> 8);
            bytes[at + 1] = (byte) newWord;
            assertThat(Checksum.update(old, oldWord, newWord))
                    .as("seed " + seed)
                    .isEqualTo(naive(bytes));
        }
    }

    @Test
    void pseudoHeader_equalsItsBytes_forBothFamilies() {
        IpAddress a4 = IpAddress.parse("192.168.65.3");
        IpAddress b4 = IpAddress.parse("10.1.2.3");
        ByteBuf v4 = Unpooled.buffer()
                .writeInt(a4.v4Bits())
                .writeInt(b4.v4Bits())
                .writeShort(17)
                .writeShort(99);
        assertThat(Checksum.fold(Checksum.pseudoHeader(a4.hi(), a4.lo(), b4.hi(), b4.lo(), 17, 99)))
                .isEqualTo(Checksum.fold(Checksum.sum(v4, 0, 12)));
        IpAddress a6 = IpAddress.parse("fdc4:f303:9324::3");
        IpAddress b6 = IpAddress.parse("2001:db8::ffff:1");
        ByteBuf v6 = Unpooled.buffer()
                .writeLong(a6.hi())
                .writeLong(a6.lo())
                .writeLong(b6.hi())
                .writeLong(b6.lo());
        v6.writeInt(70_000).writeInt(6);
        assertThat(Checksum.fold(Checksum.pseudoHeader(a6.hi(), a6.lo(), b6.hi(), b6.lo(), 6, 70_000)))
                .isEqualTo(Checksum.fold(Checksum.sum(v6, 0, 40)));
    }
}
