package dev.longshore.policy;

import dev.longshore.config.IpPrefix;
import dev.longshore.packet.wire.IpAddress;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Addresses of one family as ranges that neither overlap nor touch, in their order, found by binary search. Immutable.
 */
final class Ranges {
    private final long[] fromHi;
    private final long[] fromLo;
    private final long[] toHi;
    private final long[] toLo;

    /** Both ends included; unsigned. */
    private record Range(long fromHi, long fromLo, long toHi, long toLo) {}

    private Ranges(List<Range> ranges) {
        fromHi = ranges.stream().mapToLong(Range::fromHi).toArray();
        fromLo = ranges.stream().mapToLong(Range::fromLo).toArray();
        toHi = ranges.stream().mapToLong(Range::toHi).toArray();
        toLo = ranges.stream().mapToLong(Range::toLo).toArray();
    }

    /** Those of one family: as everywhere, IPv4 in its mapped form. */
    static Ranges of(List<IpPrefix> prefixes, boolean v4) {
        List<Range> sorted = prefixes.stream()
                .filter(p -> IpAddress.of(p.base()).isV4() == v4)
                .map(Ranges::range)
                .sorted(Comparator.comparing((Range r) -> r, (a, b) -> compare(a.fromHi, a.fromLo, b.fromHi, b.fromLo)))
                .toList();
        List<Range> merged = new ArrayList<>();
        for (Range r : sorted) {
            Range last = merged.isEmpty() ? null : merged.getLast();
            if (last == null || compare(r.fromHi, r.fromLo, last.toHi, last.toLo) > 0) {
                merged.add(r);
            } else if (compare(r.toHi, r.toLo, last.toHi, last.toLo) > 0) {
                merged.set(merged.size() - 1, new Range(last.fromHi, last.fromLo, r.toHi, r.toLo));
            }
        }
        return new Ranges(merged);
    }

    private static Range range(IpPrefix prefix) {
        IpAddress base = IpAddress.of(prefix.base());
        int bits = base.isV4() ? prefix.bits() + 96 : prefix.bits();
        long restHi = bits >= 64 ? 0 : bits == 0 ? -1L : -1L >>> bits;
        long restLo = bits <= 64 ? -1L : bits == 128 ? 0 : -1L >>> (bits - 64);
        return new Range(base.hi(), base.lo(), base.hi() | restHi, base.lo() | restLo);
    }

    private static int compare(long aHi, long aLo, long bHi, long bLo) {
        int high = Long.compareUnsigned(aHi, bHi);
        return high == 0 ? Long.compareUnsigned(aLo, bLo) : high;
    }

    boolean contains(long hi, long lo) {
        int low = 0;
        int high = fromHi.length - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            if (compare(hi, lo, fromHi[middle], fromLo[middle]) < 0) {
                high = middle - 1;
            } else if (compare(hi, lo, toHi[middle], toLo[middle]) > 0) {
                low = middle + 1;
            } else {
                return true;
            }
        }
        return false;
    }

    boolean isEmpty() {
        return fromHi.length == 0;
    }
}
