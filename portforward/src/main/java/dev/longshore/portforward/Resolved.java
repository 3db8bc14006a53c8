package dev.longshore.portforward;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.util.function.Function;

/** Futures of bound channels, completed on the loop. */
final class Resolved {
    /** The channel of a bind. */
    static Future<Channel> of(EventLoop loop, ChannelFuture bind) {
        Promise<Channel> p = loop.newPromise();
        bind.addListener((ChannelFuture f) -> {
            if (f.isSuccess()) {
                p.setSuccess(f.channel());
            } else {
                f.channel().close(); // bound or not, the descriptor goes
                p.setFailure(f.cause());
            }
        });
        return p;
    }

    /** The endpoint of a bound channel. */
    static Future<HostEndpoint> of(EventLoop loop, Future<Channel> bound, Function<Channel, HostEndpoint> endpoint) {
        Promise<HostEndpoint> p = loop.newPromise();
        bound.addListener((Future<Channel> f) -> {
            if (f.isSuccess()) {
                p.setSuccess(endpoint.apply(f.getNow()));
            } else {
                p.setFailure(f.cause());
            }
        });
        return p;
    }

    private Resolved() {}
}
