package dev.longshore.engine;

import io.netty.channel.EventLoop;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;

/** Opens streams to the Engine's API in the guest. Thread-safe. */
public interface EngineDialer {
    /** Where the streams live; whoever is joined to one is registered here too. An epoll loop. */
    EventLoop loop();

    /**
     * Opens a stream.
     *
     * @return completes on {@link #loop}; the channel is registered there, auto-read off, half-closure allowed, owned by the
     *     receiver. Fails with an IOException if the guest is not there or refuses. Cancelling it gives the attempt up.
     */
    Future<DuplexChannel> connect();
}
