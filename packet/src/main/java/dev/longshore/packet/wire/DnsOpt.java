package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;

/**
 * OPT pseudo-record of EDNS, whose owner's name (the root, one byte) ends before index {@code optAt}: RFC 6891 §6.1.
 *
 * <pre>
 *  0                               16                             31
 * |           type (41)           |  UDP payload the sender takes |  0
 * | extended rcode|    version    |D|          zeros (Z)          |  4
 * |         data length           |  options (code, length, data) |  8
 * </pre>
 */
public final class DnsOpt {
    public static final int OPTION_NSID = 3;
    public static final int OPTION_COOKIE = 10;
    public static final int OPTION_KEEPALIVE = 11;
    public static final int OPTION_PADDING = 12;
    public static final int OPTION_EDE = 15;

    /** Extended DNS errors: RFC 8914 §4. */
    public static final int EDE_CACHED_ERROR = 13;

    public static final int EDE_BLOCKED = 15;

    public static final int EDE_FILTERED = 17;
    public static final int EDE_NO_REACHABLE_AUTHORITY = 22;
    public static final int EDE_NETWORK_ERROR = 23;

    /** Name, header and no options. */
    public static final int MIN_BYTES = 1 + DnsRecord.HEADER_BYTES;

    private static final int FLAG_DNSSEC_OK = 0x8000;

    private DnsOpt() {}

    public static int payload(ByteBuf b, int optAt) {
        return b.getUnsignedShort(optAt + 2);
    }

    public static void setPayload(ByteBuf b, int optAt, int bytes) {
        b.setShort(optAt + 2, bytes);
    }

    /** The upper eight bits of the twelve that an rcode has. */
    public static int extendedRcode(ByteBuf b, int optAt) {
        return b.getUnsignedByte(optAt + 4);
    }

    public static int version(ByteBuf b, int optAt) {
        return b.getUnsignedByte(optAt + 5);
    }

    public static boolean isDnssecOk(ByteBuf b, int optAt) {
        return (b.getUnsignedShort(optAt + 6) & FLAG_DNSSEC_OK) != 0;
    }

    /** Index of the first option's code; with {@link #optionsEnd} the bounds of a walk by {@link #nextOption}. */
    public static int optionsAt(int optAt) {
        return DnsRecord.dataAt(optAt);
    }

    public static int optionsEnd(ByteBuf b, int optAt) {
        return DnsRecord.dataAt(optAt) + DnsRecord.dataBytes(b, optAt);
    }

    /** Index after the option at {@code at}, or -1 if it does not end before {@code end}. */
    public static int nextOption(ByteBuf b, int at, int end) {
        if (at + 4 > end) {
            return -1;
        }
        int next = at + 4 + b.getUnsignedShort(at + 2);
        return next <= end ? next : -1;
    }

    public static int optionCode(ByteBuf b, int at) {
        return b.getUnsignedShort(at);
    }

    /** Appends an OPT record whose options follow; {@link #finish} closes it. Returns its {@code optAt}. */
    public static int begin(ByteBuf b, int payload, int extendedRcode, boolean dnssecOk) {
        b.writeByte(0);
        int optAt = b.writerIndex();
        b.writeShort(DnsMessage.TYPE_OPT).writeShort(payload);
        b.writeByte(extendedRcode).writeByte(0).writeShort(dnssecOk ? FLAG_DNSSEC_OK : 0);
        b.writeShort(0);
        return optAt;
    }

    public static void finish(ByteBuf b, int optAt) {
        b.setShort(optAt + 8, b.writerIndex() - DnsRecord.dataAt(optAt));
    }

    /** Appends an extended DNS error: RFC 8914 §2. */
    public static void writeEde(ByteBuf b, int code, String text) {
        b.writeShort(OPTION_EDE).writeShort(2 + text.length()).writeShort(code);
        b.writeCharSequence(text, StandardCharsets.US_ASCII);
    }

    /** Appends how long an idle connection stays open, in units of 100 ms: RFC 7828 §3.1. */
    public static void writeKeepalive(ByteBuf b, int tenths) {
        b.writeShort(OPTION_KEEPALIVE).writeShort(2).writeShort(tenths);
    }
}
