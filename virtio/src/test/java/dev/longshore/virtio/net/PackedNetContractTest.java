package dev.longshore.virtio.net;

/** QEMU's front end with packed rings. */
class PackedNetContractTest extends NetDeviceContract {
    @Override
    boolean isUml() {
        return false;
    }

    @Override
    long wanted() {
        return -1L;
    }
}
