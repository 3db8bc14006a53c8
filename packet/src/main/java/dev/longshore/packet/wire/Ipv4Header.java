package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;

/**
 * IPv4 header at index {@code at} of a buffer: RFC 791 §3.1, Figure 4.
 *
 * <pre>
 *  0       4       8               16    19                       31
 * |  ver  |  IHL  |      TOS      |          total length          |  0
 * |        identification         | 0 D M |    fragment offset     |  4
 * |      TTL      |   protocol    |        header checksum         |  8
 * |                         source address                         | 12
 * |                       destination address                      | 16
 * |                        options, 0..40 bytes                    | 20
 * </pre>
 *
 * Once {@link #isValid} is true, no accessor reads outside the packet. Options are tolerated and ignored.
 */
public final class Ipv4Header {
    /** Bytes without options: the only form we write. */
    public static final int MIN_BYTES = 20;

    /** Largest total length: 16 bits. */
    public static final int MAX_PACKET = 0xFFFF;

    /** Don't fragment, as returned by {@link #flagsAndOffset}. */
    public static final int DF = 0x4000;

    /** More fragments, as returned by {@link #flagsAndOffset}. */
    public static final int MF = 0x2000;

    private static final int OFFSET_MASK = 0x1FFF;

    private Ipv4Header() {}

    /**
     * True if {@code len} bytes are readable at {@code at} and the header, with its options, and the packet's total length
     * fit in them. More bytes than the total length are padding, which short Ethernet frames have.
     */
    public static boolean isValid(ByteBuf b, int at, int len) {
        return len >= MIN_BYTES
                && len <= b.writerIndex() - at
                && b.getUnsignedByte(at) >>> 4 == 4
                && headerBytes(b, at) >= MIN_BYTES
                && headerBytes(b, at) <= totalLength(b, at)
                && totalLength(b, at) <= len;
    }

    /** 20..60, or less if not valid. */
    public static int headerBytes(ByteBuf b, int at) {
        return (b.getByte(at) & 0xF) << 2;
    }

    /** Header and payload in bytes. */
    public static int totalLength(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 2);
    }

    public static int identification(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 4);
    }

    /** {@link #DF}, {@link #MF} and the offset in units of 8 bytes. */
    public static int flagsAndOffset(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 6);
    }

    /** True if the packet is a piece of another: more follow, or it isn't the first. */
    public static boolean isFragment(ByteBuf b, int at) {
        return (flagsAndOffset(b, at) & (MF | OFFSET_MASK)) != 0;
    }

    public static boolean moreFragments(ByteBuf b, int at) {
        return (flagsAndOffset(b, at) & MF) != 0;
    }

    /** Where this fragment's payload starts in the whole payload, in bytes: 0..65,528. */
    public static int fragmentOffset(ByteBuf b, int at) {
        return (flagsAndOffset(b, at) & OFFSET_MASK) << 3;
    }

    /** TOS: DSCP and ECN (RFC 2474, RFC 3168). */
    public static int trafficClass(ByteBuf b, int at) {
        return b.getUnsignedByte(at + 1);
    }

    /** The checksum is wrong until {@link #complete}. */
    public static void setTtl(ByteBuf b, int at, int ttl) {
        b.setByte(at + 8, ttl);
    }

    public static int ttl(ByteBuf b, int at) {
        return b.getUnsignedByte(at + 8);
    }

    /** See {@link IpProtocol}. */
    public static int protocol(ByteBuf b, int at) {
        return b.getUnsignedByte(at + 9);
    }

    public static int source(ByteBuf b, int at) {
        return b.getInt(at + 12);
    }

    public static int destination(ByteBuf b, int at) {
        return b.getInt(at + 16);
    }

    /** True if the header's checksum, options included, is right. */
    public static boolean isChecksumRight(ByteBuf b, int at) {
        return Checksum.fold(Checksum.sum(b, at, headerBytes(b, at))) == 0xFFFF;
    }

    /**
     * Appends a header without options. Total length and checksum are 0 until {@link #complete}; the id is 0, which is right
     * for packets with {@link #DF} (RFC 6864 §4.1).
     *
     * @param flags {@link #DF} or 0
     */
    public static void write(ByteBuf b, int protocol, int ttl, int flags, int source, int destination) {
        b.writeInt(0x4500_0000);
        b.writeInt(flags);
        b.writeInt(ttl << 24 | protocol << 16);
        b.writeInt(source);
        b.writeInt(destination);
    }

    /** Sets the total length and the checksum of a header without options. */
    public static void complete(ByteBuf b, int at, int totalLength) {
        b.setShort(at + 2, totalLength);
        updateChecksum(b, at);
    }

    /** Sets id, flags and offset of a fragment, its total length, and the checksum. */
    public static void completeFragment(ByteBuf b, int at, int totalLength, int id, int offsetBytes, boolean more) {
        b.setShort(at + 4, id);
        b.setShort(at + 6, (more ? MF : 0) | offsetBytes >>> 3);
        complete(b, at, totalLength);
    }

    /** Recomputes the header's checksum. */
    public static void updateChecksum(ByteBuf b, int at) {
        b.setShort(at + 10, 0);
        b.setShort(at + 10, Checksum.finish(Checksum.sum(b, at, headerBytes(b, at))));
    }
}
