package dev.longshore.vpnkit.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.VirtualLoop;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TimersTest {
    private final VirtualLoop loop = new VirtualLoop();
    private final Timers timers = new Timers(loop, loop.clock()::nanos);
    private final List<String> fired = new ArrayList<>();

    private final class Named extends Timers.Entry {
        final String name;

        Named(String name) {
            this.name = name;
        }

        @Override
        void onTimer(long now) {
            fired.add(name);
        }
    }

    @AfterEach
    void close() {
        loop.close();
    }

    @Test
    void entries_fireInOrder_pastTheOverflowOfTheClock() {
        long now = timers.now();
        timers.wakeBy(new Named("c"), now + 9_000_000_000L);
        timers.wakeBy(new Named("a"), now + 1);
        timers.wakeBy(new Named("b"), now + 4_000_000_000L);
        loop.advance(Duration.ofNanos(1));
        assertThat(fired).containsExactly("a");
        loop.advance(Duration.ofSeconds(8));
        assertThat(fired).containsExactly("a", "b");
        loop.advance(Duration.ofSeconds(1));
        assertThat(fired).containsExactly("a", "b", "c");
        assertThat(loop.nanosToNextTimer()).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void earlierDeadline_moves_laterOneDoesNot() {
        Named e = new Named("e");
        timers.wakeBy(e, timers.now() + 100);
        timers.wakeBy(e, timers.now() + 500);
        timers.wakeBy(e, timers.now() + 50);
        assertThat(timers.size()).isEqualTo(1);
        loop.advance(Duration.ofNanos(49));
        assertThat(fired).isEmpty();
        loop.advance(Duration.ofNanos(1));
        assertThat(fired).containsExactly("e");
    }

    @Test
    void cancelled_doesNotFire_andTheLoopSleeps() {
        Named e = new Named("e");
        timers.wakeBy(e, timers.now() + 100);
        timers.cancel(e);
        timers.cancel(e);
        assertThat(loop.nanosToNextTimer()).isEqualTo(Long.MAX_VALUE);
        loop.advance(Duration.ofSeconds(1));
        assertThat(fired).isEmpty();
    }

    @Test
    void entryThatThrows_doesNotSilenceTheOthers() {
        long now = timers.now();
        timers.wakeBy(
                new Timers.Entry() {
                    @Override
                    void onTimer(long at) {
                        throw new IllegalStateException("thrown by a test");
                    }
                },
                now + 10);
        timers.wakeBy(new Named("same moment"), now + 10);
        timers.wakeBy(new Named("later"), now + 500);
        loop.advance(Duration.ofNanos(600));
        assertThat(fired).containsExactly("same moment", "later");
    }

    @Test
    void randomOperations_fireWhatAModelSays() {
        Random random = new Random(7);
        Named[] entries = new Named[200];
        TreeMap<String, Long> model = new TreeMap<>();
        for (int i = 0; i < entries.length; i++) {
            entries[i] = new Named("e" + i);
        }
        for (int step = 0; step < 5000; step++) {
            Named e = entries[random.nextInt(entries.length)];
            if (random.nextInt(4) == 0) {
                timers.cancel(e);
                model.remove(e.name);
            } else {
                long deadline = timers.now() + 1 + random.nextInt(10_000);
                timers.wakeBy(e, deadline);
                model.merge(e.name, deadline, (a, b) -> b - a < 0 ? b : a);
            }
            assertThat(timers.checkInvariants()).isTrue();
            if (random.nextInt(10) == 0) {
                loop.advance(Duration.ofNanos(random.nextInt(5000)));
                long now = timers.now();
                List<String> due = new ArrayList<>();
                model.forEach((name, at) -> {
                    if (at - now <= 0) {
                        due.add(name);
                    }
                });
                due.forEach(model::remove);
                assertThat(fired).containsExactlyInAnyOrderElementsOf(due);
                fired.clear();
            }
        }
    }
}
