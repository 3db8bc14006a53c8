package dev.longshore.proxy.intercept;

import dev.longshore.proxy.HttpProxy;
import dev.longshore.proxy.Intercepted;
import dev.longshore.proxy.WaitingBytes;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.Dialer;
import dev.longshore.vpnkit.hostsocket.Relay;
import dev.longshore.vpnkit.hostsocket.ResetClose;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens to the first bytes of a guest's connection, finds out where it leads, and hands it over: HTTP to the proxy, all else to a
 * tunnel. Confined to the channel's event loop.
 *
 * <p>A tunnel that can't be made resets the connection, as a refused one would have been. What was read is passed on
 * unchanged.
 */
final class Sniffer extends ChannelInboundHandlerAdapter {
    private static final Logger log = LoggerFactory.getLogger(Sniffer.class);

    /** Of a client that never says a word, or never ends its first. */
    private static final Duration PATIENCE = Duration.ofMinutes(10);

    private enum Phase {
        LISTENING,
        DIALING,
        OVER
    }

    private final Intercepted to;
    private final Dialer tunnels;
    private final HttpProxy http;
    private final WaitingBytes waiting;
    private final @Nullable Duration serverFirst;
    private Phase phase = Phase.LISTENING;
    private @Nullable ByteBuf read;
    private int counted; // in waiting
    private @Nullable Future<?> timer;
    private @Nullable Future<DialResult> dial;

    /** @param serverFirst after this time of silence the connection is tunnelled as it is; null if the client must speak */
    Sniffer(Intercepted to, Dialer tunnels, HttpProxy http, @Nullable Duration serverFirst) {
        this.to = to;
        this.tunnels = tunnels;
        this.http = http;
        this.waiting = http.waiting();
        this.serverFirst = serverFirst;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        if (serverFirst == null) {
            after(ctx, PATIENCE, () -> end(ctx));
        } else {
            after(ctx, serverFirst, () -> onSilence(ctx));
        }
    }

    private void after(ChannelHandlerContext ctx, Duration limit, Runnable then) {
        timer = ctx.executor().schedule(then, limit.toNanos(), TimeUnit.NANOSECONDS);
    }

    private void onSilence(ChannelHandlerContext ctx) {
        ByteBuf said = read;
        if (said != null && FirstBytes.of(said).kind() == FirstBytes.Kind.REQUEST_LINE) {
            after(ctx, PATIENCE, () -> end(ctx)); // it is in the middle of its turn
        } else {
            tunnel(ctx, to.towards(null));
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        ByteBuf in = (ByteBuf) msg;
        if (phase == Phase.OVER) {
            in.release();
            return;
        }
        ByteBuf merged = read == null ? in : ByteToMessageDecoder.MERGE_CUMULATOR.cumulate(ctx.alloc(), read, in);
        read = merged;
        account();
        if (phase == Phase.LISTENING) {
            listen(ctx, merged);
        }
    }

    private void listen(ChannelHandlerContext ctx, ByteBuf bytes) {
        FirstBytes first = FirstBytes.of(bytes);
        switch (first.kind()) {
            case HTTP -> serve(ctx);
            case TLS -> tunnel(ctx, to.towards(first.sni()));
            case OTHER -> tunnel(ctx, to.towards(null));
            case UNDECIDED, REQUEST_LINE -> {
                if (bytes.readableBytes() > FirstBytes.MAX_HELLO + 1024 || waiting.isFull()) {
                    tunnel(ctx, to.towards(null)); // TLS in tiny records, or a server with too much to hold already
                }
            }
        }
    }

    private void serve(ChannelHandlerContext ctx) {
        ByteBuf bytes = over();
        ctx.pipeline().addLast(http.intercepting(to, (DuplexChannel) ctx.channel()));
        ctx.fireChannelRead(bytes == null ? Unpooled.EMPTY_BUFFER : bytes);
        ctx.pipeline().remove(this);
    }

    private void tunnel(ChannelHandlerContext ctx, Destination destination) {
        if (phase != Phase.LISTENING) {
            return;
        }
        phase = Phase.DIALING;
        stopTimer();
        ctx.channel().config().setAutoRead(false);
        Future<DialResult> attempt = tunnels.dial(destination, ctx.channel().eventLoop());
        dial = attempt;
        attempt.addListener(_ -> onDialed(ctx, destination, attempt));
    }

    private void onDialed(ChannelHandlerContext ctx, Destination destination, Future<DialResult> attempt) {
        dial = null;
        DialResult result = attempt.isSuccess() ? attempt.getNow() : new DialResult.Failed("the dial was given up");
        if (phase != Phase.DIALING) {
            if (result instanceof DialResult.Connected late) {
                late.channel().close();
            }
        } else if (result instanceof DialResult.Connected connected) {
            ByteBuf bytes = over();
            connected.channel().writeAndFlush(bytes == null ? Unpooled.EMPTY_BUFFER : bytes);
            ctx.pipeline().remove(this);
            Relay.join((DuplexChannel) ctx.channel(), connected.channel());
        } else {
            log.debug("no tunnel to {}: {}", destination, result);
            end(ctx);
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (!(event instanceof ChannelInputShutdownEvent) || phase != Phase.LISTENING) {
            ctx.fireUserEventTriggered(event);
        } else if (read == null) {
            over();
            ctx.close(); // it had nothing to say
        } else {
            tunnel(ctx, to.towards(null));
        }
    }

    /** As a refused connection ends. */
    private void end(ChannelHandlerContext ctx) {
        release();
        ResetClose.close((DuplexChannel) ctx.channel());
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        release();
        ctx.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        release();
        ctx.close();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        release();
    }

    private void release() {
        ReferenceCountUtil.release(over());
    }

    /** Ends the listening, once; the caller owns what was read. */
    private @Nullable ByteBuf over() {
        phase = Phase.OVER;
        stopTimer();
        Future<DialResult> d = dial;
        if (d != null) {
            dial = null;
            d.cancel(false);
        }
        ByteBuf bytes = read;
        read = null;
        account();
        return bytes;
    }

    private void account() {
        int now = read == null ? 0 : read.readableBytes();
        waiting.change(now - counted);
        counted = now;
    }

    private void stopTimer() {
        Future<?> t = timer;
        if (t != null) {
            t.cancel(false);
            timer = null;
        }
    }
}
