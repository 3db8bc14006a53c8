package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;

/**
 * TCP header at index {@code at} of a buffer: RFC 9293 §3.1, Figure 1.
 *
 * <pre>
 *  0               8               16                             31
 * |          source port           |        destination port       |  0
 * |                        sequence number                         |  4
 * |                     acknowledgment number                      |  8
 * | DOffset | Rsrvd | C E U A P R S F |           window           | 12
 * |            checksum            |         urgent pointer        | 16
 * </pre>
 *
 * Once {@link #isValid} is true, no accessor reads outside the segment, nor does one of {@link TcpOptions}.
 */
public final class TcpHeader {
    /** A header without options. */
    public static final int MIN_BYTES = 20;

    /** A header with all the options the data offset has room for. */
    public static final int MAX_BYTES = 60;

    /** Distance of the checksum field from the header's start. */
    public static final int CHECKSUM_OFFSET = 16;

    /** IP protocol number, RFC 9293 §3.9.2. */
    public static final int PROTOCOL = 6;

    public static final int FIN = 0x01;
    public static final int SYN = 0x02;
    public static final int RST = 0x04;
    public static final int PSH = 0x08;
    public static final int ACK = 0x10;
    public static final int URG = 0x20;

    private TcpHeader() {}

    /** True if {@code len} bytes are readable at {@code at} and the header with its options fits in them. */
    public static boolean isValid(ByteBuf b, int at, int len) {
        return len >= MIN_BYTES
                && len <= b.writerIndex() - at
                && headerBytes(b, at) >= MIN_BYTES
                && headerBytes(b, at) <= len;
    }

    /** 0..65535. */
    public static int sourcePort(ByteBuf b, int at) {
        return b.getUnsignedShort(at);
    }

    /** 0..65535. */
    public static int destinationPort(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 2);
    }

    /** SEG.SEQ, modulo 2^32: compare with {@link Seq} only. */
    public static int seq(ByteBuf b, int at) {
        return b.getInt(at + 4);
    }

    /** SEG.ACK, modulo 2^32; means nothing without {@link #ACK}. */
    public static int ack(ByteBuf b, int at) {
        return b.getInt(at + 8);
    }

    /** The data offset in bytes: 0..60; at least {@link #MIN_BYTES} in a valid header. */
    public static int headerBytes(ByteBuf b, int at) {
        return (b.getByte(at + 12) & 0xF0) >> 2;
    }

    /** The eight control bits, CWR (0x80) down to {@link #FIN}. */
    public static int flags(ByteBuf b, int at) {
        return b.getUnsignedByte(at + 13);
    }

    /** SEG.WND as sent, 0..65535, in units of 2^(the sender's scale) bytes. */
    public static int window(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 14);
    }

    /** 0..65535. */
    public static int checksum(ByteBuf b, int at) {
        return b.getUnsignedShort(at + CHECKSUM_OFFSET);
    }

    public static void setChecksum(ByteBuf b, int at, int checksum) {
        b.setShort(at + CHECKSUM_OFFSET, checksum);
    }

    /** SEG.LEN of a segment of {@code len} bytes: the payload, and one each for SYN and FIN. */
    public static int segLen(ByteBuf b, int at, int len) {
        int flags = flags(b, at);
        return len - headerBytes(b, at) + ((flags & SYN) >> 1) + (flags & FIN);
    }

    /**
     * Appends a header of {@link #MIN_BYTES} and checksum 0. Options follow by {@link TcpOptions}, then
     * {@link #finishHeader}.
     *
     * @param window in the field's own units, 0..65535
     */
    public static void write(ByteBuf b, int sourcePort, int destinationPort, int seq, int ack, int flags, int window) {
        b.writeShort(sourcePort);
        b.writeShort(destinationPort);
        b.writeInt(seq);
        b.writeInt(ack);
        b.writeShort(MIN_BYTES << 10 | flags);
        b.writeShort(window);
        b.writeInt(0);
    }

    /** Sets the data offset of the header at {@code at} to what has been appended since: a multiple of four, up to 60. */
    public static void finishHeader(ByteBuf b, int at) {
        b.setByte(at + 12, (b.writerIndex() - at) << 2);
    }
}
