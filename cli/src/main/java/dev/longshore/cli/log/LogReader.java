package dev.longshore.cli.log;

import dev.longshore.cli.log.LogEntry.Priority;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Reads a directory of logs: the daemon's {@code backend.log} with its predecessors {@code backend.N.log} (N rises with age), and
 * the guest's {@code console.log} with {@code console.log.1}. They are bounded in size, so all of them fit into memory.
 */
public final class LogReader {
    private static final Pattern BACKEND = Pattern.compile("(\\S+) (\\S+) +\\[[^]]*] (\\S+) .*");
    private static final Pattern BOOT = Pattern.compile(".* longshore \\S+ on Java .*, pid \\d+, home .*");
    private static final Pattern OLD = Pattern.compile("backend\\.(\\d+)\\.log|console\\.log\\.(\\d+)");

    private LogReader() {}

    /**
     * What was said since one start of the daemon and before the next, in the order of time.
     *
     * @param boot 0 for the last start, 1 for the one before it; empty if there were not as many
     */
    public static List<LogEntry> boot(Path directory, int boot) throws IOException {
        List<LogEntry> daemon = read(directory, "backend", LogReader::daemonEntry);
        List<Instant> starts = daemon.stream()
                .filter(e -> BOOT.matcher(e.text()).matches())
                .map(LogEntry::time)
                .toList();
        int at = starts.size() - 1 - boot;
        if (at < 0 && boot > 0) {
            return List.of();
        }
        Instant from = at < 0 ? Instant.MIN : starts.get(at);
        Instant to = at + 1 < starts.size() ? starts.get(at + 1) : Instant.MAX;
        return Stream.concat(daemon.stream(), read(directory, "console", LogReader::consoleEntry).stream())
                .filter(e -> !e.time().isBefore(from) && e.time().isBefore(to))
                .sorted(Comparator.comparing(LogEntry::time))
                .toList();
    }

    private static List<LogEntry> read(Path directory, String name, Function<String, @Nullable LogEntry> parser)
            throws IOException {
        List<Path> files;
        try (Stream<Path> all = Files.list(directory)) {
            files = all.filter(f -> f.getFileName().toString().startsWith(name))
                    .filter(f -> age(f) >= 0)
                    .sorted(Comparator.comparingInt(LogReader::age).reversed())
                    .toList();
        }
        List<LogEntry> entries = new ArrayList<>();
        for (Path file : files) {
            read(file, parser, entries);
        }
        return entries;
    }

    /** 0 for the file that is written to, more for older ones, negative for what is no log. */
    private static int age(Path file) {
        String name = file.getFileName().toString();
        if (name.equals("backend.log") || name.equals("console.log")) {
            return 0;
        }
        Matcher m = OLD.matcher(name);
        if (!m.matches()) {
            return -1;
        }
        return Integer.parseInt(m.group(1) == null ? m.group(2) : m.group(1));
    }

    private static void read(Path file, Function<String, @Nullable LogEntry> parser, List<LogEntry> to)
            throws IOException {
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(Files.newInputStream(file), StandardCharsets.UTF_8))) {
            @Nullable LogEntry open = null;
            StringBuilder more = new StringBuilder();
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                LogEntry next = parser.apply(line);
                if (next == null) {
                    more.append('\n').append(line); // a stack trace
                } else {
                    add(open, more, to);
                    open = next;
                }
            }
            add(open, more, to);
        }
    }

    private static void add(@Nullable LogEntry open, StringBuilder more, List<LogEntry> to) {
        if (open != null) {
            to.add(more.isEmpty() ? open : new LogEntry(open.time(), open.priority(), open.unit(), open.text() + more));
        }
        more.setLength(0);
    }

    private static @Nullable LogEntry daemonEntry(String line) {
        Matcher m = BACKEND.matcher(line);
        if (!m.matches()) {
            return null;
        }
        Instant time = time(m.group(1));
        return time == null ? null : new LogEntry(time, Priority.of(m.group(2)), m.group(3), line);
    }

    private static @Nullable LogEntry consoleEntry(String line) {
        int blank = line.indexOf(' ');
        Instant time = blank < 0 ? null : time(line.substring(0, blank));
        return time == null ? null : new LogEntry(time, Priority.INFO, LogEntry.CONSOLE, line);
    }

    private static @Nullable Instant time(String text) {
        try {
            return OffsetDateTime.parse(text).toInstant();
        } catch (DateTimeParseException e) {
            return null;
        }
    }
}
