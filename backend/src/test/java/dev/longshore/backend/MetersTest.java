package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.Tags;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class MetersTest {
    private final Meters meters = new Meters();

    @Test
    void counters_outliveTheGarbageCollector() {
        AtomicLong frames = new AtomicLong();
        Meters.Group group = meters.group(frames::incrementAndGet);
        group.counter("a.frames", "Frames.", Tags.of("direction", "toGuest"), frames::get);

        System.gc();

        assertThat(meters.scrape()).contains("a_frames_total{direction=\"toGuest\"} 1.0");
        assertThat(meters.scrape()).contains("a_frames_total{direction=\"toGuest\"} 2.0");
    }

    @Test
    void group_closed_isGoneAndCanComeBack() {
        Meters.Group first = meters.group(() -> {});
        first.gauge("a.ports", "Ports.", Tags.empty(), () -> 7);
        assertThat(meters.scrape()).contains("a_ports 7.0");

        first.close();
        assertThat(meters.scrape()).doesNotContain("a_ports");

        meters.group(() -> {}).gauge("a.ports", "Ports.", Tags.empty(), () -> 8);
        assertThat(meters.scrape()).contains("a_ports 8.0").contains("longshore_process_resident_bytes");
    }
}
