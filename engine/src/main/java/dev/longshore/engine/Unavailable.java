package dev.longshore.engine;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.json.JsonMapper;

/**
 * Answers a connection's first request by 503 in the Engine's own form, so that the docker command shows the text. Confined to
 * the channel's event loop.
 *
 * <p>It then takes what the caller still sends, for a moment: a Unix socket that is closed over unread bytes gives its
 * peer ECONNRESET, maybe before it has read the answer.
 */
final class Unavailable extends ChannelInboundHandlerAdapter {
    private static final long LINGER_SECONDS = 5;

    private final byte[] body;
    private boolean answered;

    private Unavailable(byte[] body) {
        this.body = body;
    }

    /** Takes ownership of {@code channel}, which has not been read from. */
    static void answer(DuplexChannel channel, String message) {
        if (!channel.isActive()) {
            channel.close();
            return;
        }
        byte[] body = (JsonMapper.shared().writeValueAsString(Map.of("message", message)) + "\n")
                .getBytes(StandardCharsets.UTF_8);
        Unavailable handler = new Unavailable(body);
        channel.pipeline().addLast(handler);
        ChannelHandlerContext ctx = channel.pipeline().context(handler);
        Early.release(channel, early -> handler.channelRead(ctx, early));
        channel.config().setAutoRead(true);
        Future<?> timer = channel.eventLoop().schedule(() -> channel.close(), LINGER_SECONDS, TimeUnit.SECONDS);
        channel.closeFuture().addListener(gone -> timer.cancel(false));
        if (channel.isInputShutdown()) {
            channel.close();
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (!answered && msg instanceof ByteBuf request && request.isReadable()) {
            answered = true;
            boolean head = request.getByte(request.readerIndex()) == 'H'; // no other method begins so
            ctx.writeAndFlush(response(ctx, head))
                    .addListener(sent -> ((DuplexChannel) ctx.channel()).shutdownOutput());
        }
        ReferenceCountUtil.release(msg);
    }

    private ByteBuf response(ChannelHandlerContext ctx, boolean head) {
        String lines = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: "
                + body.length + "\r\nConnection: close\r\n\r\n";
        ByteBuf response = ByteBufUtil.writeAscii(ctx.alloc(), lines);
        return head ? response : response.writeBytes(body);
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
