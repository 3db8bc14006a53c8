package dev.longshore.virtio.vsock;

import dev.longshore.virtio.virtqueue.Chain;
import dev.longshore.virtio.virtqueue.Virtqueue;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * The receiveq (host to guest): writes packets into the buffers the guest offers. Confined to the device's event loop.
 *
 * <p>At most one chain is taken and not given back: the one of the next packet. It is put back before the queue stops.
 */
final class GuestBuffers implements PacketsToGuest {
    private final VsockCounters counters;
    private final Chain chain = new Chain();
    private @Nullable Virtqueue queue;
    private boolean taken;

    GuestBuffers(VsockCounters counters) {
        this.counters = counters;
    }

    boolean isReady() {
        return queue != null;
    }

    void onReady(Virtqueue receiveq) {
        queue = receiveq;
        receiveq.disableNotifications(); // wanted only after room() found nothing
    }

    void onStopped() {
        if (taken && queue != null) {
            queue.unpop(chain);
            queue.flush();
        }
        taken = false;
        queue = null;
    }

    @Override
    public int room() {
        if (!taken && queue != null) {
            taken = take(queue);
        }
        return taken ? chain.writableBytes() - VsockHeader.BYTES : -1;
    }

    private boolean take(Virtqueue q) {
        int small = 0;
        do {
            while (q.pop(chain)) {
                if (chain.writableBytes() >= VsockHeader.BYTES) {
                    return true;
                }
                counters.count(VsockCounter.BUFFERS_TOO_SMALL);
                q.push(chain);
                if (++small >= q.size()) { // a guest can add them as fast as they go back: the loop has other work
                    q.flush();
                    q.kickAgain();
                    return false;
                }
            }
        } while (q.enableNotifications());
        q.flush(); // nothing follows that would give back the small ones
        return false;
    }

    @Override
    public void begin(ByteBuf header) {
        assert taken;
        chain.write(header, 0, VsockHeader.BYTES);
    }

    @Override
    public void append(ByteBuf b, int at, int len) {
        int written = chain.write(b, at, len);
        assert written == len;
    }

    @Override
    public void commit() {
        taken = false;
        if (queue != null) {
            queue.push(chain);
        }
    }

    @Override
    public void flush() {
        if (queue != null) {
            queue.flush();
        }
    }
}
