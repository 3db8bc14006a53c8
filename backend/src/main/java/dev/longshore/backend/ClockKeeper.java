package dev.longshore.backend;

import io.netty.channel.EventLoop;
import java.time.Instant;
import java.time.InstantSource;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the guest's clock: sets it at the start, each hour, and when the host's clock has jumped, as it does after a
 * suspend; and more exactly as soon as the guest is quick to answer. Confined to the lifecycle thread, apart from the check, which runs on
 * the loop.
 */
final class ClockKeeper implements Part {
    private static final Logger LOG = LoggerFactory.getLogger(ClockKeeper.class);
    private static final long CHECK_SECONDS = 15;
    private static final long JUMP_MILLIS = 2_000;
    private static final int CHECKS_PER_SYNC = 240;

    private final EventLoop loop;
    private final ClockSync sync;
    private @Nullable ScheduledFuture<?> checks;
    private int checked;
    private long offsetMillis;

    /** By how many nanoseconds it may be wrong at most. Written where the agent's answers come. */
    private volatile long errorNanos = Long.MAX_VALUE;

    ClockKeeper(EventLoop loop, AgentClient agent) {
        this.loop = loop;
        this.sync = new ClockSync(
                new ClockSync.Guest() {
                    @Override
                    public CompletableFuture<String> ping() {
                        return agent.ping();
                    }

                    @Override
                    public CompletableFuture<String> setTime(Instant now) {
                        return agent.setTime(now);
                    }
                },
                InstantSource.system(),
                System::nanoTime);
    }

    @Override
    public String name() {
        return "clock";
    }

    @Override
    public String title() {
        return "Guest's clock set";
    }

    @Override
    public void start(Progress progress) {
        sync("start");
        offsetMillis = offset();
        checks = loop.scheduleWithFixedDelay(this::check, CHECK_SECONDS, CHECK_SECONDS, TimeUnit.SECONDS);
    }

    /** Wall clock against the monotonic one, which stands still while the host is suspended. */
    private static long offset() {
        return System.currentTimeMillis() - TimeUnit.NANOSECONDS.toMillis(System.nanoTime());
    }

    private void check() {
        long now = offset();
        boolean jumped = Math.abs(now - offsetMillis) > JUMP_MILLIS;
        offsetMillis = now;
        checked++;
        if (jumped) {
            sync("the host's clock jumped");
        } else if (checked % CHECKS_PER_SYNC == 0) {
            sync.refine().whenComplete((nanos, error) -> report("hourly", nanos, error));
        } else if (errorNanos > ClockSync.CLOSE_NANOS) {
            sync.refine().thenAccept(nanos -> done("exactly", nanos)); // else it is tried again in a moment
        }
    }

    private void sync(String why) {
        sync.set().whenComplete((nanos, error) -> report(why, nanos, error));
    }

    private void report(String why, @Nullable Long nanos, @Nullable Throwable error) {
        if (nanos != null) {
            done(why, nanos);
        } else if (error != null) {
            LOG.warn(
                    "the guest's clock could not be set: {}",
                    ClockSync.cause(error).getMessage());
        }
    }

    /** @param nanos as {@link ClockSync#refine} returns it */
    private void done(String why, long nanos) {
        if (nanos != Long.MAX_VALUE) {
            errorNanos = nanos;
            LOG.debug("set the guest's clock: {}; it may be wrong by {} us", why, TimeUnit.NANOSECONDS.toMicros(nanos));
        }
    }

    @Override
    public void stop() {
        ScheduledFuture<?> running = checks;
        if (running != null) {
            running.cancel(false);
        }
    }
}
