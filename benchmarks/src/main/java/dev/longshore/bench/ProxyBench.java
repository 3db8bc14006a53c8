package dev.longshore.bench;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The HTTP proxy beside its peers, all between wrk and one nginx on loopback. */
@Command(
        name = "proxy",
        mixinStandardHelpOptions = true,
        description =
                "The HTTP proxy beside squid, privoxy and haproxy: requests, latency, tunnels, memory of idle tunnels.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  longshore bench proxy --peers DIR            all of it, about five minutes",
            "  longshore bench proxy --peers DIR --rounds 1 a first look",
            "",
            "'direct' has nothing in between; 'relay' is the daemon's code for joining two sockets. haproxy is a reverse proxy,",
            "which has less to do. DIR is a Debian root with the peers:",
            "  mmdebstrap --mode=root --variant=apt --include=squid,privoxy,haproxy,nginx-light,wrk bookworm DIR",
        })
final class ProxyBench implements Callable<Integer> {
    /** The origin's name: an alias of the host's loopback for the proxy, a line of /etc/hosts for the peers. */
    static final String ORIGIN = "host.docker.internal";

    private static final int ORIGIN_PORT = 18_410;
    private static final int BIG_MIB = 256;
    private static final int IDLE_TUNNELS = 1_000;
    private static final long MIB = 1 << 20;

    @Option(names = "--rounds", defaultValue = "5", description = "Samples of each (default ${DEFAULT-VALUE}).")
    private int rounds;

    @Option(names = "--seconds", defaultValue = "3", description = "Of each sample (default ${DEFAULT-VALUE}).")
    private int seconds;

    @Option(names = "--peers", required = true, description = "A Debian root directory with the peers, see below.")
    private Path peers = Path.of("/");

    private final PrintStream out;
    private final MedianTable table;
    private final List<Way> ways = new ArrayList<>();
    private final List<Process> processes = new ArrayList<>();

    ProxyBench(PrintStream out) {
        this.out = out;
        this.table = new MedianTable(out);
    }

    /**
     * A way to the origin.
     *
     * @param forward requests are in absolute-form, tunnels by CONNECT
     * @param process whose memory is looked at
     */
    private record Way(String name, int port, boolean forward, Process process) {}

    /** What wrk found. */
    private record Load(double requestsPerSecond, double p50Micros, double p99Micros) {}

    @Override
    public Integer call() throws IOException {
        Path lab = Files.createTempDirectory(peers.resolve("tmp"), "lsbench");
        try {
            start(lab);
            ways.forEach(way -> load(lab, way, 32, 2 * seconds)); // warm
            for (int round = 0; round < rounds; round++) {
                for (Way way : ways) {
                    Load many = load(lab, way, 32, seconds);
                    table.add("GET, 32 connections", "1/s", way.name, many.requestsPerSecond);
                    table.add("GET, 32 connections, p99", "us", way.name, many.p99Micros);
                }
                for (Way way : ways) {
                    table.add("GET, 1 connection, p50", "us", way.name, load(lab, way, 1, seconds).p50Micros);
                }
                for (Way way : ways) {
                    if (way.forward || way.name.equals("relay") || way.name.equals("direct")) {
                        table.add("tunnel, one stream", "MiB/s", way.name, stream(way));
                    }
                }
            }
            for (Way way : ways) {
                if (way.name.equals("longshore") || way.name.equals("relay")) {
                    table.add("resident for each idle tunnel", "KiB", way.name, idleTunnels(way));
                }
            }
            table.print();
            return 0;
        } finally {
            processes.forEach(Commands::end);
            Commands.run(30, "rm", "-rf", "--one-file-system", lab.toString());
        }
    }

    // ---- contenders

