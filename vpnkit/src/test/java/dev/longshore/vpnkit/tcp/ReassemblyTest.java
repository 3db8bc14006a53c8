package dev.longshore.vpnkit.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ReassemblyTest {
    private final Reassembly reassembly = new Reassembly();

    private boolean add(int seq, String s) {
        ByteBuf b = Unpooled.copiedBuffer("--" + s, java.nio.charset.StandardCharsets.ISO_8859_1);
        boolean kept = reassembly.add(b, 2, s.length(), seq);
        b.release();
        assertThat(reassembly.checkInvariants()).isTrue();
        return kept;
    }

    private String take(int rcvNxt) {
        StringBuilder all = new StringBuilder();
        int next = rcvNxt;
        for (ByteBuf b = reassembly.take(next); b != null; b = reassembly.take(next)) {
            all.append(b.toString(java.nio.charset.StandardCharsets.ISO_8859_1));
            next += b.readableBytes();
            b.release();
        }
        return all.toString();
    }

    @Test
    void pieces_comeOutInOrder_acrossTheWrap() {
        add(3, "fgh");
        add(-2, "abc");
        add(1, "de");
        assertThat(take(-3)).isEmpty();
        assertThat(take(-2)).isEqualTo("abcdefgh");
        assertThat(reassembly.isEmpty()).isTrue();
    }

    @Test
    void overlaps_keepTheFirstCopy() {
        add(10, "KLM");
        add(8, "ijklmnop");
        assertThat(take(8)).isEqualTo("ijKLMnop");
    }

    @Test
    void whatWasDeliveredMeanwhile_isSkipped() {
        add(10, "klm");
        add(20, "uvw");
        assertThat(take(12)).isEqualTo("m");
        assertThat(take(30)).isEmpty();
        assertThat(reassembly.isEmpty()).isTrue();
    }

    @Test
    void tooManyPieces_areDropped() {
        for (int i = 0; i < Reassembly.MAX_SMALL_PIECES; i++) {
            assertThat(add(i * 2, "x")).isTrue();
        }
        assertThat(add(1000, "x")).isFalse();
        assertThat(reassembly.count()).isEqualTo(Reassembly.MAX_SMALL_PIECES);
        reassembly.clear();
        assertThat(reassembly.isEmpty()).isTrue();
    }

    @Test
    void randomPieces_giveTheText() {
        String text = "the quick brown fox jumps over the lazy dog, again and again and again";
        for (long seed = 0; seed < 300; seed++) {
            Random random = new Random(seed);
            int base = random.nextInt();
            for (int i = 0; i < 60; i++) {
                int from = random.nextInt(text.length());
                int to = from + 1 + random.nextInt(Math.min(9, text.length() - from));
                add(base + from, text.substring(from, to));
            }
            StringBuilder got = new StringBuilder();
            while (got.length() < text.length()) {
                String s = take(base + got.length());
                if (s.isEmpty()) {
                    got.append(text.charAt(got.length()));
                } else {
                    got.append(s);
                }
            }
            assertThat(got).as("seed %d", seed).hasToString(text);
            assertThat(reassembly.isEmpty()).isTrue();
        }
    }
}
