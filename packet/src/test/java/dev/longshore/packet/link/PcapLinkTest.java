package dev.longshore.packet.link;

import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The capture file's bytes, and that the wrapped link behaves as before. */
class PcapLinkTest {
    @TempDir
    Path dir;

    private final FakeLink inner = new FakeLink();
    private final OutFrame out = new OutFrame(Unpooled.directBuffer(256));
    private final List<IOException> failures = new ArrayList<>();
    private long now = 1_700_000_000_999_999L;

    @AfterEach
    void release() {
        out.release();
        assertThat(failures).isEmpty();
    }

    private PcapLink capture(int snapLength) throws IOException {
        return new PcapLink(inner, PcapFile.create(dir.resolve("a.pcap"), snapLength, () -> now, failures::add));
    }

    private ByteBuffer captured() throws IOException {
        return ByteBuffer.wrap(Files.readAllBytes(dir.resolve("a.pcap")));
    }

    private static void assertRecord(ByteBuffer b, int seconds, int micros, byte[] kept, int frameBytes) {
        assertThat(b.getInt()).isEqualTo(seconds);
        assertThat(b.getInt()).isEqualTo(micros);
        assertThat(b.getInt()).isEqualTo(kept.length);
        assertThat(b.getInt()).isEqualTo(frameBytes);
        byte[] content = new byte[kept.length];
        b.get(content);
        assertThat(content).isEqualTo(kept);
    }

    private static byte[] bytes(int n, int value) {
        byte[] b = new byte[n];
        Arrays.fill(b, (byte) value);
        return b;
    }

    @Test
    void framesBothWays_areInTheFileWithTimeAndLength() throws IOException {
        PcapLink link = capture(64);
        FakeSink sink = new FakeSink();
        link.open(sink);
        ByteBuf payload = Unpooled.wrappedBuffer(bytes(50, 2));

        inner.deliver(bytes(100, 1));
        now += 1;
        out.clear().head().writeBytes(bytes(20, 3));
        out.addPayload(payload, 10, 40);
        out.addPayload(payload, 0, 50);
        assertThat(link.send(out)).isTrue();
        out.clear().head().writeBytes(bytes(30, 4));
        link.send(out);
        link.flush();

        ByteBuffer b = captured();
        assertThat(b.getInt()).isEqualTo(0xa1b2c3d4);
        assertThat(b.getInt()).isEqualTo(0x00020004);
        assertThat(b.getLong()).isZero();
        assertThat(b.getInt()).isEqualTo(64);
        assertThat(b.getInt()).isEqualTo(1);
        assertRecord(b, 1_700_000_000, 999_999, bytes(64, 1), 100);
        byte[] cut = Arrays.copyOf(bytes(20, 3), 64);
        Arrays.fill(cut, 20, 64, (byte) 2);
        assertRecord(b, 1_700_000_001, 0, cut, 110);
        assertRecord(b, 1_700_000_001, 0, bytes(30, 4), 30);
        assertThat(b.hasRemaining()).isFalse();
        assertThat(sink.frames).isEqualTo(1);
        assertThat(inner.sent).isEqualTo(2);
        link.close();
        link.close();
        assertThat(inner.closed).isTrue();
    }

    @Test
    void batchEnd_makesTheFramesVisible() throws IOException {
        PcapLink link = capture(65_550);
        FakeSink sink = new FakeSink();
        link.open(sink);
        inner.deliver(bytes(60, 1));
        assertThat(captured().remaining()).isZero();
        inner.endBatch();
        assertThat(captured().remaining()).isEqualTo(24 + 16 + 60);
        assertThat(sink.batches).isEqualTo(1);
        link.close();
    }

    @Test
    void noRoom_frameIsNotRecorded() throws IOException {
        PcapLink link = capture(100);
        inner.room = false;
        out.clear().head().writeBytes(bytes(30, 4));
        assertThat(link.send(out)).isFalse();
        link.close();
        assertThat(captured().remaining()).isEqualTo(24);
    }

    @Test
    void moreThanTheBufferHolds_isAllWritten() throws IOException {
        PcapLink link = capture(65_550);
        link.open(new FakeSink());
        for (int i = 0; i < 20; i++) {
            inner.deliver(bytes(65_550, i));
        }
        link.close();
        ByteBuffer b = captured();
        assertThat(b.remaining()).isEqualTo(24 + 20 * (16 + 65_550));
        b.position(24);
        for (int i = 0; i < 20; i++) {
            assertRecord(b, 1_700_000_000, 999_999, bytes(65_550, i), 65_550);
        }
    }

