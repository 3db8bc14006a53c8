package dev.longshore.virtio.vsock;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Values of {@link VsockCounter}. Thread-safe: one writer, the device's event loop, by opaque stores; any reader.
 */
@SuppressWarnings("EnumOrdinal") // as an index of an array that nobody else sees
public final class VsockCounters {
    private final AtomicLongArray values = new AtomicLongArray(VsockCounter.values().length);

    public long get(VsockCounter counter) {
        return values.getOpaque(counter.ordinal());
    }

    void add(VsockCounter counter, long n) {
        int i = counter.ordinal();
        values.setOpaque(i, values.getPlain(i) + n);
    }

    void count(VsockCounter counter) {
        add(counter, 1);
    }
}
