package dev.longshore.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The guest's name server beside its peers, all between dnsperf and one nsd. */
@Command(
        name = "dns",
        mixinStandardHelpOptions = true,
        description = "The name server beside dnsmasq and unbound: questions a second, latency, loss.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  longshore bench dns --peers DIR              all of it, about four minutes",
            "  longshore bench dns --peers DIR --rounds 1   a first look",
            "",
            "'relay' asks for names with a time to live of 0, which nobody keeps; 'cached' for names that were asked for before.",
            "'nsd' is asked directly. dnsmasq relays without a cache (dnsmasq) or has one (dnsmasq+cache). Run as root. DIR is a",
            "Debian root with the peers:",
            "  mmdebstrap --mode=root --variant=apt --include=nsd,unbound,dnsmasq-base,dnsperf bookworm DIR",
        })
final class DnsBench implements Callable<Integer> {
    private static final String LONGSHORE = "192.168.65.7";
    private static final String NSD = "10.88.0.53";
    private static final String DNSMASQ = "10.88.0.54";
    private static final String CACHING = "10.88.0.55";
    private static final String UNBOUND = "10.88.0.56";
    private static final int NAMES = 1000;
    private static final int MANY = 100;

    @Option(names = "--rounds", defaultValue = "5", description = "Samples of each (default ${DEFAULT-VALUE}).")
    private int rounds;

    @Option(names = "--seconds", defaultValue = "3", description = "Of each sample (default ${DEFAULT-VALUE}).")
    private int seconds;

    @Option(names = "--peers", required = true, description = "A Debian root directory with the peers, see below.")
    private Path peers = Path.of("/");

    private final PrintStream out;
    private final Path launcher;
    private final MedianTable table;
    private final List<Process> processes = new ArrayList<>();
    private final String prefix = "lsdnsb" + ProcessHandle.current().pid();
    private final String host = prefix + "-host";
    private final String guest = prefix + "-guest";

    DnsBench(PrintStream out, Path launcher) {
        this.out = out;
        this.launcher = launcher;
        this.table = new MedianTable(out);
    }

    /**
     * Who is asked.
     *
     * @param relays it may be asked for what nobody keeps
     * @param caches it answers from what it keeps
     */
    private record Server(String name, String address, boolean relays, boolean caches) {}

    private static final List<Server> SERVERS = List.of(
            new Server("nsd", NSD, true, true),
            new Server("longshore", LONGSHORE, true, true),
            new Server("dnsmasq", DNSMASQ, true, false),
            new Server("dnsmasq+cache", CACHING, false, true),
            new Server("unbound", UNBOUND, true, true));

    /** What dnsperf found. */
    private record Load(double perSecond, double meanMicros, double lost) {}

    @Override
    public Integer call() throws IOException {
        Path lab = Files.createTempDirectory(peers.resolve("tmp"), "lsbench");
        try {
            Commands.run(10, "ip", "netns", "add", host);
            Commands.run(10, "ip", "netns", "add", guest);
            start(lab);
            for (Server s : SERVERS) {
                load(lab, s, "relay", MANY, 2 * seconds, 0, "udp"); // warm
                load(lab, s, "cached", MANY, 2 * seconds, 0, "udp");
            }
            for (int round = 0; round < rounds; round++) {
                round(lab);
            }
            table.print();
            return 0;
        } finally {
            processes.reversed().forEach(Commands::end);
            Commands.run(10, "ip", "netns", "del", guest);
            Commands.run(10, "ip", "netns", "del", host);
            Commands.run(30, "rm", "-rf", "--one-file-system", lab.toString());
        }
    }

    private void round(Path lab) throws IOException {
        for (String kind : List.of("relay", "cached")) {
            for (Server s : SERVERS) {
                if (kind.equals("relay") ? s.relays : s.caches) {
                    Load full = load(lab, s, kind, MANY, seconds, 0, "udp");
                    table.add(kind + ", " + MANY + " waiting", "1/s", s.name, full.perSecond);
                    Load half = load(lab, s, kind, MANY, seconds, (int) (full.perSecond / 2), "udp");
                    table.add(kind + ", lost at half that rate", "%", s.name, half.lost);
                }
            }
            for (Server s : SERVERS) {
                if (kind.equals("relay") ? s.relays : s.caches) {
                    Load one = load(lab, s, kind, 1, seconds, 0, "udp");
                    table.add(kind + ", one at a time, mean", "us", s.name, one.meanMicros);
                }
            }
        }
        for (Server s : SERVERS) {
            if (s.relays) {
                Load tcp = load(lab, s, "relay", MANY, seconds, 0, "tcp");
                table.add("relay over TCP, " + MANY + " waiting", "1/s", s.name, tcp.perSecond);
            }
        }
    }

    // ---- the servers

