package dev.longshore.bench;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What understanding the Docker API costs, beside relays that do not: against a scripted Engine, and against a real one. */
@Command(
        name = "api",
        mixinStandardHelpOptions = true,
        description =
                "The Docker API's way through the daemon: latency and throughput beside plain relays, and whether it leaks.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  longshore bench api                          all of it; starts a guest of its own",
            "  longshore bench api --no-guest               only against a scripted Engine, half a minute",
            "",
            "The contenders are processes between the caller and the Engine: 'relay' is the daemon's code for joining two",
            "sockets, 'api' its code for the Docker API, 'socat' the program. 'direct' has nothing in between. A real Engine",
            "is behind the daemon for all of them.",
        })
final class ApiBench implements Callable<Integer> {
    private static final long MIB = 1 << 20;
    private static final int WARM_UP_PINGS = 30_000;
    private static final int LEAK_WARM_UP = 2_000;

    @Option(names = "--rounds", defaultValue = "5", description = "Samples of each (default ${DEFAULT-VALUE}).")
    private int rounds;

    @Option(names = "--pings", defaultValue = "5000", description = "In each sample (default ${DEFAULT-VALUE}).")
    private int pings;

    @Option(names = "--mib", defaultValue = "512", description = "Scripted bodies (default ${DEFAULT-VALUE}).")
    private int mib;

    @Option(names = "--image-mib", defaultValue = "200", description = "The real image (default ${DEFAULT-VALUE}).")
    private int imageMib;

    @Option(
            names = "--requests",
            defaultValue = "10000",
            description = "GET /containers/json for the look at memory and descriptors (default ${DEFAULT-VALUE}).")
    private int requests;

    @Option(names = "--no-guest", description = "Leaves the real Engine out.")
    private boolean noGuest;

    private final PrintStream out;
    private final Path launcher;
    private final MedianTable table;

    ApiBench(PrintStream out, Path launcher) {
        this.out = out;
        this.launcher = launcher;
        this.table = new MedianTable(out);
    }

    /** Where callers of one contender connect to. {@code hop} is absent for the direct way. */
    private record Way(String name, Path socket, Optional<Process> hop) implements AutoCloseable {
        @Override
        public void close() {
            hop.ifPresent(Commands::end);
        }
    }

    private interface Sample {
        double take(Way way) throws IOException;
    }

    @Override
    public Integer call() throws IOException {
        Path dir = Files.createTempDirectory(Path.of("/tmp"), "lsbench"); // short: the paths of sockets are
        try {
            scripted(dir);
            table.print();
            if (!noGuest) {
                real(dir);
            }
            return 0;
        } finally {
            delete(dir);
        }
    }

    // ---- a scripted Engine

    private void scripted(Path dir) throws IOException {
        Path engine = dir.resolve("engine.sock");
        try (ScriptedEngine _ = new ScriptedEngine(engine);
                Ways ways = new Ways(dir, engine)) {
            for (Way way : ways.all) {
                warmUp(way);
            }
            measure("ping p50", "us", ways, way -> ping(way, 0.5));
            measure("ping p99", "us", ways, way -> ping(way, 0.99));
            measure("new connection and ping p50", "us", ways, this::connectAndPing);
            measure("download, chunked", "MiB/s", ways, way -> download(way, mib * MIB));
            measure("upload", "MiB/s", ways, way -> upload(way, mib * MIB));
        }
    }

    private void warmUp(Way way) throws IOException {
        ping(way, WARM_UP_PINGS, 0.5);
        download(way, 2L * mib * MIB);
        upload(way, 2L * mib * MIB);
    }

    private double ping(Way way, double quantile) throws IOException {
        return ping(way, pings, quantile);
    }

    private static double ping(Way way, int count, double quantile) throws IOException {
        try (ApiClient client = new ApiClient(way.socket)) {
            double[] times = client.times("/_ping", count);
            return times[(int) (quantile * (times.length - 1))];
        }
    }

    private double connectAndPing(Way way) throws IOException {
        double[] times = new double[Math.max(1, pings / 10)];
        for (int i = 0; i < times.length; i++) {
            long begin = System.nanoTime();
            try (ApiClient client = new ApiClient(way.socket)) {
                client.get("/_ping");
                times[i] = (System.nanoTime() - begin) / 1e3;
            }
        }
        Arrays.sort(times);
        return times[times.length / 2];
    }

    private static double download(Way way, long bytes) throws IOException {
        try (ApiClient client = new ApiClient(way.socket)) {
            long begin = System.nanoTime();
            long got = client.get("/images/" + bytes + "/get");
            return got / (double) MIB / ((System.nanoTime() - begin) / 1e9);
        }
    }

    private static double upload(Way way, long bytes) throws IOException {
        try (ApiClient client = new ApiClient(way.socket)) {
            long begin = System.nanoTime();
            client.post("/images/load", bytes);
            return bytes / (double) MIB / ((System.nanoTime() - begin) / 1e9);
        }
    }

    // ---- a real one

