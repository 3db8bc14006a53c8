package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** A guest whose clock stands where it was set, and whose messages take as long as the test says, there and back. */
class ClockSyncTest implements ClockSync.Guest {
    private static final Duration SLOW = Duration.ofMillis(400);
    private static final Duration QUICK = Duration.ofMillis(2);

    private final Deque<Duration> ways = new ArrayDeque<>();
    private Instant now = Instant.parse("2026-11-27T20:00:00Z");
    private long elapsed = Long.MAX_VALUE - 1_000_000;
    private Duration behind = Duration.ofDays(1);
    private int pings;
    private final ClockSync sync = new ClockSync(this, () -> now, () -> elapsed);

    private void passes(Duration time) {
        now = now.plus(time);
        elapsed += time.toNanos();
    }

    @Override
    public CompletableFuture<String> ping() {
        pings++;
        passes(ways.remove().multipliedBy(2));
        return CompletableFuture.completedFuture("ok");
    }

    @Override
    public CompletableFuture<String> setTime(Instant time) {
        Duration way = ways.remove();
        passes(way);
        behind = Duration.between(time, now);
        passes(way);
        return CompletableFuture.completedFuture("ok");
    }

    @Test
    void busyGuest_isSetAtOnce_andSaysHowWrongItMayBe() {
        ways.add(SLOW);

        assertThat(sync.set().join()).isEqualTo(SLOW.toNanos() * 2);
        assertThat(behind).isEqualTo(SLOW);
    }

    @Test
    void guestThatGetsQuick_isSetOnceItIs_withTheWayAdded() {
        ways.addAll(List.of(SLOW, SLOW, QUICK, QUICK));

        assertThat(sync.refine().join()).isEqualTo(QUICK.toNanos()).isLessThanOrEqualTo(ClockSync.CLOSE_NANOS);
        assertThat(behind).isZero();
        assertThat(pings).isEqualTo(3);
    }

    @Test
    void guestThatIsNeverQuick_isLeftAsItIs() {
        Duration before = behind;
        for (int i = 0; i < 20; i++) {
            ways.add(SLOW);
        }

        assertThat(sync.refine().join()).isEqualTo(Long.MAX_VALUE);
        assertThat(behind).isEqualTo(before);
        assertThat(pings).isEqualTo(10);
    }

    @Test
    void messageThatIsHeldUpAllTheSame_isSaidToBeWrong() {
        ways.addAll(List.of(QUICK, SLOW));

        assertThat(sync.refine().join()).isGreaterThan(ClockSync.CLOSE_NANOS);
        assertThat(behind.abs().toNanos()).isLessThanOrEqualTo(SLOW.toNanos() * 2);
    }
}
