package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;

/**
 * IPv6 extension header at index {@code at} of a buffer: RFC 8200 §4, RFC 6564; the fragment header: RFC 8200 §4.5.
 *
 * <pre>
 *  0               8               16                         29  31
 * |  next header  | len/8 - 1     |  what the header says          |  0
 *
 * |  next header  |   reserved    |    offset / 8        | res | M |  0
 * |                         identification                         |  4
 * </pre>
 *
 * Once {@link #isValid} is true, no accessor reads outside the header.
 */
public final class Ipv6Extension {
    public static final int HOP_BY_HOP = 0;
    public static final int ROUTING = 43;
    public static final int FRAGMENT = 44;
    public static final int ESP = 50;
    public static final int AUTHENTICATION = 51;
    public static final int NO_NEXT_HEADER = 59;
    public static final int DESTINATION_OPTIONS = 60;
    public static final int MOBILITY = 135;

    /** Bytes of a fragment header. */
    public static final int FRAGMENT_BYTES = 8;

    /** Answer of {@link #badOption} when every option may be skipped. */
    public static final int NONE = -1;

    private static final int PAD1 = 0;
    private static final int PADN = 1;

    private Ipv6Extension() {}

    /**
     * True if {@code len} bytes are readable at {@code at} and hold the whole header, whose length is its second byte. Not
     * for a fragment header: that one needs {@link #FRAGMENT_BYTES} and nothing more.
     */
    public static boolean isValid(ByteBuf b, int at, int len) {
        return len >= 8 && len <= b.writerIndex() - at && headerBytes(b, at) <= len;
    }

    /** What follows: another extension header or a transport's protocol. */
    public static int nextHeader(ByteBuf b, int at) {
        return b.getUnsignedByte(at);
    }

    /** 8..2048; not for a fragment header, which has {@link #FRAGMENT_BYTES}. */
    public static int headerBytes(ByteBuf b, int at) {
        return (b.getUnsignedByte(at + 1) + 1) << 3;
    }

    /** {@link #ROUTING} only: segments left; with 0 the header is to be ignored (RFC 8200 §4.4). */
    public static int segmentsLeft(ByteBuf b, int at) {
        return b.getUnsignedByte(at + 3);
    }

    /**
     * Index of the type of the first option of a hop-by-hop or destination options header that must not be skipped when
     * it is not known (RFC 8200 §4.2: its two highest bits are not 00), or that does not fit; {@link #NONE} if there is
     * none.
     */
    public static int badOption(ByteBuf b, int at) {
        int end = at + headerBytes(b, at);
        int i = at + 2;
        while (i < end) {
            int type = b.getUnsignedByte(i);
            if (type == PAD1) {
                i++;
                continue;
            }
            if (i + 2 > end || i + 2 + b.getUnsignedByte(i + 1) > end || (type != PADN && type >>> 6 != 0)) {
                return i;
            }
            i += 2 + b.getUnsignedByte(i + 1);
        }
        return NONE;
    }

    /** What to do for an unknown option: RFC 8200 §4.2. True if the packet is dropped and an ICMP error sent for unicast. */
    public static boolean wantsError(int optionType) {
        return optionType >>> 6 >= 2;
    }

    /** {@link #FRAGMENT} only: 0..65528, a multiple of 8. */
    public static int fragmentOffset(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 2) & 0xFFF8;
    }

    /** {@link #FRAGMENT} only. */
    public static boolean moreFragments(ByteBuf b, int at) {
        return (b.getUnsignedByte(at + 3) & 1) != 0;
    }

    /** {@link #FRAGMENT} only. */
    public static int identification(ByteBuf b, int at) {
        return b.getInt(at + 4);
    }

    /** Appends a fragment header. */
    public static void writeFragment(ByteBuf b, int nextHeader, int offset, boolean more, int identification) {
        b.writeShort(nextHeader << 8);
        b.writeShort(offset | (more ? 1 : 0));
        b.writeInt(identification);
    }
}
