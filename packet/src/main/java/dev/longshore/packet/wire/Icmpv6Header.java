package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;

/**
 * ICMP message for IPv6 at index {@code at} of a buffer: RFC 4443 §2.1. Neighbor discovery's messages: {@link NdpMessage}.
 *
 * <pre>
 *  0               8               16                             31
 * |     type      |     code      |            checksum            |  0
 * |  echo: identifier, sequence; too big: MTU; parameter: pointer  |  4
 * |    echo: data; errors: as much of the packet as fits in 1280   |  8
 * </pre>
 *
 * Once {@link #isValid} is true, no accessor reads outside the message.
 */
public final class Icmpv6Header {
    public static final int BYTES = 8;

    /** Distance of the checksum field from the header's start. */
    public static final int CHECKSUM_OFFSET = 2;

    /** Errors: RFC 4443 §3. */
    public static final int DESTINATION_UNREACHABLE = 1;

    public static final int PACKET_TOO_BIG = 2;
    public static final int TIME_EXCEEDED = 3;
    public static final int PARAMETER_PROBLEM = 4;

    /** Echo: RFC 4443 §4. */
    public static final int ECHO_REQUEST = 128;

    public static final int ECHO_REPLY = 129;

    /** Multicast listener discovery: RFC 2710, RFC 3810. */
    public static final int LISTENER_QUERY = 130;

    public static final int LISTENER_REPORT = 131;
    public static final int LISTENER_DONE = 132;
    public static final int LISTENER_REPORT_V2 = 143;

    /** Codes of {@link #DESTINATION_UNREACHABLE}: RFC 4443 §3.1. */
    public static final int CODE_NO_ROUTE = 0;

    public static final int CODE_ADMIN_PROHIBITED = 1;
    public static final int CODE_BEYOND_SCOPE = 2;
    public static final int CODE_ADDRESS = 3;
    public static final int CODE_PORT = 4;
    public static final int CODE_SOURCE_POLICY = 5;

    /** Codes of {@link #TIME_EXCEEDED}: RFC 4443 §3.3. */
    public static final int CODE_HOP_LIMIT = 0;

    public static final int CODE_REASSEMBLY = 1;

    /** Codes of {@link #PARAMETER_PROBLEM}: RFC 4443 §3.4; the pointer is the offset of what was not understood. */
    public static final int CODE_HEADER_FIELD = 0;

    public static final int CODE_NEXT_HEADER = 1;
    public static final int CODE_OPTION = 2;

    private Icmpv6Header() {}

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

    /** {@link #PACKET_TOO_BIG} only: 0..2^32-1. */
    public static long mtu(ByteBuf b, int at) {
        return b.getUnsignedInt(at + 4);
    }

    /** {@link #PARAMETER_PROBLEM} only: 0..2^32-1. */
    public static long pointer(ByteBuf b, int at) {
        return b.getUnsignedInt(at + 4);
    }

    /** True for the types that quote a packet and must never be answered by an error (RFC 4443 §2.1, §2.4 (e.1)). */
    public static boolean isError(int type) {
        return type < 128;
    }

    /** Whether the sum over pseudo-header and message is right: RFC 4443 §2.3. Not for a partial one. */
    public static boolean isChecksumRight(
            ByteBuf b, int at, int len, long sourceHi, long sourceLo, long destinationHi, long destinationLo) {
        long pseudo = Checksum.pseudoHeader(sourceHi, sourceLo, destinationHi, destinationLo, IpProtocol.ICMPV6, len);
        return Checksum.fold(pseudo + Checksum.sum(b, at, len)) == 0xFFFF;
    }

    /** Appends a header with checksum 0; {@link #complete} sets it once the data follow. */
    public static void write(ByteBuf b, int type, int code, int secondWord) {
        b.writeInt(type << 24 | code << 16);
        b.writeInt(secondWord);
    }

    /** Sets the checksum of a message of {@code len} bytes that lies in one buffer. */
    public static void complete(
            ByteBuf b, int at, int len, long sourceHi, long sourceLo, long destinationHi, long destinationLo) {
        b.setShort(at + CHECKSUM_OFFSET, 0);
        long pseudo = Checksum.pseudoHeader(sourceHi, sourceLo, destinationHi, destinationLo, IpProtocol.ICMPV6, len);
        b.setShort(at + CHECKSUM_OFFSET, Checksum.finish(pseudo + Checksum.sum(b, at, len)));
    }

    /** Sets the checksum of a message whose header is at {@code at} and whose data are {@code bytes} bytes of {@code data}. */
    public static void complete(
            ByteBuf b,
            int at,
            ByteBuf data,
            int dataAt,
            int bytes,
            long sourceHi,
            long sourceLo,
            long destinationHi,
            long destinationLo) {
        b.setShort(at + CHECKSUM_OFFSET, 0);
        long pseudo = Checksum.pseudoHeader(
                sourceHi, sourceLo, destinationHi, destinationLo, IpProtocol.ICMPV6, BYTES + bytes);
        long sum = pseudo + Checksum.sum(b, at, BYTES) + Checksum.sum(data, dataAt, bytes);
        b.setShort(at + CHECKSUM_OFFSET, Checksum.finish(sum));
    }
}
