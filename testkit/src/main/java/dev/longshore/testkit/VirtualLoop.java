package dev.longshore.testkit;

import io.netty.channel.IoHandlerFactory;
import io.netty.channel.ManualIoEventLoop;
import io.netty.channel.local.LocalIoHandler;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * An event loop in virtual time, driven by the test's own thread: its timers run when {@link #advance} passes them, its
 * tasks and I/O in {@link #run} and {@link #runUntil}. Confined to the thread that made it.
 */
public final class VirtualLoop extends ManualIoEventLoop implements AutoCloseable {
    /** How long real I/O (of sockets on loopback) may take before a test fails. */
    private static final long REAL_LIMIT_NANOS = TimeUnit.SECONDS.toNanos(20);

    private static final long REAL_WAIT_NANOS = TimeUnit.MILLISECONDS.toNanos(2);

    private final FakeClock clock;

    /** Without real I/O: channels in memory only. */
    public VirtualLoop() {
        this(LocalIoHandler.newFactory());
    }

    /** With {@code EpollIoHandler.newFactory()}, real sockets work beside virtual timers. */
    public VirtualLoop(IoHandlerFactory io) {
        this(io, new FakeClock());
    }

    private VirtualLoop(IoHandlerFactory io, FakeClock clock) {
        super(null, Thread.currentThread(), io, clock);
        this.clock = clock;
        runNow();
    }

    public FakeClock clock() {
        return clock;
    }

    /** Runs everything that is due now, and what follows from it. */
    public void runDue() {
        int quiet = 0;
        for (int round = 0; quiet < 2; round++) {
            quiet = runNow() == 0 ? quiet + 1 : 0;
            if (round > 1_000_000) {
                throw new AssertionError("the loop never becomes quiet");
            }
        }
    }

    /** Lets {@code time} pass: every timer on the way runs at its own moment. */
    public void advance(Duration time) {
        long target = clock.nanoTime() + time.toNanos();
        runDue();
        for (long next = nextDeadline(); next - target <= 0; next = nextDeadline()) {
            clock.moveTo(Math.max(next, clock.nanoTime()));
            runDue();
        }
        clock.moveTo(target);
        runDue();
    }

    /** Waits in real time, while virtual time stands still, for what real sockets bring. */
    public void runUntil(BooleanSupplier condition, String what) {
        long start = System.nanoTime();
        runDue();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - start > REAL_LIMIT_NANOS) {
                throw new AssertionError("not within " + REAL_LIMIT_NANOS / 1_000_000 + " ms: " + what);
            }
            run(REAL_WAIT_NANOS);
        }
    }

    /** Virtual nanoseconds until the next timer is due, or {@link Long#MAX_VALUE}. */
    public long nanosToNextTimer() {
        long next = nextDeadline();
        return next == Long.MAX_VALUE ? next : Math.max(0, next - clock.nanoTime());
    }

    private long nextDeadline() {
        long deadline = nextScheduledTaskDeadlineNanos();
        return deadline < 0 ? Long.MAX_VALUE : deadline;
    }

    /** Ends the loop; a test's last act. */
    @Override
    public void close() {
        clock.run();
        shutdownGracefully(0, 0, TimeUnit.NANOSECONDS);
        for (int i = 0; i < 1000 && !isTerminated(); i++) {
            clock.sleep(1, TimeUnit.MILLISECONDS);
            runNow();
        }
    }
}
