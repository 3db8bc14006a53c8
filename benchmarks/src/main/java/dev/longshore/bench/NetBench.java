package dev.longshore.bench;

import dev.longshore.config.Home;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Contenders side by side: every measurement, every round, one contender after the other, so that noise hits all alike. */
@Command(
        name = "net",
        mixinStandardHelpOptions = true,
        description = "The network beside its peers: throughput, latency, connection rate, memory.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  longshore bench net                          all that is installed, about 20 minutes",
            "  longshore bench net --only longshore,pasta   contenders whose names contain these words",
            "  longshore bench net --measure 'TCP up'       measurements whose names contain these words",
            "  longshore bench net --guest uml --peers DIR  virtual machines behind vhost-user: this stack and passt",
            "",
            "Runs as root: it makes network namespaces, and sends nothing outside of them.",
        })
final class NetBench implements Callable<Integer> {
    private static final int[] MTUS = {1500, 65520};

    @Option(names = "--only", split = ",", description = "Contenders whose names contain one of these words.")
    private List<String> only = List.of();

    @Option(names = "--measure", split = ",", description = "Measurements whose names contain one of these words.")
    private List<String> measure = List.of();

    @Option(names = "--seconds", defaultValue = "3", description = "Of each sample (default ${DEFAULT-VALUE}).")
    private int seconds;

    @Option(names = "--rounds", defaultValue = "3", description = "Samples of each (default ${DEFAULT-VALUE}).")
    private int rounds;

    @Option(
            names = "--warm-up",
            defaultValue = "6",
            description =
                    "Seconds of each load before the first sample (default ${DEFAULT-VALUE}): all of them are daemons.")
    private int warmUp;

    @Option(names = "--json", description = "Also writes the results to this file.")
    private @Nullable Path json;

    @Option(
            names = "--peers",
            description = "A Debian root directory whose usr/bin holds peers, of any release; PATH comes second.")
    private @Nullable Path peers;

    @Option(
            names = "--guest",
            defaultValue = "namespace",
            description = "What the guest is: ${COMPLETION-CANDIDATES} (default ${DEFAULT-VALUE}).")
    private GuestKind guest = GuestKind.namespace;

    /** Named as the user writes it. */
    private enum GuestKind {
        namespace,
        uml
    }

    @Option(
            names = "--beside",
            description = "The launcher of another build of this product, to measure beside this one as \"other\".")
    private @Nullable Path other;

    private final PrintStream out;
    private final Path launcher;

    NetBench(PrintStream out, Path launcher) {
        this.out = out;
        this.launcher = launcher;
    }

    @Override
    public Integer call() {
        List<Measurement> measurements = Measurement.all().stream()
                .filter(m -> chosen(m.name(), measure))
                .toList();
        try (Lab lab = new Lab()) {
            Map<Contender, Guest> guests = new LinkedHashMap<>();
            try {
                for (Contender c : contenders(lab)) {
                    start(lab, c, guests);
                }
                guests.forEach(this::warmUp);
                Results results = new Results(
                        guests.keySet().stream().map(Contender::name).toList());
                for (Measurement m : measurements) {
                    measure(m, guests, results);
                }
                out.println();
                results.print(out);
                if (json != null) {
                    results.write(json);
                }
                return 0;
            } finally {
                guests.values().forEach(Guest::close);
            }
        }
    }

    private List<Contender> contenders(Lab lab) {
        Peers programs = new Peers(Optional.ofNullable(peers));
        List<Contender> all = new ArrayList<>();
        all.add(new TapContenders.Loopback());
        switch (guest) {
            case namespace -> addTap(all, programs);
            case uml -> addUml(all, programs, lab);
        }
        return all.stream().filter(c -> chosen(c.name(), only)).toList();
    }

    private void addTap(List<Contender> all, Peers programs) {
        for (int mtu : MTUS) {
            all.add(new TapContenders.Longshore("longshore", launcher, mtu, List.of()));
            if (other != null) {
                all.add(new TapContenders.Longshore("other", other, mtu, List.of()));
            }
            all.add(new TapContenders.Pasta(programs, mtu));
            all.add(new TapContenders.Slirp4netns(programs, mtu));
            all.add(new TapContenders.Gvproxy(programs, mtu));
        }
    }

    private void addUml(List<Contender> all, Peers programs, Lab lab) {
        UmlKernel kernel = UmlKernel.choose(
                programs, Home.locate(System.getenv(), Path.of("/")).cache(), lab.dir());
        out.println("guests: " + kernel.description());
        for (int mtu : MTUS) {
            all.add(new UmlContenders.Longshore("longshore", launcher, kernel, mtu));
            if (other != null) {
                all.add(new UmlContenders.Longshore("other", other, kernel, mtu));
            }
            all.add(new UmlContenders.Passt(programs, kernel, mtu));
        }
    }

    private static boolean chosen(String name, List<String> words) {
        return words.isEmpty() || words.stream().anyMatch(name::contains);
    }

    private void start(Lab lab, Contender c, Map<Contender, Guest> guests) {
        Optional<String> obstacle = c.obstacle();
        if (obstacle.isPresent()) {
            out.println(c.name() + ": left out: " + obstacle.get());
            return;
        }
        try {
            guests.put(c, c.start(lab));
            out.println(c.name() + ": runs");
        } catch (BenchException e) {
            out.println(c.name() + ": left out: does not work here: " + e.getMessage());
            out.println(Commands.read(TapContenders.log(lab, c)).indent(4));
        }
    }

    private void warmUp(Contender c, Guest guest) {
        if (warmUp == 0) {
            return;
        }
        for (Measurement m : Measurement.warmUps()) {
            try {
                m.probe().sample(guest, warmUp);
            } catch (BenchException e) {
                out.println(c.name() + ": warming up: " + m.name() + ": " + e.getMessage());
            }
        }
    }

    private void measure(Measurement m, Map<Contender, Guest> guests, Results results) {
        for (int round = 0; round < rounds; round++) {
            for (Map.Entry<Contender, Guest> e : guests.entrySet()) {
                String name = e.getKey().name();
                try {
                    Measurement.Sample sample = m.probe().sample(e.getValue(), seconds);
                    if (sample != null) {
                        results.add(m, name, sample);
                        out.printf("%-28s %-18s %10.2f %s%n", m.name(), name, sample.value(), m.unit());
                    }
                } catch (BenchException x) {
                    results.failed(m, name);
                    out.printf("%-28s %-18s failed: %s%n", m.name(), name, x.getMessage());
                }
            }
        }
    }
}
