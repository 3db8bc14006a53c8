package dev.longshore.virtio.vsock;

import io.netty.buffer.ByteBuf;

/**
 * RST answers to packets that belong to no stream, waiting for a buffer of the guest: a ring of fixed size, since the guest
 * decides how many there are. Confined to the device's event loop.
 */
final class ResetReplies {
    private static final int CAPACITY = 256;

    private final long[] hostCid = new long[CAPACITY];
    private final long[] ports = new long[CAPACITY];
    private final int[] type = new int[CAPACITY];
    private int first;
    private int count;

    boolean isEmpty() {
        return count == 0;
    }

    /** Remembers the answer to the packet at {@code header}. False if the ring is full: the answer is given up. */
    boolean add(ByteBuf header) {
        if (count == CAPACITY) {
            return false;
        }
        int i = (first + count) % CAPACITY;
        hostCid[i] = VsockHeader.dstCid(header, 0);
        ports[i] = VsockHost.key(VsockHeader.srcPort(header, 0), VsockHeader.dstPort(header, 0));
        type[i] = VsockHeader.type(header, 0);
        count++;
        return true;
    }

    /** Writes the oldest answer to {@code header} and forgets it. */
    void poll(ByteBuf header, long guestCid) {
        int i = first;
        int guestPort = (int) (ports[i] >>> 32);
        VsockHeader.write(header, 0, hostCid[i], (int) ports[i], guestCid, guestPort, type[i], VsockHeader.OP_RST);
        first = (first + 1) % CAPACITY;
        count--;
    }

    void clear() {
        count = 0;
    }
}
