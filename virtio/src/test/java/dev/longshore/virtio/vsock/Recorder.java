package dev.longshore.virtio.vsock;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Remembers what a channel's handlers see. */
@Sharable
final class Recorder extends ChannelInboundHandlerAdapter {
    final List<DuplexChannel> channels = new ArrayList<>();
    final List<String> events = new ArrayList<>();
    final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    @Nullable
    Throwable failure;

    String text() {
        return bytes.toString(StandardCharsets.US_ASCII);
    }

    DuplexChannel channel() {
        return channels.getLast();
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        channels.add((DuplexChannel) ctx.channel());
        events.add("active");
        ctx.fireChannelActive();
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        ByteBuf b = (ByteBuf) msg;
        byte[] copy = new byte[b.readableBytes()];
        b.readBytes(copy).release();
        bytes.writeBytes(copy);
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        events.add("read");
        ctx.fireChannelReadComplete();
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            events.add("eof");
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        failure = cause;
        events.add("exception");
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        events.add("inactive");
    }
}
