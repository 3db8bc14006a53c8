package dev.longshore.virtio.vhostuser;

import io.netty.channel.ManualIoEventLoop;
import io.netty.channel.epoll.EpollIoHandler;
import java.util.concurrent.TimeUnit;

/** A real epoll event loop that runs on the test's own thread, when the test says so: no waiting, no races. */
public final class TestLoop implements AutoCloseable {
    private final ManualIoEventLoop loop = new ManualIoEventLoop(Thread.currentThread(), EpollIoHandler.newFactory());

    public ManualIoEventLoop loop() {
        return loop;
    }

    /** Runs until there is nothing left to do. */
    public void settle() {
        for (int i = 0; i < 100_000; i++) {
            if (loop.runNow() == 0) {
                return;
            }
        }
        throw new AssertionError("the loop does not come to rest");
    }

    /** One round: what is ready now, and the tasks. */
    public void once() {
        loop.runNow();
    }

    @Override
    public void close() {
        loop.shutdownGracefully(0, 0, TimeUnit.SECONDS);
        while (!loop.isTerminated()) {
            loop.runNow();
        }
    }
}
