package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.DnsOpt;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;

/**
 * Writes answers in the form that the one who asked may have: its id, its question as it was asked (capitals included), OPT exactly if it
 * had one, and not more bytes than it takes. What is too large becomes the question with TC, as nsd, unbound and dnsmasq have it, for
 * a half set of records is of no use to anybody. Confined to the loop.
 */
final class DnsReply {
    /** Says why an answer is as it is: RFC 8914. */
    record Reason(int code, String text) {}

    static final Reason FILTERED = new Reason(DnsOpt.EDE_FILTERED, "address family left out");
    static final Reason BLOCKED = new Reason(DnsOpt.EDE_BLOCKED, "egress policy");
    static final Reason UNREACHABLE = new Reason(DnsOpt.EDE_NO_REACHABLE_AUTHORITY, "no resolver answered");
    static final Reason NETWORK_ERROR = new Reason(DnsOpt.EDE_NETWORK_ERROR, "resolvers unreachable");
    static final Reason LOOP = new Reason(DnsOpt.EDE_NETWORK_ERROR, "the host's resolver asks us in turn");
    static final Reason CACHED_ERROR = new Reason(DnsOpt.EDE_CACHED_ERROR, "it failed just now");
    static final Reason NONE = new Reason(-1, "");

    private static final int ROOM = 64; // for OPT

    private DnsReply() {}

    /** An answer of ours to be filled: header and question. Its records follow, then {@link #finish}. */
    static ByteBuf begin(ByteBufAllocator allocator, DnsQuestion q, int rcode, int recordBytes) {
        ByteBuf b = allocator.directBuffer(q.afterQuestion() + recordBytes + ROOM);
        int kept = q.flags & (DnsMessage.FLAG_RECURSION_DESIRED | DnsMessage.FLAG_CHECKING_DISABLED);
        b.writeShort(q.id);
        b.writeShort(kept | DnsMessage.FLAG_RESPONSE | DnsMessage.FLAG_RECURSION_AVAILABLE | (rcode & 0xF));
        b.writeShort(1).writeShort(0).writeInt(0);
        b.writeBytes(q.bytes);
        return b;
    }

    /** Ends an answer: counts, OPT, and the cut if it is too large. Returns the same buffer. */
    static ByteBuf finish(ByteBuf b, DnsQuestion q, int answers, int authorities, int rcode, Reason why) {
        return finish(b, q, answers, authorities, 0, rcode, why);
    }

    /** The same, with records in the additional section. */
    static ByteBuf finish(
            ByteBuf b, DnsQuestion q, int answers, int authorities, int additionals, int rcode, Reason why) {
        DnsMessage.setCounts(b, 0, 1, answers, authorities, additionals);
        if (q.opt) {
            int optAt = beginOpt(b, q, rcode >>> 4);
            endOpt(b, q, optAt, why);
        }
        return cut(b, q, rcode >>> 4);
    }

    /** Nothing but an rcode of up to twelve bits. */
    static ByteBuf error(ByteBufAllocator allocator, DnsQuestion q, int rcode, Reason why) {
        return finish(begin(allocator, q, rcode, 0), q, 0, 0, rcode, why);
    }

    /** A resolver's message for one who asked the question. Borrows it. RA is set: who asks here has his answer looked for. */
    static ByteBuf relay(ByteBufAllocator allocator, DnsQuestion q, ByteBuf m, DnsLayout l, Reason why) {
        if (q.signed) {
            ByteBuf same = allocator.directBuffer(m.readableBytes()).writeBytes(m, 0, m.writerIndex());
            DnsMessage.setId(same, 0, q.id);
            return cut(same, q, 0);
        }
        boolean truncated = DnsMessage.isTruncated(m, 0);
        boolean whole = DnsMessage.questions(m, 0) == 1 && !truncated;
        int optBytes = l.optTo - l.optFrom;
        ByteBuf b = allocator.directBuffer(q.afterQuestion() + l.recordBytes() + optBytes + ROOM);
        b.writeShort(q.id)
                .writeShort(DnsMessage.flags(m, 0) | DnsMessage.FLAG_RECURSION_AVAILABLE)
                .writeShort(1);
        if (whole) {
            int additionals = DnsMessage.additionals(m, 0) - (l.hasOpt() ? 1 : 0);
            b.writeShort(DnsMessage.answers(m, 0)).writeShort(DnsMessage.authorities(m, 0));
            b.writeShort(additionals).writeBytes(q.bytes);
            b.writeBytes(m, l.recordsAt, l.optFrom - l.recordsAt).writeBytes(m, l.optTo, l.end - l.optTo);
        } else {
            b.writeShort(0).writeInt(0).writeBytes(q.bytes);
        }
        int extended = l.hasOpt() ? DnsOpt.extendedRcode(m, l.optAt) : 0;
        if (q.opt) {
            int optAt = beginOpt(b, q, extended);
            if (l.hasOpt()) {
                passOptions(m, l.optAt, b);
            }
            endOpt(b, q, optAt, why);
        }
        return cut(b, q, extended);
    }

    /** Options of the one who was asked, for the one who asked; not those that mean the next hop. */
    static void passOptions(ByteBuf from, int optAt, ByteBuf to) {
        int end = DnsOpt.optionsEnd(from, optAt);
        for (int i = DnsOpt.optionsAt(optAt); i < end; ) {
            int next = DnsOpt.nextOption(from, i, end);
            if (next < 0) {
                return;
            }
            if (!DnsQuestion.isOurs(DnsOpt.optionCode(from, i))) {
                to.writeBytes(from, i, next - i);
            }
            i = next;
        }
    }

    private static int beginOpt(ByteBuf b, DnsQuestion q, int extended) {
        b.setShort(10, b.getUnsignedShort(10) + 1); // ARCOUNT
        return DnsOpt.begin(b, DnsQuestion.EDNS_BYTES, extended, q.dnssecOk);
    }

    private static void endOpt(ByteBuf b, DnsQuestion q, int optAt, Reason why) {
        if (why.code >= 0) {
            DnsOpt.writeEde(b, why.code, why.text);
        }
        if (q.tcp && q.keepalive) {
            DnsOpt.writeKeepalive(b, (int) DnsTcpHandler.IDLE_SECONDS * 10);
        }
        DnsOpt.finish(b, optAt);
    }

    /** Down to the question if it is too large for the one who asked: RFC 2181 §9, RFC 6891 §7. */
    private static ByteBuf cut(ByteBuf b, DnsQuestion q, int extended) {
        if (b.readableBytes() > q.limit) {
            b.writerIndex(q.afterQuestion());
            DnsMessage.setFlags(b, 0, DnsMessage.flags(b, 0) | DnsMessage.FLAG_TRUNCATED);
            DnsMessage.setCounts(b, 0, 1, 0, 0, 0);
            if (q.opt) {
                DnsOpt.finish(b, beginOpt(b, q, extended));
            }
        }
        return b;
    }
}
