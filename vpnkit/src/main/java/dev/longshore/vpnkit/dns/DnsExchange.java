package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.DnsMessage;
import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One question on its way to a group's resolvers, and all who wait for its answer. Confined to the link's event loop.
 *
 * <p>Theory of operation: resolvers are asked in turn, the next one when the last refused or was silent for {@link #HEDGE_MILLIS}; once all have been
 * asked, again after one and two seconds. Earlier attempts go on listening: a slow answer is as good as a fast one. SERVFAIL and REFUSED of a
 * resolver make us ask the next, and are passed on if nobody says better. So in the usual case one resolver hears of the question, and not
 * all, which may be of different companies. Those of a last resort are asked when none of the others can be reached. After 4.5 s, shortly before the C library in the guest gives up, the answer is SERVFAIL.
 */
final class DnsExchange {
    private static final long HEDGE_MILLIS = 300;
    private static final long AGAIN_MILLIS = 1000;
    private static final long LATER_MILLIS = 2000;
    private static final long TOTAL_MILLIS = 4500;
    private static final int MAX_ATTEMPTS = 10;

    private final DnsForwarder forwarder;
    private DnsGroup group;
    private final DnsQuestion first;
    private final ByteBuf query;
    private int firstServer;

    /** By the network's clock, ns. */
    final long startedAt;

    private final List<Attempt> attempts = new ArrayList<>(2);
    private @Nullable List<DnsQuestion> others;
    private @Nullable ByteBuf withoutOpt;
    private int failed;
    private int skipped;
    private @Nullable ByteBuf secondBest;
    private int secondBestServer;
    private @Nullable ScheduledFuture<?> attemptTimer;
    private @Nullable ScheduledFuture<?> totalTimer;
    private boolean silent;
    private boolean crowdedOut;
    private boolean done;

    /** Takes ownership of {@code query}: what a resolver is asked, with any id. */
    DnsExchange(DnsForwarder forwarder, DnsGroup group, DnsQuestion first, ByteBuf query) {
        this.forwarder = forwarder;
        this.group = group;
        this.first = first;
        this.query = query;
        this.startedAt = forwarder.now();
        this.firstServer = group.first(startedAt);
    }

    DnsQuestion question() {
        return first;
    }

    DnsGroup group() {
        return group;
    }

    /** One more waits for the answer. */
    void join(DnsQuestion q) {
        List<DnsQuestion> all = others;
        if (all == null) {
            all = new ArrayList<>(2);
            others = all;
        }
        all.add(q);
    }

    /** It could not wait for its end: that says nothing of the resolvers. */
    boolean crowdedOut() {
        return crowdedOut;
    }

    int waiting() {
        List<DnsQuestion> all = others;
        return 1 + (all == null ? 0 : all.size());
    }

    /** The n-th who waits; 0 is the first. */
    DnsQuestion waiting(int n) {
        List<DnsQuestion> all = others;
        return n == 0 || all == null ? first : all.get(n - 1);
    }

    void start() {
        totalTimer = forwarder
                .loop()
                .schedule(
                        () -> {
                            silent = true;
                            giveUp();
                        },
                        TOTAL_MILLIS,
                        TimeUnit.MILLISECONDS);
        next();
    }

    /** Asks the next resolver; when every one has failed for good, there is nothing left to wait for. */
    private void next() {
        cancel(attemptTimer);
        attemptTimer = null;
        int n = group.servers.size();
        int server = -1;
        while (server < 0 && attempts.size() + skipped < Math.min(MAX_ATTEMPTS, 3 * n)) {
            int candidate = (firstServer + attempts.size() + skipped) % n;
            if (group.servers.get(candidate).mayBeAsked(forwarder.now())) {
                server = candidate;
            } else {
                skipped++;
            }
        }
        boolean allAsked = attempts.size() + skipped >= n;
        if (failed == attempts.size() && allAsked && (server < 0 || failed >= n)) {
            giveUp();
            return;
        }
        if (server < 0 || (!attempts.isEmpty() && !forwarder.hasSocketToSpare())) {
            return; // the earlier attempts still listen, until the time is up
        }
        if (!attempts.isEmpty()) {
            forwarder.counters().increment(DnsCounter.RETRIES);
        }
        Attempt attempt = new Attempt(server);
        attempts.add(attempt);
        int asked = attempts.size() + skipped;
        long wait = asked < n ? HEDGE_MILLIS : asked < 2 * n ? AGAIN_MILLIS : LATER_MILLIS;
        attemptTimer = forwarder.loop().schedule(this::next, wait, TimeUnit.MILLISECONDS);
        attempt.start();
    }

    /** Others want its place, or it is the end. */
    void makeRoom() {
        crowdedOut = true;
        silent = true;
        giveUp();
    }

    /** Nobody answered well. */
    void giveUp() {
        if (done) {
            return;
        }
        DnsGroup otherwise = group.otherwise;
        if (otherwise != null && secondBest == null && !silent && !LocalNames.isLocal(first)) {
            goOn(otherwise);
            return;
        }
        ByteBuf best = secondBest;
        secondBest = null;
        end(best, secondBestServer);
    }

    /** None could be reached: the others' turn, in what is left of the time. */
    private void goOn(DnsGroup others) {
        cancel(attemptTimer);
        attempts.forEach(Attempt::drop);
        attempts.clear();
        failed = 0;
        skipped = 0;
        group = others;
        firstServer = others.first(forwarder.now());
        DnsTrace trace = first.trace;
        if (trace != null) {
            trace.step("none could be reached; last resort: "
                    + String.join(", ", others.servers.stream().map(s -> s.text).toList()));
        }
        next();
    }

    /** The one way it ends. Takes ownership of {@code message}; null if there is none. */
    private void end(@Nullable ByteBuf message, int server) {
        if (done) {
            if (message != null) {
                message.release();
            }
            return;
        }
        done = true;
        cancel(attemptTimer);
        cancel(totalTimer);
        attempts.forEach(Attempt::drop);
        release(secondBest);
        secondBest = null;
        query.release();
        release(withoutOpt);
        withoutOpt = null;
        forwarder.ended(this, message, server, silent ? DnsReply.UNREACHABLE : whyFailed());
    }

    private DnsReply.Reason whyFailed() {
        return (skipped > 0 && attempts.isEmpty()) || group.servers.stream().anyMatch(s -> s.loops)
                ? DnsReply.LOOP
                : DnsReply.NETWORK_ERROR;
    }

    private static void release(@Nullable ByteBuf b) {
        if (b != null) {
            b.release();
        }
    }

    private static void cancel(@Nullable ScheduledFuture<?> timer) {
        if (timer != null) {
            timer.cancel(false);
        }
    }

    /** The resolvers that have been asked. */
    void forEachAsked(java.util.function.Consumer<DnsUpstream> action) {
        for (Attempt a : List.copyOf(attempts)) {
            action.accept(group.servers.get(a.server));
        }
    }

    /** One resolver asked once. */
    private final class Attempt extends DnsUpstream.Asker {
        final int server;
        private final long startedAt = forwarder.now();
        private boolean plain;

        Attempt(int server) {
            this.server = server;
        }

        void start() {
            ask();
        }

        private void ask() {
            DnsUpstream upstream = group.servers.get(server);
            if (first.tcp) {
                upstream.askByTcp(this);
            } else {
                upstream.askByUdp(this);
            }
        }

        @Override
        ByteBuf question(int questionId) {
            ByteBuf from = plain && withoutOpt != null ? withoutOpt : query;
            ByteBuf q = DnsForwarder.allocator().directBuffer(from.readableBytes());
            q.writeBytes(from, 0, from.readableBytes());
            DnsMessage.setId(q, 0, questionId);
            return q;
        }

        /** RFC 5452 §9.1. A resolver that understands nothing may leave the question out, but then it says nothing of the name. */
        @Override
        boolean onMessage(ByteBuf m) {
            if (done) {
                m.release();
                return true;
            }
            if (!DnsMessage.isValid(m, 0, m.writerIndex())
                    || !DnsMessage.isResponse(m, 0)
                    || DnsMessage.opcode(m, 0) != 0) {
                m.release();
                return false;
            }
            int rcode = DnsMessage.rcode(m, 0);
            boolean bare = DnsMessage.questions(m, 0) == 0 && isComplaint(rcode);
            boolean same = DnsMessage.questions(m, 0) == 1 && first.isAt(m, DnsMessage.HEADER_BYTES);
            if (!bare && !same) {
                m.release();
                return false;
            }
            DnsLayout layout = forwarder.layout();
            if (!layout.read(m)) {
                cutOff(m, layout);
            }
            trace(rcode, m);
            if (isNoEdns(rcode, layout)) {
                m.release();
                askWithoutOpt();
                return true;
            }
            if (rcode == DnsMessage.RCODE_SERVFAIL || rcode == DnsMessage.RCODE_REFUSED) {
                release(secondBest);
                secondBest = m;
                secondBestServer = server;
                failed++;
                if (!done) {
                    next();
                }
                return true;
            }
            end(m, server);
            return true;
        }

        private static boolean isComplaint(int rcode) {
            return rcode == DnsMessage.RCODE_FORMERR
                    || rcode == DnsMessage.RCODE_SERVFAIL
                    || rcode == DnsMessage.RCODE_NOTIMP
                    || rcode == DnsMessage.RCODE_REFUSED;
        }

        /** What does not have all its records is as good as truncated: the guest asks by TCP. */
        private void cutOff(ByteBuf m, DnsLayout layout) {
            boolean hasQuestion = DnsMessage.questions(m, 0) == 1;
            m.writerIndex(hasQuestion ? first.afterQuestion() : DnsMessage.HEADER_BYTES);
            DnsMessage.setCounts(m, 0, hasQuestion ? 1 : 0, 0, 0, 0);
            int flags = DnsMessage.flags(m, 0);
            DnsMessage.setFlags(
                    m, 0, first.tcp ? (flags & ~0xF) | DnsMessage.RCODE_SERVFAIL : flags | DnsMessage.FLAG_TRUNCATED);
            boolean readable = layout.read(m);
            assert readable;
        }

        /** RFC 6891 §7: who does not know OPT says FORMERR or NOTIMP, without one. */
        private boolean isNoEdns(int rcode, DnsLayout layout) {
            boolean complains = rcode == DnsMessage.RCODE_FORMERR || rcode == DnsMessage.RCODE_NOTIMP;
            return complains && first.opt && !first.signed && !plain && !layout.hasOpt();
        }

        private void askWithoutOpt() {
            plain = true;
            if (withoutOpt == null) {
                withoutOpt = DnsForwarder.withoutOpt(query, first);
            }
            forwarder.loop().execute(() -> {
                if (!done) {
                    ask();
                }
            });
        }

        private void trace(int rcode, ByteBuf m) {
            DnsTrace trace = first.trace;
            if (trace != null) {
                long micros = TimeUnit.NANOSECONDS.toMicros(forwarder.now() - startedAt);
                trace.step(String.format(
                        Locale.ROOT,
                        "%s answered by %s after %d.%03d ms: %s, %d bytes%s",
                        group.servers.get(server).text,
                        first.tcp ? "TCP" : "UDP",
                        micros / 1000,
                        micros % 1000,
                        DnsText.rcode(rcode),
                        m.readableBytes(),
                        DnsMessage.isTruncated(m, 0) ? ", truncated" : ""));
            }
        }

        @Override
        void onFailed() {
            failed++;
            if (!done) {
                DnsTrace trace = first.trace;
                if (trace != null) {
                    trace.step(group.servers.get(server).text + " cannot be reached by " + (first.tcp ? "TCP" : "UDP"));
                }
                next();
            }
        }
    }
}
