package dev.longshore.vpnkit.hostsocket;

import io.netty.channel.Channel;
import io.netty.util.AttributeKey;

/**
 * What a handler of a channel holds until somebody reads. A channel whose input has ended must not be read: the transport takes the
 * second end for a failure, and closes.
 */
public final class HeldInput {
    private static final AttributeKey<Runnable> KEY = AttributeKey.valueOf(HeldInput.class, "deliver");

    /** {@code deliver} fires what is held, once, on the loop. */
    public static void set(Channel channel, Runnable deliver) {
        channel.attr(KEY).set(deliver);
    }

    /** Has it fired now, if there is anything. On the channel's loop. */
    static void deliver(Channel channel) {
        Runnable held = channel.attr(KEY).getAndSet(null);
        if (held != null) {
            held.run();
        }
    }

    private HeldInput() {}
}
