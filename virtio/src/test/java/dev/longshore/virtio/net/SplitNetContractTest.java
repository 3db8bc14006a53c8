package dev.longshore.virtio.net;

import dev.longshore.virtio.virtqueue.Virtqueue;

/** QEMU's front end with split rings. */
class SplitNetContractTest extends NetDeviceContract {
    @Override
    boolean isUml() {
        return false;
    }

    @Override
    long wanted() {
        return ~Virtqueue.FEATURE_PACKED;
    }
}
