package dev.longshore.vpnkit.flow;

import java.util.Arrays;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * From the five-tuple of a flow (the protocol is the table's own) to the flow. Look-ups allocate nothing.
 *
 * <p>Confined to the link's event loop.
 *
 * <p>Theory of operation: open addressing with linear probing, at most half full; removal shifts the rest of a cluster
 * back, so there are no tombstones. The hash is keyed with a random number, since the guest chooses most of a key and
 * could otherwise make all its flows collide.
 *
 * @param <V> what is found
 */
public final class FlowTable<V> {
    private static final int MIN_SLOTS = 64;

    private final long secret;
    private long[] keys; // five a slot: guestHi, guestLo, remoteHi, remoteLo, guestPort << 16 | remotePort
    private @Nullable Object[] values;
    private int size;

    /** {@code secret}: random, and nothing a guest can learn. */
    public FlowTable(long secret) {
        this.secret = secret;
        this.keys = new long[MIN_SLOTS * 5];
        this.values = new Object[MIN_SLOTS];
    }

    public int size() {
        return size;
    }

    public @Nullable V get(long guestHi, long guestLo, int guestPort, long remoteHi, long remoteLo, int remotePort) {
        long ports = (long) guestPort << 16 | remotePort;
        return value(values[slot(guestHi, guestLo, remoteHi, remoteLo, ports)]);
    }

    /** Replaces what was there. */
    public void put(long guestHi, long guestLo, int guestPort, long remoteHi, long remoteLo, int remotePort, V value) {
        if (2 * (size + 1) > values.length) {
            resize(values.length * 2);
        }
        long ports = (long) guestPort << 16 | remotePort;
        int slot = slot(guestHi, guestLo, remoteHi, remoteLo, ports);
        if (values[slot] == null) {
            size++;
        }
        int k = slot * 5;
        keys[k] = guestHi;
        keys[k + 1] = guestLo;
        keys[k + 2] = remoteHi;
        keys[k + 3] = remoteLo;
        keys[k + 4] = ports;
        values[slot] = value;
    }

    /** The value that was there, or null. */
    public @Nullable V remove(long guestHi, long guestLo, int guestPort, long remoteHi, long remoteLo, int remotePort) {
        int slot = slot(guestHi, guestLo, remoteHi, remoteLo, (long) guestPort << 16 | remotePort);
        @Nullable V old = value(values[slot]);
        if (old != null) {
            size--;
            closeGap(slot);
        }
        return old;
    }

    /** In no order. {@code action} must not change the table. */
    public void forEach(Consumer<? super V> action) {
        for (@Nullable Object o : values) {
            @Nullable V v = value(o);
            if (v != null) {
                action.accept(v);
            }
        }
    }

    public void clear() {
        keys = new long[MIN_SLOTS * 5];
        values = new Object[MIN_SLOTS];
        size = 0;
    }

    @SuppressWarnings("unchecked") // only V is ever stored
    private @Nullable V value(@Nullable Object stored) {
        return (V) stored;
    }

    /** Where the key is, or the free slot where it belongs. */
    private int slot(long gHi, long gLo, long rHi, long rLo, long ports) {
        int mask = values.length - 1;
        int slot = (int) hash(gHi, gLo, rHi, rLo, ports) & mask;
        while (values[slot] != null && !isAt(slot * 5, gHi, gLo, rHi, rLo, ports)) {
            slot = (slot + 1) & mask;
        }
        return slot;
    }

    private boolean isAt(int k, long gHi, long gLo, long rHi, long rLo, long ports) {
        return keys[k + 4] == ports && keys[k + 3] == rLo && keys[k + 1] == gLo && keys[k + 2] == rHi && keys[k] == gHi;
    }

    private long hash(long gHi, long gLo, long rHi, long rLo, long ports) {
        long h = mix(secret ^ gHi);
        h = mix(h ^ gLo);
        h = mix(h ^ rHi);
        h = mix(h ^ rLo);
        return mix(h ^ ports);
    }

    /** A bijection that spreads each bit over all: the finalizer of David Stafford's variant 13. */
    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }

    private void closeGap(int gap) {
        int mask = values.length - 1;
        values[gap] = null;
        for (int i = (gap + 1) & mask; values[i] != null; i = (i + 1) & mask) {
            int k = i * 5;
            int home = (int) hash(keys[k], keys[k + 1], keys[k + 2], keys[k + 3], keys[k + 4]) & mask;
            if (((i - home) & mask) >= ((i - gap) & mask)) { // the gap lies on its way from home to here
                System.arraycopy(keys, k, keys, gap * 5, 5);
                values[gap] = values[i];
                values[i] = null;
                gap = i;
            }
        }
    }

    private void resize(int slots) {
        long[] oldKeys = keys;
        @Nullable Object[] oldValues = values;
        keys = new long[slots * 5];
        values = new Object[slots];
        for (int i = 0; i < oldValues.length; i++) {
            if (oldValues[i] != null) {
                int k = i * 5;
                int slot = slot(oldKeys[k], oldKeys[k + 1], oldKeys[k + 2], oldKeys[k + 3], oldKeys[k + 4]);
                System.arraycopy(oldKeys, k, keys, slot * 5, 5);
                values[slot] = oldValues[i];
            }
        }
    }

    @Override
    public String toString() {
        return "FlowTable[" + size + " of "
                + Arrays.stream(values).filter(v -> v != null).count() + "]";
    }
}
