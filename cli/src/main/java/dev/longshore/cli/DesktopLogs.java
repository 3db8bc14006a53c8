package dev.longshore.cli;

import dev.longshore.cli.log.LogEntry;
import dev.longshore.cli.log.LogEntry.Priority;
import dev.longshore.cli.log.LogReader;
import dev.longshore.cli.log.SystemdTime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "logs",
        mixinStandardHelpOptions = true,
        description = "What the daemon and the guest said since a start; works without a daemon too.",
        footer = {
            "%nTimes are as systemd.time(7) has them: '2026-01-31 12:00', '10min ago', yesterday, -2h, @1769860800.",
            "Units are console (the guest) and the parts of the daemon: backend, engine, portforward, proxy, vpnkit, …"
        })
final class DesktopLogs implements Callable<Integer> {
    private static final String RED = "\u001b[31m";
    private static final String YELLOW = "\u001b[33m";
    private static final String GREY = "\u001b[90m";
    private static final String PLAIN = "\u001b[0m";

    /** How lines are coloured; the constants are as the user writes them. */
    @SuppressWarnings("MemberName") // picocli shows and reads the constants' own names
    private enum ColorMode {
        /** Warnings, errors and details. */
        priority
    }

    private final Context context;

    @Option(
            names = {"-b", "--boot"},
            paramLabel = "N",
            description = "Of which start: 0 the current or last, 1 the one before (default: ${DEFAULT-VALUE}).")
    private int boot;

    @Option(
            names = {"-c", "--color"},
            description = "In colours.")
    private boolean color;

    @Option(
            names = {"-m", "--color-mode"},
            description = "What colours show: ${COMPLETION-CANDIDATES}, or default for the same.")
    private String colorMode = "default";

    @Option(
            names = {"-D", "--directory"},
            paramLabel = "DIR",
            description = "Where the logs are (default: those of this instance).")
    private @Nullable Path directory;

    @Option(
            names = {"-p", "--priority"},
            paramLabel = "P",
            description =
                    "-1 all, 0 information and above, 1 warnings and errors, 2 errors (default: ${DEFAULT-VALUE}).")
    private int priority = -1;

    @Option(
            names = {"-S", "--since"},
            paramLabel = "TIME",
            description = "From then on.")
    private @Nullable String since;

    @Option(
            names = {"-U", "--until"},
            paramLabel = "TIME",
            description = "Up to then.")
    private @Nullable String until;

    @Option(
            names = {"-u", "--unit"},
            paramLabel = "UNITS",
            split = ",",
            description = "Only of these.")
    private List<String> units = List.of();

    DesktopLogs(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws IOException {
        if (boot < 0) {
            throw CliException.wrongArguments("--boot goes from 0 on");
        }
        if (!colorMode.equals("default") && !colorMode.equals(ColorMode.priority.name())) {
            throw CliException.wrongArguments("--color-mode is default or priority");
        }
        Predicate<LogEntry> wanted = wanted();
        Path logs = directory == null ? context.home().log() : directory;
        if (directory != null && !Files.isDirectory(logs)) {
            throw new CliException(logs + " is not a directory");
        }
        if (Files.isDirectory(logs)) { // else nothing has been said here yet
            LogReader.boot(logs, boot).stream()
                    .filter(wanted)
                    .map(this::text)
                    .forEach(context.terminal().out()::println);
            context.terminal().out().flush();
        }
        return ExitCode.OK;
    }

    private Predicate<LogEntry> wanted() {
        Instant from = time(since, Instant.MIN);
        Instant to = time(until, Instant.MAX);
        Priority least = least();
        return e -> !e.time().isBefore(from)
                && !e.time().isAfter(to)
                && e.priority().compareTo(least) >= 0
                && (units.isEmpty() || units.stream().anyMatch(e::isOf));
    }

    private Priority least() {
        return switch (priority) {
            case -1 -> Priority.DEBUG;
            case 0 -> Priority.INFO;
            case 1 -> Priority.WARN;
            case 2 -> Priority.ERROR;
            default -> throw CliException.wrongArguments("--priority goes from -1 to 2");
        };
    }

    private static Instant time(@Nullable String text, Instant otherwise) {
        if (text == null) {
            return otherwise;
        }
        return SystemdTime.parse(text, ZonedDateTime.now(ZoneId.systemDefault()))
                .orElseThrow(() -> CliException.wrongArguments(
                        "'" + text + "' is no time; write it as in '2026-01-31 12:00', '10min ago' or yesterday"));
    }

    private String text(LogEntry e) {
        if (!color) {
            return e.text();
        }
        return switch (e.priority()) {
            case ERROR -> RED + e.text() + PLAIN;
            case WARN -> YELLOW + e.text() + PLAIN;
            case DEBUG -> GREY + e.text() + PLAIN;
            case INFO -> e.text();
        };
    }
}
