package dev.longshore.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.OutFrame;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What every {@link Link} does, whatever carries it. A carrier's test extends this and plays the guest; it may run on real
 * descriptors, since all waits are for conditions.
 */
public abstract class LinkContract {
    private static final int LARGEST = 65_550;

    /** One carrier with a guest on it. Used by the test's thread, which is the link's event loop. */
    public interface Carrier {
        /** Not opened yet. */
        Link link();

        /** The guest's device becomes ready, if it is not by itself. */
        void guestAppears() throws Exception;

        /** The guest's device goes away. */
        void guestVanishes() throws Exception;

        /** The guest sends one frame without any offload. */
        void guestSends(byte[] frame) throws Exception;

        /** The next frame as it has reached the guest, without what the carrier puts in front; null if there is none yet. */
        byte @Nullable [] guestReceives() throws Exception;

        /** Lets the loop run until the condition holds; fails if that takes too long. */
        void runUntil(BooleanSupplier condition, String what);

        /** True if a guest that reads nothing makes {@link Link#send} return false after a bounded number of frames. */
        default boolean isBounded() {
            return true;
        }

        /** True if a guest can go and another one can come. */
        default boolean canReappear() {
            return true;
        }

        /** Ends everything but the link itself, which has been closed. */
        void close() throws Exception;
    }

    private final Sink sink = new Sink();
    private final OutFrame out = new OutFrame(Unpooled.directBuffer(256));
    private @Nullable Carrier carrier;
    private byte @Nullable [] atGuest;

    /** A new one for each test. */
    protected abstract Carrier carrier() throws Exception;

    private Carrier c() {
        Carrier made = carrier;
        if (made == null) {
            throw new IllegalStateException("before the set-up");
        }
        return made;
    }

    private Link link() {
        return c().link();
    }

    @BeforeEach
    void make() throws Exception {
        carrier = carrier();
    }

    @AfterEach
    void release() throws Exception {
        sink.release();
        out.release();
        link().close();
        c().close();
    }

    private void open() throws Exception {
        link().open(sink);
        c().guestAppears();
        c().runUntil(() -> sink.states.equals(List.of(true)), "link up");
        c().runUntil(link()::isWritable, "room");
    }

    private static byte[] frame(int bytes, long seed) {
        byte[] b = new byte[bytes];
        new Random(seed).nextBytes(b);
        b[0] = 2; // to one station,
        b[6] = 2; // from one station,
        b[12] = 0x08; // and IPv4, or what is left of it
        b[13] = 0;
        return b;
    }

    private OutFrame outFrame(byte[] whole) {
        int head = Math.min(54, whole.length);
        out.clear().head().writeBytes(whole, 0, head);
        if (whole.length > head) {
            ByteBuf payload = Unpooled.directBuffer(whole.length).writeBytes(whole, head, whole.length - head);
            int half = payload.readableBytes() / 2;
            assertThat(out.addPayload(payload, 0, half)).isTrue();
            assertThat(out.addPayload(payload, half, payload.readableBytes() - half))
                    .isTrue();
            sink.kept.add(payload);
        }
        return out;
    }

    private byte[] awaitAtGuest(String what) {
        c().runUntil(() -> pollGuest() != null, what);
        byte[] got = Objects.requireNonNull(atGuest);
        atGuest = null;
        return got;
    }

