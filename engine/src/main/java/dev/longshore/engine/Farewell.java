package dev.longshore.engine;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Ends a connection so that the caller gets all that was written to it: the output is shut down, and what the caller still sends
 * is taken and dropped, for a moment after it could read everything. A Unix socket that is closed over unread bytes gives its peer ECONNRESET, maybe before
 * it has read the answer. Confined to the channel's event loop.
 */
final class Farewell extends ChannelInboundHandlerAdapter {
    private static final long LINGER_SECONDS = 5;

    private Farewell() {}

    /** Takes ownership of both; {@code last} may be empty. No other handler of the channel reads any more. */
    static void say(DuplexChannel channel, ByteBuf last) {
        if (!channel.isActive()) {
            last.release();
            channel.close();
            return;
        }
        channel.pipeline().addLast(new Farewell());
        channel.writeAndFlush(last).addListener(written -> {
            if (!written.isSuccess() || channel.isInputShutdown()) {
                channel.close();
            } else {
                channel.shutdownOutput();
                Future<?> timer = channel.eventLoop().schedule(() -> channel.close(), LINGER_SECONDS, TimeUnit.SECONDS);
                channel.closeFuture().addListener(gone -> timer.cancel(false));
            }
        });
        channel.config().setAutoRead(true);
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        ReferenceCountUtil.release(msg);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof ChannelInputShutdownEvent && ((DuplexChannel) ctx.channel()).isOutputShutdown()) {
            ctx.close();
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        ctx.close();
    }
}
