package dev.longshore.portforward;

import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** A link's event loop for one test, and waiting for what happens on it. */
final class LoopExtension implements AfterEachCallback {
    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    final EventLoop loop = group.next();

    static <T> T await(CompletableFuture<T> future) throws Exception {
        return future.get(10, TimeUnit.SECONDS);
    }

    /** Evaluates on the loop. */
    <T> T on(Supplier<T> supplier) throws Exception {
        return await(CompletableFuture.supplyAsync(supplier, loop));
    }

    /** All that was sent to the loop before has been done. */
    void settle() throws Exception {
        on(() -> true);
    }

    @Override
    public void afterEach(ExtensionContext context) {
        stop();
    }

    void stop() {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }
}
