package dev.longshore.cli.log;

import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.time.ZonedDateTime;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Points in time as people write them, by systemd.time(7): a date and a time or one of them, {@code now}, {@code today},
 * {@code yesterday}, {@code tomorrow}, {@code @SECONDS} since 1970, {@code 5min ago}, {@code -1h 30s}, {@code +2d}.
 */
public final class SystemdTime {
    private static final Pattern SPAN = Pattern.compile("(\\d+(?:\\.\\d+)?)\\s*([a-z]*)\\s*");
    private static final Pattern DATE =
            Pattern.compile("(?:\\p{L}{2,9} )?(\\d{4}-\\d{2}-\\d{2})(?:[ T](\\S+))?(?: UTC)?");
    private static final Map<String, Double> SECONDS = Map.ofEntries(
            Map.entry("", 1.0),
            Map.entry("us", 1e-6),
            Map.entry("usec", 1e-6),
            Map.entry("ms", 1e-3),
            Map.entry("msec", 1e-3),
            Map.entry("s", 1.0),
            Map.entry("sec", 1.0),
            Map.entry("second", 1.0),
            Map.entry("seconds", 1.0),
            Map.entry("m", 60.0),
            Map.entry("min", 60.0),
            Map.entry("minute", 60.0),
            Map.entry("minutes", 60.0),
            Map.entry("h", 3600.0),
            Map.entry("hr", 3600.0),
            Map.entry("hour", 3600.0),
            Map.entry("hours", 3600.0),
            Map.entry("d", 86_400.0),
            Map.entry("day", 86_400.0),
            Map.entry("days", 86_400.0),
            Map.entry("w", 604_800.0),
            Map.entry("week", 604_800.0),
            Map.entry("weeks", 604_800.0));

    private SystemdTime() {}

    /**
     * Empty if {@code text} is no point in time.
     *
     * @param now with the zone that dates without one are of
     */
    public static Optional<Instant> parse(String text, ZonedDateTime now) {
        String t = text.strip();
        try {
            return switch (t) {
                case "now" -> Optional.of(now.toInstant());
                case "today" -> Optional.of(midnight(now, 0));
                case "yesterday" -> Optional.of(midnight(now, -1));
                case "tomorrow" -> Optional.of(midnight(now, 1));
                default -> other(t, now);
            };
        } catch (DateTimeException | ArithmeticException e) {
            return Optional.empty();
        }
    }

    private static Instant midnight(ZonedDateTime now, int days) {
        return now.toLocalDate().plusDays(days).atStartOfDay(now.getZone()).toInstant();
    }

    private static Optional<Instant> other(String t, ZonedDateTime now) {
        if (t.startsWith("@")) {
            return span(t.substring(1)).map(Instant.EPOCH::plus);
        }
        if (t.startsWith("-")) {
            return span(t.substring(1)).map(now.toInstant()::minus);
        }
        if (t.startsWith("+")) {
            return span(t.substring(1)).map(now.toInstant()::plus);
        }
        if (t.endsWith(" ago")) {
            return span(t.substring(0, t.length() - " ago".length()).strip()).map(now.toInstant()::minus);
        }
        Matcher m = DATE.matcher(t);
        boolean dated = m.matches();
        LocalDate date = dated ? LocalDate.parse(m.group(1)) : now.toLocalDate();
        String clock = dated ? Optional.ofNullable(m.group(2)).orElse("00:00") : t;
        boolean zulu = clock.endsWith("Z") || t.endsWith(" UTC");
        LocalTime time = LocalTime.parse(clock.endsWith("Z") ? clock.substring(0, clock.length() - 1) : clock);
        return Optional.of(date.atTime(time)
                .atZone(zulu ? java.time.ZoneOffset.UTC : now.getZone())
                .toInstant());
    }

    private static Optional<Duration> span(String text) {
        Matcher m = SPAN.matcher(text.toLowerCase(Locale.ROOT));
        double seconds = 0;
        int at = 0;
        while (at < text.length()) {
            Double unit = m.region(at, text.length()).lookingAt() ? SECONDS.get(m.group(2)) : null;
            if (unit == null) {
                return Optional.empty();
            }
            seconds += Double.parseDouble(m.group(1)) * unit;
            at = m.end();
        }
        return text.isEmpty() ? Optional.empty() : Optional.of(Duration.ofNanos(Math.round(seconds * 1e9)));
    }
}
