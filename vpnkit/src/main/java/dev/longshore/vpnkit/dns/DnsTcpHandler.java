package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.IpAddress;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.ScheduledFuture;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * DNS over one TCP connection of the guest: RFC 7766. Questions may be pipelined, answers come as they are ready. While the guest
 * does not read its answers, questions that are here already wait: a few bytes ask for 64 KiB each. Confined to the flow's event
 * loop, which is the link's.
 */
final class DnsTcpHandler extends ChannelInboundHandlerAdapter {
    /** Then reading stops until answers have left: RFC 7766 §6.2.1.1 wants pipelining, not a flood. */
    private static final int MAX_PENDING = 32;

    /** RFC 7766 §6.2.3: a few seconds at least. */
    static final long IDLE_SECONDS = 20;

    private static final int LENGTH_BYTES = 2;

    private final DnsServer server;
    private @Nullable ByteBuf in;
    private @Nullable ScheduledFuture<?> idle;
    private int pending;
    private boolean inputEnded;
    private boolean parsing;
    private boolean known; // to the server, since the first byte
    private long guestHi;
    private long guestLo = IpAddress.loOfV4(0);

    DnsTcpHandler(DnsServer server) {
        this.server = server;
    }

    /** Puts a handler into each new connection's pipeline. */
    @Sharable
    static final class Initializer extends ChannelInitializer<Channel> {
        private final DnsServer server;

        Initializer(DnsServer server) {
            this.server = server;
        }

        @Override
        protected void initChannel(Channel channel) {
            channel.pipeline().addLast(new DnsTcpHandler(server));
        }
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        in = ctx.alloc().directBuffer(512, 2 * (LENGTH_BYTES + 65_535));
        armIdle(ctx);
        ctx.channel().config().setAutoRead(true);
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        ByteBuf buffer = in;
        if (buffer == null || !(msg instanceof ByteBuf b)) {
            ReferenceCountUtil.release(msg);
            return;
        }
        if (!known) {
            known = true;
            if (ctx.channel().remoteAddress() instanceof InetSocketAddress guest && guest.getAddress() != null) {
                IpAddress address = IpAddress.of(guest.getAddress());
                guestHi = address.hi();
                guestLo = address.lo();
            }
            server.tcp().opened(this, ctx);
        }
        boolean fits = b.readableBytes() <= buffer.maxWritableBytes();
        try {
            if (fits && in != null) {
                buffer.writeBytes(b); // may find no memory
            }
        } finally {
            b.release();
        }
        if (!fits) {
            server.onTooMuch();
            ctx.close(); // more than it was allowed to send ahead
            return;
        }
        parse(ctx);
    }

    private void parse(ChannelHandlerContext ctx) {
        ByteBuf buffer = in;
        if (buffer == null || parsing) {
            return; // closed; or an answer that was ready at once, and the loop below goes on
        }
        parsing = true;
        while (in != null && mayAsk(ctx) && buffer.readableBytes() >= LENGTH_BYTES) {
            int at = buffer.readerIndex() + LENGTH_BYTES;
            int len = buffer.getUnsignedShort(buffer.readerIndex());
            if (buffer.readableBytes() < LENGTH_BYTES + len) {
                break;
            }
            buffer.skipBytes(LENGTH_BYTES + len);
            pending++;
            armIdle(ctx);
            if (!server.query(buffer, at, len, true, guestHi, guestLo, message -> answer(ctx, message))) {
                ctx.close(); // the stream makes no sense
                break;
            }
        }
        parsing = false;
        if (in != null) { // nobody closed the connection meanwhile
            buffer.discardSomeReadBytes();
            ctx.channel().config().setAutoRead(mayAsk(ctx));
            closeIfDone(ctx);
        }
    }

    private boolean mayAsk(ChannelHandlerContext ctx) {
        return pending < MAX_PENDING && ctx.channel().isWritable();
    }

    private void answer(ChannelHandlerContext ctx, ByteBuf message) {
        pending--;
        if (in == null) {
            message.release();
            return;
        }
        ctx.write(ctx.alloc().directBuffer(LENGTH_BYTES).writeShort(message.readableBytes()), ctx.voidPromise());
        ctx.writeAndFlush(message, ctx.voidPromise());
        parse(ctx);
    }

    /** A whole question waits for its answer. */
    boolean isAsking() {
        return pending > 0;
    }

    private void closeIfDone(ChannelHandlerContext ctx) {
        ByteBuf buffer = in;
        boolean question = buffer != null && buffer.readableBytes() >= LENGTH_BYTES && !mayAsk(ctx);
        if (inputEnded && pending == 0 && !question) {
            ctx.close();
        }
    }

    private void armIdle(ChannelHandlerContext ctx) {
        disarmIdle();
        idle = ctx.executor().schedule(() -> onIdle(ctx), IDLE_SECONDS, TimeUnit.SECONDS);
    }

    private void onIdle(ChannelHandlerContext ctx) {
        ctx.close();
    }

    private void disarmIdle() {
        ScheduledFuture<?> timer = idle;
        if (timer != null) {
            timer.cancel(false);
            idle = null;
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        parse(ctx); // which asks what waits, and says whether to read
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            inputEnded = true;
            closeIfDone(ctx);
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        ctx.close();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        disarmIdle();
        server.tcp().closed(this);
        ByteBuf buffer = in;
        if (buffer != null) {
            in = null;
            buffer.release();
        }
    }
}
