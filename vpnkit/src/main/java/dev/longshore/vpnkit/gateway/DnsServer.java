package dev.longshore.vpnkit.gateway;

import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.gateway.NameTable.Entry;
import dev.longshore.vpnkit.udp.UdpOutput;
import dev.longshore.vpnkit.udp.UdpService;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelHandler;

/**
 * The name server at our own address: answers for our names, relays every other question as it is to the host's resolvers,
 * and is never silent. RFC 1035, RFC 5625, RFC 8906. Confined to the link's event loop.
 */
public final class DnsServer implements UdpService {
    public static final int PORT = 53;

    /** Ours may move with the address plan. */
    private static final int TTL_SECONDS = 30;

    /** What we say we take: RFC 9715 and the flag day of 2020. */
    private static final int EDNS_BYTES = 1232;

    private final NameTable names;
    private final AddressFilter filter;
    private final DnsForwarder forwarder;
    private final ToldNames told;
    private final UdpOutput output;
    private final ByteBufAllocator allocator;
    private final Counters<GatewayCounter> counters;
    private final DnsTcpConnections tcp;

    public DnsServer(
            NameTable names,
            AddressFilter filter,
            DnsForwarder forwarder,
            ToldNames told,
            UdpOutput output,
            ByteBufAllocator allocator,
            Counters<GatewayCounter> counters) {
        this.names = names;
        this.filter = filter;
        this.forwarder = forwarder;
        this.told = told;
        this.output = output;
        this.allocator = allocator;
        this.counters = counters;
        this.tcp = new DnsTcpConnections(counters);
    }

    @Override
    public void onDatagram(
            ByteBuf b,
            int at,
            int len,
            long guestHi,
            long guestLo,
            int guestPort,
            long ourHi,
            long ourLo,
            int ourPort) {
        var _ = query(b, at, len, false, message -> {
            boolean sent = output.send(
                    ourHi, ourLo, ourPort, guestHi, guestLo, guestPort, message, 0, message.readableBytes());
            message.release();
            if (!sent) {
                counters.increment(GatewayCounter.DNS_NO_ROOM);
            }
            output.flush();
        });
    }

    /** Goes first into the pipeline of each TCP connection to {@link #PORT}; sharable. */
    public ChannelHandler tcpInitializer() {
        return new DnsTcpHandler.Initializer(this);
    }

    /** One question, borrowed. Answered now or later; or never, and false returned, if it is no question at all. */
    boolean query(ByteBuf b, int at, int len, boolean tcp, DnsAnswers to) {
        if (!DnsMessage.isValid(b, at, len) || DnsMessage.isResponse(b, at)) {
            counters.increment(GatewayCounter.DNS_DROPPED); // no answer could be matched, or an answer is none
            return false;
        }
        counters.increment(GatewayCounter.DNS_QUERIES);
        if (DnsMessage.opcode(b, at) != 0) {
            refuse(b, at, DnsMessage.RCODE_NOTIMP, to);
            return true;
        }
        int questionAt = at + DnsMessage.HEADER_BYTES;
        int afterQuestion = DnsMessage.skipQuestion(b, at, len, questionAt);
        if (DnsMessage.questions(b, at) != 1 || afterQuestion < 0) {
            refuse(b, at, DnsMessage.RCODE_FORMERR, to);
            return true;
        }
        int type = DnsMessage.type(b, afterQuestion - 4);
        boolean internet = DnsMessage.dnsClass(b, afterQuestion - 4) == DnsMessage.CLASS_IN;
        String name = DnsMessage.name(b, at, len, questionAt);
        Entry entry = internet && name != null ? names.find(name) : null;
        if (entry == null && internet && filter.leavesOut(type)) {
            counters.increment(GatewayCounter.DNS_FILTERED);
            to.answer(nothing(b, at, len, afterQuestion));
            return true;
        }
        if (entry == null) {
            forwarder.relay(b, at, len, afterQuestion, tcp, message -> {
                told.read(message, message.readerIndex(), message.readableBytes());
                to.answer(message);
            });
            return true;
        }
        counters.increment(GatewayCounter.DNS_LOCAL);
        to.answer(local(b, at, len, afterQuestion, type, entry));
        return true;
    }

    DnsTcpConnections tcp() {
        return tcp;
    }

    /** A TCP connection had more than it may send ahead. */
    void onTooMuch() {
        counters.increment(GatewayCounter.DNS_DROPPED);
    }

    private void refuse(ByteBuf b, int at, int rcode, DnsAnswers to) {
        counters.increment(GatewayCounter.DNS_REFUSED);
        ByteBuf answer = allocator.directBuffer(DnsMessage.HEADER_BYTES);
        DnsMessage.writeAnswerHeader(answer, b, at, rcode, 0, 0, 0, 0);
        to.answer(answer);
    }

