package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;

/**
 * UDP header at index {@code at} of a buffer: RFC 768.
 *
 * <pre>
 *  0                               16                             31
 * |          source port           |        destination port       |  0
 * |             length             |           checksum            |  4
 * </pre>
 *
 * Once {@link #isValid} is true, no accessor reads outside the datagram.
 */
public final class UdpHeader {
    public static final int BYTES = 8;

    /** Largest payload over IPv4: 65,535 - 20 - 8. */
    public static final int MAX_PAYLOAD_V4 = 65_507;

    /** Where the checksum lies in the header, for {@link dev.longshore.packet.link.OutFrame#needsChecksum}. */
    public static final int CHECKSUM_OFFSET = 6;

    private UdpHeader() {}

    /** True if {@code len} bytes are readable at {@code at} and hold the header and the length it names. */
    public static boolean isValid(ByteBuf b, int at, int len) {
        return len >= BYTES && len <= b.writerIndex() - at && length(b, at) >= BYTES && length(b, at) <= len;
    }

    public static int sourcePort(ByteBuf b, int at) {
        return b.getUnsignedShort(at);
    }

    public static int destinationPort(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 2);
    }

    /** Header and payload in bytes. */
    public static int length(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 4);
    }

    /** 0 means that the sender computed none (IPv4 only). */
    public static int checksum(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 6);
    }

    /** True if the checksum is right or, over IPv4, absent (RFC 8200 §8.1). Not for a partial one. */
    public static boolean isChecksumRight(
            ByteBuf b, int at, long sourceHi, long sourceLo, long destinationHi, long destinationLo) {
        int length = length(b, at);
        if (checksum(b, at) == 0) {
            return IpAddress.isV4(sourceHi, sourceLo);
        }
        return Checksum.fold(
                        Checksum.pseudoHeader(sourceHi, sourceLo, destinationHi, destinationLo, IpProtocol.UDP, length)
                                + Checksum.sum(b, at, length))
                == 0xFFFF;
    }

    /** Appends a header with checksum 0. */
    public static void write(ByteBuf b, int sourcePort, int destinationPort, int length) {
        b.writeShort(sourcePort);
        b.writeShort(destinationPort);
        b.writeInt(length << 16);
    }

    /** Sets the checksum from the sum over pseudo-header, header (with checksum 0) and payload; never 0 (RFC 768). */
    public static void setChecksum(ByteBuf b, int at, long sum) {
        int checksum = Checksum.finish(sum);
        b.setShort(at + 6, checksum == 0 ? 0xFFFF : checksum);
    }
}
