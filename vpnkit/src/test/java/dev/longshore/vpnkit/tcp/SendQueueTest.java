package dev.longshore.vpnkit.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.link.OutFrame;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SendQueueTest {
    private final SendQueue queue = new SendQueue();
    private final OutFrame frame = new OutFrame(Unpooled.buffer());

    private String read(int from, int length) {
        frame.clear();
        int n = queue.addTo(frame, from, length);
        ByteBuf copy = Unpooled.buffer();
        frame.copyTo(copy);
        assertThat(copy.readableBytes()).isEqualTo(n);
        return copy.toString(java.nio.charset.StandardCharsets.ISO_8859_1);
    }

    private ByteBuf add(String s) {
        ByteBuf b = Unpooled.copiedBuffer(s, java.nio.charset.StandardCharsets.ISO_8859_1);
        queue.add(b);
        return b;
    }

    @Test
    void segments_crossBuffers() {
        add("abc");
        add("defg");
        add("hi");
        assertThat(queue.bytes()).isEqualTo(9);
        assertThat(read(0, 9)).isEqualTo("abcdefghi");
        assertThat(read(2, 3)).isEqualTo("cde");
        assertThat(read(7, 2)).isEqualTo("hi");
        assertThat(read(0, 1)).isEqualTo("a");
    }

    @Test
    void drop_releasesWhatIsThrough() {
        ByteBuf first = add("abc");
        ByteBuf second = add("defg");
        queue.drop(4);
        assertThat(first.refCnt()).isZero();
        assertThat(second.refCnt()).isEqualTo(1);
        assertThat(read(0, 3)).isEqualTo("efg");
        queue.drop(3);
        assertThat(second.refCnt()).isZero();
        assertThat(queue.isEmpty()).isTrue();
        assertThat(queue.checkInvariants()).isTrue();
    }

    @Test
    void emptyBuffer_isReleasedAtOnce() {
        assertThat(add("").refCnt()).isZero();
        assertThat(queue.isEmpty()).isTrue();
    }

    @Test
    void framesWithoutPieces_takeLess() {
        for (int i = 0; i < 50; i++) {
            add("x");
        }
        assertThat(read(0, 50)).hasSize(OutFrame.MAX_PIECES);
        assertThat(read(40, 10)).hasSize(10);
    }

    @Test
    void releaseAll_releasesEverything() {
        ByteBuf a = add("a");
        ByteBuf b = add("b");
        queue.releaseAll();
        assertThat(a.refCnt() + b.refCnt()).isZero();
        assertThat(queue.bytes()).isZero();
    }

    @Test
    void againstAModel() {
        for (long seed = 0; seed < 50; seed++) {
            Random random = new Random(seed);
            byte[] model = new byte[0];
            for (int step = 0; step < 500; step++) {
                switch (random.nextInt(3)) {
                    case 0 -> {
                        byte[] more = new byte[random.nextInt(20)];
                        random.nextBytes(more);
                        ByteArrayOutputStream joined = new ByteArrayOutputStream();
                        joined.writeBytes(model);
                        joined.writeBytes(more);
                        model = joined.toByteArray();
                        queue.add(Unpooled.wrappedBuffer(more));
                    }
                    case 1 -> {
                        int n = random.nextInt(model.length + 1);
                        queue.drop(n);
                        model = Arrays.copyOfRange(model, n, model.length);
                    }
                    default -> {
                        int from = random.nextInt(model.length + 1);
                        int length = random.nextInt(model.length - from + 1);
                        frame.clear();
                        int n = queue.addTo(frame, from, length);
                        ByteBuf copy = Unpooled.buffer();
                        frame.copyTo(copy);
                        byte[] got = new byte[n];
                        copy.readBytes(got);
                        assertThat(got)
                                .as("seed %d step %d", seed, step)
                                .isEqualTo(Arrays.copyOfRange(model, from, from + n));
                    }
                }
                assertThat(queue.checkInvariants()).isTrue();
                assertThat(queue.bytes()).isEqualTo(model.length);
            }
            queue.releaseAll();
        }
    }
}
