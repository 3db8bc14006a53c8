package dev.longshore.it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A guest that is a network namespace, behind {@code longshore net} on a host that is another one, whose loopback has nothing
 * on it but what a test starts. Nothing leaves them. Their names hold our process id.
 *
 * <p>The guest's kernel waits for 10 s before it takes silence for a loss: on a busy machine the network's process may have to
 * wait for a processor, and what the kernel would then send again says nothing of the network.
 */
final class ClientsLab implements AutoCloseable {
    static final String GATEWAY = "192.168.65.1";
    static final String DNS = "192.168.65.7";
    static final String HOST = "192.168.65.254";
    static final String HOST6 = "fdc4:f303:9324::254";
    static final String PROHIBITED = "10.77.9.9";
    static final String UNREACHABLE = "10.77.9.10";

    private static final Duration START = Duration.ofSeconds(30);
    private static final Pattern RESIDENT = Pattern.compile("(?m)^longshore_process_resident_bytes (\\S+)$");

    private final long id = ProcessHandle.current().pid() % 65_536;
    private final String launcher = Path.of(System.getProperty("longshore.root", ".."), "longshore")
            .toAbsolutePath()
            .normalize()
            .toString();
    private final Path home;
    private final Running longshore;

    /** @param dir short enough for the path of a socket */
    ClientsLab(Path dir) {
        home = dir.resolve("home");
        try {
            Files.createDirectories(home.resolve("run"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        try {
            for (String place : List.of("guest", "host")) {
                Command.of("ip", "netns", "add", namespace(place)).run().expectOk();
                in(place, "ip", "link", "set", "lo", "up").run().expectOk();
            }
            in("host", "ip", "route", "add", "prohibit", PROHIBITED).run().expectOk();
            in("host", "ip", "route", "add", "unreachable", UNREACHABLE).run().expectOk();
            longshore = start();
        } catch (AssertionError e) {
            deleteNamespaces();
            throw e;
        }
    }

    private Running start() {
        Command.of(launcher, "net", "--help").within(Duration.ofMinutes(10)).run(); // builds, outside of the namespace
        Running running = in(
                        "host",
                        launcher,
                        "net",
                        "--tap",
                        "eth0@" + namespace("guest"),
                        "--configure",
                        "--control",
                        home.resolve("run/control.sock").toString())
                .start();
        try {
            Await.until("longshore net is ready", START, () -> running.err().contains("ready:"), running::err);
            bePatient();
            Await.until(
                    "the guest's IPv6 address",
                    START,
                    () -> addresses().contains("fdc4:f303:9324:")
                            && !addresses().contains("tentative"));
            return running;
        } catch (AssertionError e) {
            running.close();
            throw e;
        }
    }

    private void bePatient() {
        guest("sysctl", "-qw", "net.ipv4.tcp_early_retrans=0").run().expectOk();
        guest("ip", "route", "replace", "192.168.65.0/24", "dev", "eth0", "src", "192.168.65.3", "rto_min", "10s")
                .run()
                .expectOk();
        guest("ip", "route", "add", HOST6, "dev", "eth0", "rto_min", "10s")
                .run()
                .expectOk();
    }

    private String addresses() {
        return guest("ip", "-6", "addr", "show", "dev", "eth0", "scope", "global")
                .run()
                .out();
    }

    private String namespace(String place) {
        return "lscl" + id + "-" + place;
    }

    /** A command in the guest or the host. */
    Command in(String place, String... line) {
        List<String> inside = new ArrayList<>(List.of("ip", "netns", "exec", namespace(place)));
        inside.addAll(List.of(line));
        return Command.of(inside);
    }

    Command guest(String... line) {
        return in("guest", line);
    }

    /** A program on the host that listens on TCP port {@code port}, once it does. */
    Running server(int port, String... line) {
        return listening("-t", port, line);
    }

    /** A program on the host that has UDP port {@code port}. */
    Running udpServer(int port, String... line) {
        return listening("-u", port, line);
    }

    private Running listening(String kind, int port, String... line) {
        Running server = in("host", line).start();
        try {
            Await.until(
                    port + " is listened on by " + List.of(line),
                    START,
                    () -> in("host", "ss", "-Hln", kind).run().out().contains(":" + port + " "),
                    server::err);
            return server;
        } catch (AssertionError e) {
            server.close();
            throw e;
        }
    }

    private String longshore(String... arguments) {
        List<String> line = new ArrayList<>(List.of(launcher));
        line.addAll(List.of(arguments));
        return Command.of(line)
                .with("LONGSHORE_HOME", home.toString())
                .run()
                .expectOk()
                .out();
    }

    /** A line of JSON for each flow that {@code filter} lets through. */
    String flows(String filter) {
        return longshore("flows", "--format", "json", filter);
    }

    /** Nothing is open any more; what is over stays in TIME-WAIT for ten seconds. */
    void awaitTcpClosed() {
        awaitFlows("TCP flows closed", () -> flows("tcp").lines().allMatch(flow -> flow.contains("\"TIME_WAIT\"")));
    }

    /** What is over goes; what nobody has closed would stay. */
    void awaitNoTcpFlow() {
        awaitFlows("the end of all TCP flows", () -> flows("tcp").isBlank());
    }

    private void awaitFlows(String what, Await.Condition condition) {
        Await.until(what, Duration.ofSeconds(30), condition, () -> flows("tcp"));
    }

    /** Of the network's process. */
    long residentBytes() {
        Matcher m = RESIDENT.matcher(longshore("metrics"));
        if (!m.find()) {
            throw new AssertionError("no resident bytes among the metrics");
        }
        return (long) Double.parseDouble(m.group(1));
    }

    /** What the network said since it started. */
    String said() {
        return longshore.err();
    }

    private void deleteNamespaces() {
        for (String place : List.of("guest", "host")) {
            Command.of("ip", "netns", "del", namespace(place)).run();
        }
    }

    @Override
    public void close() {
        longshore.terminate();
        try {
            longshore.result(Duration.ofSeconds(20)).expectOk();
        } finally {
            longshore.close();
            deleteNamespaces();
        }
    }
}