    private void start(Path lab) throws IOException {
        for (String ns : List.of(host, guest)) {
            Commands.run(10, "ip", "-n", ns, "link", "set", "lo", "up");
        }
        Commands.run(
                10, "ip", "-n", host, "link", "add", "lan0", "type", "veth", "peer", "name", "lan0", "netns", guest);
        for (String address : List.of("10.88.0.1", NSD, DNSMASQ, CACHING, UNBOUND)) {
            Commands.run(10, "ip", "-n", host, "addr", "add", address + "/24", "dev", "lan0");
        }
        Commands.run(10, "ip", "-n", guest, "addr", "add", "10.88.0.2/24", "dev", "lan0");
        Commands.run(10, "ip", "-n", host, "link", "set", "lan0", "up");
        Commands.run(10, "ip", "-n", guest, "link", "set", "lan0", "up");
        String inside = "/tmp/" + lab.getFileName();
        Files.writeString(lab.resolve("zone"), zone());
        Files.writeString(lab.resolve("relay"), questions("n%d.zero.example.test A\n", 10 * NAMES));
        Files.writeString(lab.resolve("cached"), questions("n%d.example.test A\n", NAMES));
        Files.writeString(lab.resolve("nsd.conf"), """
                server:
                  ip-address: %1$s
                  ip-address: 127.0.0.1
                  username: ""
                  zonesdir: %2$s
                  pidfile: ""
                  database: ""
                  xfrdfile: ""
                  zonelistfile: ""
                  rrl-ratelimit: 0
                  server-count: 1
                remote-control:
                  control-enable: no
                zone:
                  name: example.test
                  zonefile: zone
                """.formatted(NSD, inside));
        Files.writeString(lab.resolve("unbound.conf"), """
                server:
                  interface: %s
                  access-control: 10.88.0.0/24 allow
                  do-daemonize: no
                  username: ""
                  chroot: ""
                  pidfile: ""
                  use-syslog: no
                  module-config: "iterator"
                  do-not-query-localhost: no
                  local-zone: "test." transparent
                  num-threads: 1
                forward-zone:
                  name: "."
                  forward-addr: 127.0.0.1
                """.formatted(UNBOUND));
        peer(lab, "nsd", "nsd", "-d", "-c", inside + "/nsd.conf");
        peer(lab, "unbound", "unbound", "-d", "-c", inside + "/unbound.conf");
        dnsmasq(lab, DNSMASQ, 0);
        dnsmasq(lab, CACHING, 10_000);
        Path log = lab.resolve("longshore.out");
        processes.add(Commands.start(
                log,
                Lab.in(
                        host,
                        List.of(
                                launcher.toString(),
                                "net",
                                "--tap",
                                "eth0@" + guest,
                                "--configure",
                                "--dns",
                                "127.0.0.1"))));
        Waiting.until(60_000, "ready longshore net", () -> Commands.read(log).contains("ready"));
    }

    private void dnsmasq(Path lab, String address, int cache) {
        peer(
                lab,
                "dnsmasq" + cache,
                "dnsmasq",
                "--keep-in-foreground",
                "--no-resolv",
                "--no-hosts",
                "--conf-file=/dev/null",
                "--pid-file=",
                "--user=root",
                "--bind-interfaces",
                "--except-interface=lo",
                "--listen-address=" + address,
                "--cache-size=" + cache,
                "--dns-forward-max=1000",
                "--server=127.0.0.1");
    }

    private void peer(Path lab, String name, String... line) {
        List<String> command = Stream.concat(Stream.of("chroot", peers.toString()), Stream.of(line))
                .toList();
        processes.add(Commands.start(lab.resolve(name + ".out"), Lab.in(host, command)));
    }

    private static String zone() {
        StringBuilder text = new StringBuilder("""
                $ORIGIN example.test.
                $TTL 86400
                @ IN SOA ns hostmaster 1 3600 600 86400 60
                @ IN NS ns
                ns IN A 10.88.0.53
                *.zero 0 IN A 192.0.2.1
                """);
        for (int i = 0; i < NAMES; i++) {
            text.append("n").append(i).append(" IN A 192.0.2.").append(i % 250).append('\n');
        }
        return text.toString();
    }

    private static String questions(String form, int count) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < count; i++) {
            text.append(String.format(Locale.ROOT, form, i));
        }
        return text.toString();
    }

    // ---- samples

    private Load load(Path lab, Server s, String kind, int waiting, int duration, int rate, String transport) {
        List<String> line = new ArrayList<>(List.of("chroot", peers.toString(), "dnsperf", "-s", s.address));
        line.addAll(List.of("-d", "/tmp/" + lab.getFileName() + "/" + kind, "-q", String.valueOf(waiting)));
        line.addAll(List.of("-l", String.valueOf(duration), "-t", "5", "-m", transport, "-c"));
        line.add(transport.equals("tcp") ? "10" : String.valueOf(Math.min(waiting, 4)));
        if (rate > 0) {
            line.addAll(List.of("-Q", String.valueOf(rate)));
        }
        String said = Commands.run(duration + 30, Lab.in(guest, line));
        if (!said.contains("Response codes:       NOERROR")) {
            throw new BenchException(s.name + " does not answer\n" + said);
        }
        return new Load(
                number(said, "Queries per second:\\s+([0-9.]+)"),
                1e6 * number(said, "Average Latency \\(s\\):\\s+([0-9.]+)"),
                number(said, "Queries lost:\\s+[0-9]+ \\(([0-9.]+)%\\)"));
    }

    private double number(String text, String pattern) {
        Matcher m = Pattern.compile(pattern).matcher(text);
        if (!m.find()) {
            out.println(text);
            throw new BenchException("dnsperf said something else");
        }
        return Double.parseDouble(m.group(1));
    }
}
