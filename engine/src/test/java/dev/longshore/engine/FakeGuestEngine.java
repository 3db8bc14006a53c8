package dev.longshore.engine;

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.socket.DuplexChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/** The guest of a test: a Unix socket whose connections the test serves by hand. Thread-safe. */
final class FakeGuestEngine implements EngineDialer, AutoCloseable {
    private final EventLoop loop;
    private final Path path;
    private final ServerSocketChannel server;
    volatile boolean refuses;

    FakeGuestEngine(EventLoop loop, Path path) throws IOException {
        this.loop = loop;
        this.path = path;
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(path), 1024);
    }

    /** The next stream the host has opened; blocking. */
    SocketChannel accept() throws IOException {
        return server.accept();
    }

    @Override
    public EventLoop loop() {
        return loop;
    }

    @Override
    public Future<DuplexChannel> connect() {
        if (refuses) {
            return loop.newFailedFuture(new java.net.ConnectException("Connection refused: test"));
        }
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

    @Override
    public void close() throws IOException {
        server.close();
    }
}
