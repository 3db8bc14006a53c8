package dev.longshore.vpnkit.hostsocket;

import io.netty.channel.socket.DuplexChannel;
import io.netty.util.AttributeKey;

/** How a channel says that no more bytes come: by shutting its output down, or, where a layer lies above the socket, in that layer. */
public final class OutputEnd {
    private static final AttributeKey<Runnable> KEY = AttributeKey.valueOf(OutputEnd.class, "end");

    /** {@code end} instead of {@link DuplexChannel#shutdownOutput}; called once all has been written, on the loop. */
    public static void set(DuplexChannel channel, Runnable end) {
        channel.attr(KEY).set(end);
    }

    /** On the channel's loop, once all has been written. */
    public static void send(DuplexChannel channel) {
        Runnable end = channel.attr(KEY).get();
        if (end == null) {
            channel.shutdownOutput();
        } else {
            end.run();
        }
    }

    private OutputEnd() {}
}
