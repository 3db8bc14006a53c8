package dev.longshore.cli.log;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SystemdTimeTest {
    private static final ZonedDateTime NOW = ZonedDateTime.of(2026, 3, 10, 12, 30, 0, 0, ZoneId.of("Europe/Berlin"));

    @ParameterizedTest
    @CsvSource({
        "now, 2026-03-10T11:30:00Z",
        "today, 2026-03-09T23:00:00Z",
        "yesterday, 2026-03-08T23:00:00Z",
        "tomorrow, 2026-03-10T23:00:00Z",
        "@1, 1970-01-01T00:00:01Z",
        "@1.5, 1970-01-01T00:00:01.5Z",
        "10min ago, 2026-03-10T11:20:00Z",
        "1h 30s ago, 2026-03-10T10:29:30Z",
        "-2h, 2026-03-10T09:30:00Z",
        "-90, 2026-03-10T11:28:30Z",
        "+1d, 2026-03-11T11:30:00Z",
        "1.5hours ago, 2026-03-10T10:00:00Z",
        "2026-01-31, 2026-01-30T23:00:00Z",
        "2026-01-31 12:00, 2026-01-31T11:00:00Z",
        "2026-01-31 12:00:01.5, 2026-01-31T11:00:01.5Z",
        "2026-01-31T12:00:00Z, 2026-01-31T12:00:00Z",
        "2026-01-31 12:00 UTC, 2026-01-31T12:00:00Z",
        "Sat 2026-01-31 12:00, 2026-01-31T11:00:00Z",
        "08:15, 2026-03-10T07:15:00Z",
    })
    void points(String text, Instant expected) {
        assertThat(SystemdTime.parse(text, NOW)).contains(expected);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "-", "@", "soon", "10 parsecs ago", "2026-02-30", "25:00", "2026-01-31 noon", "5min", "-1h x"
            })
    void others(String text) {
        assertThat(SystemdTime.parse(text, NOW)).isEmpty();
    }
}
