package dev.longshore.virtio.net;

/** Feature bits of virtio-net that we offer: virtio 1.2, 5.1.3. */
final class NetFeatures {
    static final long CSUM = 1L;
    static final long GUEST_CSUM = 1L << 1;
    static final long MTU = 1L << 3;
    static final long MAC = 1L << 5;
    static final long GUEST_TSO4 = 1L << 7;
    static final long GUEST_TSO6 = 1L << 8;
    static final long HOST_TSO4 = 1L << 11;
    static final long HOST_TSO6 = 1L << 12;
    /** Segments with CWR may come unsegmented too; their flag means nothing to us. GUEST_ECN is not offered: we send none. */
    static final long HOST_ECN = 1L << 13;

    static final long MRG_RXBUF = 1L << 15;
    static final long STATUS = 1L << 16;

    /** Several queue pairs; the control queue that goes with them is the front end's own. */
    static final long MQ = 1L << 22;

    static final long OFFERED = CSUM
            | GUEST_CSUM
            | MTU
            | MAC
            | GUEST_TSO4
            | GUEST_TSO6
            | HOST_TSO4
            | HOST_TSO6
            | HOST_ECN
            | MRG_RXBUF
            | STATUS;

    /** VIRTIO_F_VERSION_1. */
    static final long VERSION_1 = 1L << 32;

    private NetFeatures() {}
}
