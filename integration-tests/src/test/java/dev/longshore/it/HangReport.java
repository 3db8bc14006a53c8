package dev.longshore.it;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What an instance was doing when a command did not end: short enough for an assertion's message, since a run's whole output
 * is not always kept. Never throws.
 */
final class HangReport {
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final int FRAMES = 7;

    private HangReport() {}

    /** @param dockerHost {@code unix://HOME/run/docker.sock} */
    static String of(String dockerHost) {
        Path run = Path.of(dockerHost.replaceFirst("^unix://", "")).getParent();
        if (run == null) {
            return "no instance at " + dockerHost;
        }
        Path home = run.resolveSibling("");
        return String.join(
                "\n",
                "threads of the daemon's loops:",
                threads(run.resolve("backend.pid")),
                "guest's processes (state, CPU ticks, then again, where it waits):",
                guest(home),
                "counters:",
                counters(home),
                "the guest's console ends with:",
                tail(home.resolve("log/console.log")),
                "the daemon's log ends with:",
                tail(home.resolve("log/backend.log")));
    }

    private static String threads(Path pidFile) {
        try {
            String jcmd =
                    Path.of(System.getProperty("java.home"), "bin", "jcmd").toString();
            String all = output(jcmd, Files.readString(pidFile).strip(), "Thread.print");
            return Stream.of(all.split("\n\n", -1))
                    .filter(t -> t.matches("(?s)\"(link|vsock|lifecycle|ports|Reference).*"))
                    .map(t -> t.lines().limit(FRAMES).collect(Collectors.joining("\n")))
                    .collect(Collectors.joining("\n"));
        } catch (IOException e) {
            return e.toString();
        }
    }

    private static String guest(Path home) {
        List<Path> guests = guestProcesses(home);
        String before = guests.stream().map(HangReport::state).collect(Collectors.joining("; "));
        try {
            TimeUnit.SECONDS.sleep(1); // not a test waiting for something: the difference of two readings
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return before + "\n" + guests.stream().map(HangReport::state).collect(Collectors.joining("; "));
    }

    private static List<Path> guestProcesses(Path home) {
        try (Stream<Path> proc = Files.list(Path.of("/proc"))) {
            return proc.filter(p -> p.getFileName().toString().matches("[0-9]+"))
                    .filter(p -> read(p.resolve("cmdline")).contains("uml_dir=" + home))
                    .sorted()
                    .limit(8)
                    .toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    private static String state(Path process) {
        String stat = read(process.resolve("stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 1).strip().split(" ", -1);
        String ticks = fields.length > 12 ? fields[11] + "+" + fields[12] : "?";
        return process.getFileName() + " " + fields[0] + " " + ticks + " " + read(process.resolve("wchan"));
    }

    private static String counters(Path home) {
        Path launcher = Path.of(System.getProperty("longshore.root", ".."), "longshore")
                .toAbsolutePath()
                .normalize();
        return Command.of(launcher.toString(), "metrics")
                .with("LONGSHORE_HOME", home.toString())
                .within(LIMIT)
                .tryRun()
                .lines()
                .filter(l -> l.matches("virtio_(queue|vsock).*") && !l.endsWith(" 0.0"))
                .collect(Collectors.joining("\n"));
    }

    private static String output(String... line) {
        return Command.of(line).within(LIMIT).tryRun();
    }

    private static String tail(Path file) {
        List<String> lines = read(file).lines().toList();
        return lines.stream().skip(Math.max(0, lines.size() - 8)).collect(Collectors.joining("\n"));
    }

    private static String read(Path file) {
        try {
            return new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return "";
        }
    }
}
