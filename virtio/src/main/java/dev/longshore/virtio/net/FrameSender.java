package dev.longshore.virtio.net;

import dev.longshore.packet.link.OffloadRequest;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.VirtioNetHeader;
import dev.longshore.virtio.virtqueue.Chain;
import dev.longshore.virtio.virtqueue.Virtqueue;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.Arrays;

/**
 * One receiveq's side: puts frames into the guest's receive buffers, one or (MRG_RXBUF) as many as it takes. Confined to
 * the link's event loop.
 */
final class FrameSender {
    private final NetCounters counters;
    private final ByteBuf header;
    private Chain[] chains = {new Chain(), new Chain()};
    private int taken;
    private int filling;
    private int headerBytes = VirtioNetHeader.BYTES;
    private boolean mergeable;
    private boolean blocked;
    private boolean released;

    FrameSender(ByteBufAllocator allocator, NetCounters counters) {
        this.counters = counters;
        this.header = allocator.directBuffer(VirtioNetHeader.BYTES, VirtioNetHeader.BYTES);
    }

    void configure(int newHeaderBytes, boolean mergeableBuffers) {
        headerBytes = newHeaderBytes;
        mergeable = mergeableBuffers;
    }

    boolean isBlocked() {
        return blocked;
    }

    /** Remembers that somebody waits for room. Always false. */
    boolean block() {
        blocked = true;
        return false;
    }

    /** The guest has added receive buffers, or so it says. True if somebody waited for them. */
    boolean unblock(Virtqueue queue) {
        if (!blocked || !queue.hasAvailable()) {
            return false;
        }
        blocked = false;
        queue.disableNotifications();
        return true;
    }

    /** Nobody waits any more. True if somebody did. */
    boolean unblock() {
        boolean waited = blocked;
        blocked = false;
        return waited;
    }

    /** False if there is no room: then nothing was taken, and the guest was asked to kick when it adds buffers. */
    boolean send(Virtqueue queue, OutFrame frame) {
        int bytes = headerBytes + frame.bytes();
        do {
            if (take(queue, bytes)) {
                fill(queue, frame);
                return true;
            }
            int found = taken;
            taken = 0;
            for (int i = found; i > 0; i--) {
                queue.unpop(chains[i - 1]);
            }
            if (found == queue.size() || (found > 0 && !mergeable)) {
                counters.drop(NetDrop.GUEST_BUFFERS_TOO_SMALL); // waiting would not help
                return true;
            }
        } while (queue.notifyWhenMore());
        counters.blocked.increment();
        return block();
    }

    /** Takes chains until they have room for {@code bytes}. False if there are not enough; {@link #taken} tells how many. */
    private boolean take(Virtqueue queue, int bytes) {
        taken = 0;
        int room = 0;
        while (room < bytes && (mergeable || taken == 0)) {
            if (taken == chains.length) {
                growChains();
            }
            if (!queue.pop(chains[taken])) {
                return false;
            }
            room += Math.min(chains[taken].writableBytes(), bytes);
            taken++;
        }
        return room >= bytes;
    }

    private void growChains() {
        int old = chains.length;
        chains = Arrays.copyOf(chains, old * 2);
        for (int i = old; i < chains.length; i++) {
            chains[i] = new Chain();
        }
    }

    private void fill(Virtqueue queue, OutFrame frame) {
        OffloadRequest.write(header, frame, taken);
        filling = 0;
        put(header, 0, headerBytes);
        put(frame.head(), 0, frame.head().writerIndex());
        for (int i = 0; i < frame.pieces(); i++) {
            put(frame.piece(i), frame.pieceAt(i), frame.pieceBytes(i));
        }
        for (int i = 0; i < taken; i++) {
            queue.push(chains[i]);
        }
        taken = 0;
        counters.framesToGuest.increment();
        counters.bytesToGuest.add(frame.bytes());
    }

    /** Writes on, from chain to chain; there is room, {@link #take} has seen to that. */
    private void put(ByteBuf src, int from, int bytes) {
        int at = from;
        for (int left = bytes; left > 0; ) {
            int n = chains[filling].write(src, at, left);
            at += n;
            left -= n;
            if (left > 0) {
                filling++;
            }
        }
    }

    void release() {
        if (!released) {
            released = true;
            header.release();
        }
    }
}
