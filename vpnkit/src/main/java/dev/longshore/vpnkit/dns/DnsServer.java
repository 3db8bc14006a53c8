package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.dns.NameTable.Entry;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.udp.UdpOutput;
import dev.longshore.vpnkit.udp.UdpService;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelHandler;
import io.netty.channel.EventLoop;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * The name server at our own address: answers for our names and those of the host's hosts file, relays every other question to the host's
 * resolvers, and is never silent. RFC 1035, RFC 5625, RFC 6891, RFC 8906. Confined to the link's event loop.
 */
public final class DnsServer implements UdpService {
    public static final int PORT = 53;

    /** Ours may move with the address plan, and a file is edited. */
    private static final int TTL_SECONDS = 30;

    private static final int RECORD_BYTES = 128;
    private static final int MAX_EXPLAINED = 500;

    private final NameTable names;
    private final HostsFile hosts;
    private final LocalNames local;
    private final AddressFilter filter;
    private final DnsForwarder forwarder;
    private final ToldNames told;
    private final UdpOutput output;
    private final ByteBufAllocator allocator;
    private final Counters<DnsCounter> counters;
    private final DnsTcpConnections tcp;
    private final DnsLog log = new DnsLog();
    private NamePolicy policy = NamePolicy.OPEN;

    /** One for the guests of a network. */
    public static DnsServer of(
            IpPlan plan,
            EventLoop loop,
            HostsFile hosts,
            AddressFilter filter,
            DnsForwarder forwarder,
            ToldNames told,
            UdpOutput output,
            ByteBufAllocator allocator,
            Counters<DnsCounter> counters) {
        NameTable names = NameTable.standard(plan);
        LocalNames local = LocalNames.ofHost(loop, names.host());
        return new DnsServer(names, hosts, local, filter, forwarder, told, output, allocator, counters);
    }

    DnsServer(
            NameTable names,
            HostsFile hosts,
            LocalNames local,
            AddressFilter filter,
            DnsForwarder forwarder,
            ToldNames told,
            UdpOutput output,
            ByteBufAllocator allocator,
            Counters<DnsCounter> counters) {
        this.names = names;
        this.hosts = hosts;
        this.local = local;
        this.filter = filter;
        this.forwarder = forwarder;
        this.told = told;
        this.output = output;
        this.allocator = allocator;
        this.counters = counters;
        this.tcp = new DnsTcpConnections(counters);
        forwarder.serve(this);
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
        var _ = query(b, at, len, false, guestHi, guestLo, message -> {
            boolean sent = output.send(
                    ourHi, ourLo, ourPort, guestHi, guestLo, guestPort, message, 0, message.readableBytes());
            message.release();
            if (!sent) {
                counters.increment(DnsCounter.NO_ROOM);
            }
            output.flush();
        });
    }

    /** Goes first into the pipeline of each TCP connection to {@link #PORT}; sharable. */
    public ChannelHandler tcpInitializer() {
        return new DnsTcpHandler.Initializer(this);
    }

    /** Ends what it has of its own. Idempotent. */
    public void close() {
        local.close();
    }

    /** Which names nobody may use, from now on. */
    public void setPolicy(NamePolicy next) {
        policy = next;
    }

    /** Who is asked, and its cache. */
    public DnsForwarder forwarder() {
        return forwarder;
    }

    /** The last questions. */
    public DnsLog log() {
        return log;
    }

    /**
     * One message, borrowed. Answered now or later; or never, and false returned, if it is no question at all.
     *
     * @param guestHi who asks; with {@code guestLo}
     */
    boolean query(ByteBuf b, int at, int len, boolean overTcp, long guestHi, long guestLo, DnsAnswers to) {
        if (!DnsMessage.isValid(b, at, len)) {
            return fragment(b, at, len, overTcp, to);
        }
        if (DnsMessage.isResponse(b, at)) {
            counters.increment(DnsCounter.DROPPED); // an answer to an answer could go on for ever
            return false;
        }
        counters.increment(DnsCounter.QUERIES);
        if (DnsMessage.opcode(b, at) != 0) {
            refuse(b, at, DnsMessage.RCODE_NOTIMP, to);
            return true;
        }
        DnsQuestion q = DnsQuestion.read(b, at, len, overTcp);
        if (q == null) {
            refuse(b, at, DnsMessage.RCODE_FORMERR, to);
            return true;
        }
        q.to = to;
        q.startedAt = forwarder.now();
        q.guestHi = guestHi;
        q.guestLo = guestLo;
        answer(q, b, at);
        return true;
    }