    private void real(Path dir) throws IOException {
        if (Commands.find("docker").isEmpty()) {
            throw new BenchException("the docker command is not installed");
        }
        Path home = Files.createDirectory(dir.resolve("home"));
        longshore(home, 900, "up");
        try {
            Path engine = home.resolve("run/docker.sock");
            try (Ways ways = new Ways(dir, engine)) {
                String image = makeImage(dir, engine);
                measure("ping p50", "us", ways, way -> ping(way, 500, 0.5));
                measure("docker save", "MiB/s", ways, way -> docker(way, "docker save " + image + " > /dev/null"));
                measure("docker load", "MiB/s", ways, way -> docker(way, "docker load -q < " + dir + "/saved.tar"));
                measure(
                        "docker cp, in",
                        "MiB/s",
                        ways,
                        way -> docker(way, "docker cp -q " + dir + "/data bench:/data"));
                measure(
                        "docker cp, out",
                        "MiB/s",
                        ways,
                        way -> docker(way, "docker cp -q bench:/data " + dir + "/back"));
                table.print();
            }
            leaks(home, engine);
        } finally {
            longshore(home, 120, "down");
        }
    }

    private void longshore(Path home, int seconds, String command) {
        out.println("longshore " + command);
        Commands.run(seconds, "env", "LONGSHORE_HOME=" + home, launcher.toString(), command);
    }

    /** An image of random bytes, which nothing on the way can make less of; and a container to copy to and from. */
    private String makeImage(Path dir, Path engine) throws IOException {
        Path data = dir.resolve("data");
        Random random = new Random(1);
        byte[] block = new byte[1 << 20];
        try (OutputStream file = Files.newOutputStream(data)) {
            for (int i = 0; i < imageMib; i++) {
                random.nextBytes(block);
                file.write(block);
            }
        }
        Way direct = new Way("direct", engine, Optional.empty());
        docker(direct, "tar -C " + dir + " -c data | docker import -c 'CMD [\"x\"]' - bench:1");
        docker(direct, "docker create --name bench bench:1 && docker save bench:1 > " + dir + "/saved.tar");
        return "bench:1";
    }

    /** MiB of the image for each second that a shell command took. */
    private double docker(Way way, String command) {
        long begin = System.nanoTime();
        Commands.run(600, "env", "DOCKER_HOST=unix://" + way.socket, "sh", "-ec", command);
        return imageMib / ((System.nanoTime() - begin) / 1e9);
    }

    /** On one connection, and on as many as there are requests. */
    private void leaks(Path home, Path engine) throws IOException {
        long daemon =
                Long.parseLong(Files.readString(home.resolve("run/backend.pid")).strip());
        list(engine, LEAK_WARM_UP);
        report(daemon, LEAK_WARM_UP);
        list(engine, requests);
        report(daemon, LEAK_WARM_UP + requests);
    }

    private static void list(Path engine, int count) throws IOException {
        try (ApiClient kept = new ApiClient(engine)) {
            for (int i = 0; i < count; i++) {
                if (i % 2 == 0) {
                    kept.get("/containers/json?all=1");
                } else {
                    try (ApiClient fresh = new ApiClient(engine)) {
                        fresh.get("/containers/json?all=1");
                    }
                }
            }
        }
    }

    private void report(long daemon, int requests) throws IOException {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/" + daemon + "/fd"))) {
            out.printf(
                    Locale.ROOT,
                    "after %6d x GET /containers/json: %d MiB resident, %d descriptors%n",
                    requests,
                    Usage.of(daemon).residentBytes() / MIB,
                    descriptors.count());
        }
    }

    // ---- contenders

    /** All ways to one Engine. */
    private static final class Ways implements AutoCloseable {
        private final List<Way> all = new ArrayList<>();

        Ways(Path dir, Path engine) {
            all.add(new Way("direct", engine, Optional.empty()));
            try {
                for (String kind : List.of("relay", "api")) {
                    Path socket = dir.resolve(kind + ".sock");
                    hop(dir, kind, socket, java(kind, socket, engine));
                }
                if (Commands.find("socat").isPresent()) {
                    Path socket = dir.resolve("socat.sock");
                    List<String> line =
                            List.of("socat", "UNIX-LISTEN:" + socket + ",fork,backlog=1024", "UNIX-CONNECT:" + engine);
                    hop(dir, "socat", socket, line);
                }
            } catch (RuntimeException e) {
                close();
                throw e;
            }
        }

        private static List<String> java(String kind, Path socket, Path engine) {
            return List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-Xmx192m",
                    "-XX:+UseSerialGC",
                    "--enable-native-access=ALL-UNNAMED",
                    "--sun-misc-unsafe-memory-access=allow",
                    "-cp",
                    System.getProperty("java.class.path"),
                    ApiHop.class.getName(),
                    kind,
                    socket.toString(),
                    engine.toString());
        }

        private void hop(Path dir, String name, Path socket, List<String> line) {
            delete(socket);
            Path log = dir.resolve(name + ".log");
            Process process = Commands.start(log, line);
            all.add(new Way(name, socket, Optional.of(process)));
            try {
                Waiting.until(20_000, "answer of " + name, () -> answers(socket));
            } catch (BenchException e) {
                throw new BenchException(e.getMessage() + "\n" + Commands.read(log));
            }
        }

        private static boolean answers(Path socket) {
            try (ApiClient client = new ApiClient(socket)) {
                client.get("/_ping");
                return true;
            } catch (IOException e) {
                return false;
            }
        }

        @Override
        public void close() {
            all.forEach(Way::close);
        }
    }

    // ---- samples

    private void measure(String name, String unit, Ways ways, Sample sample) throws IOException {
        for (int round = 0; round < rounds; round++) {
            for (Way way : ways.all) {
                table.add(name, unit, way.name, sample.take(way));
            }
        }
    }

    private static void delete(Path path) {
        if (!Files.exists(path)) {
            return;
        }
        try (Stream<Path> files = Files.walk(path)) {
            files.sorted((a, b) -> b.compareTo(a)).forEach(file -> file.toFile().delete());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
