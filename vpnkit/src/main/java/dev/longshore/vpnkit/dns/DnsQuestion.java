package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.DnsOpt;
import dev.longshore.packet.wire.DnsRecord;
import io.netty.buffer.ByteBuf;
import java.security.SecureRandom;
import org.jspecify.annotations.Nullable;

/**
 * One question of the guest, as far as its answer needs it. Confined to the link's event loop; immutable but for the marks of its
 * way, which the query log reads.
 */
final class DnsQuestion {
    /** What we say we take, and the most we send by UDP: RFC 9715 and the flag day of 2020. */
    static final int EDNS_BYTES = 1232;

    static final int MAX_BYTES = 65_535;

    private static final int KEY_FLAGS = DnsMessage.FLAG_CHECKING_DISABLED | DnsMessage.FLAG_AUTHENTIC_DATA;
    private static final int TYPE_AND_CLASS = 4;

    /** Of this process. */
    private static final long SECRET = new SecureRandom().nextLong();

    private static final long MULTIPLIER = new SecureRandom().nextLong() | 1;

    final int id;

    /** The query's second 16 bits. */
    final int flags;

    /** The question section as it was asked, capitals included: name, type, class. Not to be written to. */
    final byte[] bytes;

    final int type;
    final int dnsClass;
    final boolean tcp;

    /** It has an OPT record, so its answer has one: RFC 6891 §6.1.1. */
    final boolean opt;

    final boolean dnssecOk;
    final int version;

    /** What it says it takes by UDP; 512 without OPT. */
    final int payload;

    /** It has options that are the resolver's to understand: its answer is for nobody else. */
    final boolean special;

    /** It is signed (RFC 8945), so that nothing may be changed. */
    final boolean signed;

    final boolean keepalive;

    /** The records behind the question can't be read, or there is more than one OPT, or it is in the wrong place. */
    final boolean broken;

    /** Index after its last record, counted from the message's begin. */
    final int end;

    /** The most its answer may have, bytes. */
    final int limit;

    private final int hash;
    private @Nullable String name;

    // ---- the marks of its way

    /** By the network's clock, ns. */
    long startedAt;

    /** Who asked; ::ffff:0.0.0.0 if it was nobody of the guest. */
    long guestHi;

    long guestLo = dev.longshore.packet.wire.IpAddress.loOfV4(0);

    /** Where the answer goes. */
    DnsAnswers to = io.netty.buffer.ByteBuf::release;

    /** Hears what happens to this question; null for all but an operator's. */
    @Nullable
    DnsTrace trace;

    private DnsQuestion(ByteBuf b, int at, byte[] bytes, boolean tcp, Additions a, int limit) {
        this.id = DnsMessage.id(b, at);
        this.flags = DnsMessage.flags(b, at);
        this.bytes = bytes;
        int n = bytes.length;
        this.type = (bytes[n - 4] & 0xFF) << 8 | (bytes[n - 3] & 0xFF);
        this.dnsClass = (bytes[n - 2] & 0xFF) << 8 | (bytes[n - 1] & 0xFF);
        this.tcp = tcp;
        this.opt = a.opt;
        this.dnssecOk = a.dnssecOk;
        this.version = a.version;
        this.payload = a.payload;
        this.special = a.special;
        this.signed = a.signed;
        this.keepalive = a.keepalive;
        this.broken = a.broken;
        this.end = a.end;
        this.limit = limit;
        this.hash = hash(bytes, n - TYPE_AND_CLASS, type);
    }

    /** Keyed: a guest chooses names and their number, and must not choose that all of them meet in one place of a table. */
    private static int hash(byte[] bytes, int nameBytes, int type) {
        long h = SECRET ^ type;
        for (int i = 0; i < nameBytes; i++) {
            h = (h ^ DnsMessage.lower(bytes[i])) * MULTIPLIER;
            h ^= h >>> 32;
        }
        return (int) (h ^ h >>> 32);
    }

    /** What is behind a question. One on the loop, reused. */
    private static final class Additions {
        boolean opt;
        boolean dnssecOk;
        int version;
        int payload;
        boolean special;
        boolean signed;
        boolean keepalive;
        boolean broken;
        int end;

        void read(ByteBuf b, int at, int len, int recordsAt) {
            payload = DnsMessage.MAX_PLAIN_UDP;
            int first = DnsMessage.answers(b, at) + DnsMessage.authorities(b, at);
            int records = DnsMessage.records(b, at);
            int i = recordsAt;
            for (int n = 0; n < records; n++) {
                int next = DnsMessage.skipRecord(b, at, len, i);
                if (next < 0) {
                    broken = true;
                    break;
                }
                int afterName = DnsMessage.skipName(b, at, len, i);
                int type = DnsRecord.type(b, afterName);
                if (type == DnsMessage.TYPE_OPT) {
                    broken |= opt || n < first || afterName != i + 1;
                    opt = true;
                    options(b, afterName);
                }
                signed |= type == DnsMessage.TYPE_TSIG;
                i = next;
            }
            end = i - at;
        }

