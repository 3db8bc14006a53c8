package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;

/**
 * ICMP message for IPv4 at index {@code at} of a buffer: RFC 792.
 *
 * <pre>
 *  0               8               16                             31
 * |     type      |     code      |            checksum            |  0
 * |   echo: identifier; errors: 0 |  echo: sequence; too big: MTU  |  4
 * |    echo: data; errors: the packet's IP header and 8 bytes      |  8
 * </pre>
 *
 * Once {@link #isValid} is true, no accessor reads outside the message.
 */
public final class IcmpHeader {
    public static final int BYTES = 8;

    public static final int ECHO_REPLY = 0;
    public static final int DESTINATION_UNREACHABLE = 3;
    public static final int ECHO_REQUEST = 8;
    public static final int TIME_EXCEEDED = 11;
    public static final int PARAMETER_PROBLEM = 12;

    /** Codes of {@link #DESTINATION_UNREACHABLE}: RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1. */
    public static final int CODE_NET = 0;

    public static final int CODE_HOST = 1;
    public static final int CODE_PROTOCOL = 2;
    public static final int CODE_PORT = 3;

    /** Fragmentation needed and DF set; the next hop's MTU is in the header (RFC 1191 §4). */
    public static final int CODE_TOO_BIG = 4;

    public static final int CODE_ADMIN_PROHIBITED = 13;

    /** Code of {@link #TIME_EXCEEDED}: fragment reassembly. */
    public static final int CODE_REASSEMBLY = 1;

    private IcmpHeader() {}

    /** True if {@code len} bytes are readable at {@code at} and hold the header; not its checksum. */
    public static boolean isValid(ByteBuf b, int at, int len) {
        return len >= BYTES && len <= b.writerIndex() - at;
    }

    public static int type(ByteBuf b, int at) {
        return b.getUnsignedByte(at);
    }

    public static int code(ByteBuf b, int at) {
        return b.getUnsignedByte(at + 1);
    }

    /** Echo only. */
    public static int identifier(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 4);
    }

    /** Echo only. */
    public static int sequence(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 6);
    }

    /** {@link #CODE_TOO_BIG} only: 0 from routers older than RFC 1191. */
    public static int nextHopMtu(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 6);
    }

    /** True for the types that quote a packet and must never be answered by an error (RFC 1122 §3.2.2). */
    public static boolean isError(int type) {
        return type == DESTINATION_UNREACHABLE
                || type == TIME_EXCEEDED
                || type == PARAMETER_PROBLEM
                || type == 4 // source quench
                || type == 5; // redirect
    }

    public static boolean isChecksumRight(ByteBuf b, int at, int len) {
        return Checksum.fold(Checksum.sum(b, at, len)) == 0xFFFF;
    }

    /** Appends a header with checksum 0; {@link #complete} sets it once the data follow. */
    public static void write(ByteBuf b, int type, int code, int secondWord) {
        b.writeInt(type << 24 | code << 16);
        b.writeInt(secondWord);
    }

    /** Sets the checksum of a message of {@code len} bytes that lies in one buffer. */
    public static void complete(ByteBuf b, int at, int len) {
        b.setShort(at + 2, 0);
        b.setShort(at + 2, Checksum.finish(Checksum.sum(b, at, len)));
    }
}
