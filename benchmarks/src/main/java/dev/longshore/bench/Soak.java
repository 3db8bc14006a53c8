package dev.longshore.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * All kinds of traffic at once over a bad link, for a long time: every byte of every accepted stream must arrive, and at the end
 * no flow and no memory may be left.
 *
 * <p>Theory of operation: a process that has just started grows for good reasons: code is compiled, pools fill up. So the traffic
 * ends twice, after a warm-up and at the end. Both times all TCP flows have to go, and then memory is looked at: what is alive after
 * a collection, and what is resident. What the second look finds beyond the first has been lost in between.
 */
@Command(
        name = "soak",
        mixinStandardHelpOptions = true,
        description = "A long run of mixed traffic over a link that loses, damages and doubles frames.",
        footer = {"", "Runs as root: it makes network namespaces, and sends nothing outside of them."})
final class Soak implements Callable<Integer> {
    private static final double WARM_UP = 0.2;
    private static final double LEAST_WARM_UP_MINUTES = 1;
    private static final long MIB = 1 << 20;
    private static final Pattern HEAP_USED = Pattern.compile("used (\\d+)K");

    @Option(names = "--minutes", defaultValue = "30", description = "How long (default ${DEFAULT-VALUE}).")
    private double minutes;

    @Option(names = "--faults", defaultValue = "0.05", description = "The share of frames (default ${DEFAULT-VALUE}).")
    private double faults;

    @Option(
            names = "--growth",
            defaultValue = "16",
            description =
                    "MiB of resident memory that the process may grow by after the warm-up (default ${DEFAULT-VALUE}).")
    private int growth;

    @Option(
            names = "--live-growth",
            defaultValue = "2",
            description =
                    "MiB that may be alive on the heap beyond those after the warm-up (default ${DEFAULT-VALUE}).")
    private int liveGrowth;

    private final PrintStream out;
    private final Path launcher;
    private final long start = System.nanoTime();
    private final AtomicLong streams = new AtomicLong();
    private final AtomicLong bytes = new AtomicLong();
    private final AtomicLong connections = new AtomicLong();
    private final AtomicLong datagrams = new AtomicLong();

    Soak(PrintStream out, Path launcher) {
        this.out = out;
        this.launcher = launcher;
    }

    @Override
    public Integer call() throws Exception {
        try (Lab lab = new Lab()) {
            Path home = lab.dir().resolve("home"); // where the command looks for a control socket
            Path run = home.resolve("run");
            Path control = run.resolve("control.sock");
            makeDirectory(run);
            Contender contender = new TapContenders.Longshore(
                    "longshore",
                    launcher,
                    1500,
                    List.of("--faults", Double.toString(faults), "--control", control.toString()));
            Guest guest = contender.start(lab);
            try {
                double warmUp = Math.max(LEAST_WARM_UP_MINUTES, minutes * WARM_UP);
                run(guest, warmUp);
                Memory warm = quiet(guest, home);
                run(guest, minutes - warmUp);
                return judge(warm, quiet(guest, home));
            } finally {
                guest.close();
                out.println(Commands.read(TapContenders.log(lab, contender)).indent(4));
            }
        }
    }

    /** Bytes of the network's process. */
    private record Memory(long live, long resident) {
        @Override
        public String toString() {
            return live / MIB + " MiB alive, " + resident / MIB + " MiB resident";
        }
    }

    private static long process(Guest guest) {
        Long stack = guest.stack();
        if (stack == null || Usage.of(stack).residentBytes() == 0) {
            throw new BenchException("the network's process is gone");
        }
        return stack;
    }

