package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;

/**
 * virtio_net_hdr_v1 at index 0 of a buffer: virtio 1.2, 5.1.6; little endian. A TAP device with IFF_VNET_HDR speaks it too, in
 * the machine's byte order, which is the same on all that this runs on: Linux include/uapi/linux/virtio_net.h.
 * <pre>
 *  0       1          2         4          6            8             10
 * | flags | gso_type | hdr_len | gso_size | csum_start | csum_offset | num_buffers |
 * </pre>
 */
public final class VirtioNetHeader {
    public static final int BYTES = 12;
    /** Without num_buffers: a legacy guest that acknowledged neither VERSION_1 nor MRG_RXBUF. */
    public static final int LEGACY_BYTES = 10;

    public static final int NEEDS_CSUM = 1;

    public static final int GSO_NONE = 0;
    public static final int GSO_TCPV4 = 1;
    public static final int GSO_TCPV6 = 4;
    /** Flag in gso_type: the segment has ECN's CWR set. */
    public static final int GSO_ECN = 0x80;

    private VirtioNetHeader() {}

    public static int flags(ByteBuf b) {
        return b.getByte(0);
    }

    /** Without the ECN flag. */
    public static int gsoType(ByteBuf b) {
        return b.getByte(1) & ~GSO_ECN & 0xFF;
    }

    public static int headerBytes(ByteBuf b) {
        return b.getUnsignedShortLE(2);
    }

    public static int gsoSize(ByteBuf b) {
        return b.getUnsignedShortLE(4);
    }

    public static int checksumStart(ByteBuf b) {
        return b.getUnsignedShortLE(6);
    }

    public static int checksumOffset(ByteBuf b) {
        return b.getUnsignedShortLE(8);
    }

    /** Writes all fields from index 0 on; {@code checksumStart} of -1 means that the checksum is complete. */
    public static void write(
            ByteBuf b, int gsoType, int headerBytes, int gsoSize, int checksumStart, int checksumOffset, int buffers) {
        boolean partial = checksumStart >= 0;
        b.setByte(0, partial ? NEEDS_CSUM : 0);
        b.setByte(1, gsoType);
        b.setShortLE(2, headerBytes);
        b.setShortLE(4, gsoSize);
        b.setShortLE(6, partial ? checksumStart : 0);
        b.setShortLE(8, partial ? checksumOffset : 0);
        b.setShortLE(10, buffers);
    }
}
