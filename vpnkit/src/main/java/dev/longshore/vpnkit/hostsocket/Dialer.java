package dev.longshore.vpnkit.hostsocket;

import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;

/** Opens the host's side of a TCP flow: directly, or as a policy or an upstream proxy says. Thread-safe. */
public interface Dialer {
    /**
     * Connects. Our own addresses are mapped first: {@code host.docker.internal} (.254) means the host's loopback.
     *
     * @param loop where the channel is registered and the future completes; never blocks it
     * @return never fails: what went wrong is a {@link DialResult}. Cancelling it closes the attempt.
     */
    Future<DialResult> dial(Destination destination, EventLoop loop);
}
