package dev.longshore.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** From the start of the program to its first answers, by the clock that all processes of the machine share. */
@Command(
        name = "start",
        mixinStandardHelpOptions = true,
        description = "How long longshore net takes until it is ready, and until it answers ARP and DHCP.",
        footer = {"", "Runs as root: it makes network namespaces, and sends nothing outside of them."})
final class StartBench implements Callable<Integer> {
    private static final int LIMIT_MS = 30_000;
    private static final List<String> EVENTS = List.of("device", "ready", "arp", "dhcp");

    @Option(names = "--rounds", defaultValue = "9", description = "Starts to look at (default ${DEFAULT-VALUE}).")
    private int rounds;

    private final PrintStream out;
    private final Path launcher;

    StartBench(PrintStream out, Path launcher) {
        this.out = out;
        this.launcher = launcher;
    }

    @Override
    public Integer call() throws IOException {
        List<double[]> all = new ArrayList<>();
        try (Lab lab = new Lab()) {
            for (int i = 0; i < rounds; i++) {
                all.add(start(lab, lab.guestNamespace("start" + i)));
            }
        }
        out.println("milliseconds after exec      least  median    most");
        for (int i = 0; i < EVENTS.size(); i++) {
            int column = i;
            double[] sorted = all.stream().mapToDouble(a -> a[column]).sorted().toArray();
            out.printf(
                    Locale.ROOT,
                    "%-24s %9.0f %7.0f %7.0f%n",
                    EVENTS.get(i),
                    sorted[0],
                    sorted[sorted.length / 2],
                    sorted[sorted.length - 1]);
        }
        return 0;
    }

    /** The moments of {@link #EVENTS}. */
    private double[] start(Lab lab, String namespace) throws IOException {
        Process guest = new ProcessBuilder(Lab.in(
                        namespace, List.of(lab.netload().toString(), "first", "tap0", "192.168.65.1", "" + LIMIT_MS)))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        long exec = System.nanoTime(); // CLOCK_MONOTONIC, as netload's
        Process stack = new ProcessBuilder(lab.inHost(
                        launcher.toString(), "net", "--tap", "tap0@" + namespace, "--subnet", "192.168.65.0/24"))
                .redirectErrorStream(true)
                .start();
        try (BufferedReader said = stack.inputReader()) {
            String line = said.readLine();
            while (line != null && !line.startsWith("ready: ")) {
                line = said.readLine();
            }
            if (line == null) {
                throw new BenchException("longshore net ended before it was ready");
            }
            long ready = System.nanoTime();
            JsonNode first = JsonMapper.shared().readTree(guest.inputReader().readLine());
            return new double[] {
                millis(first, "device", exec),
                (ready - exec) / 1e6,
                millis(first, "arp", exec),
                millis(first, "dhcp", exec)
            };
        } finally {
            Commands.end(stack);
            Commands.end(guest);
        }
    }

    private static double millis(JsonNode first, String event, long exec) {
        return (first.at("/" + event).asLong() - exec) / 1e6;
    }
}