    private void start(Path lab) throws IOException {
        Path shared =
                Files.createDirectories(peers.resolve("dev/shm")); // squid, which is not root then, keeps things there
        for (Path dir : List.of(lab, shared)) {
            Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwxrwxrwx"));
        }
        String inside = "/tmp/" + lab.getFileName();
        Path hosts = peers.resolve("etc/hosts");
        Files.writeString(hosts, "127.0.0.1 localhost " + ORIGIN + "\n");
        Files.write(lab.resolve("small"), new byte[1024]);
        Files.write(lab.resolve("big"), new byte[(int) (BIG_MIB * MIB)]);
        Files.writeString(
                lab.resolve("wrk.lua"), "request = function() return wrk.format('GET', os.getenv('TARGET')) end\n");
        Files.writeString(lab.resolve("nginx.conf"), """
                daemon off; worker_processes 1; pid %1$s/nginx.pid; error_log %1$s/nginx.log;
                events { worker_connections 4096; }
                http { access_log off; keepalive_requests 1000000000; sendfile on;
                  server { listen 127.0.0.1:%2$d; root %1$s; } }
                """.formatted(inside, ORIGIN_PORT));
        chroot(lab, "nginx", ORIGIN_PORT, "nginx", "-c", inside + "/nginx.conf");
        Process origin = processes.getLast();
        ways.add(new Way("direct", ORIGIN_PORT, false, origin));
        java(lab, "proxy", 18_411);
        ways.add(new Way("longshore", 18_411, true, processes.getLast()));
        java(lab, "relay", 18_412);
        ways.add(new Way("relay", 18_412, false, processes.getLast()));
        Files.writeString(lab.resolve("squid.conf"), """
                http_port 127.0.0.1:%d
                visible_hostname squid.test
                http_access allow all
                cache deny all
                access_log none
                cache_log %2$s/squid.log
                pid_filename %2$s/squid.pid
                pinger_enable off
                netdb_filename none
                coredump_dir %2$s
                shutdown_lifetime 1 seconds
                """.formatted(18_413, inside));
        chroot(lab, "squid", 18_413, "squid", "-N", "-f", inside + "/squid.conf");
        ways.add(new Way("squid", 18_413, true, processes.getLast()));
        Files.writeString(lab.resolve("privoxy.conf"), """
                listen-address 127.0.0.1:%d
                keep-alive-timeout 300
                tolerate-pipelining 1
                max-client-connections 2000
                connection-sharing 1
                """.formatted(18_414));
        chroot(lab, "privoxy", 18_414, "privoxy", "--no-daemon", inside + "/privoxy.conf");
        ways.add(new Way("privoxy", 18_414, true, processes.getLast()));
        Files.writeString(lab.resolve("haproxy.cfg"), """
                global
                  nbthread 1
                  maxconn 4096
                defaults
                  mode http
                  timeout connect 5s
                  timeout client 1m
                  timeout server 1m
                frontend in
                  bind 127.0.0.1:%d
                  default_backend origin
                backend origin
                  http-reuse always
                  server nginx 127.0.0.1:%d
                """.formatted(18_415, ORIGIN_PORT));
        chroot(lab, "haproxy", 18_415, "haproxy", "-db", "-f", inside + "/haproxy.cfg");
        ways.add(new Way("haproxy", 18_415, false, processes.getLast()));
    }

    private void chroot(Path lab, String name, int port, String... line) {
        List<String> command = new ArrayList<>(List.of("chroot", peers.toString()));
        command.addAll(List.of(line));
        start(lab, name, port, command);
    }

