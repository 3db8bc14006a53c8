package dev.longshore.packet.link;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.Checksum;
import dev.longshore.packet.wire.EthernetHeader;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Faults are as many as asked for, of each kind, and none that its receiver could not notice. */
class FaultyLinkTest {
    private static final int FRAMES = 3_000;
    private static final int PAYLOAD_AT = EthernetHeader.BYTES + 2; // behind a checksum over everything from byte 14 on

    private final RecordingLink inner = new RecordingLink();
    private final List<byte[]> fromGuest = new ArrayList<>();
    private final List<Integer> offloads = new ArrayList<>();
    private final OutFrame out = new OutFrame(Unpooled.directBuffer(256));

    private FaultyLink faulty(double share) {
        FaultyLink link = new FaultyLink(inner, share, new Random(7), Unpooled.directBuffer(256));
        link.open(new FrameSink() {
            @Override
            public void onFrame(ByteBuf frame, int offload) {
                fromGuest.add(ByteBufUtil.getBytes(frame));
                offloads.add(offload);
            }

            @Override
            public void onBatchEnd() {}

            @Override
            public void onWritable() {}

            @Override
            public void onLinkState(boolean up) {}
        });
        return link;
    }

    @AfterEach
    void release() {
        out.release();
    }

    private static void writeFrame(ByteBuf b, int type) {
        EthernetHeader.write(b, 1, 2, type);
        b.writeShort(0).writeBytes(new byte[60]);
    }

    private static boolean isWhole(byte[] frame) {
        ByteBuf b = Unpooled.wrappedBuffer(frame);
        return Checksum.fold(Checksum.sum(b, EthernetHeader.BYTES, frame.length - EthernetHeader.BYTES)) == 0xFFFF;
    }

    private void sends(FaultyLink link, int type, boolean gso) {
        out.clear();
        writeFrame(out.head(), type);
        out.head().setByte(PAYLOAD_AT, 9);
        out.needsChecksum(EthernetHeader.BYTES, 0);
        if (gso) {
            out.gsoTcp4(20, PAYLOAD_AT);
        }
        assertThat(link.send(out)).isTrue();
    }

    @Test
    void noShare_everything_passesUnchanged() {
        FaultyLink link = faulty(0);
        sends(link, EthernetHeader.TYPE_IPV4, false);
        inner.delivers(EthernetHeader.TYPE_IPV4, FrameSink.CHECKSUM_PARTIAL);

        assertThat(inner.partial).containsExactly(true);
        assertThat(fromGuest).hasSize(1);
        assertThat(offloads).containsExactly(FrameSink.CHECKSUM_PARTIAL);
        link.close();
        assertThat(inner.closed).isTrue();
    }

    @Test
    void toGuest_aThirdOfFaultsIsDamage_whichTheChecksumShows() {
        FaultyLink link = faulty(0.6);
        for (int i = 0; i < FRAMES; i++) {
            sends(link, EthernetHeader.TYPE_IPV4, false);
        }
        long damaged = inner.partial.stream().filter(partial -> !partial).count();
        assertThat(damaged).isBetween(FRAMES / 5 - 100L, FRAMES / 5 + 100L);
        for (int i = 0; i < inner.sent.size(); i++) {
            assertThat(inner.partial.get(i) || !isWhole(inner.sent.get(i))).isTrue();
        }
        assertThat(inner.sent).hasSizeBetween(FRAMES - 100, FRAMES + 100); // as many doubled as lost
        link.close();
    }

    @Test
    void toGuest_largeSegments_areNeverDamaged() {
        FaultyLink link = faulty(1);
        for (int i = 0; i < FRAMES; i++) {
            sends(link, EthernetHeader.TYPE_IPV4, true);
        }
        assertThat(inner.partial).doesNotContain(false).hasSizeBetween(FRAMES * 2 / 3 - 150, FRAMES * 2 / 3 + 150);
        link.close();
    }

    @Test
    void fromGuest_damage_isVouchedForByNobody() {
        FaultyLink link = faulty(1);
        for (int i = 0; i < FRAMES; i++) {
            inner.delivers(EthernetHeader.TYPE_IPV6, FrameSink.CHECKSUM_PARTIAL | FrameSink.LARGE_SEGMENT);
        }
        int vouched = 0;
        for (int i = 0; i < fromGuest.size(); i++) {
            boolean changed = ByteBufUtil.hexDump(fromGuest.get(i)).matches(".*[1-9a-f].*")
                    && !java.util.Arrays.equals(fromGuest.get(i), inner.original);
            boolean trusted = (offloads.get(i) & FrameSink.CHECKSUM_PARTIAL) != 0;
            assertThat(changed && trusted).isFalse();
            assertThat(offloads.get(i) & FrameSink.LARGE_SEGMENT).isNotZero();
            vouched += trusted ? 1 : 0;
        }
        assertThat(vouched).isBetween(FRAMES * 2 / 3 - 150, FRAMES * 2 / 3 + 150); // two of each doubled
        link.close();
    }

    @Test
    void framesWithoutChecksum_areLostInsteadOfDamaged() {
        FaultyLink link = faulty(1);
        for (int i = 0; i < FRAMES; i++) {
            inner.delivers(EthernetHeader.TYPE_ARP, 0);
            sends(link, EthernetHeader.TYPE_ARP, false);
        }
        assertThat(fromGuest).allMatch(frame -> java.util.Arrays.equals(frame, inner.original));
        assertThat(inner.partial).doesNotContain(false);
        link.close();
    }

    @Test
    void noRoom_isToldAndNothingCounts() {
        FaultyLink link = faulty(0);
        inner.room = false;
        out.clear();
        writeFrame(out.head(), EthernetHeader.TYPE_IPV4);
        assertThat(link.send(out)).isFalse();
        assertThat(link.isWritable()).isFalse();
        link.close();
    }

    /** Remembers what was sent, and whether the guest is to complete its checksum. */
    private static final class RecordingLink implements Link {
        final List<byte[]> sent = new ArrayList<>();
        final List<Boolean> partial = new ArrayList<>();
        byte[] original = {};
        boolean room = true;
        boolean closed;
        private FrameSink sink = new NoSink();

        void delivers(int type, int offload) {
            ByteBuf b = Unpooled.directBuffer();
            writeFrame(b, type);
            original = ByteBufUtil.getBytes(b);
            sink.onFrame(b, offload);
            b.release();
        }

        @Override
        public void open(FrameSink fromGuest) {
            sink = fromGuest;
        }

        @Override
        public boolean send(OutFrame frame) {
            if (room) {
                ByteBuf b = Unpooled.directBuffer();
                frame.copyTo(b);
                sent.add(ByteBufUtil.getBytes(b));
                b.release();
                partial.add(frame.checksumStart() >= 0);
            }
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
            return 1514;
        }

        @Override
        public boolean tso4ToGuest() {
            return true;
        }

        @Override
        public boolean tso6ToGuest() {
            return true;
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

    private static final class NoSink implements FrameSink {
        @Override
        public void onFrame(ByteBuf frame, int offload) {}

        @Override
        public void onBatchEnd() {}

        @Override
        public void onWritable() {}

        @Override
        public void onLinkState(boolean up) {}
    }
}
