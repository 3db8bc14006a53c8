package dev.longshore.virtio.net;

/** User-mode Linux' front end: split rings, and all features its guest has. */
class UmlNetContractTest extends NetDeviceContract {
    @Override
    boolean isUml() {
        return true;
    }

    @Override
    long wanted() {
        return -1L;
    }
}
