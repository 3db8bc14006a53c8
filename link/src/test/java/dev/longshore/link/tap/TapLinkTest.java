package dev.longshore.link.tap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.link.DatagramPair;
import dev.longshore.link.Inbox;
import dev.longshore.link.LinkCounter;
import dev.longshore.link.RecordingSink;
import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.VirtioNetHeader;
import dev.longshore.testkit.VirtualLoop;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The link over a datagram socket in the device's place, which keeps frames apart and gets full just as a device does. The
 * device itself is tested in {@code integration-tests}.
 */
class TapLinkTest {
    private final VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
    private final RecordingSink sink = new RecordingSink();
    private final OutFrame out = new OutFrame(Unpooled.directBuffer(256));

    @TempDir
    Path dir;

    private FileDescriptor guest = new FileDescriptor(0);
    private @Nullable TapLink link;
    private int gone;

    @BeforeEach
    void connect() throws IOException {
        DatagramPair pair = DatagramPair.in(dir);
        guest = pair.guest();
        link = new TapLink(loop, pair.link().intValue(), "tap-test", UnpooledByteBufAllocator.DEFAULT, () -> gone++);
    }

    @AfterEach
    void release() throws IOException {
        link().close();
        sink.release();
        out.release();
        loop.close();
        guest.close();
    }

    private TapLink link() {
        if (link == null) {
            throw new IllegalStateException();
        }
        return link;
    }

    private void open() {
        link().open(sink);
        loop.runUntil(() -> !sink.states.isEmpty(), "link up");
    }

    private void guestSends(byte[] header, byte[] frame) throws IOException {
        ByteBuf b = Unpooled.directBuffer().writeBytes(header).writeBytes(frame);
        assertThat(guest.write(b.internalNioBuffer(0, b.writerIndex()), 0, b.writerIndex()))
                .isEqualTo(b.writerIndex());
        b.release();
    }

    /** The next frame with its header, or null. */
    private byte @Nullable [] guestReceives() throws IOException {
        ByteBuf b = Unpooled.directBuffer(70_000);
        int n = guest.read(b.internalNioBuffer(0, 70_000), 0, 70_000);
        byte[] bytes = n > 0 ? ByteBufUtil.getBytes(b, 0, n) : null;
        b.release();
        return bytes;
    }

    private static byte[] header(int flags, int gsoType, int hdrLen, int gsoSize, int start, int offset) {
        ByteBuf b = Unpooled.buffer(VirtioNetHeader.BYTES);
        b.writeByte(flags).writeByte(gsoType).writeShortLE(hdrLen).writeShortLE(gsoSize);
        b.writeShortLE(start).writeShortLE(offset).writeShortLE(0);
        return b.array();
    }

    private static byte[] plain() {
        return new byte[VirtioNetHeader.BYTES];
    }

    private static byte[] bytes(int length, long seed) {
        byte[] b = new byte[length];
        new Random(seed).nextBytes(b);
        return b;
    }

    private OutFrame frame(byte[] head, ByteBuf... payload) {
        out.clear().head().writeBytes(head);
        for (ByteBuf p : payload) {
            out.addPayload(p, p.readerIndex(), p.readableBytes());
        }
        return out;
    }

    @Test
    void framesOfAllSizes_arriveWhole_inOneBatch() throws IOException {
        int[] sizes = {14, 60, 1514, 2048, 2049, 9014, 16_384, 16_385, Inbox.MAX_FRAME_BYTES};
        for (int i = 0; i < sizes.length; i++) {
            open1();
            guestSends(plain(), bytes(sizes[i], i));
            int expected = i + 1;
            loop.runUntil(() -> sink.frames.size() == expected, "a frame of " + sizes[i]);
            assertThat(sink.frames.get(i)).isEqualTo(bytes(sizes[i], i));
        }
        assertThat(sink.batches).isEqualTo(sizes.length);
        assertThat(link().counters().get(LinkCounter.FRAMES_FROM_GUEST)).isEqualTo(sizes.length);
    }

    private void open1() {
        if (sink.states.isEmpty()) {
            open();
        }
    }

    @Test
    void framesThatTheSinkKeeps_stayAsTheyAre() throws IOException {
        open();
        sink.keeps = true;
        for (int i = 0; i < 40; i++) {
            guestSends(plain(), bytes(100 + i * 1000, i));
            int expected = i + 1;
            loop.runUntil(() -> sink.frames.size() == expected, "a frame");
        }
        for (int i = 0; i < 40; i++) {
            assertThat(ByteBufUtil.getBytes(sink.kept.get(i))).isEqualTo(bytes(100 + i * 1000, i));
        }
    }

