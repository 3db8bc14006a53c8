package dev.longshore.virtio.net;

import io.netty.buffer.ByteBuf;

/**
 * What the guest's card shall be. Immutable.
 *
 * @param mac in the low 48 bits, the first byte on the wire highest
 * @param mtu of the guest's interface, 576..65535
 * @param offersConfig whether the front end takes MAC and MTU from us (UML) or has its own (QEMU)
 */
public record NetConfig(long mac, int mtu, boolean offersConfig) {
    private static final int STATUS_LINK_UP = 1;

    public NetConfig {
        if (mtu < 576 || mtu > 65_535) {
            throw new IllegalArgumentException("mtu " + mtu);
        }
        if (mac >>> 48 != 0 || (mac >>> 40 & 1) != 0) {
            throw new IllegalArgumentException("mac " + Long.toHexString(mac));
        }
    }

    /** struct virtio_net_config: virtio 1.2, 5.1.4. */
    void write(ByteBuf dst) {
        dst.writeShort((int) (mac >>> 32)).writeInt((int) mac);
        dst.writeShortLE(STATUS_LINK_UP);
        dst.writeShortLE(1); // max_virtqueue_pairs
        dst.writeShortLE(mtu);
    }
}
