package dev.longshore.it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A guest that is a network namespace, behind {@code longshore net} on a host with one router to an IPv6 server, whose
 * stretch takes 1400 bytes. The guest's kernel has its IPv6 address and its default route by router advertisement. All are
 * namespaces; nothing leaves them. Their names hold our process id.
 *
 * <pre>
 * guest (SLAAC) - [longshore in host] fd77:1::1 - fd77:1::2 near fd77:2::1 -(1400)- fd77:2::2 server
 * </pre>
 */
final class Ipv6Lab implements AutoCloseable {
    static final String PREFIX = "fdc4:f303:9324:";
    static final String GATEWAY = PREFIX + ":1";
    static final String DNS = PREFIX + ":7";
    static final String HOST = PREFIX + ":254";
    static final String NEAR = "fd77:1::2";
    static final String SERVER = "fd77:2::2";
    static final String DEAD = "fd77:2::99";
    static final int NARROW_MTU = 1400;

    /** Of the host's ::1, to the guest's port 80. */
    static final int PUBLISHED = 18_400;

    /** Of the host's 127.0.0.1, to the guest's port 81. */
    static final int PUBLISHED_V4 = 18_401;

    /** Of all addresses of the host, to the guest's port 82. */
    static final int PUBLISHED_ANY = 18_402;

    /** UDP, of the host's ::1 and 127.0.0.1, to the guest's port 83. */
    static final int PUBLISHED_UDP = 18_403;

    /** The host's address towards {@link #NEAR}. */
    static final String NEAR_HOST = "fd77:1::1";

    /** The host's search domains. */
    static final List<String> SEARCH = List.of("corp.example", "lab.corp.example");

    private static final List<String> PLACES = List.of("guest", "host", "near", "server");
    private static final Duration READY = Duration.ofMinutes(2);

    /** Longer than the 10 s after which the host's routes are looked at again. */
    private static final Duration ADVERTISED = Duration.ofSeconds(20);

    private final long id = ProcessHandle.current().pid() % 65_536;
    private final Running longshore;

    Ipv6Lab() {
        try {
            for (String place : PLACES) {
                Command.of("ip", "netns", "add", namespace(place)).run().expectOk();
                ip(place, "link", "set", "lo", "up");
            }
            writeResolvConf();
            connect("host", "near", 1, 1500);
            connect("near", "server", 2, NARROW_MTU);
            in("near", "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1", "net.ipv6.icmp.ratelimit=0")
                    .run()
                    .expectOk();
            ip("server", "-6", "route", "add", "default", "via", "fd77:2::1");
            addHostRoute();
            longshore = start();
        } catch (AssertionError e) {
            deleteNamespaces();
            throw e;
        }
    }

