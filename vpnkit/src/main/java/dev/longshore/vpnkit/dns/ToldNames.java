package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.DnsRecord;
import dev.longshore.packet.wire.IpAddress;
import io.netty.buffer.ByteBuf;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Which names the guest was told for which addresses: from the answers that our name server gave. Confined to the link's event
 * loop.
 *
 * <p>A name is known for its record's time to live, but for {@link #LEAST_NANOS} at least, since programs hold on to addresses
 * longer than they may; and for as long again after each use, since a connection outlives its name's record, but never longer
 * than {@link #MOST_NANOS} after it was last told. Whoever asks for very many names drives the least recently told out; but
 * names that matter are driven out by others of that kind only, lest a name of an attacker's own with the address of another one
 * makes that forgotten.
 *
 * <p>Invariants: at most {@link #MAX_ADDRESSES} addresses with {@link #MAX_NAMES} names each; the lists by age together and the
 * table have the same entries; an entry is among those that matter exactly if one of its names does.
 */
public final class ToldNames {
    static final long LEAST_NANOS = TimeUnit.MINUTES.toNanos(5);
    static final long MOST_NANOS = TimeUnit.HOURS.toNanos(24);
    static final int MAX_ADDRESSES = 4_096;
    static final int MAX_NAMES = 16;

    /** Of one answer; a longer chain of aliases is followed by few resolvers. With the name asked for, an address has room for them. */
    private static final int MAX_ALIASES = MAX_NAMES - 1;

    private static final int MAX_RECORDS = 256;

    /** Of a {@link Telling} besides its names and addresses, and of a name besides its characters: measured, rounded up. */
    private static final int TELLING_BYTES = 112;

    private static final int NAME_BYTES = 56;
    private static final int SLOTS = 2 * MAX_ADDRESSES; // a power of two, chained

    private final LongSupplier nanoClock;
    private final long secret = new SecureRandom().nextLong(); // who is asked for a name chooses its addresses
    private final @Nullable Entry[] table = new @Nullable Entry[SLOTS];
    private final Ages mattering = new Ages();
    private final Ages others = new Ages();
    private Predicate<String> matter = any -> false;
    private int size;

    public ToldNames(LongSupplier nanoClock) {
        this.nanoClock = nanoClock;
    }

    /** The names of one address. */
    private static final class Entry {
        final long hi;
        final long lo;
        final List<Name> names = new ArrayList<>(2);
        boolean matters;

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

        /** Null if all matter. */
        @Nullable
        Name firstOther() {
            for (Name n : names) {
                if (!n.matters) {
                    return n;
                }
            }
            return null;
        }

        boolean hasMattering() {
            for (Name n : names) {
                if (n.matters) {
                    return true;
                }
            }
            return false;
        }
    }

    /** Entries in the order in which they were last told of. */
    private static final class Ages {
        @Nullable
        Entry oldest;

        @Nullable
        Entry newest;

        void link(Entry entry) {
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

        void unlink(Entry entry) {
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

    /** One name of an address. */
    private static final class Name {
        final String text;
        boolean matters;
        boolean asked;
        long toldAt;
        long until;

        Name(String text, boolean matters, long now) {
            this.text = text;
            this.matters = matters;
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
         * @param matters as {@link ToldNames#matter} had it last
         * @return false to hear of no further ones
         */
        boolean name(String name, boolean asked, boolean matters);
    }

    /** What one answer tells. Immutable. */
    static final class Telling {
        /** The one that was asked for first, its aliases behind it. */
        private final List<String> names;

        /** Two longs each. */
        private final long[] addresses;

        /** Seconds, one for each address. */
        private final int[] ttls;

        private Telling(List<String> names, long[] addresses, int[] ttls) {
            this.names = List.copyOf(names);
            this.addresses = addresses;
            this.ttls = ttls;
        }

        /** Bytes of memory, about: aliases that are two bytes in the message are whole names here. */
        int weight() {
            int bytes = TELLING_BYTES + 8 * addresses.length + 4 * ttls.length;
            for (int i = 0; i < names.size(); i++) {
                bytes += NAME_BYTES + names.get(i).length();
            }
            return bytes;
        }
    }

    /** Hears what an answer tells, maybe not for the first time. */
    void tell(Telling t) {
        boolean[] matters = mattering(t.names);
        for (int i = 0; i < t.ttls.length; i++) {
            tell(t.addresses[2 * i], t.addresses[2 * i + 1], t.names, matters, t.ttls[i]);
        }
    }

    /** Reads a resolver's answer as it goes to the guest. Borrows; never throws. */
    void read(ByteBuf b, int at, int len) {
        Telling telling = telling(b, at, len);
        if (telling != null) {
            tell(telling);
        }
    }

    /** What an answer tells; null if that is nothing. Borrows; never throws. */
    static @Nullable Telling telling(ByteBuf b, int at, int len) {
        if (!DnsMessage.isValid(b, at, len)
                || DnsMessage.rcode(b, at) != DnsMessage.RCODE_OK
                || DnsMessage.questions(b, at) != 1
                || DnsMessage.answers(b, at) == 0) {
            return null;
        }
        int questionAt = at + DnsMessage.HEADER_BYTES;
        int records = DnsMessage.skipQuestion(b, at, len, questionAt);
        String asked = records < 0 ? null : DnsMessage.name(b, at, len, questionAt);
        if (asked == null || asked.isEmpty()) {
            return null;
        }
        List<String> names = new ArrayList<>();
        names.add(asked);
        int count = Math.min(DnsMessage.answers(b, at), MAX_RECORDS);
        addAliases(b, at, len, records, count, names);
        long[] addresses = new long[2 * count];
        int[] ttls = new int[count];
        int found = 0;
        int i = records;
        for (int n = 0; n < count; n++) {
            int next = DnsMessage.skipRecord(b, at, len, i);
            if (next < 0) {
                break;
            }
            if (isAddress(b, at, len, i, next, names)) {
                int dataAt = DnsRecord.dataAt(DnsMessage.skipName(b, at, len, i));
                boolean v4 = next - dataAt == 4;
                addresses[2 * found] = v4 ? 0 : b.getLong(dataAt);
                addresses[2 * found + 1] = v4 ? IpAddress.loOfV4(b.getInt(dataAt)) : b.getLong(dataAt + 8);
                ttls[found++] = DnsRecord.ttl(b, dataAt - DnsRecord.HEADER_BYTES);
            }
            i = next;
        }
        return found == 0 ? null : new Telling(names, Arrays.copyOf(addresses, 2 * found), Arrays.copyOf(ttls, found));
    }

    /** Follows CNAME records from the name that was asked for, in whatever order they come. */
    private static void addAliases(ByteBuf b, int at, int len, int records, int count, List<String> names) {
        Map<String, String> targets = targets(b, at, len, records, count);
        String next = targets.get(names.getFirst());
        while (next != null && !names.contains(next) && names.size() <= MAX_ALIASES) {
            names.add(next);
            next = targets.get(next);
        }
    }

    /** Of each owner of a CNAME record the first one's target. */
    private static Map<String, String> targets(ByteBuf b, int at, int len, int records, int count) {
        Map<String, String> targets = new HashMap<>();
        int i = records;
        for (int n = 0; n < count; n++) {
            int next = DnsMessage.skipRecord(b, at, len, i);
            if (next < 0) {
                break;
            }
            int afterName = DnsMessage.skipName(b, at, len, i);
            if (DnsMessage.type(b, afterName) == DnsMessage.TYPE_CNAME) {
                String owner = DnsMessage.name(b, at, len, i);
                String target = DnsMessage.name(b, at, len, afterName + 10);
                if (owner != null && target != null && !target.isEmpty()) { // the root is no host
                    targets.putIfAbsent(owner, target);
                }
            }
            i = next;
        }
        return targets;
    }

    private static boolean isAddress(ByteBuf b, int at, int len, int recordAt, int next, List<String> names) {
        int afterName = DnsMessage.skipName(b, at, len, recordAt);
        int type = DnsRecord.type(b, afterName);
        int bytes = next - DnsRecord.dataAt(afterName);
        boolean v4 = type == DnsMessage.TYPE_A && bytes == 4;
        boolean v6 = type == DnsMessage.TYPE_AAAA && bytes == 16;
        if ((!v4 && !v6) || DnsRecord.dnsClass(b, afterName) != DnsMessage.CLASS_IN) {
            return false;
        }
        String owner = DnsMessage.name(b, at, len, recordAt);
        return owner != null && names.contains(owner);
    }

    /** Those that matter are not driven out by others: names that somebody has rules about, say. For all, from now on. */
    public void matter(Predicate<String> names) {
        matter = names;
        List<Entry> all = new ArrayList<>(size);
        for (Ages ages : List.of(mattering, others)) {
            for (Entry e = ages.oldest; e != null; e = e.newer) {
                all.add(e);
            }
        }
        for (Entry e : all) {
            e.names.forEach(n -> n.matters = names.test(n.text));
            list(e);
        }
    }

    private boolean[] mattering(List<String> names) {
        boolean[] matters = new boolean[names.size()];
        for (int i = 0; i < matters.length; i++) {
            matters[i] = matter.test(names.get(i));
        }
        return matters;
    }

    /** The first of the names was asked for, the others are its aliases. */
    void tell(long hi, long lo, List<String> names, long ttlSeconds) {
        tell(hi, lo, names, mattering(names), ttlSeconds);
    }

    private void tell(long hi, long lo, List<String> names, boolean[] matters, long ttlSeconds) {
        long now = nanoClock.getAsLong();
        long life = Math.clamp(TimeUnit.SECONDS.toNanos(ttlSeconds), LEAST_NANOS, MOST_NANOS);
        Entry entry = find(hi, lo);
        if (entry == null) {
            entry = add(hi, lo);
        } else {
            entry.names.removeIf(n -> now - n.until > 0);
        }
        for (int i = 0; i < names.size(); i++) {
            Name name = nameOf(entry, names.get(i), matters[i], now);
            if (name != null) {
                name.asked |= i == 0;
                name.toldAt = now;
                name.until = later(name.until, now + life);
            }
        }
        list(entry);
    }

    /** Null if there is no room. */
    private static @Nullable Name nameOf(Entry entry, String text, boolean matters, long now) {
        for (Name n : entry.names) {
            if (n.text.equals(text)) {
                return n;
            }
        }
        if (entry.names.size() >= MAX_NAMES) {
            Name other = entry.firstOther();
            if (other == null && !matters) {
                return null;
            }
            entry.names.remove(other == null ? entry.names.getFirst() : other);
        }
        Name made = new Name(text, matters, now);
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
                if (!reader.name(n.text, n.asked, n.matters)) {
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

    private int slot(long hi, long lo) {
        return (int) mix(mix(secret ^ hi) ^ lo) & (SLOTS - 1);
    }

    /** The finalizer of MurmurHash3, 64 bits. */
    private static long mix(long x) {
        long h = (x ^ (x >>> 33)) * 0xFF51_AFD7_ED55_8CCDL;
        h = (h ^ (h >>> 33)) * 0xC4CE_B9FE_1A85_EC53L;
        return h ^ (h >>> 33);
    }

    private @Nullable Entry find(long hi, long lo) {
        Entry e = table[slot(hi, lo)];
        while (e != null && (e.lo != lo || e.hi != hi)) {
            e = e.chain;
        }
        return e;
    }

    private Entry add(long hi, long lo) {
        Entry victim = others.oldest != null ? others.oldest : mattering.oldest;
        if (size >= MAX_ADDRESSES && victim != null) {
            remove(victim);
        }
        Entry made = new Entry(hi, lo);
        int slot = slot(hi, lo);
        made.chain = table[slot];
        table[slot] = made;
        others.link(made);
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
        (entry.matters ? mattering : others).unlink(entry);
        size--;
    }

    /** See the class comment; looks at everything. */
    boolean checkInvariants() {
        int listed = 0;
        for (Ages ages : List.of(mattering, others)) {
            for (Entry e = ages.oldest; e != null; e = e.newer) {
                listed++;
                boolean right = e.matters == (ages == mattering) && e.matters == e.hasMattering();
                if (!right || find(e.hi, e.lo) != e || e.names.size() > MAX_NAMES) {
                    throw new IllegalStateException("wrong entry of " + new IpAddress(e.hi, e.lo));
                }
            }
        }
        if (listed != size || size > MAX_ADDRESSES) {
            throw new IllegalStateException(listed + " listed, " + size + " counted");
        }
        return true;
    }

    /** As the one that was told of last, among its kind. */
    private void list(Entry entry) {
        (entry.matters ? mattering : others).unlink(entry);
        entry.matters = entry.hasMattering();
        (entry.matters ? mattering : others).link(entry);
    }
}
