package dev.longshore.packet.link;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.VirtioNetHeader;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** virtio 1.2, 5.1.6.2: what a frame's header may ask for. */
class OffloadRequestTest {
    private static final int TCP_CHECKSUM_AT = 16;

    private final ByteBuf header = Unpooled.buffer(VirtioNetHeader.BYTES).writeZero(VirtioNetHeader.BYTES);

    @AfterEach
    void release() {
        header.release();
    }

    private int check(int gsoType, int gsoSize, int start, int offset, int frameBytes) {
        VirtioNetHeader.write(header, gsoType, 54, gsoSize, start, offset, 0);
        return OffloadRequest.check(header, frameBytes, true, true);
    }

    @Test
    void nothingAsked_noFlags() {
        assertThat(check(0, 0, -1, 0, 60)).isZero();
    }

    @Test
    void partialChecksumInside_isPartial() {
        assertThat(check(0, 0, 34, TCP_CHECKSUM_AT, 52)).isEqualTo(FrameSink.CHECKSUM_PARTIAL);
    }

    @Test
    void checksumFieldOneByteOutside_isRejected() {
        assertThat(check(0, 0, 34, TCP_CHECKSUM_AT, 51)).isEqualTo(OffloadRequest.BAD_CHECKSUM_FIELD);
        assertThat(check(0, 0, 0xFFFF, 0xFFFF, 65_550)).isEqualTo(OffloadRequest.BAD_CHECKSUM_FIELD);
    }

    @Test
    void checksumStartsInTheEthernetHeader_isRejected() {
        assertThat(check(0, 0, 13, TCP_CHECKSUM_AT, 60)).isEqualTo(OffloadRequest.BAD_CHECKSUM_FIELD);
    }

    @Test
    void largeSegmentOfEitherFamily_isLargeAndPartial() {
        int large = FrameSink.CHECKSUM_PARTIAL | FrameSink.LARGE_SEGMENT;
        assertThat(check(VirtioNetHeader.GSO_TCPV4, 1460, 34, TCP_CHECKSUM_AT, 9000))
                .isEqualTo(large);
        assertThat(check(VirtioNetHeader.GSO_TCPV6, 1440, 54, TCP_CHECKSUM_AT, 9000))
                .isEqualTo(large);
        assertThat(check(VirtioNetHeader.GSO_TCPV4 | VirtioNetHeader.GSO_ECN, 1460, 34, TCP_CHECKSUM_AT, 9000))
                .isEqualTo(large);
    }

    /** openvmm PR#3413: segmentation of a kind that was not negotiated, or without a partial checksum. */
    @Test
    void segmentationNotAgreedOrWithoutChecksumOrSize_isRejected() {
        assertThat(check(VirtioNetHeader.GSO_TCPV4, 1460, -1, 0, 9000)).isEqualTo(OffloadRequest.BAD_SEGMENTATION);
        assertThat(check(VirtioNetHeader.GSO_TCPV4, 0, 34, TCP_CHECKSUM_AT, 9000))
                .isEqualTo(OffloadRequest.BAD_SEGMENTATION);
        assertThat(check(3, 1460, 34, 6, 9000)).as("UFO").isEqualTo(OffloadRequest.BAD_SEGMENTATION);
        assertThat(check(5, 1460, 34, 6, 9000)).as("USO").isEqualTo(OffloadRequest.BAD_SEGMENTATION);
        VirtioNetHeader.write(header, VirtioNetHeader.GSO_TCPV4, 54, 1460, 34, TCP_CHECKSUM_AT, 0);
        assertThat(OffloadRequest.check(header, 9000, false, true)).isEqualTo(OffloadRequest.BAD_SEGMENTATION);
        VirtioNetHeader.write(header, VirtioNetHeader.GSO_TCPV6, 54, 1440, 54, TCP_CHECKSUM_AT, 0);
        assertThat(OffloadRequest.check(header, 9000, true, false)).isEqualTo(OffloadRequest.BAD_SEGMENTATION);
    }

    @Test
    void randomHeaders_areFlagsOrOneOfTwoReasons() {
        long seed = 20_251;
        Random random = new Random(seed);
        byte[] bytes = new byte[VirtioNetHeader.BYTES];
        for (int i = 0; i < 100_000; i++) {
            random.nextBytes(bytes);
            if (i % 2 == 0) {
                bytes[1] &= 5;
                bytes[7] = 0;
                bytes[9] = 0;
            }
            header.clear().writeBytes(bytes);
            int frameBytes = 14 + random.nextInt(65_537);
            int flags = OffloadRequest.check(header, frameBytes, random.nextBoolean(), random.nextBoolean());
            assertThat(flags)
                    .as("seed %d, round %d", seed, i)
                    .isBetween(OffloadRequest.BAD_SEGMENTATION, FrameSink.CHECKSUM_PARTIAL | FrameSink.LARGE_SEGMENT);
            if (flags > 0) {
                assertThat(VirtioNetHeader.checksumStart(header) + VirtioNetHeader.checksumOffset(header) + 2)
                        .as("seed %d, round %d", seed, i)
                        .isLessThanOrEqualTo(frameBytes);
            }
        }
    }

    @Test
    void outFrame_asksOnlyForWhatIsAgreed() {
        OutFrame frame = new OutFrame(Unpooled.directBuffer(64));
        assertThat(OffloadRequest.isAgreed(frame, false, false, false)).isTrue();
        frame.needsChecksum(34, TCP_CHECKSUM_AT);
        assertThat(OffloadRequest.isAgreed(frame, false, true, true)).isFalse();
        assertThat(OffloadRequest.isAgreed(frame, true, false, false)).isTrue();
        frame.gsoTcp4(1460, 54);
        assertThat(OffloadRequest.isAgreed(frame, true, false, true)).isFalse();
        assertThat(OffloadRequest.isAgreed(frame, true, true, false)).isTrue();
        frame.gsoTcp6(1440, 74);
        assertThat(OffloadRequest.isAgreed(frame, true, true, false)).isFalse();
        frame.release();
    }

    @Test
    void outFrame_writtenAndRead_isTheSame() {
        OutFrame frame = new OutFrame(Unpooled.directBuffer(64));
        frame.needsChecksum(34, TCP_CHECKSUM_AT);
        frame.gsoTcp4(1448, 66);
        OffloadRequest.write(header, frame, 3);
        assertThat(VirtioNetHeader.flags(header)).isEqualTo(VirtioNetHeader.NEEDS_CSUM);
        assertThat(VirtioNetHeader.gsoType(header)).isEqualTo(VirtioNetHeader.GSO_TCPV4);
        assertThat(VirtioNetHeader.gsoSize(header)).isEqualTo(1448);
        assertThat(VirtioNetHeader.headerBytes(header)).isEqualTo(66);
        assertThat(VirtioNetHeader.checksumStart(header)).isEqualTo(34);
        assertThat(VirtioNetHeader.checksumOffset(header)).isEqualTo(TCP_CHECKSUM_AT);
        frame.release();
    }
}
