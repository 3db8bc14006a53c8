package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;

/**
 * Resource record whose owner's name ends before index {@code afterName} of a buffer: RFC 1035 §4.1.3.
 *
 * <pre>
 *  0                               16                             31
 * |             type              |             class             |  0
 * |                          time to live                         |  4
 * |         data length           |            data               |  8
 * </pre>
 *
 * Once {@link DnsMessage#skipRecord} has gone over the record, no accessor reads outside it.
 */
public final class DnsRecord {
    public static final int HEADER_BYTES = 10;

    private DnsRecord() {}

    public static int type(ByteBuf b, int afterName) {
        return b.getUnsignedShort(afterName);
    }

    public static int dnsClass(ByteBuf b, int afterName) {
        return b.getUnsignedShort(afterName + 2);
    }

    /** Seconds; a value with the highest bit set means 0: RFC 2181 §8. */
    public static int ttl(ByteBuf b, int afterName) {
        return Math.max(0, b.getInt(afterName + 4));
    }

    public static void setTtl(ByteBuf b, int afterName, int seconds) {
        b.setInt(afterName + 4, seconds);
    }

    public static int dataBytes(ByteBuf b, int afterName) {
        return b.getUnsignedShort(afterName + 8);
    }

    public static int dataAt(int afterName) {
        return afterName + HEADER_BYTES;
    }

    /** The type that an RRSIG record signs: RFC 4034 §3.1.1. -1 if the data are too short. */
    public static int covered(ByteBuf b, int afterName) {
        return dataBytes(b, afterName) >= 2 ? b.getUnsignedShort(dataAt(afterName)) : -1;
    }
}
