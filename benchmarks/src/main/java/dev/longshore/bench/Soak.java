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
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * All kinds of traffic at once over a bad link, for a long time: every byte of every accepted stream must arrive, and at the end
 * no flow and no memory may be left.
 */
@Command(
        name = "soak",
        mixinStandardHelpOptions = true,
        description = "A long run of mixed traffic over a link that loses, damages and doubles frames.",
        footer = {"", "Runs as root: it makes network namespaces, and sends nothing outside of them."})
final class Soak implements Callable<Integer> {
    private static final int WARM_UP_PERCENT = 20;
    private static final long MIB = 1 << 20;

    @Option(names = "--minutes", defaultValue = "30", description = "How long (default ${DEFAULT-VALUE}).")
    private double minutes;

    @Option(names = "--faults", defaultValue = "0.05", description = "The share of frames (default ${DEFAULT-VALUE}).")
    private double faults;

    @Option(
            names = "--growth",
            defaultValue = "16",
            description = "MiB of memory growth after the warm-up that are still called flat.")
    private int growth;

    private final PrintStream out;
    private final Path launcher;
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
                    launcher, 1500, List.of("--faults", Double.toString(faults), "--control", control.toString()));
            Guest guest = contender.start(lab);
            try {
                run(guest);
                return judge(home);
            } finally {
                guest.close();
                out.println(Commands.read(TapContenders.log(lab, contender)).indent(4));
            }
        }
    }

    private long resident(Guest guest) {
        Long stack = guest.stack();
        long r = stack == null ? 0 : Usage.of(stack).residentBytes();
        if (r == 0) {
            throw new BenchException("the network's process is gone");
        }
        return r;
    }

    private final List<Long> residents = new ArrayList<>();

    private void run(Guest guest) throws Exception {
        long start = System.nanoTime();
        long end = start + (long) (minutes * 60e9);
        ExecutorService workers =
                Executors.newThreadPerTaskExecutor(Thread.ofVirtual().factory());
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
                residents.add(resident(guest));
                out.printf(
                        Locale.ROOT,
                        "%6.1f min  %5d streams exact (%d MiB)  %6d connections  %6d datagrams back  %4d MiB resident%n",
                        (System.nanoTime() - start) / 60e9,
                        streams.get(),
                        bytes.get() / MIB,
                        connections.get(),
                        datagrams.get(),
                        residents.getLast() / MIB);
                Waiting.pause((int) Math.min(10_000, Math.max(1, (end - System.nanoTime()) / 1_000_000)));
            }
            for (Future<?> f : work) {
                f.get(5, TimeUnit.MINUTES);
            }
        } finally {
            workers.shutdownNow();
        }
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

    private int judge(Path home) {
        List<String> complaints = new ArrayList<>();
        long early = residents.subList(0, Math.max(1, residents.size() * WARM_UP_PERCENT / 100)).stream()
                .mapToLong(Long::longValue)
                .max()
                .orElse(0);
        long late = residents.getLast();
        if (late - early > growth * MIB) {
            complaints.add("memory grew from " + early / MIB + " to " + late / MIB + " MiB");
        }
        if (datagrams.get() == 0) {
            complaints.add("no datagram came back at all");
        }
        // What a guest left half open ends a minute later; TIME-WAIT in ten seconds; datagram flows by their idle
        // times.
        try {
            Waiting.until(180_000, "end of all TCP flows", () -> tcpFlows(home).isEmpty());
        } catch (BenchException e) {
            complaints.add(e.getMessage() + ": " + tcpFlows(home));
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