    private void java(Path lab, String kind, int port) {
        start(
                lab,
                kind,
                port,
                List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx192m",
                        "-XX:+UseSerialGC",
                        "--enable-native-access=ALL-UNNAMED",
                        "--sun-misc-unsafe-memory-access=allow",
                        "-cp",
                        System.getProperty("java.class.path"),
                        ProxyHop.class.getName(),
                        kind,
                        String.valueOf(port),
                        String.valueOf(ORIGIN_PORT)));
    }

    private void start(Path lab, String name, int port, List<String> command) {
        Path log = lab.resolve(name + ".out");
        processes.add(Commands.start(log, command));
        try {
            Waiting.until(20_000, "listener of " + name, () -> listens(port));
        } catch (BenchException e) {
            throw new BenchException(e.getMessage() + "\n" + Commands.read(log));
        }
    }

    private static boolean listens(int port) {
        try (Socket _ = new Socket(InetAddress.getLoopbackAddress(), port)) {
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    // ---- samples

    private Load load(Path lab, Way way, int connections, int duration) {
        String target = way.forward ? "http://" + ORIGIN + ":" + ORIGIN_PORT + "/small" : "/small";
        String result = Commands.run(
                duration + 30,
                "env",
                "TARGET=" + target,
                "chroot",
                peers.toString(),
                "wrk",
                "-t1",
                "-c" + connections,
                "-d" + duration + "s",
                "--latency",
                "-s",
                "/tmp/" + lab.getFileName() + "/wrk.lua",
                "http://127.0.0.1:" + way.port + "/");
        if (result.contains("Non-2xx") || result.contains("Socket errors")) {
            throw new BenchException(way.name + " fails requests:\n" + result);
        }
        return new Load(
                Double.parseDouble(find(result, "Requests/sec:\\s+([0-9.]+)")),
                micros(find(result, "50%\\s+([0-9.]+[a-z]+)")),
                micros(find(result, "99%\\s+([0-9.]+[a-z]+)")));
    }

    private static String find(String text, String pattern) {
        Matcher m = Pattern.compile(pattern).matcher(text);
        if (!m.find()) {
            throw new BenchException("wrk said something else:\n" + text);
        }
        return m.group(1);
    }

    private static double micros(String time) {
        double number = Double.parseDouble(time.replaceAll("[a-z]+", ""));
        return switch (time.replaceAll("[0-9.]+", "")) {
            case "us" -> number;
            case "ms" -> number * 1e3;
            case "s" -> number * 1e6;
            default -> throw new BenchException("an unknown unit: " + time);
        };
    }

    /** MiB a second of one download, in a tunnel where the way is a forward proxy. */
    private static double stream(Way way) {
        try (Socket s = tunnel(way)) {
            send(s, "GET /big HTTP/1.1\r\nHost: " + ORIGIN + "\r\nConnection: close\r\n\r\n");
            InputStream in = s.getInputStream();
            byte[] buffer = new byte[1 << 18];
            long begin = System.nanoTime();
            long got = 0;
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                got += n;
            }
            if (got < BIG_MIB * MIB) {
                throw new BenchException(way.name + " cuts a download after " + got + " bytes");
            }
            return got / (double) MIB / ((System.nanoTime() - begin) / 1e9);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private double idleTunnels(Way way) {
        List<Socket> open = new ArrayList<>();
        try {
            for (int i = 0; i < 100; i++) {
                open.add(tunnel(way)); // whatever the first ones bring to life
            }
            long before = Usage.of(way.process.pid()).residentBytes();
            for (int i = 0; i < IDLE_TUNNELS; i++) {
                open.add(tunnel(way));
            }
            long after = Usage.of(way.process.pid()).residentBytes();
            out.printf(
                    Locale.ROOT,
                    "%s: %d MiB resident, %d MiB with %d idle tunnels more%n",
                    way.name,
                    before / MIB,
                    after / MIB,
                    IDLE_TUNNELS);
            return (after - before) / 1024.0 / IDLE_TUNNELS;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            open.forEach(ProxyBench::close);
        }
    }

    private static void close(Socket s) {
        try {
            s.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Socket tunnel(Way way) throws IOException {
        Socket s = new Socket(InetAddress.getLoopbackAddress(), way.port);
        if (way.forward) {
            send(
                    s,
                    "CONNECT " + ORIGIN + ":" + ORIGIN_PORT + " HTTP/1.1\r\nHost: " + ORIGIN + ":" + ORIGIN_PORT
                            + "\r\n\r\n");
            String head = head(s.getInputStream());
            if (!head.matches("(?s)HTTP/1.[01] 200.*")) {
                s.close();
                throw new BenchException(way.name + " answered CONNECT with " + head);
            }
        }
        return s;
    }

    private static void send(Socket s, String text) throws IOException {
        s.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
    }

    /** Not a byte more than the head. */
    private static String head(InputStream in) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int c = in.read();
            if (c < 0) {
                throw new BenchException("no answer to CONNECT: " + head);
            }
            head.append((char) c);
        }
        return head.toString();
    }
}