    private ByteBuf local(ByteBuf b, int at, int len, int afterQuestion, int type, Entry entry) {
        boolean any = type == DnsMessage.TYPE_ANY;
        return switch (entry) {
            case Entry.Address a -> addresses(b, at, len, afterQuestion, type, a);
            case Entry.Pointer p
            when any || type == DnsMessage.TYPE_PTR -> {
                ByteBuf answer = begin(b, at, len, afterQuestion, DnsMessage.RCODE_OK, 1);
                DnsMessage.writePtr(answer, TTL_SECONDS, p.name());
                yield finish(answer, b, at, len, afterQuestion);
            }
            case Entry.Pointer p -> negative(b, at, len, afterQuestion, DnsMessage.RCODE_OK, p.zone());
            case Entry.Nothing n -> negative(b, at, len, afterQuestion, DnsMessage.RCODE_OK, n.zone());
            case Entry.Absent n -> negative(b, at, len, afterQuestion, DnsMessage.RCODE_NXDOMAIN, n.zone());
        };
    }

    private ByteBuf addresses(ByteBuf b, int at, int len, int afterQuestion, int type, Entry.Address a) {
        boolean any = type == DnsMessage.TYPE_ANY;
        boolean asker = a.zone().equals(NameTable.LOCALHOST); // which has its own loopback
        boolean hasV6 = asker || !filter.leavesOutOurIpv6();
        IpAddress v6 =
                hasV6 && (any || type == DnsMessage.TYPE_AAAA) ? a.place().v6() : null;
        boolean v4 = any || type == DnsMessage.TYPE_A;
        if (!v4 && v6 == null) {
            return negative(b, at, len, afterQuestion, DnsMessage.RCODE_OK, a.zone());
        }
        ByteBuf answer = begin(b, at, len, afterQuestion, DnsMessage.RCODE_OK, (v4 ? 1 : 0) + (v6 == null ? 0 : 1));
        if (v4) {
            DnsMessage.writeA(answer, TTL_SECONDS, a.place().v4());
        }
        if (v6 != null) {
            DnsMessage.writeAaaa(answer, TTL_SECONDS, v6.hi(), v6.lo());
        }
        return finish(answer, b, at, len, afterQuestion);
    }

    /** No error and no record, and nothing that says for how long: another setting is to count at once (RFC 2308 §5). */
    private ByteBuf nothing(ByteBuf b, int at, int len, int afterQuestion) {
        ByteBuf answer = allocator.directBuffer(256);
        boolean opt = hasOpt(b, at, len, afterQuestion);
        DnsMessage.writeAnswerHeader(answer, b, at, DnsMessage.RCODE_OK, 1, 0, 0, opt ? 1 : 0);
        answer.writeBytes(b, at + DnsMessage.HEADER_BYTES, afterQuestion - at - DnsMessage.HEADER_BYTES);
        return finish(answer, b, at, len, afterQuestion);
    }

    private ByteBuf negative(ByteBuf b, int at, int len, int afterQuestion, int rcode, String zone) {
        ByteBuf answer = begin(b, at, len, afterQuestion, rcode, 0);
        DnsMessage.writeSoa(answer, zone, TTL_SECONDS);
        return finish(answer, b, at, len, afterQuestion);
    }

    /** Header and the question as it was asked, upper and lower case included. */
    private ByteBuf begin(ByteBuf b, int at, int len, int afterQuestion, int rcode, int answers) {
        ByteBuf answer = allocator.directBuffer(256);
        int opts = hasOpt(b, at, len, afterQuestion) ? 1 : 0;
        DnsMessage.writeAnswerHeader(answer, b, at, rcode, 1, answers, answers > 0 ? 0 : 1, opts);
        answer.writeBytes(b, at + DnsMessage.HEADER_BYTES, afterQuestion - at - DnsMessage.HEADER_BYTES);
        return answer;
    }

    private static ByteBuf finish(ByteBuf answer, ByteBuf b, int at, int len, int afterQuestion) {
        if (hasOpt(b, at, len, afterQuestion)) {
            DnsMessage.writeOpt(answer, EDNS_BYTES);
        }
        return answer;
    }

    private static boolean hasOpt(ByteBuf b, int at, int len, int afterQuestion) {
        int records = DnsMessage.answers(b, at) + DnsMessage.authorities(b, at) + DnsMessage.additionals(b, at);
        int i = afterQuestion;
        for (int n = 0; n < records && i >= 0 && i < at + len; n++) {
            int afterName = DnsMessage.skipName(b, at, len, i);
            if (afterName < 0 || afterName + 2 > at + len) {
                return false;
            }
            if (DnsMessage.type(b, afterName) == DnsMessage.TYPE_OPT) {
                return true;
            }
            i = DnsMessage.skipRecord(b, at, len, i);
        }
        return false;
    }

    /** SERVFAIL for a question whose {@code afterQuestion - at} first bytes are kept in {@code query}. */
    static ByteBuf servfail(ByteBufAllocator allocator, ByteBuf query, int questionEnd, int clientId) {
        ByteBuf answer = allocator.directBuffer(questionEnd);
        DnsMessage.writeAnswerHeader(answer, query, 0, DnsMessage.RCODE_SERVFAIL, 1, 0, 0, 0);
        DnsMessage.setId(answer, 0, clientId);
        answer.writeBytes(query, DnsMessage.HEADER_BYTES, questionEnd - DnsMessage.HEADER_BYTES);
        return answer;
    }
}
