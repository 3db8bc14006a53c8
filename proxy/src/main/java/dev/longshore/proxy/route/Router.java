package dev.longshore.proxy.route;

import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;

/** Finds the way for each request. Thread-safe. */
public interface Router {
    /** Everything goes directly. */
    Router DIRECT = new Router() {
        @Override
        public Future<RouteDecision> route(RouteQuery query, EventLoop loop) {
            return loop.newSucceededFuture(RouteDecision.direct("no proxy is set"));
        }

        @Override
        public boolean isOpen() {
            return true;
        }
    };

    /**
     * Answers at once where it can; a PAC script may take up to its deadline.
     *
     * @param loop where the future completes; never blocks it
     * @return never fails: what can't be decided is {@link Hop.Blocked} or {@link Hop.Direct}, as the settings say
     */
    Future<RouteDecision> route(RouteQuery query, EventLoop loop);

    /** True if everything goes directly, so that nobody need ask. */
    default boolean isOpen() {
        return false;
    }

    /** Another number whenever earlier decisions may not hold any more. */
    default int generation() {
        return 0;
    }
}
