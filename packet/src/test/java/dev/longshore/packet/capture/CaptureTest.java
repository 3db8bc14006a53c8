package dev.longshore.packet.capture;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.link.OutFrame;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a tap keeps for its reader, and the file that it becomes. */
class CaptureTest {
    private final OutFrame out = new OutFrame(Unpooled.directBuffer(256));
    private final List<String> read = new ArrayList<>();
    private long now = 5;
    private int wakes;

    @AfterEach
    void release() {
        out.release();
    }

    private Capture capture(String filter, int snapLength, long limit) {
        return new Capture(CaptureFilter.parse(filter), snapLength, limit, () -> now++, () -> wakes++);
    }

    private boolean drain(Capture capture) {
        return capture.drain((time, fromGuest, frameBytes, b, at, len) ->
                read.add(time + (fromGuest ? " > " : " < ") + frameBytes + " " + ByteBufUtil.hexDump(b, at, len)));
    }

    private static ByteBuf bytes(int n, int value) {
        ByteBuf b = Unpooled.buffer(n);
        for (int i = 0; i < n; i++) {
            b.writeByte(value);
        }
        return b;
    }

    @Test
    void framesBothWays_areKeptInOrderAndCutAtTheSnapLength() {
        Capture capture = capture("", 20, 0);
        capture.fromGuest(bytes(30, 1).skipBytes(5));
        out.head().writeBytes(bytes(14, 2));
        ByteBuf payload = bytes(10, 3);
        out.addPayload(payload, 2, 4);
        out.addPayload(payload, 0, 10);
        capture.toGuest(out);

        assertThat(wakes).as("one for all that waits").isEqualTo(1);
        assertThat(drain(capture)).isTrue();
        assertThat(read).containsExactly("5 > 25 " + "01".repeat(20), "6 < 28 " + "02".repeat(14) + "03".repeat(6));
        assertThat(drain(capture)).isFalse();
        capture.fromGuest(bytes(14, 4));
        assertThat(wakes).isEqualTo(2);
        assertThat(capture.captured()).isEqualTo(3);
        assertThat(capture.dropped()).isZero();
    }

    @Test
    void filteredFrames_areNeitherKeptNorCounted() {
        Capture capture = capture("arp", 100, 0);
        capture.fromGuest(bytes(60, 1));

        assertThat(wakes).isZero();
        assertThat(drain(capture)).isFalse();
        assertThat(capture.captured()).isZero();
    }

    @Test
    void slowReader_losesFramesAndMemoryStaysBounded() {
        Capture capture = capture("", Capture.WHOLE_FRAMES, 0);
        ByteBuf large = bytes(65_550, 1);
        for (int i = 0; i < 1000; i++) {
            capture.fromGuest(large);
        }

        long kept = capture.captured();
        assertThat(kept).isBetween(60L, (long) Capture.MAX_BYTES / 65_550);
        assertThat(capture.dropped()).isEqualTo(1000 - kept);
        drain(capture);
        assertThat(read).hasSize((int) kept);
        capture.fromGuest(large);
        assertThat(drain(capture)).isTrue();
    }

    @Test
    void limit_reached_endsTheCapture() {
        Capture capture = capture("", 100, 2);
        for (int i = 0; i < 5; i++) {
            capture.fromGuest(bytes(60, i));
        }

        assertThat(capture.ended()).isTrue();
        assertThat(wakes).isEqualTo(2);
        drain(capture);
        assertThat(read).hasSize(2);
        assertThat(capture.dropped()).isZero();
    }

    @Test
    void end_wakesTheReaderAndKeepsWhatWaits() {
        Capture capture = capture("", 100, 0);
        capture.fromGuest(bytes(60, 1));
        capture.end();
        capture.fromGuest(bytes(60, 2));

        assertThat(wakes).isEqualTo(2);
        assertThat(capture.ended()).isTrue();
        drain(capture);
        assertThat(read).hasSize(1);
    }

    @Test
    void taps_areOneForNoneOneOrSeveral() {
        Capture first = capture("", 100, 0);
        Capture second = capture("", 100, 0);

        assertThat(Taps.of(List.of())).isNull();
        assertThat(Taps.of(List.of(first))).isSameAs(first);
        Taps both = (Taps) java.util.Objects.requireNonNull(Taps.of(List.of(first, second)));
        both.fromGuest(bytes(60, 1));
        out.head().writeBytes(bytes(14, 2));
        both.toGuest(out);
        assertThat(first.captured()).isEqualTo(2);
        assertThat(second.captured()).isEqualTo(2);
    }

    @Test
    void pcapng_isWrittenBlockByBlock() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        PcapngWriter writer = new PcapngWriter(bytes, "guest", 100);
        writer.frame(0x1_0000_0002L, true, 60, new byte[] {1, 2, 3, 4, 5});
        writer.statistics(7, 3, 2);

        ByteBuffer b = ByteBuffer.wrap(bytes.toByteArray());
        List<Integer> types = new ArrayList<>();
        while (b.hasRemaining()) {
            int at = b.position();
            types.add(b.getInt());
            int total = b.getInt();
            assertThat(total % 4).isZero();
            assertThat(b.getInt(at + total - 4)).isEqualTo(total);
            if (types.getLast() == 6) {
                assertThat(b.getInt()).isZero();
                assertThat(b.getLong()).isEqualTo(0x1_0000_0002L);
                assertThat(b.getInt()).isEqualTo(5);
                assertThat(b.getInt()).isEqualTo(60);
                assertThat(b.get(at + 32)).isEqualTo((byte) 5);
                assertThat(b.getInt(at + 36)).isEqualTo(0x0002_0004);
                assertThat(b.getInt(at + 40))
                        .as("outbound, as the guest sees it")
                        .isEqualTo(2);
            }
            b.position(at + total);
        }
        assertThat(types).containsExactly(0x0A0D0D0A, 1, 6, 5);
    }
}
