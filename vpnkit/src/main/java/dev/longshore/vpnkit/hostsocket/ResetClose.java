package dev.longshore.vpnkit.hostsocket;

import io.netty.channel.Channel;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelOption;

/** Closes so that the other end sees a failure, not an end of stream. */
public final class ResetClose {
    private ResetClose() {}

    /**
     * Closes with SO_LINGER 0, which TCP, flows of the guest and vsock streams send as RST; other channels just close.
     * Nothing happens to a closed channel.
     */
    public static void close(Channel channel) {
        if (channel.isOpen()) {
            try {
                channel.config().setOption(ChannelOption.SO_LINGER, 0);
            } catch (ChannelException e) {
                // the descriptor failed in between; close() is all that is left to do
            }
            channel.close();
        }
    }
}