        private void options(ByteBuf b, int optAt) {
            dnssecOk = DnsOpt.isDnssecOk(b, optAt);
            version = DnsOpt.version(b, optAt);
            payload =
                    Math.max(DnsMessage.MAX_PLAIN_UDP, DnsOpt.payload(b, optAt)); // less means so much: RFC 6891 §6.2.3
            int end = DnsOpt.optionsEnd(b, optAt);
            for (int i = DnsOpt.optionsAt(optAt); i < end; ) {
                int next = DnsOpt.nextOption(b, i, end);
                if (next < 0) {
                    broken = true;
                    return;
                }
                int code = DnsOpt.optionCode(b, i);
                keepalive |= code == DnsOpt.OPTION_KEEPALIVE;
                special |= !isOurs(code);
                i = next;
            }
        }
    }

    /** Options that mean the next hop only, and are not passed on: RFC 7873 §5, RFC 7828 §3, RFC 7830 §3. */
    static boolean isOurs(int option) {
        return option == DnsOpt.OPTION_COOKIE || option == DnsOpt.OPTION_KEEPALIVE || option == DnsOpt.OPTION_PADDING;
    }

    /** Null if there is not exactly one question, or it can't be read. The message has a header. */
    static @Nullable DnsQuestion read(ByteBuf b, int at, int len, boolean tcp) {
        if (DnsMessage.questions(b, at) != 1) {
            return null;
        }
        int questionAt = at + DnsMessage.HEADER_BYTES;
        int afterName = DnsMessage.skipPlainName(b, at, len, questionAt);
        if (afterName < 0 || afterName + TYPE_AND_CLASS > at + len) {
            return null;
        }
        byte[] bytes = new byte[afterName + TYPE_AND_CLASS - questionAt];
        b.getBytes(questionAt, bytes);
        Additions a = new Additions();
        a.read(b, at, len, afterName + TYPE_AND_CLASS);
        return new DnsQuestion(b, at, bytes, tcp, a, tcp ? MAX_BYTES : Math.min(a.payload, EDNS_BYTES));
    }

    /** Index after the question in a message that starts at 0. */
    int afterQuestion() {
        return DnsMessage.HEADER_BYTES + bytes.length;
    }

    /** Bytes of the name, with all length bytes. */
    int nameBytes() {
        return bytes.length - TYPE_AND_CLASS;
    }

    /**
     * In lower case, labels joined by dots, without the last dot; "" is the root. A byte that is no visible ASCII character, or a dot or
     * backslash within a label, is a backslash and three digits (RFC 4343 §2.1): no host has such a name, but the zone that it is in counts.
     */
    String name() {
        String text = name;
        if (text == null) {
            text = text();
            name = text;
        }
        return text;
    }

    private String text() {
        int n = nameBytes();
        if (n == 1) {
            return "";
        }
        StringBuilder text = new StringBuilder(n - 2);
        int label = bytes[0];
        for (int i = 1; i < n - 1; i++) {
            if (label == 0) {
                label = bytes[i];
                text.append('.');
                continue;
            }
            int c = DnsMessage.lower(bytes[i]) & 0xFF;
            if (c <= ' ' || c >= 0x7F || c == '.' || c == '\\') {
                text.append('\\')
                        .append((char) ('0' + c / 100))
                        .append((char) ('0' + c / 10 % 10))
                        .append((char) ('0' + c % 10));
            } else {
                text.append((char) c);
            }
            label--;
        }
        return text.toString();
    }

    /** True if the last label is {@code label}, in lower case, or there is one that ends the same: for a quick no. */
    boolean endsIn(String label) {
        int from = nameBytes() - 1 - label.length();
        if (from < 1 || bytes[from - 1] != label.length()) {
            return false;
        }
        for (int i = 0; i < label.length(); i++) {
            if (DnsMessage.lower(bytes[from + i]) != label.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    /** True if its answer may be another one's, before and later. */
    boolean isShareable() {
        return !special && !signed && (flags & DnsMessage.FLAG_RECURSION_DESIRED) != 0;
    }

    int hash() {
        return hash;
    }

    /** What else than the question decides about its answer: DO, CD, AD. */
    int mode() {
        return (flags & KEY_FLAGS) | (dnssecOk ? 1 : 0);
    }

    /** The same name, type and class. */
    boolean asksTheSame(byte[] other) {
        int n = bytes.length;
        if (other.length != n) {
            return false;
        }
        for (int i = n - 1; i >= n - TYPE_AND_CLASS; i--) {
            if (bytes[i] != other[i]) {
                return false;
            }
        }
        for (int i = 0; i < n - TYPE_AND_CLASS; i++) {
            if (bytes[i] != other[i] && DnsMessage.lower(bytes[i]) != DnsMessage.lower(other[i])) {
                return false;
            }
        }
        return true;
    }

    /** The question at {@code at} of a message, byte for byte but for the case of letters. */
    boolean isAt(ByteBuf b, int at) {
        int n = bytes.length;
        if (at + n > b.writerIndex()) {
            return false;
        }
        for (int i = 0; i < n; i++) {
            byte x = bytes[i];
            byte y = b.getByte(at + i);
            if (x != y && (i >= n - TYPE_AND_CLASS || DnsMessage.lower(x) != DnsMessage.lower(y))) {
                return false;
            }
        }
        return true;
    }

    /** Two that one question to a resolver serves. */
    @Override
    public boolean equals(@Nullable Object o) {
        return o instanceof DnsQuestion q
                && hash == q.hash
                && mode() == q.mode()
                && opt == q.opt
                && tcp == q.tcp
                && asksTheSame(q.bytes);
    }

    @Override
    public int hashCode() {
        return hash;
    }
}
