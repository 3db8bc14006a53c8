package dev.longshore.engine;

import dev.longshore.portforward.GuestKey;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.socket.DuplexChannel;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The pipeline of the vsock service where the guest's agent asks for Unix sockets of the host: one line says which, then the
 * stream is joined to it, byte for byte. Thread-safe: a connection lives on its own event loop, the counter is atomic.
 *
 * <pre>
 *   KEY &lt;32 hexadecimal digits&gt; SOCKET &lt;name&gt; LF, and what the caller says
 * </pre>
 *
 * <p>There is no answer: a caller that cannot be served is hung up on, like one of a server that has just ended.
 */
public final class HostSocketProtocol extends ChannelInitializer<Channel> {
    /** Enough for every container to talk to an agent, few enough to leave the daemon descriptors. */
    static final int MAX_CONNECTIONS = 512;

    private final HostSockets sockets;
    private final GuestKey key;
    private final AtomicInteger connections = new AtomicInteger();

    public HostSocketProtocol(HostSockets sockets, GuestKey key) {
        this.sockets = sockets;
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
        ch.pipeline().addLast(new HostSocketHandler((DuplexChannel) ch, sockets, key));
    }
}
