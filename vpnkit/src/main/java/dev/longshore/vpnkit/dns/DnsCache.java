package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.DnsRecord;
import dev.longshore.vpnkit.count.Counters;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Answers of resolvers, for as long as they may be kept. Confined to the link's event loop.
 *
 * <p>Theory of operation: what is kept is the message as it goes to the guest, without OPT, as bytes; a hit copies them, puts the question
 * as it was asked now in front, and writes each time to live less the seconds since. So nothing is parsed on a hit, and any type of
 * record is kept as it came. An answer lives as long as its shortest record; one that says that there is nothing, as long as its SOA says (RFC
 * 2308 §5), and without SOA not at all; a failure {@link #FAILURE_SECONDS} (RFC 9520 §3.2): SERVFAIL, REFUSED and FORMERR of a resolver, or that there was no answer. A message with a time to live of 0 is not kept.
 *
 * <p>It is a table of our own and not a library's, since it belongs to one thread: a hit moves two links and makes no object, and
 * there is no maintenance for others to do. The least recently used answers leave when {@link #MAX_BYTES} are full.
 *
 * <p>Invariants: {@code bytes} is the sum over all entries, at most {@link #MAX_BYTES}; the list by use and the table have the same entries.
 */
final class DnsCache {
    static final long MAX_BYTES = 8 << 20;
    static final int MAX_TTL = (int) TimeUnit.DAYS.toSeconds(1);
    static final int MAX_NEGATIVE_TTL = (int) TimeUnit.HOURS.toSeconds(3);
    static final int FAILURE_SECONDS = 2;

    /** Of an entry, besides its arrays: measured, rounded up. */
    private static final int ENTRY_BYTES = 160;

    private static final int MAX_MESSAGE = 64 << 10;
    private static final int SLOTS = 1 << 14; // a power of two, chained
    private static final int NOT_KEPT = DnsMessage.FLAG_AUTHORITATIVE | DnsMessage.FLAG_TRUNCATED;

    private final Counters<DnsCounter> counters;
    private final @Nullable Entry[] table = new @Nullable Entry[SLOTS];
    private int size;
    private long bytes;
    private @Nullable Entry oldest;
    private @Nullable Entry newest;

    DnsCache(Counters<DnsCounter> counters) {
        this.counters = counters;
    }

    /** One answer. Immutable but for its links. */
    static final class Entry {
        private final byte[] question;
        private final int mode;
        private final int hash;
        private final int flags;
        private final int answers;
        private final int authorities;
        private final int additionals;
        private final byte[] records;

        /** Where in {@code records} a time to live is, to be counted down. */
        private final short[] ttls;

        private final long storedAt;
        private final int lifeSeconds;

        /** What the guest is told by it, for those who ask later which name an address has. */
        final ToldNames.@Nullable Telling telling;

        final boolean filtered;
        final String resolver;

        @Nullable
        Entry chain;

        @Nullable
        Entry older;

        @Nullable
        Entry newer;

        private Entry(
                DnsQuestion q,
                ByteBuf m,
                byte[] records,
                short[] ttls,
                long storedAt,
                int lifeSeconds,
                ToldNames.@Nullable Telling telling,
                boolean filtered,
                int additionals,
                String resolver) {
            this.question = q.bytes;
            this.mode = q.mode();
            this.hash = q.hash();
            this.flags = (DnsMessage.flags(m, 0) & ~NOT_KEPT) | DnsMessage.FLAG_RECURSION_AVAILABLE;
            this.answers = DnsMessage.answers(m, 0);
            this.authorities = DnsMessage.authorities(m, 0);
            this.additionals = additionals;
            this.records = records;
            this.ttls = ttls;
            this.storedAt = storedAt;
            this.lifeSeconds = lifeSeconds;
            this.telling = telling;
            this.filtered = filtered;
            this.resolver = resolver;
        }

        /** Seconds since it came. */
        int age(long now) {
            return (int) TimeUnit.NANOSECONDS.toSeconds(now - storedAt);
        }

        /** Seconds until it goes. */
        int rest(long now) {
            return lifeSeconds - age(now);
        }

        private int weight() {
            ToldNames.Telling t = telling;
            return ENTRY_BYTES + question.length + records.length + 2 * ttls.length + (t == null ? 0 : t.weight());
        }

        /** The answer for one who asks now. */
        ByteBuf write(ByteBufAllocator allocator, DnsQuestion q, long now) {
            ByteBuf b = DnsReply.begin(allocator, q, flags & 0xF, records.length);
            int recordsAt = b.writerIndex();
            b.writeBytes(records);
            int age = age(now);
            for (short place : ttls) {
                int at = recordsAt + (place & 0xFFFF);
                b.setInt(at, Math.max(0, b.getInt(at) - age));
            }
            DnsMessage.setFlags(
                    b, 0, (flags & ~DnsMessage.FLAG_RECURSION_DESIRED) | (q.flags & DnsMessage.FLAG_RECURSION_DESIRED));
            boolean failed = (flags & 0xF) == DnsMessage.RCODE_SERVFAIL; // RFC 8914 §4.14 is about that one only
            DnsReply.Reason why = failed ? DnsReply.CACHED_ERROR : filtered ? DnsReply.FILTERED : DnsReply.NONE;
            return DnsReply.finish(b, q, answers, authorities, additionals, flags & 0xF, why);
        }
    }

    /** What answers the question now; null if that is to be asked. */
    @Nullable
    Entry find(DnsQuestion q, long now) {
        Entry e = table[slot(q.hash())];
        while (e != null && (e.hash != q.hash() || e.mode != q.mode() || !q.asksTheSame(e.question))) {
            e = e.chain;
        }
        if (e == null) {
            return null;
        }
        if (now - e.storedAt >= TimeUnit.SECONDS.toNanos(e.lifeSeconds)) {
            remove(e);
            count();
            return null;
        }
        if (e.newer != null) {
            unlink(e);
            link(e);
        }
        return e;
    }

    /** Keeps an answer if it may be kept. Borrows {@code m}, whose layout is {@code l}. */
    void put(
            DnsQuestion q,
            ByteBuf m,
            DnsLayout l,
            ToldNames.@Nullable Telling telling,
            boolean filtered,
            String resolver,
            long now) {
        int life = lifeSeconds(q, m, l);
        int recordBytes = l.recordBytes();
        if (life <= 0 || recordBytes > MAX_MESSAGE) {
            return;
        }
        byte[] records = new byte[recordBytes];
        m.getBytes(l.recordsAt, records, 0, l.optFrom - l.recordsAt);
        m.getBytes(l.optTo, records, l.optFrom - l.recordsAt, l.end - l.optTo);
        int additionals = DnsMessage.additionals(m, 0) - (l.hasOpt() ? 1 : 0);
        short[] ttls = capTtls(m, l, records, life);
        Entry e = new Entry(q, m, records, ttls, now, life, telling, filtered, additionals, resolver);
        Entry before = find(q, now);
        if (before != null) {
            remove(before);
        }
        add(e);
    }

    /** 0 if it is not to be kept. */
    private static int lifeSeconds(DnsQuestion q, ByteBuf m, DnsLayout l) {
        int rcode = DnsMessage.rcode(m, 0);
        boolean extended = l.hasOpt() && dev.longshore.packet.wire.DnsOpt.extendedRcode(m, l.optAt) != 0;
        if (extended || DnsMessage.isTruncated(m, 0) || DnsMessage.questions(m, 0) != 1) {
            return 0;
        }
        return switch (rcode) {
            case DnsMessage.RCODE_OK, DnsMessage.RCODE_NXDOMAIN -> leastTtl(q, m, l, rcode);
            default -> isFailure(rcode) ? FAILURE_SECONDS : 0;
        };
    }

    /** RFC 9520 §2: what says nothing of the name, but that it is no use to ask at once. */
    private static boolean isFailure(int rcode) {
        return rcode == DnsMessage.RCODE_SERVFAIL
                || rcode == DnsMessage.RCODE_REFUSED
                || rcode == DnsMessage.RCODE_FORMERR;
    }

    private static int leastTtl(DnsQuestion q, ByteBuf m, DnsLayout l, int rcode) {
        int answers = DnsMessage.answers(m, 0);
        int authorities = DnsMessage.authorities(m, 0);
        int records = DnsMessage.records(m, 0);
        int least = MAX_TTL;
        int negative = -1;
        boolean positive = false;
        int i = l.recordsAt;
        for (int n = 0; n < records; n++) {
            int afterName = DnsMessage.skipName(m, 0, l.end, i);
            int next = DnsMessage.skipRecord(m, 0, l.end, i);
            int type = DnsRecord.type(m, afterName);
            if (type != DnsMessage.TYPE_OPT) {
                least = Math.min(least, DnsRecord.ttl(m, afterName));
                positive |= n < answers && (type == q.type || q.type == DnsMessage.TYPE_ANY);
                if (type == DnsMessage.TYPE_SOA && n >= answers && n < answers + authorities) {
                    negative = Math.min(DnsRecord.ttl(m, afterName), minimum(m, afterName));
                }
            }
            i = next;
        }
        if (rcode == DnsMessage.RCODE_OK && positive) {
            return least;
        }
        return Math.min(least, Math.min(negative, MAX_NEGATIVE_TTL)); // without SOA negative: not kept
    }

    /** The last field of a SOA record: RFC 2308 §4. */
    private static int minimum(ByteBuf m, int afterName) {
        int bytes = DnsRecord.dataBytes(m, afterName);
        return bytes < 22 ? 0 : Math.max(0, m.getInt(DnsRecord.dataAt(afterName) + bytes - 4));
    }

    /** Where the times to live are; in {@code records} none stays longer than it may. */
    private static short[] capTtls(ByteBuf m, DnsLayout l, byte[] records, int life) {
        int count = DnsMessage.records(m, 0) - (l.hasOpt() ? 1 : 0);
        int answers = DnsMessage.answers(m, 0);
        boolean isFailure = isFailure(DnsMessage.rcode(m, 0));
        short[] ttls = new short[count];
        int i = l.recordsAt;
        int k = 0;
        for (int n = 0; k < count; n++) {
            int afterName = DnsMessage.skipName(m, 0, l.end, i);
            int type = DnsRecord.type(m, afterName);
            if (i < l.optFrom || i >= l.optTo) {
                int place = afterName + 4 - l.recordsAt - (i >= l.optTo ? l.optTo - l.optFrom : 0);
                boolean capped = isFailure || (type == DnsMessage.TYPE_SOA && n >= answers);
                int ttl = Math.min(DnsRecord.ttl(m, afterName), capped ? life : MAX_TTL);
                records[place] = (byte) (ttl >>> 24);
                records[place + 1] = (byte) (ttl >>> 16);
                records[place + 2] = (byte) (ttl >>> 8);
                records[place + 3] = (byte) ttl;
                ttls[k++] = (short) place;
            }
            i = DnsMessage.skipRecord(m, 0, l.end, i);
        }
        return ttls;
    }

    /** Forgets everything: other resolvers, routes or families may have other answers. Returns how many there were. */
    int clear() {
        int had = size;
        java.util.Arrays.fill(table, null);
        oldest = null;
        newest = null;
        size = 0;
        bytes = 0;
        if (had > 0) {
            counters.increment(DnsCounter.CACHE_FLUSHES);
        }
        count();
        return had;
    }

    int size() {
        return size;
    }

    long bytes() {
        return bytes;
    }

    // ---- the table

    private static int slot(int hash) {
        return (hash ^ hash >>> 16) & (SLOTS - 1);
    }

    private void add(Entry e) {
        int slot = slot(e.hash);
        e.chain = table[slot];
        table[slot] = e;
        link(e);
        size++;
        bytes += e.weight();
        for (Entry victim = oldest; bytes > MAX_BYTES && victim != null; victim = oldest) {
            remove(victim);
            counters.increment(DnsCounter.CACHE_EVICTED);
        }
        count();
    }

    private void count() {
        counters.set(DnsCounter.CACHE_ENTRIES, size);
        counters.set(DnsCounter.CACHE_BYTES, bytes);
    }

    private void remove(Entry e) {
        int slot = slot(e.hash);
        Entry before = table[slot];
        if (before == e) {
            table[slot] = e.chain;
        } else {
            while (before != null && before.chain != e) {
                before = before.chain;
            }
            if (before != null) {
                before.chain = e.chain;
            }
        }
        unlink(e);
        size--;
        bytes -= e.weight();
    }

    private void link(Entry e) {
        Entry last = newest;
        e.older = last;
        e.newer = null;
        newest = e;
        if (last == null) {
            oldest = e;
        } else {
            last.newer = e;
        }
    }

    private void unlink(Entry e) {
        Entry before = e.older;
        Entry after = e.newer;
        if (before == null) {
            oldest = after;
        } else {
            before.newer = after;
        }
        if (after == null) {
            newest = before;
        } else {
            after.older = before;
        }
    }
}
