package dev.longshore.vpnkit.hostsocket;

import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * A dialer that obeys a policy, and lets others obey it that reach a remote in another way than by a socket to it. Thread-safe or
 * confined, as {@link Dialer} says of the one at hand.
 */
public interface EgressDialer extends Dialer {
    /**
     * The reason why nobody may go there, whatever addresses its name has; empty if that cannot be said, or it is allowed.
     *
     * @param loop where the future completes
     * @return never fails
     */
    Future<Optional<String>> refusal(Destination destination, EventLoop loop);

    /**
     * The reason why nobody may connect to the destination's address, by whatever name it is called in the end; empty if that cannot be
     * said, or it is allowed. So what is forbidden in any case is refused before anybody listens to what the guest says.
     *
     * @param loop where the future completes
     * @return never fails
     */
    Future<Optional<String>> refusalByAnyName(Destination destination, EventLoop loop);

    /**
     * As {@link #dial}, by {@code way}, which is not begun if the policy forbids it. Nobody here knows the addresses that the
     * destination's name has at the other end: rules for addresses do not fit it.
     *
     * @param loop where the future completes
     * @return never fails
     */
    Future<DialResult> dialBy(Destination destination, EventLoop loop, Supplier<Future<DialResult>> way);

    /** {@code dialer} without a policy. */
    static EgressDialer allowing(Dialer dialer) {
        return new EgressDialer() {
            @Override
            public Future<DialResult> dial(Destination destination, EventLoop loop) {
                return dialer.dial(destination, loop);
            }

            @Override
            public Future<Optional<String>> refusal(Destination destination, EventLoop loop) {
                return loop.newSucceededFuture(Optional.empty());
            }

            @Override
            public Future<Optional<String>> refusalByAnyName(Destination destination, EventLoop loop) {
                return loop.newSucceededFuture(Optional.empty());
            }

            @Override
            public Future<DialResult> dialBy(
                    Destination destination, EventLoop loop, Supplier<Future<DialResult>> way) {
                return way.get();
            }
        };
    }
}
