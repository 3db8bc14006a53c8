package dev.longshore.bench;

import dev.longshore.config.PortBinding;
import dev.longshore.engine.Engine;
import dev.longshore.engine.EngineDialer;
import dev.longshore.engine.EngineLimits;
import dev.longshore.engine.policy.ApiGate;
import dev.longshore.engine.policy.BoundAddresses;
import dev.longshore.engine.policy.GuestPaths;
import dev.longshore.engine.policy.MountPolicy;
import dev.longshore.portforward.BindPolicy;
import dev.longshore.vpnkit.hostsocket.HalfCloseEpoll;
import dev.longshore.vpnkit.hostsocket.Relay;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.socket.DuplexChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.nio.file.Path;
import java.util.List;

/**
 * A process between a caller and an Engine: {@code ApiHop relay|api LISTEN UPSTREAM}, both Unix sockets. {@code relay} joins each
 * connection to one of its own to the upstream, byte for byte; {@code api} does what the daemon does with the Docker API. Says
 * {@code ready} on its standard output, and ends when killed.
 */
public final class ApiHop {
    private ApiHop() {}

    public static void main(String[] arguments) throws Exception {
        Path listen = Path.of(arguments[1]);
        Upstream upstream = new Upstream(
                new MultiThreadIoEventLoopGroup(1, HalfCloseEpoll.newFactory()).next(), Path.of(arguments[2]));
        if (arguments[0].equals("api")) {
            BindPolicy open = BindPolicy.of(PortBinding.DEFAULT_PORT_BINDING);
            ApiGate gate = new ApiGate(
                    List.of(new MountPolicy(List.of(new GuestPaths(listen)), () -> "")),
                    List.of(new BoundAddresses(() -> open)));
            Engine engine = Engine.open(listen, upstream, EngineLimits.DEFAULT, gate, state -> {})
                    .sync()
                    .getNow();
            engine.watch().sync();
        } else {
            relay(listen, upstream);
        }
        System.out.println("ready");
    }

    private static void relay(Path listen, Upstream upstream) throws InterruptedException {
        new ServerBootstrap()
                .group(upstream.loop)
                .channel(EpollServerDomainSocketChannel.class)
                .childOption(ChannelOption.AUTO_READ, false)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel caller) {
                        upstream.loop.execute(() -> join((DuplexChannel) caller, upstream.connect()));
                    }
                })
                .bind(new DomainSocketAddress(listen.toFile()))
                .sync();
    }

    private static void join(DuplexChannel caller, Future<DuplexChannel> connecting) {
        connecting.addListener((Future<DuplexChannel> connected) -> {
            if (connected.isSuccess()) {
                Relay.join(caller, connected.getNow());
            } else {
                caller.close();
            }
        });
    }

    /** A Unix socket in the place of the guest. Thread-safe. */
    private record Upstream(EventLoop loop, Path path) implements EngineDialer {
        @Override
        public Future<DuplexChannel> connect() {
            Promise<DuplexChannel> promise = loop.newPromise();
            new Bootstrap()
                    .group(loop)
                    .channel(EpollDomainSocketChannel.class)
                    .option(ChannelOption.AUTO_READ, false)
                    .option(ChannelOption.ALLOW_HALF_CLOSURE, true)
                    .handler(new ChannelInboundHandlerAdapter())
                    .connect(new DomainSocketAddress(path.toFile()))
                    .addListener((ChannelFuture connected) -> {
                        if (!connected.isSuccess()) {
                            promise.tryFailure(connected.cause());
                        } else if (!promise.trySuccess((DuplexChannel) connected.channel())) {
                            connected.channel().close();
                        }
                    });
            return promise;
        }
    }
}