    @Test
    void smallFrameThatTheSinkKeeps_keepsNoLargeBuffer() throws IOException {
        open();
        sink.keeps = true;
        guestSends(plain(), bytes(66, 1));
        loop.runUntil(() -> !sink.kept.isEmpty(), "a frame");
        ByteBuf kept = sink.kept.getFirst();
        while (kept.unwrap() != null) {
            kept = kept.unwrap();
        }
        assertThat(kept.capacity()).isEqualTo(2048);
    }

    @Test
    void largeSegmentWithPartialChecksum_isDeliveredAsSuch() throws IOException {
        open();
        guestSends(header(1, 1, 66, 1448, 34, 16), bytes(40_000, 3));
        loop.runUntil(() -> !sink.frames.isEmpty(), "a frame");
        assertThat(sink.offloads).containsExactly(FrameSink.CHECKSUM_PARTIAL | FrameSink.LARGE_SEGMENT);
    }

    /** As lessons.md, 34: what the guest's header asks for is checked against the frame. */
    @Test
    void frameWithImpossibleHeader_isDroppedAndCounted() throws IOException {
        open();
        guestSends(header(1, 0, 0, 0, 60, 16), bytes(70, 1));
        guestSends(header(0, 1, 54, 1460, 0, 0), bytes(3000, 1));
        guestSends(header(1, 5, 42, 1460, 34, 6), bytes(3000, 1));
        guestSends(plain(), bytes(13, 1));
        guestSends(plain(), bytes(14, 1));
        loop.runUntil(() -> sink.frames.size() == 1, "the good frame");
        assertThat(link().counters().get(LinkCounter.DROPPED_CHECKSUM_FIELD)).isEqualTo(1);
        assertThat(link().counters().get(LinkCounter.DROPPED_SEGMENTATION)).isEqualTo(2);
        assertThat(link().counters().get(LinkCounter.DROPPED_RUNT)).isEqualTo(1);
    }

    @Test
    void sinkThatThrows_losesThatFrameOnly() throws IOException {
        open();
        sink.onFrame = () -> {
            throw new IllegalStateException("a bug that this test has planted");
        };
        guestSends(plain(), bytes(60, 1));
        loop.runUntil(() -> sink.frames.size() == 1, "a frame");
        sink.onFrame = null;
        guestSends(plain(), bytes(60, 2));
        loop.runUntil(() -> sink.frames.size() == 2, "another frame");
        assertThat(link().counters().get(LinkCounter.DROPPED_SINK_FAILED)).isEqualTo(1);
    }

    @Test
    void sinkThatClosesTheLinkFromAFrame_hearsNothingMore() throws IOException {
        open();
        sink.keeps = true;
        sink.onFrame = link()::close;
        guestSends(plain(), bytes(60, 1));
        guestSends(plain(), bytes(60, 2));
        loop.runUntil(() -> !sink.frames.isEmpty(), "a frame");
        loop.runDue();
        assertThat(sink.frames).hasSize(1);
        assertThat(sink.batches).isZero();
    }

