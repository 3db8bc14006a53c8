package dev.longshore.vpnkit.hostsocket;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.concurrent.TimeUnit;
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

    @Test
    void dialedSockets_areEpollsToo() {
        try (SocketHolder dialed = new SocketHolder(new HostSockets().open(group.next()))) {
            assertThat(dialed.channel()).isInstanceOf(EpollSocketChannel.class);
        }
    }

    private record SocketHolder(Channel channel) implements AutoCloseable {
        @Override
        public void close() {
            channel.unsafe().closeForcibly(); // never registered
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
