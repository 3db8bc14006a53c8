package dev.longshore.proxy.upstream;

import dev.longshore.vpnkit.hostsocket.HeldInput;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import org.jspecify.annotations.Nullable;

/**
 * Bytes that came with a proxy's answer and belong to the tunnel: whoever reads the channel first gets them first. Confined to the
 * channel's event loop.
 */
final class ReadAhead extends ChannelDuplexHandler {
    private @Nullable ByteBuf early;
    private @Nullable Object end;

    /** Takes ownership of {@code early}, which is not empty. */
    ReadAhead(ByteBuf early) {
        this.early = early;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        HeldInput.set(ctx.channel(), () -> deliver(ctx));
    }

    @Override
    public void read(ChannelHandlerContext ctx) {
        deliver(ctx);
        if (ctx.channel().config().isAutoRead()) {
            ctx.read();
        }
    }

    private void deliver(ChannelHandlerContext ctx) {
        if (ctx.isRemoved()) {
            return;
        }
        ByteBuf bytes = early;
        early = null;
        ctx.pipeline().remove(this); // calls from here on go to the neighbours
        if (bytes != null) {
            ctx.fireChannelRead(bytes);
            ctx.fireChannelReadComplete();
        }
        if (end != null) {
            ctx.fireUserEventTriggered(end);
        }
    }

    /** The end of the stream comes behind them. */
    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            end = event;
        } else {
            ctx.fireUserEventTriggered(event);
        }
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        ByteBuf bytes = early; // null if it has been read
        early = null;
        if (bytes != null) {
            bytes.release();
        }
    }
}
