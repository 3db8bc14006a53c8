package dev.longshore.vpnkit.count;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;

/**
 * One number for each constant of {@code E}. Thread-safe: one writer, the loop of its owner, which stores opaque; any
 * reader, which loads opaque: a reading may be a little old, and is never torn.
 */
public final class Counters<E extends Enum<E> & Counted> {
    private static final VarHandle SLOT = MethodHandles.arrayElementVarHandle(long[].class);

    private final E[] constants;
    private final long[] values;

    public Counters(Class<E> type) {
        constants = type.getEnumConstants();
        values = new long[constants.length];
    }

    /** On the owner's loop only. */
    public void increment(E counter) {
        add(counter, 1);
    }

    /** On the owner's loop only. */
    public void add(E counter, long amount) {
        int i = slot(counter);
        SLOT.setOpaque(values, i, values[i] + amount);
    }

    /** For what goes up and down. On the owner's loop only. */
    public void set(E counter, long value) {
        SLOT.setOpaque(values, slot(counter), value);
    }

    public long get(E counter) {
        return (long) SLOT.getOpaque(values, slot(counter));
    }

    @SuppressWarnings("EnumOrdinal") // an index into an array of this run, never stored
    private int slot(E counter) {
        return counter.ordinal();
    }

    /** All of them, zeros included, in the order of the constants. */
    public List<Reading> readings() {
        List<Reading> readings = new ArrayList<>(constants.length);
        for (E c : constants) {
            readings.add(new Reading(c.metric(), c.tags(), c.help(), get(c)));
        }
        return readings;
    }

    /** One counter as it was when it was read. Immutable. */
    public record Reading(String metric, String tags, String help, long value) {}
}
