package dev.longshore.virtio.vhostuser;

import io.netty.channel.ManualIoEventLoop;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.concurrent.MockTicker;
import io.netty.util.concurrent.Ticker;
import java.util.concurrent.TimeUnit;

/**
 * A real epoll event loop that runs on the test's own thread, when the test says so: no waiting, no races. Timers run in virtual
 * time.
 */
public final class TestLoop implements AutoCloseable {
    private final MockTicker ticker = Ticker.newMockTicker();
    private final Loop loop = new Loop(ticker);

    private static final class Loop extends ManualIoEventLoop {
        Loop(Ticker ticker) {
            super(null, Thread.currentThread(), EpollIoHandler.newFactory(), ticker);
        }

        boolean hasTimers() {
            return nextScheduledTaskDeadlineNanos() >= 0;
        }
    }

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

    /** Lets {@code micros} microseconds pass, and what is due then happen. */
    public void advance(long micros) {
        ticker.advance(micros, TimeUnit.MICROSECONDS);
        settle();
    }

    /** True if something is to happen at a later time. */
    public boolean hasTimers() {
        return loop.hasTimers();
    }

    /** One round: what is ready now, and the tasks. */
    public void once() {
        loop.runNow();
    }

    @Override
    public void close() {
        loop.shutdownGracefully(0, 0, TimeUnit.SECONDS);
        while (!loop.isTerminated()) {
            ticker.advance(1, TimeUnit.SECONDS); // the quiet time is over when its end has passed
            loop.runNow();
        }
    }
}
