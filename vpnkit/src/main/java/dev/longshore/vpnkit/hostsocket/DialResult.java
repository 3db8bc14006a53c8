package dev.longshore.vpnkit.hostsocket;

import io.netty.channel.ChannelHandler;
import io.netty.channel.socket.DuplexChannel;
import org.jspecify.annotations.Nullable;

/** How a dial ended. Immutable. */
public sealed interface DialResult {
    /**
     * Connected. The channel is registered on the loop that was asked for, auto-read is off, half-closure is allowed; the
     * receiver owns it and closes it.
     */
    record Connected(DuplexChannel channel) implements DialResult {}

    /**
     * Nobody is connected yet: {@code remote} is to take the guest's connection and to find out from what the guest says where it
     * leads. It is put first into the pipeline of the flow's channel, on the loop that was asked for, and owns it; auto-read is
     * on. Only for flows of the guest's own network stack.
     */
    record InProcess(ChannelHandler remote) implements DialResult {}

    /** The remote answered with RST: ECONNREFUSED. */
    record Refused() implements DialResult {}

    /**
     * No way there: ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL; {@code network} tells the first from the others.
     *
     * @param said what a router said about it, where that was asked for
     */
    record Unreachable(
            boolean network, String reason, @Nullable RouterError said) implements DialResult {
        public Unreachable(boolean network, String reason) {
            this(network, reason, null);
        }
    }

    /** No answer in time: ETIMEDOUT or the dialer's own limit. */
    record TimedOut() implements DialResult {}

    /** A policy forbids it: EACCES, EPERM or ours. */
    record Denied(String reason) implements DialResult {}

    /** The name has no address; {@code reason} is for the user. */
    record UnknownHost(String reason) implements DialResult {}

    /** Anything else, with the error's own text: descriptors exhausted, … */
    record Failed(String reason) implements DialResult {}
}