    private byte @Nullable [] pollGuest() {
        try {
            atGuest = c().guestReceives();
            return atGuest;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void frameFromTheGuest_isDeliveredWholeAndTheBatchEnds() throws Exception {
        open();
        for (int bytes : new int[] {60, 1514}) {
            sink.clear();
            c().guestSends(frame(bytes, bytes));
            c().runUntil(() -> sink.batches > 0, "the end of the batch");
            assertThat(sink.frames).hasSize(1);
            assertThat(sink.frames.getFirst()).isEqualTo(frame(bytes, bytes));
            assertThat(sink.afterBatch)
                    .as("frames delivered after the batch's end")
                    .isZero();
        }
    }

    @Test
    void framesOfTheGuest_stayInOrder() throws Exception {
        open();
        for (int i = 0; i < 100; i++) {
            c().guestSends(frame(60 + i * 7, i));
            int expected = i / 8 * 8;
            c().runUntil(() -> sink.frames.size() >= expected, "frame " + expected);
        }
        c().runUntil(() -> sink.frames.size() == 100, "100 frames");
        for (int i = 0; i < 100; i++) {
            assertThat(sink.frames.get(i)).as("frame " + i).isEqualTo(frame(60 + i * 7, i));
        }
    }

    /** The frame is the sink's to keep, and what it keeps does not change. */
    @Test
    void frameThatTheSinkRetains_staysAsItIs() throws Exception {
        open();
        sink.keeps = true;
        for (int i = 0; i < 30; i++) {
            c().guestSends(frame(60 + i * 40, i));
            int expected = i + 1;
            c().runUntil(() -> sink.frames.size() == expected, "frame " + expected);
        }
        for (int i = 0; i < 30; i++) {
            assertThat(ByteBufUtil.getBytes(sink.kept.get(i))).isEqualTo(frame(60 + i * 40, i));
        }
    }

    /** 'borrows': the caller's buffers are its own again when send returns. */
    @Test
    void frameToTheGuest_isTakenBeforeSendReturns() throws Exception {
        open();
        byte[] bytes = frame(1514, 7);
        OutFrame frame = outFrame(bytes);
        ByteBuf payload = frame.piece(0);
        int references = payload.refCnt();
        assertThat(link().send(frame)).isTrue();
        assertThat(payload.refCnt()).isEqualTo(references);
        payload.setZero(0, payload.capacity());
        frame.head().setZero(0, frame.head().writerIndex());
        out.clear();
        link().flush();
        assertThat(awaitAtGuest("the frame")).isEqualTo(bytes);
    }

    @Test
    void framesToTheGuest_stayInOrder() throws Exception {
        open();
        for (int round = 0; round < 20; round++) {
            for (int i = 0; i < 5; i++) {
                assertThat(link().send(outFrame(frame(60 + i * 100, round * 5 + i))))
                        .isTrue();
            }
            link().flush();
            for (int i = 0; i < 5; i++) {
                assertThat(awaitAtGuest("frame " + i)).isEqualTo(frame(60 + i * 100, round * 5 + i));
            }
            sink.release();
        }
    }

    /** As lessons 1 and 2: no room is no failure, and no reason to stop listening to the guest. */
    @Test
    void guestThatReadsNothing_refusesFramesUntilItReads_andIsHeardAllTheWhile() throws Exception {
        open();
        if (!c().isBounded()) {
            return;
        }
        int sent = 0;
        while (link().send(outFrame(frame(1000, sent)))) {
            sent++;
            sink.release();
            link().flush();
            assertThat(sent).as("frames without a bound").isLessThan(1_000_000);
        }
        assertThat(link().isWritable()).isFalse();
        assertThat(link().send(outFrame(frame(60, 0)))).isFalse();
        c().guestSends(frame(60, 1));
        c().runUntil(() -> sink.frames.size() == 1, "a frame while the way back is full");
        assertThat(sink.writables).isZero();

        for (int i = 0; i < sent; i++) {
            assertThat(awaitAtGuest("frame " + i + " of " + sent)).isEqualTo(frame(1000, i));
        }
        c().runUntil(() -> sink.writables > 0, "room");
        assertThat(sink.writables).isEqualTo(1);
        assertThat(link().isWritable()).isTrue();
        assertThat(sink.states).containsExactly(true);
        assertThat(link().send(outFrame(frame(60, 2)))).isTrue();
        link().flush();
        assertThat(awaitAtGuest("the frame after")).isEqualTo(frame(60, 2));
    }

    @Test
    void largestFrame_arrives_andOneByteMoreIsDroppedAndReportedAsSent() throws Exception {
        open();
        int largest = Math.min(link().maxFrameBytes(), LARGEST);
        assertThat(largest).isGreaterThanOrEqualTo(1514);
        int plain = Math.min(largest, 1514); // more than the MTU needs segmentation
        assertThat(link().send(outFrame(frame(largest + 1, 1)))).isTrue();
        assertThat(link().send(outFrame(frame(plain, 2)))).isTrue();
        link().flush();
        assertThat(awaitAtGuest("the frame that fits")).isEqualTo(frame(plain, 2));
        assertThat(link().isWritable()).isTrue();
    }

    /** As lessons 31, 32 and 34: what was not agreed on never reaches the guest; what was, does. */
    @Test
    void offloads_areWhatTheLinkSays() throws Exception {
        open();
        byte[] segment = frame(54 + 2920, 4);
        OutFrame large = outFrame(segment);
        large.needsChecksum(34, 16);
        large.gsoTcp4(1460, 54);
        assertThat(link().send(large)).isTrue();
        OutFrame large6 = outFrame(frame(74 + 2880, 5));
        large6.needsChecksum(54, 16);
        large6.gsoTcp6(1440, 74);
        assertThat(link().send(large6)).isTrue();
        byte[] partial = frame(100, 6);
        OutFrame small = outFrame(partial);
        small.needsChecksum(34, 16);
        assertThat(link().send(small)).isTrue();
        assertThat(link().send(outFrame(frame(60, 8)))).isTrue();
        link().flush();
        if (link().tso4ToGuest()) {
            assertThat(untilChecksum(awaitAtGuest("a large segment"))).isEqualTo(untilChecksum(segment));
        }
        if (link().tso6ToGuest()) {
            assertThat(awaitAtGuest("a large IPv6 segment")).hasSize(74 + 2880);
        }
        if (link().checksumOffloadToGuest()) {
            assertThat(untilChecksum(awaitAtGuest("a partial checksum"))).isEqualTo(untilChecksum(partial));
        }
        assertThat(awaitAtGuest("the plain frame")).isEqualTo(frame(60, 8));
    }

    /** The guest, or what plays it, may have completed the checksum already. */
    private static byte[] untilChecksum(byte[] frame) {
        return Arrays.copyOf(frame, 50);
    }

    @Test
    void beforeTheGuestIsThere_nothingIsSent_andRoomIsToldAfterwards() throws Exception {
        link().open(sink);
        assertThat(link().isWritable()).isFalse();
        assertThat(link().send(outFrame(frame(60, 1)))).isFalse();
        c().guestAppears();
        c().runUntil(() -> link().isWritable() || sink.writables > 0, "room");
        c().runUntil(() -> sink.states.equals(List.of(true)), "link up");
        assertThat(link().send(outFrame(frame(60, 2)))).isTrue();
        link().flush();
        assertThat(awaitAtGuest("a frame")).isEqualTo(frame(60, 2));
    }

    @Test
    protected void guestThatGoesAndComesBack_isHeardOfOnceEach_andServedAgain() throws Exception {
        open();
        assertThat(link().send(outFrame(frame(60, 1)))).isTrue();
        link().flush();
        assertThat(awaitAtGuest("a frame")).isEqualTo(frame(60, 1));
        c().guestVanishes();
        c().runUntil(() -> sink.states.equals(List.of(true, false)), "link down");
        assertThat(link().isWritable()).isFalse();
        assertThat(link().send(outFrame(frame(60, 1)))).isFalse();
        if (!c().canReappear()) {
            return;
        }
        c().guestAppears();
        c().runUntil(() -> sink.states.equals(List.of(true, false, true)), "link up again");
        c().runUntil(link()::isWritable, "room");
        assertThat(link().send(outFrame(frame(60, 2)))).isTrue();
        link().flush();
        assertThat(awaitAtGuest("a frame for the second")).isEqualTo(frame(60, 2));
        c().guestSends(frame(60, 3));
        c().runUntil(() -> sink.frames.size() == 1, "a frame from the second");
    }

    @Test
    void close_isIdempotent_andNothingIsDeliveredAfterwards() throws Exception {
        open();
        link().close();
        link().close();
        assertThat(link().isWritable()).isFalse();
        assertThat(link().send(outFrame(frame(60, 1)))).isFalse();
        link().flush();
        assertThat(sink.states).containsExactly(true);
    }

    @Test
    void openedTwice_isABug() throws Exception {
        open();
        assertThatThrownBy(() -> link().open(sink)).isInstanceOf(IllegalStateException.class);
    }

    private static final class Sink implements FrameSink {
        final List<byte[]> frames = new ArrayList<>();
        final List<Boolean> states = new ArrayList<>();
        final List<ByteBuf> kept = new ArrayList<>();
        boolean keeps;
        int batches;
        int writables;
        int afterBatch;

        void clear() {
            frames.clear();
            batches = 0;
            afterBatch = 0;
        }

        void release() {
            kept.forEach(ByteBuf::release);
            kept.clear();
        }

        @Override
        public void onFrame(ByteBuf frame, int offload) {
            frames.add(ByteBufUtil.getBytes(frame));
            afterBatch++;
            if (keeps) {
                kept.add(frame.retainedSlice());
            }
        }

        @Override
        public void onBatchEnd() {
            batches++;
            afterBatch = 0;
        }

        @Override
        public void onWritable() {
            writables++;
        }

        @Override
        public void onLinkState(boolean up) {
            states.add(up);
        }
    }
}
