package dev.longshore.packet.link;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.Checksum;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.UdpHeader;
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

    private static final long SOURCE = 0x0000_FFFF_0A00_0001L;
    private static final long DESTINATION = 0x0000_FFFF_0A00_0002L;
    private static final int DATAGRAM = UdpHeader.BYTES + 4;

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

    private static boolean looksWhole(ByteBuf b) {
        int udp = EthernetHeader.BYTES + Ipv4Header.MIN_BYTES;
        return Ipv4Header.isValid(b, EthernetHeader.BYTES, b.writerIndex() - EthernetHeader.BYTES)
                && Ipv4Header.isChecksumRight(b, EthernetHeader.BYTES)
                && UdpHeader.checksum(b, udp) != 0
                && UdpHeader.length(b, udp) == DATAGRAM
                && UdpHeader.isChecksumRight(b, udp, 0, SOURCE, 0, DESTINATION);
    }

    @Test
    void fromGuest_damageOfWhatHasNoChecksumYet_isAlwaysFound() {
        FaultyLink link = faulty(1);
        for (int i = 0; i < 0x4000; i++) {
            inner.deliversDatagram(i % 16);
        }
        int damaged = 0;
        int unseen = 0;
        for (int i = 0; i < fromGuest.size(); i++) {
            if ((offloads.get(i) & FrameSink.CHECKSUM_PARTIAL) == 0) {
                damaged++;
                unseen += looksWhole(Unpooled.wrappedBuffer(fromGuest.get(i))) ? 1 : 0;
            }
        }
        assertThat(unseen).isZero();
        assertThat(damaged).isBetween(0x4000 / 3 - 500, 0x4000 / 3 + 500);
        link.close();
    }

    @Test
    void damage_onlySetsBits_soThatTwoNeverMakeUpForEachOther() {
        FaultyLink link = faulty(1);
        for (int i = 0; i < FRAMES; i++) {
            inner.delivers(EthernetHeader.TYPE_IPV4, FrameSink.CHECKSUM_VALID);
        }
        int damaged = 0;
        for (byte[] frame : fromGuest) {
            int set = 0;
            for (int i = 0; i < frame.length; i++) {
                assertThat(frame[i] & inner.original[i]).isEqualTo(inner.original[i]);
                set += Integer.bitCount(frame[i] & 0xFF) - Integer.bitCount(inner.original[i] & 0xFF);
            }
            assertThat(set).isLessThanOrEqualTo(1);
            damaged += set;
        }
        assertThat(damaged).isBetween(FRAMES / 3 - 150, FRAMES / 3 + 150);
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

        /**
         * A UDP datagram over IPv4 whose checksum field holds the sum of the pseudo-header, and would be right as it is if bit
         * {@code unlucky} of its first word were set.
         */
        void deliversDatagram(int unlucky) {
            ByteBuf b = Unpooled.directBuffer();
            EthernetHeader.write(b, 1, 2, EthernetHeader.TYPE_IPV4);
            Ipv4Header.write(b, IpProtocol.UDP, 64, 0, (int) SOURCE, (int) DESTINATION);
            Ipv4Header.complete(b, EthernetHeader.BYTES, Ipv4Header.MIN_BYTES + DATAGRAM);
            int udp = b.writerIndex();
            UdpHeader.write(b, 5, 7, DATAGRAM);
            b.writeInt(0);
            long pseudo = Checksum.pseudoHeader(0, SOURCE, 0, DESTINATION, IpProtocol.UDP, DATAGRAM);
            b.setShort(udp + UdpHeader.CHECKSUM_OFFSET, Checksum.fold(pseudo));
            int sum = Checksum.fold(pseudo + Checksum.sum(b, udp, DATAGRAM));
            b.setShort(udp + UdpHeader.BYTES, Math.floorMod(0xFFFF - sum - (1 << unlucky), 0xFFFF));
            sink.onFrame(b, FrameSink.CHECKSUM_PARTIAL);
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
