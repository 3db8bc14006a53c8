package dev.longshore.proxy.upstream;

import dev.longshore.proxy.message.ResponseHead;
import dev.longshore.proxy.route.ProxyAddress;
import io.netty.buffer.ByteBuf;
import io.netty.channel.socket.DuplexChannel;
import org.jspecify.annotations.Nullable;

/** What came of connecting to a remote. Immutable; the receiver owns what is in it. */
public sealed interface Way {
    /**
     * Bytes go to the remote itself and come from it. Auto-read is off.
     *
     * @param by whose tunnel it is; null for a socket to the remote
     * @param auth the scheme by which that one was told who we are; empty for none
     */
    record Remote(DuplexChannel channel, @Nullable ProxyAddress by, String auth) implements Way {}

    /** Requests go to a proxy, in absolute-form. */
    record Proxy(ProxyConnection connection) implements Way {}

    /** A proxy answered CONNECT with something else than a tunnel. The receiver releases {@code body}. */
    record Answered(ResponseHead head, ByteBuf body) implements Way {}

    record Failed(Reply why) implements Way {}
}
