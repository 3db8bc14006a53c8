package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;

/**
 * IPv6 header at index {@code at} of a buffer: RFC 8200 §3.
 *
 * <pre>
 *  0       4               12      16              24             31
 * |  ver  | traffic class |            flow label                  |  0
 * |        payload length         |  next header  |   hop limit    |  4
 * |                    source address, 16 bytes                    |  8
 * |                  destination address, 16 bytes                 | 24
 * </pre>
 *
 * Once {@link #isValid} is true, no accessor reads outside the packet. Extension headers belong to the payload here.
 */
public final class Ipv6Header {
    public static final int BYTES = 40;

    private Ipv6Header() {}

    /** True if {@code len} bytes are readable at {@code at} and hold the header and its payload; more is padding. */
    public static boolean isValid(ByteBuf b, int at, int len) {
        return len >= BYTES
                && len <= b.writerIndex() - at
                && b.getUnsignedByte(at) >>> 4 == 6
                && BYTES + payloadLength(b, at) <= len;
    }

    /** DSCP and ECN: 0..255. */
    public static int trafficClass(ByteBuf b, int at) {
        return (b.getUnsignedShort(at) >>> 4) & 0xFF;
    }

    /** Bytes after this header, extension headers included. */
    public static int payloadLength(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 4);
    }

    /** An extension header or one of {@link IpProtocol}. */
    public static int nextHeader(ByteBuf b, int at) {
        return b.getUnsignedByte(at + 6);
    }

    public static void setNextHeader(ByteBuf b, int at, int nextHeader) {
        b.setByte(at + 6, nextHeader);
    }

    public static void setHopLimit(ByteBuf b, int at, int hopLimit) {
        b.setByte(at + 7, hopLimit);
    }

    public static int hopLimit(ByteBuf b, int at) {
        return b.getUnsignedByte(at + 7);
    }

    public static long sourceHi(ByteBuf b, int at) {
        return b.getLong(at + 8);
    }

    public static long sourceLo(ByteBuf b, int at) {
        return b.getLong(at + 16);
    }

    public static long destinationHi(ByteBuf b, int at) {
        return b.getLong(at + 24);
    }

    public static long destinationLo(ByteBuf b, int at) {
        return b.getLong(at + 32);
    }

    /** Appends a header with flow label and payload length 0; {@link #complete} sets the length. */
    public static void write(
            ByteBuf b,
            int nextHeader,
            int hopLimit,
            long sourceHi,
            long sourceLo,
            long destinationHi,
            long destinationLo) {
        b.writeInt(0x6000_0000);
        b.writeInt(nextHeader << 8 | hopLimit);
        b.writeLong(sourceHi);
        b.writeLong(sourceLo);
        b.writeLong(destinationHi);
        b.writeLong(destinationLo);
    }

    /** Sets the length of everything after this header. */
    public static void complete(ByteBuf b, int at, int payloadLength) {
        b.setShort(at + 4, payloadLength);
    }
}
