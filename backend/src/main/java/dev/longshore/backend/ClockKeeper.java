package dev.longshore.backend;

import io.netty.channel.EventLoop;
import java.time.Instant;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the guest's clock: sets it at the start, each hour, and when the host's clock has jumped, as it does after a
 * suspend. Confined to the lifecycle thread, apart from the check, which runs on the loop.
 */
final class ClockKeeper implements Part {
    private static final Logger LOG = LoggerFactory.getLogger(ClockKeeper.class);
    private static final long CHECK_SECONDS = 15;
    private static final long JUMP_MILLIS = 2_000;
    private static final int CHECKS_PER_SYNC = 240;

    private final EventLoop loop;
    private final AgentClient agent;
    private @Nullable ScheduledFuture<?> checks;
    private int checked;
    private long offsetMillis;

    ClockKeeper(EventLoop loop, AgentClient agent) {
        this.loop = loop;
        this.agent = agent;
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
        if (jumped || checked % CHECKS_PER_SYNC == 0) {
            sync(jumped ? "the host's clock jumped" : "hourly");
        }
    }

    private void sync(String why) {
        agent.setTime(Instant.now()).whenComplete((ok, error) -> {
            if (error == null) {
                LOG.debug("set the guest's clock: {}", why);
            } else {
                LOG.warn("the guest's clock could not be set: {}", error.getMessage());
            }
        });
    }

    @Override
    public void stop() {
        ScheduledFuture<?> running = checks;
        if (running != null) {
            running.cancel(false);
        }
    }
}
