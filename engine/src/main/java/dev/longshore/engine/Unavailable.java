package dev.longshore.engine;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Answers a connection's first request by 503 and ends the connection. Confined to the channel's event loop. */
final class Unavailable extends ChannelInboundHandlerAdapter {
    /** For who connects and says nothing. */
    private static final long PATIENCE_SECONDS = 5;

    private final DuplexChannel channel;
    private final String message;
    private boolean answered;

    private Unavailable(DuplexChannel channel, String message) {
        this.channel = channel;
        this.message = message;
    }

    /** Takes ownership of {@code channel}, which has not been read from but by {@link Early}. */
    static void answer(DuplexChannel channel, String message) {
        if (!channel.isActive()) {
            channel.close();
            return;
        }
        Unavailable handler = new Unavailable(channel, message);
        channel.pipeline().addLast(handler);
        Early.release(channel, handler::onBytes);
        if (handler.answered) {
            return;
        }
        if (channel.isInputShutdown()) {
            channel.close();
            return;
        }
        Future<?> timer = channel.eventLoop().schedule(handler::onSilence, PATIENCE_SECONDS, TimeUnit.SECONDS);
        channel.closeFuture().addListener(gone -> timer.cancel(false));
        channel.config().setAutoRead(true);
    }

    private void onBytes(ByteBuf request) {
        if (!answered && request.isReadable()) {
            answered = true;
            boolean head = request.getByte(request.readerIndex()) == 'H'; // no other method begins so
            channel.pipeline().remove(this);
            Farewell.say(channel, Replies.error(channel.alloc(), 503, message, head, true));
        }
        request.release();
    }

    private void onSilence() {
        if (!answered) {
            channel.close();
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (msg instanceof ByteBuf request) {
            onBytes(request);
        } else {
            ReferenceCountUtil.release(msg);
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            ctx.close();
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        ctx.close();
    }
}