    @Test
    void closedFile_framesStillPass() throws IOException {
        PcapFile file = PcapFile.create(dir.resolve("a.pcap"), 100, () -> now, failures::add);
        PcapLink link = new PcapLink(inner, file);
        FakeSink sink = new FakeSink();
        link.open(sink);
        file.close();
        inner.deliver(bytes(60, 1));
        out.clear().head().writeBytes(bytes(30, 4));
        assertThat(link.send(out)).isTrue();
        link.flush();
        assertThat(sink.frames).isEqualTo(1);
    }

    /** What is written to /dev/full fails as on a full disk. */
    @Test
    void diskFull_capturingEnds_framesStillPass() throws IOException {
        PcapFile file = PcapFile.of(FileChannel.open(Path.of("/dev/full"), WRITE), 100, () -> now, failures::add);
        PcapLink link = new PcapLink(inner, file);
        FakeSink sink = new FakeSink();
        link.open(sink);
        for (int i = 0; i < 3; i++) {
            inner.deliver(bytes(60, 1));
            inner.endBatch();
        }
        assertThat(sink.frames).isEqualTo(3);
        assertThat(failures).hasSize(1).first().asString().contains("No space left");
        failures.clear();
        link.close();
    }

    @Test
    void create_replacesTheFile_readableByItsOwnerOnly() throws IOException {
        Path path = Files.writeString(dir.resolve("a.pcap"), "x".repeat(500));
        capture(100).close();
        assertThat(Files.size(path)).isEqualTo(24);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
                .isEqualTo("rw-------");
    }

    @Test
    void create_badArguments_fail() {
        assertThatThrownBy(() -> PcapFile.create(dir.resolve("missing/a"), 100, () -> now, failures::add))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("missing");
        assertThatThrownBy(() -> PcapFile.create(dir.resolve("a"), 63, () -> now, failures::add))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> PcapFile.create(dir.resolve("a"), 65_551, () -> now, failures::add))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void everythingElse_isTheInnerLinks() throws IOException {
        PcapLink link = capture(100);
        FakeSink sink = new FakeSink();
        link.open(sink);
        inner.announce();
        assertThat(sink.up).isTrue();
        assertThat(sink.writable).isEqualTo(1);
        assertThat(link.isWritable()).isTrue();
        assertThat(link.maxFrameBytes()).isEqualTo(4242);
        assertThat(link.tso4ToGuest()).isTrue();
        assertThat(link.tso6ToGuest()).isFalse();
        assertThat(link.checksumOffloadToGuest()).isTrue();
        link.close();
    }

    private static final class FakeSink implements FrameSink {
        int frames;
        int batches;
        int writable;
        boolean up;

        @Override
        public void onFrame(ByteBuf frame, int offload) {
            frames++;
        }

        @Override
        public void onBatchEnd() {
            batches++;
        }

        @Override
        public void onWritable() {
            writable++;
        }

        @Override
        public void onLinkState(boolean nowUp) {
            up = nowUp;
        }
    }

    private static final class FakeLink implements Link {
        private FrameSink sink = new FakeSink();
        boolean room = true;
        boolean closed;
        int sent;

        void deliver(byte[] content) {
            ByteBuf b = Unpooled.directBuffer().writeZero(3).writeBytes(content).skipBytes(3);
            sink.onFrame(b, 0);
            b.release();
        }

        void endBatch() {
            sink.onBatchEnd();
        }

        void announce() {
            sink.onLinkState(true);
            sink.onWritable();
        }

        @Override
        public void open(FrameSink fromGuest) {
            sink = fromGuest;
        }

        @Override
        public boolean send(OutFrame frame) {
            sent += room ? 1 : 0;
            return room;
        }

        @Override
        public void flush() {}

        @Override
        public boolean isWritable() {
            return room;
        }

        @Override
        public int maxFrameBytes() {
            return 4242;
        }

        @Override
        public boolean tso4ToGuest() {
            return true;
        }

        @Override
        public boolean tso6ToGuest() {
            return false;
        }

        @Override
        public boolean checksumOffloadToGuest() {
            return true;
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    @Test
    void timeOfDay_isInMicrosecondsAndFinerThanMilliseconds() {
        long before = System.currentTimeMillis();
        boolean finer = false;
        for (int i = 0; i < 10_000 && !finer; i++) {
            long micros = PcapFile.timeOfDayMicros();
            assertThat(micros / 1000).isGreaterThanOrEqualTo(before);
            finer = micros % 1000 != 0;
        }
        assertThat(finer).isTrue();
    }
}
