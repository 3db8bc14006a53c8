package dev.longshore.virtio.virtqueue;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/** A number that only grows. Thread-safe: one thread writes (plain increment, opaque store), any thread reads (opaque load). */
public final class Counter {
    private static final VarHandle VALUE;

    static {
        try {
            VALUE = MethodHandles.lookup().findVarHandle(Counter.class, "value", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    @SuppressWarnings("unused") // accessed by VALUE
    private long value;

    public void increment() {
        add(1);
    }

    public void add(long n) {
        VALUE.setOpaque(this, (long) VALUE.getOpaque(this) + n);
    }

    public long get() {
        return (long) VALUE.getOpaque(this);
    }
}
