package dev.longshore.proxy.upstream;

import dev.longshore.vpnkit.hostsocket.ResetClose;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Resets a tunnel through which nothing has come for too long, on the channel of its far end. Confined to the channel's event loop.
 *
 * <p>One of which one direction has ended is no longer somebody's quiet session: it has a limit always. The other has the user's, whose
 * changes count for tunnels that are open, too, within {@link #LOOK}. Whether somebody is there at all, TCP's keep-alive finds out.
 */
public final class TunnelLimit extends ChannelDuplexHandler {
    /** Half-closed tunnels: as long as Linux waits for a silent peer before it asks. */
    static final Duration HALF_CLOSED = Duration.ofHours(2);

    /** At least so often the user's limit is looked at. */
    static final Duration LOOK = Duration.ofMinutes(15);

    private final DuplexChannel channel;
    private final Supplier<UpstreamSettings> settings;
    private final Consumer<String> ends;
    private long movedAt;
    private @Nullable Future<?> timer;

    private TunnelLimit(DuplexChannel channel, Supplier<UpstreamSettings> settings, Consumer<String> ends) {
        this.channel = channel;
        this.settings = settings;
        this.ends = ends;
    }

    /**
     * Watches {@code channel} from now on.
     *
     * @param ends hears why, before the tunnel is reset
     */
    public static void watch(DuplexChannel channel, Supplier<UpstreamSettings> settings, Consumer<String> ends) {
        channel.pipeline().addFirst(new TunnelLimit(channel, settings, ends));
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        movedAt = now();
        look();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) { // when the channel is closed, too
        Future<?> t = timer;
        timer = null;
        if (t != null) {
            t.cancel(false);
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        movedAt = now();
        ctx.fireChannelRead(msg);
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
        movedAt = now();
        ctx.write(msg, promise);
    }

    private long now() {
        return channel.eventLoop().ticker().nanoTime();
    }

    private void look() {
        timer = null;
        if (!channel.isOpen()) {
            return;
        }
        boolean half = channel.isInputShutdown() || channel.isOutputShutdown();
        Duration wanted = settings.get().tunnelIdle();
        Duration limit = half && (wanted.isZero() || wanted.compareTo(HALF_CLOSED) > 0) ? HALF_CLOSED : wanted;
        long rest = limit.isZero() ? LOOK.toNanos() : limit.toNanos() - (now() - movedAt);
        if (rest <= 0) {
            ends.accept("nothing came through for " + limit.toMinutes() + " min");
            ResetClose.close(channel);
        } else {
            timer = channel.eventLoop().schedule(this::look, Math.min(rest, LOOK.toNanos()), TimeUnit.NANOSECONDS);
        }
    }
}
