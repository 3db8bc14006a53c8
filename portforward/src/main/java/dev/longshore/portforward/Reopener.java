package dev.longshore.portforward;

import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps one bound channel alive: if it closes though nobody asked for that, binds the same endpoint again, each second
 * until it works. Confined to the link's event loop.
 *
 * <p>The states are told by the fields: {@code closed}, or {@code channel} bound, or a retry pending.
 */
final class Reopener {
    static final long RETRY_MILLIS = 1000;

    private static final Logger log = LoggerFactory.getLogger(Reopener.class);

    private final EventLoop loop;
    private final Supplier<Future<Channel>> bind;
    private final String name;
    private @Nullable Channel channel;
    private @Nullable ScheduledFuture<?> retry;
    private String trouble = "";
    private boolean closed;

    /** @param bind binds and yields the channel; after the first time, the endpoint that the first time resolved */
    Reopener(EventLoop loop, String name, Supplier<Future<Channel>> bind) {
        this.loop = loop;
        this.name = name;
        this.bind = bind;
    }

    /** The first time: failure is the caller's. Once open, trouble is ours. */
    Future<Channel> open() {
        Promise<Channel> opened = loop.newPromise();
        bind.get().addListener((Future<Channel> f) -> {
            if (!f.isSuccess()) {
                opened.setFailure(f.cause());
            } else if (closed) {
                f.getNow().close();
                opened.cancel(false);
            } else {
                adopt(f.getNow());
                opened.setSuccess(f.getNow());
            }
        });
        return opened;
    }

    private void adopt(Channel bound) {
        channel = bound;
        trouble = "";
        bound.closeFuture().addListener(f -> onChannelClosed());
    }

    private void onChannelClosed() {
        channel = null;
        if (!closed && !loop.isShuttingDown()) {
            trouble = "the listener died, opening it again";
            log.warn("{}: {}", name, trouble);
            reopen();
        }
    }

    private void reopen() {
        retry = null;
        bind.get().addListener((Future<Channel> f) -> {
            if (f.isSuccess() && closed) {
                f.getNow().close();
            } else if (f.isSuccess()) {
                adopt(f.getNow());
                log.info("{}: listening again", name);
            } else if (!closed) {
                trouble = "the listener died and can't be opened again: "
                        + BindFailure.of(f.cause()).text();
                retry = loop.schedule(this::reopen, RETRY_MILLIS, TimeUnit.MILLISECONDS);
            }
        });
    }

    void close() {
        closed = true;
        if (retry != null) {
            retry.cancel(false);
            retry = null;
        }
        if (channel != null) {
            channel.close();
        }
    }

    String trouble() {
        return trouble;
    }
}
