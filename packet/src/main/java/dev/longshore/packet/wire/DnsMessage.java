package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * DNS message at index {@code at} of a buffer: RFC 1035 §4.1.
 *
 * <pre>
 *  0                               16                             31
 * |              id               |Q| opcode|A|T|R|R|0|A|C| rcode  |  0
 * |            qdcount            |            ancount             |  4
 * |            nscount            |            arcount             |  8
 * |  questions (name, type, class), then resource records          | 12
 * </pre>
 *
 * Once {@link #isValid} is true, no accessor of the header reads outside the message. Walks over names are bounded: a
 * compression pointer must point backwards, a name has at most 255 bytes and follows at most {@link #MAX_POINTERS} pointers, so no
 * message makes a walk endless, or its walks together long.
 */
public final class DnsMessage {
    public static final int HEADER_BYTES = 12;

    /** Largest UDP answer to a query without EDNS: RFC 1035 §4.2.1. */
    public static final int MAX_PLAIN_UDP = 512;

    public static final int RCODE_OK = 0;
    public static final int RCODE_FORMERR = 1;
    public static final int RCODE_SERVFAIL = 2;
    public static final int RCODE_NXDOMAIN = 3;
    public static final int RCODE_NOTIMP = 4;
    public static final int RCODE_REFUSED = 5;

    /** Needs an OPT record for its upper bits: RFC 6891 §9. */
    public static final int RCODE_BADVERS = 16;

    public static final int TYPE_A = 1;
    public static final int TYPE_NS = 2;
    public static final int TYPE_CNAME = 5;
    public static final int TYPE_SOA = 6;
    public static final int TYPE_PTR = 12;
    public static final int TYPE_MX = 15;
    public static final int TYPE_TXT = 16;
    public static final int TYPE_AAAA = 28;
    public static final int TYPE_SRV = 33;
    public static final int TYPE_DNAME = 39;
    public static final int TYPE_OPT = 41;
    public static final int TYPE_RRSIG = 46;
    public static final int TYPE_SVCB = 64;
    public static final int TYPE_HTTPS = 65;
    public static final int TYPE_TSIG = 250;
    public static final int TYPE_IXFR = 251;
    public static final int TYPE_AXFR = 252;
    public static final int TYPE_ANY = 255;
    public static final int CLASS_IN = 1;
    public static final int CLASS_CHAOS = 3;

    public static final int FLAG_RESPONSE = 0x8000;
    public static final int FLAG_AUTHORITATIVE = 0x0400;
    public static final int FLAG_TRUNCATED = 0x0200;
    public static final int FLAG_RECURSION_DESIRED = 0x0100;
    public static final int FLAG_RECURSION_AVAILABLE = 0x0080;
    public static final int FLAG_AUTHENTIC_DATA = 0x0020;
    public static final int FLAG_CHECKING_DISABLED = 0x0010;
    private static final int OPCODE_MASK = 0x7800;

    /** With all length bytes and the last zero: RFC 1035 §2.3.4. */
    public static final int MAX_NAME_BYTES = 255;

    /** Of one name: as many as it may have labels. Pointers to pointers would cost thousands of steps for each of thousands of names. */
    public static final int MAX_POINTERS = 127;

    /** Pointer to the first question's name, which always starts right after the header. */
    private static final int QUESTION_NAME = 0xC000 | HEADER_BYTES;

    private DnsMessage() {}

    /** True if {@code len} bytes are readable at {@code at} and hold the header. */
    public static boolean isValid(ByteBuf b, int at, int len) {
        return len >= HEADER_BYTES && len <= b.writerIndex() - at;
    }

    public static int id(ByteBuf b, int at) {
        return b.getUnsignedShort(at);
    }

    public static void setId(ByteBuf b, int at, int id) {
        b.setShort(at, id);
    }

    /** The second 16 bits: the {@code FLAG_} constants, opcode and rcode. */
    public static int flags(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 2);
    }

    public static void setFlags(ByteBuf b, int at, int flags) {
        b.setShort(at + 2, flags);
    }

    public static boolean isResponse(ByteBuf b, int at) {
        return (flags(b, at) & FLAG_RESPONSE) != 0;
    }

    public static boolean isTruncated(ByteBuf b, int at) {
        return (flags(b, at) & FLAG_TRUNCATED) != 0;
    }

    /** 0 is QUERY. */
    public static int opcode(ByteBuf b, int at) {
        return (flags(b, at) & OPCODE_MASK) >>> 11;
    }

    public static int rcode(ByteBuf b, int at) {
        return flags(b, at) & 0xF;
    }

    public static int questions(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 4);
    }

    public static int answers(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 6);
    }

    public static int authorities(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 8);
    }

    public static int additionals(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 10);
    }

    /** Of all sections but the questions. */
    public static int records(ByteBuf b, int at) {
        return answers(b, at) + authorities(b, at) + additionals(b, at);
    }

    public static void setCounts(ByteBuf b, int at, int questions, int answers, int authorities, int additionals) {
        b.setShort(at + 4, questions).setShort(at + 6, answers);
        b.setShort(at + 8, authorities).setShort(at + 10, additionals);
    }

    /** Index after the name that starts at {@code nameAt} and has no pointer, with its last byte, or -1: as questions have it. */
    public static int skipPlainName(ByteBuf b, int at, int len, int nameAt) {
        int i = skipName(b, at, len, nameAt);
        return i > nameAt && b.getByte(i - 1) == 0 && !endsInPointer(b, nameAt, i) ? i : -1;
    }

    private static boolean endsInPointer(ByteBuf b, int nameAt, int end) {
        int i = nameAt;
        while (i < end - 1) {
            int label = b.getUnsignedByte(i);
            if (label >= 0xC0) {
                return true;
            }
            i += 1 + label;
        }
        return false;
    }

    /** Index after the name that starts at {@code nameAt} (after its first pointer, if it has one), or -1 if it is broken. */
    public static int skipName(ByteBuf b, int at, int len, int nameAt) {
        int end = at + len;
        int i = nameAt;
        while (i < end && i - nameAt < MAX_NAME_BYTES) {
            int label = b.getUnsignedByte(i);
            if (label == 0) {
                return i + 1;
            }
            if (label >= 0xC0) {
                return i + 2 <= end ? i + 2 : -1;
            }
            if (label > 63) {
                return -1;
            }
            i += 1 + label;
        }
        return -1;
    }

    /** Index after the question whose name starts at {@code questionAt}, or -1 if it is broken. */
    public static int skipQuestion(ByteBuf b, int at, int len, int questionAt) {
        int afterName = skipName(b, at, len, questionAt);
        return afterName >= 0 && afterName + 4 <= at + len ? afterName + 4 : -1;
    }

    /** Index after the resource record whose name starts at {@code recordAt}, or -1 if it is broken. */
    public static int skipRecord(ByteBuf b, int at, int len, int recordAt) {
        int i = skipName(b, at, len, recordAt);
        if (i < 0 || i + 10 > at + len) {
            return -1;
        }
        int end = i + 10 + b.getUnsignedShort(i + 8);
        return end <= at + len ? end : -1;
    }

    /** Type of the question or record whose name ends before {@code afterName}. */
    public static int type(ByteBuf b, int afterName) {
        return b.getUnsignedShort(afterName);
    }

    /** Class of the question or record whose name ends before {@code afterName}. */
    public static int dnsClass(ByteBuf b, int afterName) {
        return b.getUnsignedShort(afterName + 2);
    }

    /**
     * The name at {@code nameAt}, ASCII letters in lower case, labels joined by dots, without the last dot; "" is the root.
     * Null if it is broken, or if a label has bytes that need escapes (a dot, a blank, control or non-ASCII bytes): no name
     * of ours is like that.
     */
    public static @Nullable String name(ByteBuf b, int at, int len, int nameAt) {
        byte[] text = new byte[MAX_NAME_BYTES];
        int length = 0;
        int end = at + len;
        int i = nameAt;
        int before = nameAt; // a pointer leads to before where this stretch of labels started, so the walk ends
        int pointers = 0;
        while (i < end) {
            int label = b.getUnsignedByte(i);
            if (label == 0) {
                return new String(text, 0, length, StandardCharsets.US_ASCII);
            }
            if (label >= 0xC0) {
                int target = i + 1 < end ? at + (b.getUnsignedShort(i) & 0x3FFF) : end;
                if (target >= before || target < at + HEADER_BYTES || ++pointers > MAX_POINTERS) {
                    return null;
                }
                before = target;
                i = target;
                continue;
            }
            if (label > 63 || i + 1 + label > end || length + 1 + label > MAX_NAME_BYTES - 1) {
                return null;
            }
            if (length > 0) {
                text[length++] = '.';
            }
            for (int k = i + 1; k <= i + label; k++) {
                int c = b.getUnsignedByte(k);
                if (c <= ' ' || c >= 0x7F || c == '.') {
                    return null;
                }
                text[length++] = (byte) (c >= 'A' && c <= 'Z' ? c + 32 : c);
            }
            i += 1 + label;
        }
        return null;
    }

    /**
     * Copies the name at {@code nameAt} without compression. Returns its bytes, the last zero included, or -1 if it is broken or does
     * not fit in {@link #MAX_NAME_BYTES}, for which {@code to} has room.
     *
     * @param lower whether in lower case, as names are compared: RFC 4343 §3
     */
    public static int copyName(ByteBuf b, int at, int len, int nameAt, byte[] to, boolean lower) {
        int length = 0;
        int end = at + len;
        int i = nameAt;
        int before = nameAt;
        int pointers = 0;
        while (i < end) {
            int label = b.getUnsignedByte(i);
            if (label >= 0xC0) {
                int target = i + 1 < end ? at + (b.getUnsignedShort(i) & 0x3FFF) : end;
                if (target >= before || target < at + HEADER_BYTES || ++pointers > MAX_POINTERS) {
                    return -1;
                }
                before = target;
                i = target;
                continue;
            }
            if (label > 63 || i + 1 + label > end || length + 1 + label > MAX_NAME_BYTES) {
                return -1;
            }
            to[length++] = (byte) label;
            if (label == 0) {
                return length;
            }
            for (int k = i + 1; k <= i + label; k++) {
                byte c = b.getByte(k);
                to[length++] = lower ? lower(c) : c;
            }
            i += 1 + label;
        }
        return -1;
    }

    /** An ASCII capital as the small letter, any other byte as it is. */
    public static byte lower(byte c) {
        return c >= 'A' && c <= 'Z' ? (byte) (c + 32) : c;
    }

    /**
     * Appends the header of an answer to the query at {@code queryAt} of {@code query}: its id, opcode, RD and CD, with QR
     * and RA set and the counts given.
     */
    public static void writeAnswerHeader(
            ByteBuf b,
            ByteBuf query,
            int queryAt,
            int rcode,
            int questions,
            int answers,
            int authorities,
            int additionals) {
        int kept = flags(query, queryAt) & (OPCODE_MASK | FLAG_RECURSION_DESIRED | FLAG_CHECKING_DISABLED);
        b.writeShort(id(query, queryAt));
        b.writeShort(kept | FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | rcode);
        b.writeShort(questions).writeShort(answers).writeShort(authorities).writeShort(additionals);
    }

    /** Appends a query's header with one question to come: recursion desired. */
    public static void writeQueryHeader(ByteBuf b, int id) {
        b.writeShort(id)
                .writeShort(FLAG_RECURSION_DESIRED)
                .writeShort(1)
                .writeShort(0)
                .writeInt(0);
    }

    /** Appends a name of ASCII labels joined by dots, uncompressed; "" is the root. The caller's own names: well formed. */
    public static void writeName(ByteBuf b, String name) {
        int from = 0;
        while (from < name.length()) {
            int dot = name.indexOf('.', from);
            int to = dot < 0 ? name.length() : dot;
            b.writeByte(to - from);
            b.writeCharSequence(name.subSequence(from, to), StandardCharsets.US_ASCII);
            from = to + 1;
        }
        b.writeByte(0);
    }

    /** Appends a question. */
    public static void writeQuestion(ByteBuf b, String name, int type) {
        writeName(b, name);
        b.writeShort(type).writeShort(CLASS_IN);
    }

    /** Appends an A record for the first question's name. */
    public static void writeA(ByteBuf b, int ttlSeconds, int address) {
        b.writeShort(QUESTION_NAME).writeShort(TYPE_A).writeShort(CLASS_IN).writeInt(ttlSeconds);
        b.writeShort(4).writeInt(address);
    }

    /** Appends an AAAA record (RFC 3596 §2.2) for the first question's name. */
    public static void writeAaaa(ByteBuf b, int ttlSeconds, long hi, long lo) {
        b.writeShort(QUESTION_NAME).writeShort(TYPE_AAAA).writeShort(CLASS_IN).writeInt(ttlSeconds);
        b.writeShort(16).writeLong(hi).writeLong(lo);
    }

    /** Appends a PTR record for the first question's name. */
    public static void writePtr(ByteBuf b, int ttlSeconds, String name) {
        b.writeShort(QUESTION_NAME).writeShort(TYPE_PTR).writeShort(CLASS_IN).writeInt(ttlSeconds);
        int lengthAt = b.writerIndex();
        b.writeShort(0);
        writeName(b, name);
        b.setShort(lengthAt, b.writerIndex() - lengthAt - 2);
    }

    /** Appends the SOA record that makes a negative answer cacheable for {@code ttlSeconds}: RFC 2308 §3. */
    public static void writeSoa(ByteBuf b, String zone, int ttlSeconds) {
        writeName(b, zone);
        b.writeShort(TYPE_SOA).writeShort(CLASS_IN).writeInt(ttlSeconds);
        int lengthAt = b.writerIndex();
        b.writeShort(0);
        writeName(b, "ns." + zone);
        writeName(b, "hostmaster." + zone);
        b.writeInt(1).writeInt(3600).writeInt(600).writeInt(86_400).writeInt(ttlSeconds);
        b.setShort(lengthAt, b.writerIndex() - lengthAt - 2);
    }

    /** Appends an empty OPT record: an answer has one exactly if its query had one (RFC 6891 §6.1.1). */
    public static void writeOpt(ByteBuf b, int udpPayloadBytes) {
        b.writeByte(0)
                .writeShort(TYPE_OPT)
                .writeShort(udpPayloadBytes)
                .writeInt(0)
                .writeShort(0);
    }
}
