package dev.longshore.portforward;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.ScheduledFuture;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection of the guest's docker-proxy. Confined to the connection's event loop; the answers of the table come back to
 * it.
 *
 * <p>EOF means "release": the port is unbound first, then the connection is closed, so that the guest's side, which waits
 * for the close, knows that the port is free.
 */
final class PublishHandler extends ChannelInboundHandlerAdapter {
    private enum State {
        /** No complete line yet. */
        READING,
        /** The table was asked. */
        EXPOSING,
        /** OK was said; {@link #port} is the lease. */
        HELD,
        /** Released, or never had anything. */
        ENDED
    }

    /** The agent sends its line at once. */
    static final long REQUEST_SECONDS = 30;

    private static final Logger log = LoggerFactory.getLogger(PublishHandler.class);

    private final PortTable ports;
    private final GuestKey key;
    private final Owner owner;
    private final byte[] line = new byte[PublishRequest.MAX_LINE_BYTES];
    private int lineBytes;
    private State state = State.READING;
    private long port;
    private @Nullable ScheduledFuture<?> timeout;

    PublishHandler(PortTable ports, GuestKey key, Owner owner) {
        this.ports = ports;
        this.key = key;
        this.owner = owner;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        timeout = ctx.executor().schedule(() -> onTimeout(ctx), REQUEST_SECONDS, TimeUnit.SECONDS);
        ctx.channel().config().setAutoRead(true);
    }

    private void onTimeout(ChannelHandlerContext ctx) {
        if (state == State.READING) {
            refuse(ctx, "bad request: no line");
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        try {
            if (msg instanceof ByteBuf b) {
                onBytes(ctx, b);
            }
        } finally {
            ReferenceCountUtil.release(msg);
        }
    }

    private void onBytes(ChannelHandlerContext ctx, ByteBuf b) {
        switch (state) {
            case READING -> readLine(ctx, b);
            case EXPOSING, HELD -> {
                if (b.isReadable()) {
                    refuse(ctx, "bad request: one line per connection");
                }
            }
            case ENDED -> {}
        }
    }

    private void readLine(ChannelHandlerContext ctx, ByteBuf b) {
        while (b.isReadable()) {
            byte next = b.readByte();
            if (next == '\n') {
                onLine(ctx, new String(line, 0, lineBytes, StandardCharsets.ISO_8859_1), b.isReadable());
                return;
            }
            if (lineBytes + 1 == line.length) { // its last byte could only be the LF
                refuse(ctx, "bad request: line too long");
                return;
            }
            line[lineBytes++] = next;
        }
    }

    private void onLine(ChannelHandlerContext ctx, String text, boolean more) {
        String unlocked = key.unlock(text);
        if (unlocked == null) {
            log.warn("something in the guest other than its docker-proxy asked for a host port; refused");
            refuse(ctx, "not allowed: only the guest's own docker-proxy may publish ports");
            return;
        }
        PublishRequest request;
        try {
            request = PublishRequest.parse(unlocked);
        } catch (IllegalArgumentException e) {
            refuse(ctx, "bad request: " + e.getMessage());
            return;
        }
        if (more) {
            refuse(ctx, "bad request: one line per connection");
            return;
        }
        stopTimeout();
        state = State.EXPOSING;
        ports.expose(request.forward(), owner, () -> ctx.executor().execute(() -> onDismissed(ctx)))
                .whenComplete((result, failure) -> ctx.executor().execute(() -> onResult(ctx, result, failure)));
    }

    private void onResult(ChannelHandlerContext ctx, @Nullable ExposeResult result, @Nullable Throwable failure) {
        switch (result) {
            case null -> refuse(ctx, "ports are not available: " + (failure == null ? "" : failure.getMessage()));
            case ExposeResult.Refused r -> refuse(ctx, r.message());
            case ExposeResult.Exposed e -> onExposed(ctx, e);
        }
    }

    private void onExposed(ChannelHandlerContext ctx, ExposeResult.Exposed e) {
        port = e.id();
        if (state != State.EXPOSING) { // the guest left meanwhile
            releaseThenClose(ctx);
            return;
        }
        state = State.HELD;
        HostEndpoint.Port bound = (HostEndpoint.Port) e.bound();
        answer(ctx, "OK " + bound.address() + " " + bound.port());
    }

    /** The Engine knows of no container that wants this port: its docker-proxy was left behind, and is to end. */
    private void onDismissed(ChannelHandlerContext ctx) {
        if (state != State.ENDED) {
            state = State.ENDED;
            stopTimeout();
            answer(ctx, "GONE").addListener(ChannelFutureListener.CLOSE);
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            end(ctx);
        }
        ctx.fireUserEventTriggered(event);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        end(ctx);
        ctx.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        log.debug("publishing connection: {}", cause.toString());
        end(ctx);
    }

    /** The guest, or the connection, is gone. */
    private void end(ChannelHandlerContext ctx) {
        State was = state;
        state = State.ENDED;
        stopTimeout();
        switch (was) {
            case HELD -> releaseThenClose(ctx);
            case READING -> ctx.close();
            case EXPOSING -> {} // the result comes, and closes
            case ENDED -> {}
        }
    }

    private void refuse(ChannelHandlerContext ctx, String text) {
        State was = state;
        state = State.ENDED;
        stopTimeout();
        if (was == State.HELD) {
            ports.release(port);
        }
        answer(ctx, "ERR " + text).addListener(ChannelFutureListener.CLOSE);
    }

    private void releaseThenClose(ChannelHandlerContext ctx) {
        ports.release(port).whenComplete((done, failure) -> ctx.close());
    }

    private void stopTimeout() {
        if (timeout != null) {
            timeout.cancel(false);
            timeout = null;
        }
    }

    private ChannelFuture answer(ChannelHandlerContext ctx, String text) {
        StringBuilder ascii = new StringBuilder(text.length() + 1);
        text.chars()
                .limit(PublishRequest.MAX_LINE_BYTES - 1)
                .forEach(c -> ascii.append(c >= ' ' && c <= '~' ? (char) c : '?'));
        ByteBuf out = ctx.alloc().buffer(ascii.length() + 1);
        out.writeCharSequence(ascii.append('\n'), StandardCharsets.US_ASCII);
        return ctx.writeAndFlush(out);
    }
}