    /** What a guest in this kernel does: its answer to a frame of ours is there when the write returns. */
    private void guestAnswersWithinTheWrite(int times) {
        sink.onFrame = () -> {
            try {
                assertThat(link().send(frame(bytes(60, 1)))).isTrue();
                assertThat(guestReceives()).isNotNull();
                if (sink.frames.size() <= times) {
                    guestSends(plain(), bytes(60, 2));
                }
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        };
    }

    @Test
    void frameThatIsAnswered_isFollowedByALookForTheGuestsAnswer() throws IOException {
        open();
        guestAnswersWithinTheWrite(3);
        guestSends(plain(), bytes(60, 0));
        loop.runNow();
        assertThat(sink.frames).hasSize(4);
        assertThat(sink.batches).isEqualTo(4);
    }

    @Test
    void guestThatAlwaysAnswers_leavesOthersTheirTurn() throws IOException {
        open();
        guestAnswersWithinTheWrite(1000);
        guestSends(plain(), bytes(60, 0));
        loop.runNow();
        assertThat(sink.frames).hasSizeBetween(4, 140);
    }

    @Test
    void frameInPieces_isOneWriteWithItsHeader() throws IOException {
        open();
        ByteBuf direct = Unpooled.directBuffer().writeBytes(bytes(5000, 1));
        ByteBuf heap = Unpooled.wrappedBuffer(bytes(300, 2));
        ByteBuf composite = Unpooled.wrappedBuffer(
                Unpooled.wrappedBuffer(bytes(100, 3)), Unpooled.directBuffer().writeBytes(bytes(100, 4)));
        OutFrame f = frame(bytes(66, 0), direct, heap, composite);
        f.needsChecksum(34, 16);
        f.gsoTcp4(1448, 66);
        assertThat(link().send(f)).isTrue();
        ByteBuf expected = Unpooled.buffer().writeBytes(header(1, 1, 66, 1448, 34, 16));
        f.copyTo(expected);
        assertThat(guestReceives()).isEqualTo(ByteBufUtil.getBytes(expected));
        assertThat(link().counters().get(LinkCounter.BYTES_TO_GUEST)).isEqualTo(f.bytes());
        out.clear();
        direct.release();
        heap.release();
        composite.release();
    }

    @Test
    void frameOfTheMostPieces_arrivesWhole() throws IOException {
        open();
        ByteBuf piece = Unpooled.directBuffer().writeBytes(bytes(2000, 1));
        ByteBuf[] all = new ByteBuf[OutFrame.MAX_PIECES];
        java.util.Arrays.fill(all, piece);
        OutFrame f = frame(bytes(66, 0), all);
        assertThat(link().send(f)).isTrue();
        assertThat(guestReceives()).hasSize(VirtioNetHeader.BYTES + 66 + 64_000);
        out.clear();
        piece.release();
    }

    @Test
    void frameLargerThanTheLink_isDroppedAndReportedAsSent() throws IOException {
        open();
        ByteBuf large = Unpooled.directBuffer().writeZero(Inbox.MAX_FRAME_BYTES);
        assertThat(link().send(frame(bytes(1, 0), large))).isTrue();
        assertThat(guestReceives()).isNull();
        assertThat(link().counters().get(LinkCounter.DROPPED_TOO_LARGE)).isEqualTo(1);
        out.clear();
        large.release();
    }

    private int fill() {
        int sent = 0;
        while (link().send(frame(bytes(1000, sent)))) {
            sent++;
        }
        return sent;
    }

    /** As lessons.md, 1: no room is back-pressure, and never the end of the link. */
    @Test
    void fullDevice_refusesUntilThereIsRoom() throws IOException {
        open();
        int sent = fill();
        assertThat(sent).isGreaterThan(1);
        assertThat(link().isWritable()).isFalse();
        assertThat(link().send(frame(bytes(60, 0)))).isFalse();
        assertThat(link().counters().get(LinkCounter.BLOCKED)).isEqualTo(1);
        assertThat(sink.writables).isZero();

        for (int i = 0; i < sent; i++) {
            assertThat(guestReceives()).hasSize(VirtioNetHeader.BYTES + 1000);
        }
        loop.runUntil(() -> sink.writables == 1, "room");
        assertThat(link().isWritable()).isTrue();
        assertThat(sink.states).containsExactly(true);
        assertThat(link().send(frame(bytes(60, 0)))).isTrue();
        loop.runDue();
        assertThat(sink.writables).isEqualTo(1);
    }

    /** As lessons.md, 2: taking frames from the guest never waits for room in the guest. */
    @Test
    void fullDevice_stillDelivers() throws IOException {
        open();
        int ignored = fill();
        assertThat(ignored).isPositive();
        for (int i = 0; i < 5; i++) {
            guestSends(plain(), bytes(60, i));
            int expected = i + 1;
            loop.runUntil(() -> sink.frames.size() == expected, "a frame while the way back is full");
        }
        assertThat(link().isWritable()).isFalse();
    }

    @Test
    void beforeTheDeviceIsKnownToBeUp_nothingIsSentAndRoomIsPromised() {
        link().open(sink);
        assertThat(link().isWritable()).isFalse();
        assertThat(link().send(frame(bytes(60, 0)))).isFalse();
        loop.runUntil(() -> sink.writables == 1, "room");
        assertThat(sink.states).containsExactly(true);
        assertThat(link().send(frame(bytes(60, 0)))).isTrue();
    }

    @Test
    void closedTwice_orNeverOpened_releasesAll() throws IOException {
        link().close();
        link().close();
        assertThat(link().send(frame(bytes(60, 0)))).isFalse();
        assertThat(link().isWritable()).isFalse();
        assertThatThrownBy(() -> link().open(sink)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void openedTwice_isABug() {
        open();
        assertThatThrownBy(() -> link().open(sink)).isInstanceOf(IllegalStateException.class);
        assertThat(gone).isZero();
    }

    @Test
    void manyFrames_areBoundedForEachWakeUp() throws IOException {
        open();
        Random random = new Random(5);
        int sent = 0;
        for (int round = 0; round < 200; round++) {
            int n = 1 + random.nextInt(8);
            for (int i = 0; i < n; i++) {
                guestSends(plain(), bytes(14 + random.nextInt(3000), sent++));
            }
            int expected = sent;
            loop.runUntil(() -> sink.frames.size() == expected, "all frames, seed 5, round " + round);
        }
        assertThat(sink.batches).isBetween(200, sent);
    }
}
