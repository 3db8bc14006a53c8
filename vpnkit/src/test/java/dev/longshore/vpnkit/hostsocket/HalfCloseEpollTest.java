package dev.longshore.vpnkit.hostsocket;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.IoHandle;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerContext;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.IoRegistration;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A socket that has got its EOF goes on sending, however slowly the remote reads. */
@Timeout(30)
class HalfCloseEpollTest {
    private static final int BYTES = 32 * 1024 * 1024;

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, HalfCloseEpoll.newFactory());

    @AfterEach
    void stop() throws Exception {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
    }

    /** EPOLLHUP stays on such a socket, and is reported whatever the interest. */
    @Test
    void shutDownBothWaysButNotClosed_doesNotKeepTheLoopBusy() throws Exception {
        AtomicLong rounds = new AtomicLong();
        IoHandlerFactory epoll = HalfCloseEpoll.newFactory();
        MultiThreadIoEventLoopGroup counted =
                new MultiThreadIoEventLoopGroup(1, executor -> new CountingHandler(epoll.newHandler(executor), rounds));
        CompletableFuture<Channel> shut = new CompletableFuture<>();
        try (Socket s = new Socket()) {
            Channel server = new ServerBootstrap()
                    .group(counted)
                    .channel(EpollServerSocketChannel.class)
                    .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                    .childHandler(new ChannelInboundHandlerAdapter() {
                        @Override
                        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
                            if (event instanceof ChannelInputShutdownEvent) {
                                ((DuplexChannel) ctx.channel())
                                        .shutdownOutput()
                                        .addListener(f -> shut.complete(ctx.channel()));
                            }
                        }
                    })
                    .bind(InetAddress.getLoopbackAddress(), 0)
                    .sync()
                    .channel();
            s.connect((InetSocketAddress) server.localAddress());
            s.shutdownOutput();
            Channel both = shut.get();
            long before = rounds.get();
            both.eventLoop().schedule(() -> {}, 300, TimeUnit.MILLISECONDS).sync();
            assertThat(rounds.get() - before).isLessThan(20);
            assertThat(both.isOpen()).isTrue();
        } finally {
            counted.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
        }
    }

    private record CountingHandler(IoHandler inner, AtomicLong rounds) implements IoHandler {
        @Override
        public int run(IoHandlerContext context) {
            rounds.incrementAndGet();
            return inner.run(context);
        }

        @Override
        public void prepareToDestroy() {
            inner.prepareToDestroy();
        }

        @Override
        public void destroy() {
            inner.destroy();
        }

        @Override
        public IoRegistration register(IoHandle handle) throws Exception {
            return inner.register(handle);
        }

        @Override
        public void wakeup() {
            inner.wakeup();
        }

        @Override
        public boolean isCompatible(Class<? extends IoHandle> handleType) {
            return inner.isCompatible(handleType);
        }
    }

    @Test
    void afterEof_everythingWritten_arrives() throws Exception {
        Channel server = new ServerBootstrap()
                .group(group)
                .channel(EpollServerSocketChannel.class)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childHandler(new AnswersAfterEof())
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel();
        try (Socket s = new Socket()) {
            s.connect((InetSocketAddress) server.localAddress());
            s.shutdownOutput();

            byte[] piece = new byte[64 * 1024];
            long got = 0;
            for (int n = s.getInputStream().read(piece);
                    n >= 0;
                    n = s.getInputStream().read(piece)) {
                got += n;
            }
            assertThat(got).isEqualTo(BYTES);
        }
    }

    @ChannelHandler.Sharable
    private static final class AnswersAfterEof extends ChannelInboundHandlerAdapter {
        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof ChannelInputShutdownEvent) {
                ctx.channel().config().setAutoRead(false);
                ctx.executor().execute(() -> answer(ctx)); // when no interest is left
            }
        }

        private static void answer(ChannelHandlerContext ctx) {
            ByteBuf answer = ctx.alloc().buffer(BYTES).writeZero(BYTES);
            ctx.writeAndFlush(answer).addListener(sent -> ((DuplexChannel) ctx.channel()).shutdownOutput());
        }
    }
}
