package dev.longshore.vpnkit.gateway;

import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.IpAddress;
import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Which names the guest was told for which addresses: from the answers that our name server gave. Confined to the link's event
 * loop.
 *
 * <p>A name is known for its record's time to live, but for {@link #LEAST_NANOS} at least, since programs hold on to addresses
 * longer than they may; and for as long again after each use, since a connection outlives its name's record, but never longer
 * than {@link #MOST_NANOS} after it was last told. Whoever asks for very many names drives the least recently told out.
 *
 * <p>Invariants: at most {@link #MAX_ADDRESSES} addresses with {@link #MAX_NAMES} names each; the list by age and the table
 * have the same entries.
 */
public final class ToldNames {
    static final long LEAST_NANOS = TimeUnit.MINUTES.toNanos(5);
    static final long MOST_NANOS = TimeUnit.HOURS.toNanos(24);
    static final int MAX_ADDRESSES = 4_096;
    static final int MAX_NAMES = 16;

    /** Of one answer; a longer chain of aliases is followed by no resolver. */
    private static final int MAX_ALIASES = 16;

    private static final int MAX_RECORDS = 256;
    private static final int SLOTS = 2 * MAX_ADDRESSES; // a power of two, chained

    private final LongSupplier nanoClock;
    private final @Nullable Entry[] table = new @Nullable Entry[SLOTS];
    private int size;
    private @Nullable Entry oldest;
    private @Nullable Entry newest;

    public ToldNames(LongSupplier nanoClock) {
        this.nanoClock = nanoClock;
    }

    /** The names of one address. */
    private static final class Entry {
        final long hi;
        final long lo;
        final List<Name> names = new ArrayList<>(2);

        @Nullable
        Entry chain;

        @Nullable
        Entry older;

        @Nullable
        Entry newer;

        Entry(long hi, long lo) {
            this.hi = hi;
            this.lo = lo;
        }
    }

    /** One name of an address. */
    private static final class Name {
        final String text;
        boolean asked;
        long toldAt;
        long until;

        Name(String text, long now) {
            this.text = text;
            this.until = now;
        }
    }

    /** Takes one name of an address. */
    public interface Reader {
        /**
         * One name.
         *
         * @param name in lower case, without a trailing dot
         * @param asked false for an alias: the guest asked for another name, whose answer led over this one
         * @return false to hear of no further ones
         */
        boolean name(String name, boolean asked);
    }

    /** Reads a resolver's answer as it goes to the guest. Borrows; never throws. */
    void read(ByteBuf b, int at, int len) {
        if (!DnsMessage.isValid(b, at, len)
                || DnsMessage.rcode(b, at) != DnsMessage.RCODE_OK
                || DnsMessage.questions(b, at) != 1
                || DnsMessage.answers(b, at) == 0) {
            return;
        }
        int questionAt = at + DnsMessage.HEADER_BYTES;
        int records = DnsMessage.skipQuestion(b, at, len, questionAt);
        String asked = records < 0 ? null : DnsMessage.name(b, at, len, questionAt);
        if (asked == null || asked.isEmpty()) {
            return;
        }
        List<String> names = new ArrayList<>();
        names.add(asked);
        int count = Math.min(DnsMessage.answers(b, at), MAX_RECORDS);
        addAliases(b, at, len, records, count, names);
        int i = records;
        for (int n = 0; n < count; n++) {
            int next = DnsMessage.skipRecord(b, at, len, i);
            if (next < 0) {
                return;
            }
            address(b, at, len, i, next, names);
            i = next;
        }
    }

    /** Follows CNAME records from the name that was asked for, in whatever order they come. */
    private static void addAliases(ByteBuf b, int at, int len, int records, int count, List<String> names) {
        boolean found = true;
        while (found && names.size() <= MAX_ALIASES) {
            found = false;
            int i = records;
            for (int n = 0; n < count; n++) {
                int next = DnsMessage.skipRecord(b, at, len, i);
                if (next < 0) {
                    return;
                }
                int afterName = DnsMessage.skipName(b, at, len, i);
                if (DnsMessage.type(b, afterName) == DnsMessage.TYPE_CNAME
                        && names.getLast().equals(DnsMessage.name(b, at, len, i))) {
                    String target = DnsMessage.name(b, at, len, afterName + 10);
                    if (target != null && !names.contains(target)) {
                        names.add(target);
                        found = true;
                        break;
                    }
                }
                i = next;
            }
        }
    }

    private void address(ByteBuf b, int at, int len, int recordAt, int next, List<String> names) {
        int afterName = DnsMessage.skipName(b, at, len, recordAt);
        int type = DnsMessage.type(b, afterName);
        int dataAt = afterName + 10;
        boolean v4 = type == DnsMessage.TYPE_A && next - dataAt == 4;
        boolean v6 = type == DnsMessage.TYPE_AAAA && next - dataAt == 16;
        if ((!v4 && !v6) || DnsMessage.dnsClass(b, afterName) != DnsMessage.CLASS_IN) {
            return;
        }
        String owner = DnsMessage.name(b, at, len, recordAt);
        if (owner == null || !names.contains(owner)) {
            return;
        }
        long hi = v4 ? 0 : b.getLong(dataAt);
        long lo = v4 ? IpAddress.loOfV4(b.getInt(dataAt)) : b.getLong(dataAt + 8);
        tell(hi, lo, names, b.getUnsignedInt(afterName + 4));
    }

    /** The first of the names was asked for, the others are its aliases. */
    void tell(long hi, long lo, List<String> names, long ttlSeconds) {
        long now = nanoClock.getAsLong();
        long life = Math.clamp(TimeUnit.SECONDS.toNanos(ttlSeconds), LEAST_NANOS, MOST_NANOS);
        Entry entry = find(hi, lo);
        if (entry == null) {
            entry = add(hi, lo);
        } else {
            unlink(entry);
            link(entry);
            entry.names.removeIf(n -> now - n.until > 0);
        }
        for (int i = 0; i < names.size(); i++) {
            Name name = nameOf(entry, names.get(i), now);
            name.asked |= i == 0;
            name.toldAt = now;
            name.until = later(name.until, now + life);
        }
    }

    private static Name nameOf(Entry entry, String text, long now) {
        for (Name n : entry.names) {
            if (n.text.equals(text)) {
                return n;
            }
        }
        if (entry.names.size() >= MAX_NAMES) {
            entry.names.removeFirst();
        }
        Name made = new Name(text, now);
        entry.names.add(made);
        return made;
    }

    /** All names of an address that are known now, in no order. Makes no object. */
    public void namesOf(long hi, long lo, Reader reader) {
        Entry entry = size == 0 ? null : find(hi, lo);
        if (entry == null) {
            return;
        }
        long now = nanoClock.getAsLong();
        for (int i = 0; i < entry.names.size(); i++) {
            Name n = entry.names.get(i);
            if (now - n.until <= 0) {
                n.until = later(n.until, earlier(now + LEAST_NANOS, n.toldAt + MOST_NANOS));
                if (!reader.name(n.text, n.asked)) {
                    return;
                }
            }
        }
    }

    private static long later(long a, long b) {
        return a - b < 0 ? b : a;
    }

    private static long earlier(long a, long b) {
        return a - b < 0 ? a : b;
    }

    /** Addresses with names, those included whose time is over. */
    public int size() {
        return size;
    }

    // ---- the table

    private static int slot(long hi, long lo) {
        long mixed = (hi * 0x9E37_79B9_7F4A_7C15L ^ lo) * 0xBF58_476D_1CE4_E5B9L;
        return (int) (mixed >>> 40) & (SLOTS - 1);
    }

    private @Nullable Entry find(long hi, long lo) {
        Entry e = table[slot(hi, lo)];
        while (e != null && (e.lo != lo || e.hi != hi)) {
            e = e.chain;
        }
        return e;
    }

    private Entry add(long hi, long lo) {
        Entry victim = oldest;
        if (size >= MAX_ADDRESSES && victim != null) {
            remove(victim);
        }
        Entry made = new Entry(hi, lo);
        int slot = slot(hi, lo);
        made.chain = table[slot];
        table[slot] = made;
        link(made);
        size++;
        return made;
    }

    private void remove(Entry entry) {
        int slot = slot(entry.hi, entry.lo);
        Entry before = table[slot];
        if (before == entry) {
            table[slot] = entry.chain;
        } else {
            while (before != null && before.chain != entry) {
                before = before.chain;
            }
            if (before != null) {
                before.chain = entry.chain;
            }
        }
        unlink(entry);
        size--;
    }

    private void link(Entry entry) {
        Entry last = newest;
        entry.older = last;
        entry.newer = null;
        newest = entry;
        if (last == null) {
            oldest = entry;
        } else {
            last.newer = entry;
        }
    }

    private void unlink(Entry entry) {
        Entry before = entry.older;
        Entry after = entry.newer;
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
