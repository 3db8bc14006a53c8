package dev.longshore.virtio.vsock;

import io.netty.channel.ChannelHandler;

/** A port of the host that the guest may connect to, until {@link #close}. Immutable; thread-safe. */
public final class VsockListener implements AutoCloseable {
    private final VsockHost host;
    private final int port;
    private final ChannelHandler initializer;

    VsockListener(VsockHost host, int port, ChannelHandler initializer) {
        this.host = host;
        this.port = port;
        this.initializer = initializer;
    }

    public int port() {
        return port;
    }

    ChannelHandler initializer() {
        return initializer;
    }

    /** Refuses new streams; those there are live on. Idempotent. */
    @Override
    public void close() {
        host.unlisten(this);
    }
}