    /** Too short for a header, long enough for an id and to be no answer: RFC 8906 §3.2 wants an error, not silence. */
    private boolean fragment(ByteBuf b, int at, int len, boolean overTcp, DnsAnswers to) {
        boolean readable = !overTcp && len >= 4 && len <= b.writerIndex() - at;
        if (!readable || DnsMessage.isResponse(b, at)) {
            counters.increment(DnsCounter.DROPPED);
            return false;
        }
        counters.increment(DnsCounter.QUERIES);
        refuse(b, at, DnsMessage.RCODE_FORMERR, to);
        return true;
    }

    private void answer(DnsQuestion q, ByteBuf b, int at) {
        if (q.broken) {
            error(q, DnsMessage.RCODE_FORMERR);
        } else if (q.opt && q.version != 0) {
            error(q, DnsMessage.RCODE_BADVERS);
        } else if (q.type == DnsMessage.TYPE_OPT || q.type == DnsMessage.TYPE_TSIG) {
            error(q, DnsMessage.RCODE_FORMERR); // those are never asked for
        } else if (q.dnsClass == DnsMessage.CLASS_CHAOS
                || q.type == DnsMessage.TYPE_AXFR
                || q.type == DnsMessage.TYPE_IXFR) {
            error(q, DnsMessage.RCODE_REFUSED); // whole zones, and what the resolver says of itself
        } else if (q.dnsClass != DnsMessage.CLASS_IN || !isAnsweredHere(q)) {
            forwarder.relay(q, b, at);
        }
    }

    private void error(DnsQuestion q, int rcode) {
        step(q, "nobody here answers such a question");
        reply(q, DnsSource.MALFORMED, "", false, DnsReply.error(allocator, q, rcode, DnsReply.NONE));
    }

    private boolean isAnsweredHere(DnsQuestion q) {
        if (q.endsIn("internal") || q.endsIn("arpa") || q.endsIn("localhost") || q.endsIn("invalid")) {
            String name = q.name();
            Entry entry = names.find(name);
            if (entry != null) {
                if (name.endsWith(DnsForwarder.PROBE_ZONE)) {
                    forwarder.onProbe(name);
                }
                step(q, "one of Longshore's own names or zones");
                reply(q, DnsSource.LOCAL, "", false, local(q, entry));
                return true;
            }
        }
        String name = q.name();
        if (asksForAddresses(q.type) && policy.refuses(name)) {
            step(q, "the egress policy denies everything by this name, to everybody");
            ByteBuf answer = DnsReply.error(allocator, q, DnsMessage.RCODE_REFUSED, DnsReply.BLOCKED);
            reply(q, DnsSource.POLICY, "", false, answer);
            return true;
        }
        return isInHosts(q, name) || isOfTheLink(q, name);
    }

    /** A name below {@code local} that no resolver is there for. */
    private boolean isOfTheLink(DnsQuestion q, String name) {
        if (!LocalNames.isLocal(q) || forwarder.knowsLocal(q, name)) {
            return false;
        }
        step(q, "names of the link are asked of the host's system only");
        if (!LocalNames.isOfAddresses(q.type)) {
            reply(q, DnsSource.LOCAL, "", false, negative(q, DnsMessage.RCODE_OK, LocalNames.ZONE));
            return true;
        }
        local.find(name, found -> {
            ByteBuf answer = found == null
                    ? DnsReply.error(allocator, q, DnsMessage.RCODE_SERVFAIL, DnsReply.UNREACHABLE)
                    : found.isEmpty()
                            ? negative(q, DnsMessage.RCODE_NXDOMAIN, LocalNames.ZONE)
                            : addresses(q, name, found);
            reply(q, found == null ? DnsSource.NONE : DnsSource.RESOLVER, LocalNames.FROM, false, answer);
        });
        return true;
    }

    private static boolean asksForAddresses(int type) {
        return type == DnsMessage.TYPE_A
                || type == DnsMessage.TYPE_AAAA
                || type == DnsMessage.TYPE_HTTPS
                || type == DnsMessage.TYPE_SVCB
                || type == DnsMessage.TYPE_ANY;
    }

