package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.DnsOpt;
import dev.longshore.packet.wire.DnsRecord;
import dev.longshore.vpnkit.count.Counters;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.EventLoop;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers from the cache, or asks the resolvers of the question's domain and remembers what they say. Confined to the link's event loop.
 *
 * <p>Theory of operation: what goes to a resolver is the question as it came, but for the id, the options that mean the next hop only, and the size that
 * is taken by UDP. The same question asked again while it is on its way waits for the same answer, which also ends loops: a resolver
 * that asks us what we ask it would wait for itself. Such a one is looked for when a question comes twice: a probe with a name that nobody
 * else can know is sent to the resolver, and if it comes back, the resolver is left out for {@link #LOOP_SECONDS}.
 *
 * <p>The cache is emptied when resolvers, routes or the family that is left out change, since other answers may be right then.
 */
public final class DnsForwarder {
    private static final Logger LOG = LoggerFactory.getLogger(DnsForwarder.class);

    /** Waiting at once; Linux resolvers in the guest ask a few each. */
    private static final int MAX_ACTIVE = 1024;

    /** More than resolvers that know usually need, less than programs wait for. */
    private static final long PATIENCE_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    /** Of all resolvers; beyond it questions share those there are. */
    private static final int MAX_SOCKETS = 256;

    private static final int LOOP_SECONDS = 30;

    /** In a zone of ours, of which nothing else is ever asked of anybody. */
    static final String PROBE_ZONE = ".loop.docker.internal";

    private static final int RANDOM_BYTES = 1024;

    private final EventLoop loop;
    private final Resolvers resolvers;
    private final AddressFilter filter;
    private final ToldNames told;
    private final LongSupplier nanoClock;
    private final Counters<DnsCounter> counters;
    private final DnsCache cache;
    private final FamilyStripper stripper = new FamilyStripper();
    private final DnsLayout layout = new DnsLayout();
    private final SecureRandom random = new SecureRandom();
    private final byte[] randomBytes = new byte[RANDOM_BYTES];
    private int randomLeft;
    private final Map<DnsQuestion, DnsExchange> shared = new HashMap<>();
    private final Set<DnsExchange> active = new LinkedHashSet<>(); // in the order in which they began
    private final Map<DnsUpstream.Place, DnsUpstream> upstreams = new HashMap<>();
    private final Map<String, DnsUpstream> probes = new HashMap<>();
    private List<DnsRoute> routes = List.of();
    private List<DnsGroup> groups = List.of(); // the longest domain first
    private DnsGroup everything = new DnsGroup("", List.of());
    private List<InetSocketAddress> known = List.of();
    private List<InetSocketAddress> knownLastResort = List.of();
    private int leftOut;
    private int waiting;
    private int sockets;

    @SuppressWarnings("NullAway.Init") // set by the server, before there is a question
    private DnsServer server;

    public DnsForwarder(
            EventLoop loop,
            Resolvers resolvers,
            AddressFilter filter,
            ToldNames told,
            LongSupplier nanoClock,
            Counters<DnsCounter> counters) {
        this.loop = loop;
        this.resolvers = resolvers;
        this.filter = filter;
        this.told = told;
        this.nanoClock = nanoClock;
        this.counters = counters;
        this.cache = new DnsCache(counters);
    }

    void serve(DnsServer s) {
        server = s;
    }

    // ---- questions

    /** A question with its message, which is borrowed. Always answered. */
    void relay(DnsQuestion q, ByteBuf b, int at) {
        refresh();
        long now = now();
        if (!q.special && !q.signed) {
            DnsCache.Entry hit = cache.find(q, now);
            if (hit != null) {
                fromCache(q, hit, now);
                return;
            }
        }
        DnsGroup group = groupOf(q);
        trace(q, group);
        if (group.servers.isEmpty() || !hasRoom(now)) {
            fail(q, group, group.servers.isEmpty() ? DnsSource.NONE : DnsSource.BUSY);
            return;
        }
        waiting++;
        counters.set(DnsCounter.ACTIVE, waiting);
        DnsExchange same = q.isShareable() ? shared.get(q) : null;
        if (same != null) {
            counters.increment(DnsCounter.COALESCED);
            same.join(q);
            same.forEachAsked(this::probe);
            return;
        }
        DnsExchange exchange = new DnsExchange(this, group, q, question(q, b, at));
        active.add(exchange);
        if (q.isShareable()) {
            shared.put(q, exchange);
        }
        exchange.start();
    }

    /**
     * One more may wait. Where too many do, the one that has waited longest goes, if that is {@link #PATIENCE_NANOS}: who asks for names
     * of a server that never answers would keep everybody out otherwise, for what others ask is answered in a fraction of that.
     */
    private boolean hasRoom(long now) {
        if (waiting >= MAX_ACTIVE) {
            DnsExchange oldest = active.iterator().next();
            if (now - oldest.startedAt >= PATIENCE_NANOS) {
                oldest.makeRoom();
            }
        }
        return waiting < MAX_ACTIVE;
    }

    private void fromCache(DnsQuestion q, DnsCache.Entry hit, long now) {
        ToldNames.Telling telling = hit.telling;
        if (telling != null) {
            told.tell(telling);
        }
        if (hit.filtered) {
            counters.increment(DnsCounter.FILTERED);
        }
        DnsTrace trace = q.trace;
        if (trace != null) {
            trace.step("in the cache for " + hit.age(now) + " s, for " + hit.rest(now) + " s more; it came from "
                    + hit.resolver);
            traceFilter(trace, hit.filtered);
        }
        server.reply(q, DnsSource.CACHE, hit.resolver, hit.filtered, hit.write(allocator(), q, now));
    }

    private void trace(DnsQuestion q, DnsGroup group) {
        DnsTrace trace = q.trace;
        if (trace != null) {
            trace.step("not in the cache");
            trace.step("route " + group.text() + ": "
                    + String.join(", ", group.servers.stream().map(s -> s.text).toList()));
        }
    }

    private void traceFilter(DnsTrace trace, boolean filtered) {
        if (filtered) {
            trace.step("filter: " + (leftOut == DnsMessage.TYPE_A ? "IPv4" : "IPv6") + " addresses were taken out");
        }
    }

    private void fail(DnsQuestion q, DnsGroup group, DnsSource why) {
        ByteBuf answer = DnsReply.error(allocator(), q, DnsMessage.RCODE_SERVFAIL, DnsReply.UNREACHABLE);
        server.reply(q, why, group.text(), false, answer);
    }

    /** What a resolver is asked, with any id; the caller owns it. */
    private static ByteBuf question(DnsQuestion q, ByteBuf b, int at) {
        if (q.signed) {
            return allocator().directBuffer(q.end).writeBytes(b, at, q.end);
        }
        ByteBuf out = allocator().directBuffer(q.afterQuestion() + DnsOpt.MIN_BYTES + (q.special ? q.end : 0));
        out.writeShort(0).writeShort(q.flags).writeShort(1).writeShort(0).writeShort(0);
        out.writeShort(q.opt ? 1 : 0).writeBytes(q.bytes);
        if (q.opt) {
            int opt = DnsOpt.begin(out, Math.min(q.payload, DnsQuestion.EDNS_BYTES), 0, q.dnssecOk);
            if (q.special) {
                passOptions(q, b, at, out);
            }
            DnsOpt.finish(out, opt);
        }
        return out;
    }

    private static void passOptions(DnsQuestion q, ByteBuf b, int at, ByteBuf out) {
        int i = at + q.afterQuestion();
        while (i < at + q.end) {
            int afterName = DnsMessage.skipName(b, at, q.end, i);
            if (DnsRecord.type(b, afterName) == DnsMessage.TYPE_OPT) {
                DnsReply.passOptions(b, afterName, out);
                return;
            }
            i = DnsMessage.skipRecord(b, at, q.end, i);
        }
    }

    /** The same for one who does not know EDNS; the caller owns it. */
    static ByteBuf withoutOpt(ByteBuf query, DnsQuestion q) {
        ByteBuf out = allocator().directBuffer(q.afterQuestion()).writeBytes(query, 0, q.afterQuestion());
        DnsMessage.setCounts(out, 0, 1, 0, 0, 0);
        return out;
    }

    // ---- answers

    /** Called by the exchange, once. Takes ownership of {@code message}; null if nobody answered, {@code why} says more then. */
    void ended(DnsExchange exchange, @Nullable ByteBuf message, int answeredBy, DnsReply.Reason why) {
        DnsQuestion first = exchange.question();
        active.remove(exchange);
        shared.remove(first, exchange);
        waiting -= exchange.waiting();
        counters.set(DnsCounter.ACTIVE, waiting);
        DnsGroup group = exchange.group();
        if (message == null) {
            rememberFailure(exchange, why);
            for (int n = 0; n < exchange.waiting(); n++) {
                DnsQuestion q = exchange.waiting(n);
                server.reply(
                        q,
                        DnsSource.NONE,
                        group.text(),
                        false,
                        DnsReply.error(allocator(), q, DnsMessage.RCODE_SERVFAIL, why));
            }
            return;
        }
        if (answeredBy >= 0) {
            group.answeredBy(answeredBy, now());
        }
        ByteBuf m = message;
        try {
            m = filtered(first, m);
            answer(exchange, group, m, !sameBuffer(m, message), group.servers.get(Math.max(0, answeredBy)));
        } finally {
            m.release();
        }
    }

    /**
     * Programs ask again at once, and resolvers that do not answer are not to hear of each time (RFC 9520 §3.1). A loop has an end of its
     * own.
     */
    @SuppressWarnings("ReferenceEquality")
    private void rememberFailure(DnsExchange exchange, DnsReply.Reason why) {
        DnsQuestion q = exchange.question();
        if (exchange.crowdedOut() || why == DnsReply.LOOP || !q.isShareable() || !isCurrent(exchange.group())) {
            return;
        }
        ByteBuf failure = DnsReply.error(allocator(), q, DnsMessage.RCODE_SERVFAIL, DnsReply.NONE);
        boolean readable = layout.read(failure);
        assert readable;
        cache.put(q, failure, layout, null, false, exchange.group().text(), now());
        failure.release();
    }

    @SuppressWarnings("ReferenceEquality") // another buffer if something was changed
    private static boolean sameBuffer(ByteBuf a, ByteBuf b) {
        return a == b;
    }

    private void answer(DnsExchange exchange, DnsGroup group, ByteBuf m, boolean filtered, DnsUpstream from) {
        DnsQuestion first = exchange.question();
        boolean readable = layout.read(m);
        assert readable;
        ToldNames.Telling telling = ToldNames.telling(m, 0, m.writerIndex());
        if (telling != null) {
            told.tell(telling);
        }
        String resolver = from.text;
        if (first.isShareable() && isCurrent(group)) {
            cache.put(first, m, layout, telling, filtered, resolver, now());
        }
        DnsSource source = group.isDefault() ? DnsSource.RESOLVER : DnsSource.ROUTE;
        for (int n = 0; n < exchange.waiting(); n++) {
            DnsQuestion q = exchange.waiting(n);
            if (filtered) {
                counters.increment(DnsCounter.FILTERED);
            }
            if (q.trace != null) {
                traceFilter(q.trace, filtered);
            }
            // The layout may have been used meanwhile, by a question that an answer led to at once.
            boolean again = n == 0 || layout.read(m);
            assert again;
            ByteBuf reply = DnsReply.relay(allocator(), q, m, layout, filtered ? DnsReply.FILTERED : DnsReply.NONE);
            server.reply(q, source, resolver, filtered, reply);
        }
    }

    /** The message without what the guest is not to have; takes ownership of {@code m}. What can't be read fails. */
    private ByteBuf filtered(DnsQuestion q, ByteBuf m) {
        if (leftOut == 0 || q.signed) {
            return m;
        }
        return switch (stripper.strip(allocator(), q, m, leftOut)) {
            case UNCHANGED -> m;
            case CHANGED -> {
                m.release();
                yield stripper.take();
            }
            case BROKEN -> {
                m.release();
                yield DnsReply.error(allocator(), q, DnsMessage.RCODE_SERVFAIL, DnsReply.NONE);
            }
        };
    }

    /** False for an answer that was asked for before the resolvers changed. */
    @SuppressWarnings("ReferenceEquality")
    private boolean isCurrent(DnsGroup group) {
        return group == everything || group == everything.otherwise || groups.contains(group);
    }

    // ---- who is asked

    /** Sees to it that resolvers and filter are those of now. */
    private void refresh() {
        List<InetSocketAddress> servers = resolvers.servers();
        List<InetSocketAddress> lastResort = resolvers.lastResort();
        if (!same(servers, known) || !same(lastResort, knownLastResort)) {
            known = servers;
            knownLastResort = lastResort;
            regroup();
        }
        int type = filter.leftOut();
        if (type != leftOut) {
            leftOut = type;
            cache.clear();
        }
    }

    @SuppressWarnings("ReferenceEquality") // the usual case, for each question
    private static boolean same(List<InetSocketAddress> a, List<InetSocketAddress> b) {
        return a == b || DnsUpstream.Place.of(a).equals(DnsUpstream.Place.of(b));
    }

    private void regroup() {
        List<DnsGroup> made = new ArrayList<>();
        for (DnsRoute route : routes) {
            made.add(new DnsGroup(route.domain(), upstreams(route.servers())));
        }
        made.sort(Comparator.comparingInt(DnsGroup::wireBytes).reversed());
        groups = made.stream().filter(g -> !g.isDefault()).toList();
        everything = made.stream()
                .filter(DnsGroup::isDefault)
                .findFirst()
                .orElseGet(() -> new DnsGroup("", upstreams(known), lastResort()));
        Set<DnsUpstream> used = new HashSet<>(everything.servers);
        DnsGroup otherwise = everything.otherwise;
        if (otherwise != null) {
            used.addAll(otherwise.servers);
        }
        groups.forEach(g -> used.addAll(g.servers));
        for (DnsUpstream u : List.copyOf(upstreams.values())) {
            if (used.contains(u)) {
                u.probed = false;
                u.loops = false;
            } else {
                upstreams.remove(DnsUpstream.Place.of(u.address));
                u.close();
            }
        }
        cache.clear();
    }

    private @Nullable DnsGroup lastResort() {
        return knownLastResort.isEmpty() ? null : new DnsGroup("", upstreams(knownLastResort));
    }

    private List<DnsUpstream> upstreams(List<InetSocketAddress> addresses) {
        return DnsUpstream.Place.of(addresses).stream()
                .map(a -> upstreams.computeIfAbsent(a, x -> new DnsUpstream(this, x.address())))
                .toList();
    }

    /**
     * True if a name below {@code local} has resolvers that are meant for it: those of a route, the host's own program on its loopback
     * (systemd-resolved, dnsmasq), which decides itself, or any if the host searches in a domain that has the name.
     */
    boolean knowsLocal(DnsQuestion q, String name) {
        refresh();
        DnsGroup group = groupOf(q);
        return !group.isDefault() || group.isOnLoopback() || searches(name);
    }

    private boolean searches(String name) {
        for (String domain : resolvers.searchDomains()) {
            String lower = domain.toLowerCase(Locale.ROOT);
            if (name.equals(lower) || name.endsWith("." + lower)) {
                return true;
            }
        }
        return false;
    }

    private DnsGroup groupOf(DnsQuestion q) {
        for (int i = 0; i < groups.size(); i++) {
            if (groups.get(i).isFor(q)) {
                return groups.get(i);
            }
        }
        return everything;
    }

    /** Who is asked about which domain from now on; besides the resolvers for everything. */
    public void setRoutes(List<DnsRoute> next) {
        if (!next.equals(routes)) {
            routes = List.copyOf(next);
            known = resolvers.servers();
            knownLastResort = resolvers.lastResort();
            regroup();
            LOG.info("routes of names: {}", routes);
        }
    }

    /** Forgets all answers. Returns how many there were. */
    public int flush() {
        return cache.clear();
    }

    // ---- loops

    /** Asks a resolver for a name that only we know, once for each set of resolvers; if that comes back, it was we who asked. */
    private void probe(DnsUpstream upstream) {
        if (upstream.probed) {
            return;
        }
        upstream.probed = true;
        String name = Long.toHexString(random.nextLong() | Long.MIN_VALUE) + PROBE_ZONE;
        probes.put(name, upstream);
        DnsUpstream.Asker asker = new DnsUpstream.Asker() {
            @Override
            ByteBuf question(int questionId) {
                ByteBuf b = allocator().directBuffer(64);
                DnsMessage.writeQueryHeader(b, questionId);
                DnsMessage.writeQuestion(b, name, DnsMessage.TYPE_A);
                return b;
            }

            @Override
            boolean onMessage(ByteBuf message) {
                message.release();
                return true;
            }

            @Override
            void onFailed() {
                // who can't be reached does not ask us
            }
        };
        upstream.askByUdp(asker);
        var _ = loop.schedule(
                () -> {
                    probes.remove(name);
                    asker.drop();
                },
                5,
                TimeUnit.SECONDS);
    }

    /** A question in the probes' zone has come from the guest. */
    void onProbe(String name) {
        DnsUpstream upstream = probes.remove(name);
        if (upstream == null) {
            return;
        }
        counters.increment(DnsCounter.LOOPS);
        LOG.warn(
                "the resolver {} asks the guest, which asks us, which ask it: it is left out for {} s. A name server in a container"
                        + " needs resolvers of its own where the host uses it.",
                upstream.text,
                LOOP_SECONDS);
        upstream.loops = true;
        upstream.loopsUntil = now() + TimeUnit.SECONDS.toNanos(LOOP_SECONDS);
        loop.execute(upstream::failAll); // not within the question that came
    }

    // ---- what the exchanges need

    static ByteBufAllocator allocator() {
        return ByteBufAllocator.DEFAULT;
    }

    EventLoop loop() {
        return loop;
    }

    long now() {
        return nanoClock.getAsLong();
    }

    DnsLayout layout() {
        return layout;
    }

    Counters<DnsCounter> counters() {
        return counters;
    }

    /** Unpredictable: the id is part of what an attacker has to guess (RFC 5452). 0..65535. */
    int newId() {
        if (randomLeft < 2) {
            random.nextBytes(randomBytes);
            randomLeft = RANDOM_BYTES;
        }
        randomLeft -= 2;
        return (randomBytes[randomLeft] & 0xFF) << 8 | (randomBytes[randomLeft + 1] & 0xFF);
    }

    /** True if a question may have one more socket than there are. */
    boolean hasSocketToSpare() {
        return sockets < MAX_SOCKETS;
    }

    void onSocket(int change) {
        sockets += change;
        assert sockets >= 0;
        counters.set(DnsCounter.SOCKETS, sockets);
    }

    /** Ends all questions with SERVFAIL, and the sockets. Idempotent. */
    public void close() {
        List.copyOf(active).forEach(DnsExchange::makeRoom); // and no last resort
        List.copyOf(upstreams.values()).forEach(DnsUpstream::close);
    }
}
