package dev.longshore.virtio.vsock;

import java.net.SocketAddress;

/** A vsock address: context and port. Immutable. */
public final class VsockAddress extends SocketAddress {
    private static final long serialVersionUID = 1;

    private final long cid;
    private final int port;

    public VsockAddress(long cid, int port) {
        this.cid = cid;
        this.port = port;
    }

    public long cid() {
        return cid;
    }

    /** Unsigned. */
    public int port() {
        return port;
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof VsockAddress other && other.cid == cid && other.port == port;
    }

    @Override
    public int hashCode() {
        return 31 * Long.hashCode(cid) + port;
    }

    /** {@code vsock:3:2375}. */
    @Override
    public String toString() {
        return "vsock:" + cid + ":" + Integer.toUnsignedString(port);
    }
}