    private boolean isInHosts(DnsQuestion q, String name) {
        List<IpAddress> addresses = hosts.addresses(name);
        if (addresses != null) {
            step(q, "in the host's hosts file");
            reply(q, DnsSource.HOSTS, "", false, addresses(q, name, addresses));
            return true;
        }
        String pointer = q.endsIn("arpa") ? hosts.pointer(name) : null;
        if (pointer != null) {
            step(q, "the address is in the host's hosts file");
            ByteBuf answer = q.type == DnsMessage.TYPE_PTR || q.type == DnsMessage.TYPE_ANY
                    ? pointer(q, pointer)
                    : negative(q, DnsMessage.RCODE_OK, name);
            reply(q, DnsSource.HOSTS, "", false, answer);
            return true;
        }
        return false;
    }

    /** Every answer leaves by this. Takes ownership of {@code m}. */
    void reply(DnsQuestion q, DnsSource source, String from, boolean filtered, ByteBuf m) {
        int rcode = DnsMessage.rcode(m, 0);
        counters.increment(source.counter);
        counters.increment(DnsCounter.ofRcode(rcode));
        if (DnsMessage.isTruncated(m, 0)) {
            counters.increment(DnsCounter.TRUNCATED);
        }
        long micros = TimeUnit.NANOSECONDS.toMicros(forwarder.now() - q.startedAt);
        if (q.trace == null) {
            log.add(q, source, from, filtered, rcode, m.readableBytes(), micros);
        } else {
            q.trace.ended(source, from, filtered, micros);
        }
        q.to.answer(m);
    }

    private static void step(DnsQuestion q, String text) {
        DnsTrace trace = q.trace;
        if (trace != null) {
            trace.step(text);
        }
    }

    DnsTcpConnections tcp() {
        return tcp;
    }

    /** A TCP connection had more than it may send ahead. */
    void onTooMuch() {
        counters.increment(DnsCounter.DROPPED);
    }

    /** Of what can't be read as a question: the header alone. */
    private void refuse(ByteBuf b, int at, int rcode, DnsAnswers to) {
        counters.increment(DnsCounter.MALFORMED);
        counters.increment(DnsCounter.ofRcode(rcode));
        ByteBuf answer = allocator.directBuffer(DnsMessage.HEADER_BYTES);
        DnsMessage.writeAnswerHeader(answer, b, at, rcode, 0, 0, 0, 0);
        to.answer(answer);
    }

    // ---- our own answers

    private ByteBuf local(DnsQuestion q, Entry entry) {
        return switch (entry) {
            case Entry.Address a -> place(q, a);
            case Entry.Pointer p
            when q.type == DnsMessage.TYPE_ANY || q.type == DnsMessage.TYPE_PTR -> pointer(q, p.name());
            case Entry.Pointer p -> negative(q, DnsMessage.RCODE_OK, p.zone());
            case Entry.Nothing n -> negative(q, DnsMessage.RCODE_OK, n.zone());
            case Entry.Absent n -> negative(q, DnsMessage.RCODE_NXDOMAIN, n.zone());
        };
    }

    private ByteBuf pointer(DnsQuestion q, String name) {
        ByteBuf answer = DnsReply.begin(allocator, q, DnsMessage.RCODE_OK, RECORD_BYTES);
        DnsMessage.writePtr(answer, TTL_SECONDS, name);
        return DnsReply.finish(answer, q, 1, 0, DnsMessage.RCODE_OK, DnsReply.NONE);
    }

    private ByteBuf place(DnsQuestion q, Entry.Address a) {
        boolean any = q.type == DnsMessage.TYPE_ANY;
        boolean asker = a.zone().equals(NameTable.LOCALHOST); // which has its own loopback
        boolean hasV6 = asker || !filter.leavesOutOurIpv6();
        IpAddress v6 =
                hasV6 && (any || q.type == DnsMessage.TYPE_AAAA) ? a.place().v6() : null;
        boolean v4 = any || q.type == DnsMessage.TYPE_A;
        if (!v4 && v6 == null) {
            return negative(q, DnsMessage.RCODE_OK, a.zone());
        }
        ByteBuf answer = DnsReply.begin(allocator, q, DnsMessage.RCODE_OK, RECORD_BYTES);
        if (v4) {
            DnsMessage.writeA(answer, TTL_SECONDS, a.place().v4());
        }
        if (v6 != null) {
            DnsMessage.writeAaaa(answer, TTL_SECONDS, v6.hi(), v6.lo());
        }
        int count = (v4 ? 1 : 0) + (v6 == null ? 0 : 1);
        return DnsReply.finish(answer, q, count, 0, DnsMessage.RCODE_OK, DnsReply.NONE);
    }

