package dev.longshore.vpnkit.gateway;

import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.vpnkit.count.Counters;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.EventLoop;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Relays questions, byte for byte but for the id, to the host's resolvers. Confined to the link's event loop.
 *
 * <p>The resolver that answered last when others did not is asked first for a while, so that a dead one in front costs one
 * question, not each.
 */
public final class DnsForwarder {
    /** Waiting at once; Linux resolvers in the guest ask a few each. */
    private static final int MAX_ACTIVE = 1024;

    /** Of all questions; beyond it each question has one. Resolvers that don't answer must not cost all descriptors. */
    private static final int MAX_SOCKETS = 1024;

    private static final long PREFERENCE_NANOS = TimeUnit.SECONDS.toNanos(30);

    private final EventLoop loop;
    private final Resolvers resolvers;
    private final LongSupplier nanoClock;
    private final Counters<GatewayCounter> counters;
    private final SecureRandom random = new SecureRandom();
    private final Set<DnsExchange> active = new HashSet<>();
    private List<InetSocketAddress> known = List.of();
    private int preferred;
    private int sockets;
    private long preferredSince;

    public DnsForwarder(
            EventLoop loop, Resolvers resolvers, LongSupplier nanoClock, Counters<GatewayCounter> counters) {
        this.loop = loop;
        this.resolvers = resolvers;
        this.nanoClock = nanoClock;
        this.counters = counters;
    }

    /** A question with exactly one question section, which ends at {@code afterQuestion}. Borrows. Always answered. */
    void relay(ByteBuf b, int at, int len, int afterQuestion, boolean tcp, DnsAnswers to) {
        List<InetSocketAddress> servers = resolvers.servers();
        if (!servers.equals(known)) {
            known = servers;
            preferred = 0;
        }
        if (nanoClock.getAsLong() - preferredSince >= PREFERENCE_NANOS) {
            preferred = 0;
        }
        ByteBuf query = allocator().directBuffer(len).writeBytes(b, at, len);
        if (servers.isEmpty() || active.size() >= MAX_ACTIVE) {
            counters.increment(servers.isEmpty() ? GatewayCounter.DNS_FAILED : GatewayCounter.DNS_BUSY);
            to.answer(DnsServer.servfail(allocator(), query, afterQuestion - at, DnsMessage.id(b, at)));
            query.release();
            return;
        }
        DnsExchange exchange = new DnsExchange(this, servers, preferred, query, afterQuestion - at, tcp, to);
        active.add(exchange);
        counters.set(GatewayCounter.DNS_ACTIVE, active.size());
        exchange.start();
    }

    static ByteBufAllocator allocator() {
        return ByteBufAllocator.DEFAULT;
    }

    EventLoop loop() {
        return loop;
    }

    Counters<GatewayCounter> counters() {
        return counters;
    }

    /** Unpredictable: the id is part of what an attacker has to guess (RFC 5452). */
    int newId() {
        return random.nextInt(1 << 16);
    }

    /** True if a question may have one more socket besides its first. */
    boolean hasSocketToSpare() {
        return sockets < MAX_SOCKETS;
    }

    void onSocket(int change) {
        sockets += change;
        assert sockets >= 0;
        counters.set(GatewayCounter.DNS_SOCKETS, sockets);
    }

    void ended(DnsExchange exchange, int answeredBy) {
        active.remove(exchange);
        counters.set(GatewayCounter.DNS_ACTIVE, active.size());
        if (answeredBy >= 0 && answeredBy != preferred && exchange.servers().equals(known)) {
            preferred = answeredBy;
            preferredSince = nanoClock.getAsLong();
        }
    }

    int active() {
        return active.size();
    }

    /** Ends all questions with SERVFAIL. Idempotent. */
    public void close() {
        List.copyOf(active).forEach(DnsExchange::giveUp);
    }
}
