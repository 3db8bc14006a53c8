package dev.longshore.virtio.net;

import io.netty.buffer.ByteBuf;

/**
 * What the guest's card shall be. Immutable.
 *
 * @param mac in the low 48 bits, the first byte on the wire highest
 * @param mtu of the guest's interface, 576..65535
 * @param offersConfig whether the front end takes MAC and MTU from us (UML) or has its own (QEMU)
 * @param queuePairs most pairs of queues, 1..{@link #MAX_QUEUE_PAIRS}
 */
public record NetConfig(long mac, int mtu, boolean offersConfig, int queuePairs) {
    /** As many as the front end is asked for are used; each costs two idle queue objects. */
    public static final int MAX_QUEUE_PAIRS = 8;

    private static final int STATUS_LINK_UP = 1;

    public NetConfig {
        if (mtu < 576 || mtu > 65_535) {
            throw new IllegalArgumentException("mtu " + mtu);
        }
        if (mac >>> 48 != 0 || (mac >>> 40 & 1) != 0) {
            throw new IllegalArgumentException("mac " + Long.toHexString(mac));
        }
        if (queuePairs < 1 || queuePairs > MAX_QUEUE_PAIRS) {
            throw new IllegalArgumentException("queuePairs " + queuePairs);
        }
    }

    /** With as many queue pairs as the front end can use: UML has no control queue and so only one. */
    public NetConfig(long mac, int mtu, boolean offersConfig) {
        this(mac, mtu, offersConfig, offersConfig ? 1 : MAX_QUEUE_PAIRS);
    }

    /** struct virtio_net_config: virtio 1.2, 5.1.4. */
    void write(ByteBuf dst) {
        dst.writeShort((int) (mac >>> 32)).writeInt((int) mac);
        dst.writeShortLE(STATUS_LINK_UP);
        dst.writeShortLE(queuePairs);
        dst.writeShortLE(mtu);
    }
}