    /** Of the hosts file or the host's system: what the filter says of the host's ways does not matter to them. */
    private ByteBuf addresses(DnsQuestion q, String name, List<IpAddress> addresses) {
        boolean any = q.type == DnsMessage.TYPE_ANY;
        ByteBuf answer = DnsReply.begin(allocator, q, DnsMessage.RCODE_OK, 28 * addresses.size());
        List<String> asked = List.of(name);
        int count = 0;
        for (IpAddress a : addresses) {
            if (a.isV4() && (any || q.type == DnsMessage.TYPE_A)) {
                DnsMessage.writeA(answer, TTL_SECONDS, (int) a.lo());
            } else if (!a.isV4() && (any || q.type == DnsMessage.TYPE_AAAA) && !filter.leavesOutOurIpv6()) {
                DnsMessage.writeAaaa(answer, TTL_SECONDS, a.hi(), a.lo());
            } else {
                continue;
            }
            told.tell(a.hi(), a.lo(), asked, TTL_SECONDS);
            count++;
        }
        if (count == 0) {
            answer.release();
            return negative(q, DnsMessage.RCODE_OK, name);
        }
        return DnsReply.finish(answer, q, count, 0, DnsMessage.RCODE_OK, DnsReply.NONE);
    }

    private ByteBuf negative(DnsQuestion q, int rcode, String zone) {
        ByteBuf answer = DnsReply.begin(allocator, q, rcode, RECORD_BYTES);
        DnsMessage.writeSoa(answer, zone, TTL_SECONDS);
        return DnsReply.finish(answer, q, 0, 1, rcode, DnsReply.NONE);
    }

    // ---- for operators

    /**
     * Answers a question as if the guest had asked it, and tells how; a truncated answer is asked for again by TCP.
     *
     * @param name any characters; a name that is none is answered with FORMERR
     * @param then called on the loop, once
     */
    public void explain(String name, int type, Consumer<DnsExplanation> then) {
        explain(name, type, false, new DnsTrace(), then);
    }

    private void explain(String name, int type, boolean overTcp, DnsTrace trace, Consumer<DnsExplanation> then) {
        ByteBuf b = allocator.directBuffer(512);
        try {
            DnsMessage.writeQueryHeader(b, 0);
            DnsMessage.writeQuestion(b, name, type);
            DnsQuestion q = DnsQuestion.read(b, 0, b.readableBytes(), overTcp);
            if (q == null) {
                then.accept(new DnsExplanation(
                        name,
                        DnsText.type(type),
                        DnsText.rcode(DnsMessage.RCODE_FORMERR),
                        List.of(),
                        DnsSource.MALFORMED,
                        "",
                        false,
                        0,
                        List.of("that is no name"),
                        List.of()));
                return;
            }
            q.startedAt = forwarder.now();
            q.trace = trace;
            q.to = m -> {
                try {
                    if (DnsMessage.isTruncated(m, 0) && !overTcp) {
                        trace.step("the answer is too large for UDP");
                        explain(name, type, true, trace, then);
                    } else {
                        then.accept(explanation(q, trace, m));
                    }
                } finally {
                    m.release();
                }
            };
            answer(q, b, 0);
        } finally {
            b.release();
        }
    }

    private static DnsExplanation explanation(DnsQuestion q, DnsTrace trace, ByteBuf m) {
        return new DnsExplanation(
                DnsText.name(q.bytes, q.bytes.length),
                DnsText.type(q.type),
                DnsText.rcode(DnsMessage.rcode(m, 0)),
                flags(DnsMessage.flags(m, 0)),
                trace.source,
                trace.from,
                trace.filtered,
                trace.micros,
                trace.steps(),
                DnsText.answers(m, MAX_EXPLAINED));
    }

    private static List<String> flags(int flags) {
        List<String> all = new ArrayList<>();
        add(all, "aa", flags & DnsMessage.FLAG_AUTHORITATIVE);
        add(all, "tc", flags & DnsMessage.FLAG_TRUNCATED);
        add(all, "rd", flags & DnsMessage.FLAG_RECURSION_DESIRED);
        add(all, "ra", flags & DnsMessage.FLAG_RECURSION_AVAILABLE);
        add(all, "ad", flags & DnsMessage.FLAG_AUTHENTIC_DATA);
        add(all, "cd", flags & DnsMessage.FLAG_CHECKING_DISABLED);
        return List.copyOf(all);
    }

    private static void add(List<String> all, String name, int flag) {
        if (flag != 0) {
            all.add(name);
        }
    }
}
