package dev.longshore.virtio.vhostuser;

import dev.longshore.virtio.virtqueue.Chain;
import dev.longshore.virtio.virtqueue.Virtqueue;
import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;

/** A device that writes down what it is told, and gives back every chain. */
final class RecordingDevice implements VhostUserDevice {
    final List<String> events = new ArrayList<>();
    final Chain chain = new Chain();
    boolean offersConfig = true;
    boolean throwOnKick;
    boolean packed;
    long acknowledged;

    @Override
    public String name() {
        return "test";
    }

    @Override
    public int queueCount() {
        return 2;
    }

    @Override
    public long features() {
        return 0x21;
    }

    @Override
    public boolean offersPackedRings() {
        return packed;
    }

    @Override
    public boolean offersConfig() {
        return offersConfig;
    }

    @Override
    public void readConfig(ByteBuf dst) {
        dst.writeBytes(new byte[] {1, 2, 3, 4, 5, 6, 7, 8});
    }

    @Override
    public void onFeatures(long features) {
        acknowledged = features;
        events.add("features");
    }

    @Override
    public void onQueueReady(Virtqueue queue) {
        events.add("ready " + queue.index());
    }

    @Override
    public void onKick(Virtqueue queue) {
        if (throwOnKick) {
            throw new IllegalStateException("a bug, on purpose");
        }
        int chains = 0;
        do {
            while (queue.pop(chain)) {
                queue.push(chain);
                chains++;
            }
        } while (queue.enableNotifications());
        queue.flush();
        if (chains > 0) {
            events.add("queue " + queue.index() + ": " + chains);
        }
    }

    @Override
    public void onQueueStopped(Virtqueue queue) {
        events.add("stopped " + queue.index());
    }

    @Override
    public void onLeaving() {
        events.add("leaving");
    }

    @Override
    public void onDisconnected() {
        events.add("disconnected");
    }

    /** Events since the last call. */
    List<String> take() {
        List<String> taken = List.copyOf(events);
        events.clear();
        return taken;
    }
}
