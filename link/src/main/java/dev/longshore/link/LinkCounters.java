package dev.longshore.link;

import java.util.concurrent.atomic.AtomicLongArray;

/** Values of {@link LinkCounter} for one link. Thread-safe: one writer, the link's event loop, by opaque stores; any reader. */
@SuppressWarnings("EnumOrdinal") // as an index of an array that nobody else sees
public final class LinkCounters {
    private final AtomicLongArray values = new AtomicLongArray(LinkCounter.values().length);

    public long get(LinkCounter counter) {
        return values.getOpaque(counter.ordinal());
    }

    /** On the link's event loop only. */
    public void add(LinkCounter counter, long n) {
        int i = counter.ordinal();
        values.setOpaque(i, values.getPlain(i) + n);
    }

    /** On the link's event loop only. */
    public void count(LinkCounter counter) {
        add(counter, 1);
    }
}
