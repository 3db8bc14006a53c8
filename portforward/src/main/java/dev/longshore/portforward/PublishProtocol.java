package dev.longshore.portforward;

import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The pipeline of the vsock service where the guest's docker-proxy asks for ports: one line in, one line out, and the port
 * lives as long as the connection. Thread-safe: connections may belong to any event loop; the two counters are atomic and
 * the table is reached by commands.
 */
public final class PublishProtocol extends ChannelInitializer<Channel> {
    /** More than there are ports in one protocol and family makes no sense for one guest; each costs about 1 KiB. */
    static final int MAX_CONNECTIONS = 65_536;

    private final PortTable ports;
    private final GuestKey key;
    private final AtomicLong sessions = new AtomicLong();
    private final AtomicInteger connections = new AtomicInteger();

    /** @param key that every request has to begin with */
    public PublishProtocol(PortTable ports, GuestKey key) {
        this.ports = ports;
        this.key = key;
    }

    @Override
    protected void initChannel(Channel ch) {
        if (connections.incrementAndGet() > MAX_CONNECTIONS) {
            connections.decrementAndGet();
            ch.close();
            return;
        }
        ch.closeFuture().addListener(f -> connections.decrementAndGet());
        ch.pipeline().addLast(new PublishHandler(ports, key, Owner.container(sessions.incrementAndGet())));
    }
}
