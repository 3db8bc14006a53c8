package dev.longshore.virtio.net;

import dev.longshore.virtio.virtqueue.Counter;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;

/** What crossed one link since it was made. Thread-safe: written on the link's event loop, read anywhere. */
public final class NetCounters {
    final Counter framesFromGuest = new Counter();
    final Counter bytesFromGuest = new Counter();
    final Counter framesToGuest = new Counter();
    final Counter bytesToGuest = new Counter();
    final Counter blocked = new Counter();
    private final Map<NetDrop, Counter> drops = new EnumMap<>(NetDrop.class); // all reasons, never changed

    NetCounters() {
        for (NetDrop reason : NetDrop.values()) {
            drops.put(reason, new Counter());
        }
    }

    void drop(NetDrop reason) {
        counter(reason).increment();
    }

    /** Frames given to the sink. */
    public long framesFromGuest() {
        return framesFromGuest.get();
    }

    public long bytesFromGuest() {
        return bytesFromGuest.get();
    }

    /** Frames put into the guest's receive buffers. */
    public long framesToGuest() {
        return framesToGuest.get();
    }

    public long bytesToGuest() {
        return bytesToGuest.get();
    }

    /** Times that the guest had no room for a frame. */
    public long blocked() {
        return blocked.get();
    }

    public long drops(NetDrop reason) {
        return counter(reason).get();
    }

    private Counter counter(NetDrop reason) {
        return Objects.requireNonNull(drops.get(reason));
    }
}
