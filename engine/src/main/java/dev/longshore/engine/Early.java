package dev.longshore.engine;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;
import java.util.function.Consumer;

/**
 * Keeps what a connection says before it is decided where it goes. Confined to the channel's event loop.
 *
 * <p>Auto-read is off, yet bytes come: when a caller shuts down its output, the epoll transport reads all it has sent, which
 * is at most a socket buffer.
 */
final class Early extends ChannelInboundHandlerAdapter {
    private final ArrayDeque<ByteBuf> bytes = new ArrayDeque<>();

    /** Takes the handler off {@code channel} and hands what it kept to {@code sink}, which takes ownership. */
    static void release(DuplexChannel channel, Consumer<ByteBuf> sink) {
        Early early = channel.pipeline().get(Early.class);
        if (early != null) {
            for (ByteBuf b = early.bytes.poll(); b != null; b = early.bytes.poll()) {
                sink.accept(b);
            }
            channel.pipeline().remove(early);
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (msg instanceof ByteBuf b) {
            bytes.add(b);
        } else {
            ReferenceCountUtil.release(msg);
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        ctx.close();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        bytes.forEach(ByteBuf::release);
        bytes.clear();
    }
}
