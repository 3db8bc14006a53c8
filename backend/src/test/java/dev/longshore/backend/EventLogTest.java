package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.control.Events;
import java.time.Clock;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class EventLogTest {
    private final EventLog log = new EventLog(Clock.systemUTC());

    @Test
    void events_added_areNumberedFromOne() {
        add(3);

        assertThat(log.after(0, 10)).extracting(Events.Event::sequence).containsExactly(1L, 2L, 3L);
        assertThat(log.after(2, 10)).extracting(Events.Event::sequence).containsExactly(3L);
        assertThat(log.after(0, 2)).extracting(Events.Event::sequence).containsExactly(1L, 2L);
        assertThat(log.after(3, 10)).isEmpty();
        assertThat(log.after(99, 10)).isEmpty();
    }

    @Test
    void fullLog_dropsTheOldest() {
        add(1500);

        assertThat(log.after(0, 1)).extracting(Events.Event::sequence).containsExactly(501L);
        assertThat(log.after(1499, 10)).extracting(Events.Event::sequence).containsExactly(1500L);
        assertThat(log.after(400, 1)).extracting(Events.Event::sequence).containsExactly(501L);
    }

    @Test
    void watchers_areWokenByEventsAndTheEnd_untilTheyClose() {
        AtomicInteger wakes = new AtomicInteger();
        Events.Subscription subscription = log.onNew(wakes::incrementAndGet);

        add(2);
        log.end();
        assertThat(wakes).hasValue(3);
        assertThat(log.ended()).isTrue();

        subscription.close();
        add(1);
        assertThat(wakes).hasValue(3);
        assertThat(log.after(0, 10)).hasSize(2);
    }

    private void add(int count) {
        for (int i = 0; i < count; i++) {
            log.add(new Events.Notice("n"));
        }
    }
}