    /** What {@code ip netns exec} shows as /etc/resolv.conf: ip-netns(8). */
    private void writeResolvConf() {
        try {
            Files.createDirectories(hostFiles());
            Files.writeString(
                    hostFiles().resolve("resolv.conf"),
                    "nameserver 127.0.0.1\nsearch " + String.join(" ", SEARCH) + "\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void deleteResolvConf() {
        try {
            Files.deleteIfExists(hostFiles().resolve("resolv.conf"));
            Files.deleteIfExists(hostFiles());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Path hostFiles() {
        return Path.of("/etc/netns", namespace("host"));
    }

    private Running start() {
        String launcher = Path.of(System.getProperty("longshore.root", ".."), "longshore")
                .toAbsolutePath()
                .normalize()
                .toString();
        Command.of(launcher, "net", "--help").within(Duration.ofMinutes(10)).run(); // builds, outside of the namespace
        Running running = in(
                        "host",
                        launcher,
                        "net",
                        "--tap",
                        "eth0@" + namespace("guest"),
                        "--configure",
                        "--publish",
                        "[::1]:" + PUBLISHED + ":80",
                        "--publish",
                        "127.0.0.1:" + PUBLISHED_V4 + ":81",
                        "--publish",
                        "[::]:" + PUBLISHED_ANY + ":82",
                        "--publish",
                        "[::1]:" + PUBLISHED_UDP + ":83/udp",
                        "--publish",
                        "127.0.0.1:" + PUBLISHED_UDP + ":83/udp")
                .start();
        try {
            Await.until("longshore net is ready", READY, () -> running.err().contains("ready:"), running::err);
            awaitAddress();
            awaitDefaultRoute(true);
            return running;
        } catch (AssertionError e) {
            running.close();
            throw e;
        }
    }

    private void connect(String from, String to, int number, int mtu) {
        ip(from, "link", "add", "lan0", "type", "veth", "peer", "name", "wan0", "netns", namespace(to));
        ip(from, "addr", "add", "fd77:" + number + "::1/64", "dev", "lan0", "nodad");
        ip(to, "addr", "add", "fd77:" + number + "::2/64", "dev", "wan0", "nodad");
        ip(from, "link", "set", "lan0", "mtu", String.valueOf(mtu), "up");
        ip(to, "link", "set", "wan0", "mtu", String.valueOf(mtu), "up");
    }

    private String namespace(String place) {
        return "lsv6" + id + "-" + place;
    }

    private void ip(String place, String... arguments) {
        List<String> line = new ArrayList<>(List.of("ip", "-n", namespace(place)));
        line.addAll(List.of(arguments));
        Command.of(line).run().expectOk();
    }

    /** A command in one of the places: guest, host, near or server. */
    Command in(String place, String... line) {
        List<String> inside = new ArrayList<>(List.of("ip", "netns", "exec", namespace(place)));
        inside.addAll(List.of(line));
        return Command.of(inside);
    }

    Command.Result guest(String... line) {
        return in("guest", line).run();
    }

    /** What the guest's kernel made of the prefix, after its test for duplicates. */
    String guestAddresses() {
        return guest("ip", "-6", "addr", "show", "dev", "eth0", "scope", "global")
                .expectOk()
                .out();
    }

    /** A program in the guest that answers each connection to {@code port} with its caller's address; over IPv6 only. */
    Running sayingWhoCalls(int port) {
        return server(
                "guest",
                port,
                "socat",
                "TCP6-LISTEN:" + port + ",ipv6only=1,fork,reuseaddr",
                "SYSTEM:echo $SOCAT_PEERADDR");
    }

    /** What a connection of a program in {@code place} gets. */
    Command.Result called(String place, String target) {
        return in(place, "socat", "-T", "10", "-u", target, "-").run();
    }

    private void awaitAddress() {
        Await.until(
                "an address by the prefix that was tested",
                ADVERTISED,
                () -> guestAddresses().contains(PREFIX) && !guestAddresses().contains("tentative"),
                this::guestAddresses);
    }

    /** The host's way to all IPv6 destinations. */
    void addHostRoute() {
        ip("host", "-6", "route", "add", "default", "via", NEAR);
    }

    void deleteHostRoute() {
        ip("host", "-6", "route", "del", "default");
    }

    void awaitDefaultRoute(boolean there) {
        Await.until(
                "the guest's IPv6 default route " + (there ? "comes" : "goes"),
                ADVERTISED,
                () -> guest("ip", "-6", "route", "show", "default")
                                .expectOk()
                                .out()
                                .contains("default via fe80::1 ")
                        == there);
    }

    /** Frames the guest's device has seen, {@code rx} to the guest or {@code tx} from it. */
    long frames(String direction) {
        return Long.parseLong(guest("cat", "/sys/class/net/eth0/statistics/" + direction + "_packets")
                .expectOk()
                .text());
    }

    /** A program in {@code place} that listens on {@code port}, once it does. */
    Running server(String place, int port, String... line) {
        Running server = in(place, line).start();
        try {
            Await.until(
                    port + " is listened on by " + List.of(line),
                    Duration.ofSeconds(10),
                    () -> in(place, "ss", "-Hltun").run().out().contains(":" + port + " "),
                    server::err);
            return server;
        } catch (AssertionError e) {
            server.close();
            throw e;
        }
    }

    private void deleteNamespaces() {
        PLACES.forEach(
                place -> Command.of("ip", "netns", "del", namespace(place)).run());
        deleteResolvConf();
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
