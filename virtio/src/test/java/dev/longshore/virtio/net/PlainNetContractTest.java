package dev.longshore.virtio.net;

/** A driver that takes no optional feature: one buffer a frame, no offloads, no event index. */
class PlainNetContractTest extends NetDeviceContract {
    @Override
    boolean isUml() {
        return false;
    }

    @Override
    long wanted() {
        return NetFeatures.VERSION_1;
    }
}