    /** All kinds of traffic for so long. */
    private void run(Guest guest, double forMinutes) throws Exception {
        long end = System.nanoTime() + (long) (forMinutes * 60e9);
        ExecutorService workers =
                Executors.newThreadPerTaskExecutor(Thread.ofPlatform().factory());
        List<Future<?>> work = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            int seed = i + 1;
            work.add(workers.submit(() -> until(end, round -> verified(guest, seed * 1_000_003 + round, round))));
        }
        work.add(workers.submit(() -> until(end, round -> churn(guest))));
        work.add(workers.submit(() -> until(end, round -> datagrams(guest))));
        try {
            while (System.nanoTime() - end < 0) {
                for (Future<?> f : work) {
                    if (f.isDone()) {
                        f.get(); // throws what ended it
                    }
                }
                say(Usage.of(process(guest)).residentBytes());
                Waiting.pause((int) Math.min(10_000, Math.max(1, (end - System.nanoTime()) / 1_000_000)));
            }
            for (Future<?> f : work) {
                f.get(5, TimeUnit.MINUTES);
            }
        } finally {
            workers.shutdownNow();
        }
    }

    private void say(long resident) {
        out.printf(
                Locale.ROOT,
                "%6.1f min  %5d streams exact (%d MiB)  %6d connections  %6d datagrams back  %4d MiB resident%n",
                (System.nanoTime() - start) / 60e9,
                streams.get(),
                bytes.get() / MIB,
                connections.get(),
                datagrams.get(),
                resident / MIB);
    }

    /** Without traffic: every TCP flow goes, and the memory is what is left. */
    private Memory quiet(Guest guest, Path home) {
        // What a guest left half open ends a minute later; TIME-WAIT in ten seconds; datagram flows by their idle
        // times.
        try {
            Waiting.until(180_000, "end of all TCP flows", () -> tcpFlows(home).isEmpty());
        } catch (BenchException e) {
            throw new BenchException(e.getMessage() + ": " + tcpFlows(home));
        }
        long pid = process(guest);
        jcmd(pid, "GC.run");
        Matcher used = HEAP_USED.matcher(jcmd(pid, "GC.heap_info"));
        long live = 0;
        while (used.find()) {
            live += Long.parseLong(used.group(1)) << 10; // each generation, and the classes
        }
        Memory memory = new Memory(live, Usage.of(pid).residentBytes());
        out.println("quiet: no TCP flow, " + memory);
        return memory;
    }

    private static String jcmd(long pid, String command) {
        return Commands.run(
                60, Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(), Long.toString(pid), command);
    }

    private interface Round {
        void run(int round);
    }

    private static void until(long end, Round work) {
        for (int round = 0; System.nanoTime() - end < 0; round++) {
            work.run(round);
        }
    }

    private void verified(Guest guest, int seed, int round) {
        long size = round % 10 == 0 ? 32 * MIB : round % 3 == 0 ? 1 + round : 2 * MIB + round;
        guest.run(
                1200,
                List.of(
                        guest.netload(),
                        "verify",
                        guest.target(),
                        Integer.toString(Lab.ECHO_PORT),
                        Long.toString(size),
                        Integer.toString(seed)));
        streams.incrementAndGet();
        bytes.addAndGet(2 * size);
    }

    private void churn(Guest guest) {
        load(guest, "churn", 100);
        connections.addAndGet(100);
    }

    private void datagrams(Guest guest) {
        String line = load(guest, "datagrams", 100);
        datagrams.addAndGet(Long.parseLong(line.replaceAll("(?s).*\"back\":(\\d+).*", "$1")));
    }

    private static String load(Guest guest, String kind, int count) {
        return guest.run(
                600,
                List.of(
                        guest.netload(),
                        kind,
                        guest.target(),
                        Integer.toString(Lab.ECHO_PORT),
                        Integer.toString(count)));
    }

    private int judge(Memory warm, Memory last) {
        List<String> complaints = new ArrayList<>();
        if (last.resident() - warm.resident() > growth * MIB || last.live() - warm.live() > liveGrowth * MIB) {
            complaints.add("memory grew from " + warm + " to " + last);
        }
        if (datagrams.get() == 0) {
            complaints.add("no datagram came back at all");
        }
        out.println(complaints.isEmpty() ? "soak: all well" : "soak: FAILED");
        complaints.forEach(c -> out.println("  " + c));
        return complaints.isEmpty() ? 0 : 1;
    }

    private static void makeDirectory(Path dir) {
        try {
            Files.createDirectories(dir);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Lines of JSON, one for each flow. */
    private String tcpFlows(Path home) {
        return Commands.run(
                        30, "env", "LONGSHORE_HOME=" + home, launcher.toString(), "flows", "--format", "json", "tcp")
                .strip();
    }
}
