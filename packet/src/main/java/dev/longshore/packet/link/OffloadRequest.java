package dev.longshore.packet.link;

import dev.longshore.packet.wire.VirtioNetHeader;
import io.netty.buffer.ByteBuf;

/**
 * What one side asks the other to do with a frame, as a virtio_net_hdr in front of it: the same over rings and over a TAP
 * device. Static functions without state.
 */
public final class OffloadRequest {
    /** The checksum field to complete is not in the frame. */
    public static final int BAD_CHECKSUM_FIELD = -1;

    /** A kind of segmentation that is not agreed on, or with impossible sizes. */
    public static final int BAD_SEGMENTATION = -2;

    private static final int ETHERNET_HEADER_BYTES = 14;

    private OffloadRequest() {}

    /**
     * Checks what the guest asks for. The header is our own copy, its content untrusted.
     *
     * @param frameBytes of the frame behind the header, 14 or more
     * @param tso4 whether TCP/IPv4 segmentation by us is agreed on: virtio's HOST_TSO4
     * @param tso6 the same for TCP/IPv6
     * @return the flags for {@link FrameSink#onFrame}, or a negative constant of this class: the frame is to be dropped
     */
    public static int check(ByteBuf header, int frameBytes, boolean tso4, boolean tso6) {
        boolean partial = (VirtioNetHeader.flags(header) & VirtioNetHeader.NEEDS_CSUM) != 0;
        if (partial && !isChecksumFieldInside(header, frameBytes)) {
            return BAD_CHECKSUM_FIELD;
        }
        int flags = partial ? FrameSink.CHECKSUM_PARTIAL : 0;
        int gsoType = VirtioNetHeader.gsoType(header);
        if (gsoType == VirtioNetHeader.GSO_NONE) {
            return flags;
        }
        boolean agreed =
                (gsoType == VirtioNetHeader.GSO_TCPV4 && tso4) || (gsoType == VirtioNetHeader.GSO_TCPV6 && tso6);
        // 5.1.6.2: segmentation needs NEEDS_CSUM. hdr_len is a hint that may be anything; the stack reads the real
        // headers.
        if (!agreed || !partial || VirtioNetHeader.gsoSize(header) == 0) {
            return BAD_SEGMENTATION;
        }
        return flags | FrameSink.LARGE_SEGMENT;
    }

    private static boolean isChecksumFieldInside(ByteBuf header, int frameBytes) {
        int start = VirtioNetHeader.checksumStart(header);
        return start >= ETHERNET_HEADER_BYTES && start + VirtioNetHeader.checksumOffset(header) + 2 <= frameBytes;
    }

    /** True if {@code frame} asks the guest for nothing that was not agreed on: rejects our own mistakes before the guest does. */
    public static boolean isAgreed(OutFrame frame, boolean checksum, boolean tso4, boolean tso6) {
        return (frame.checksumStart() < 0 || checksum)
                && switch (frame.gsoType()) {
                    case OutFrame.GSO_NONE -> true;
                    case OutFrame.GSO_TCPV4 -> tso4;
                    case OutFrame.GSO_TCPV6 -> tso6;
                    default -> false;
                };
    }

    /** Writes what {@code frame} asks the guest for, from index 0 of {@code header} on; {@code buffers} is the guest's num_buffers. */
    public static void write(ByteBuf header, OutFrame frame, int buffers) {
        VirtioNetHeader.write(
                header,
                frame.gsoType(),
                frame.headerBytes(),
                frame.gsoSize(),
                frame.checksumStart(),
                frame.checksumOffset(),
                buffers);
    }
}
