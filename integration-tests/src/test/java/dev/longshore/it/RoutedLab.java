package dev.longshore.it;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A guest that is a network namespace, behind {@code longshore net} on a host with three routers' way to a server, the last
 * stretch of which takes 1280 bytes. All are namespaces; nothing leaves them. Their names hold our process id.
 *
 * <pre>
 * guest .65.3 - [longshore in host] 10.77.1.1 - 10.77.1.2 near 10.77.2.1 - 10.77.2.2 far 10.77.3.1 -(1280)- 10.77.3.2 server
 * </pre>
 */
final class RoutedLab implements AutoCloseable {
    static final String GATEWAY = "192.168.65.1";
    static final String HOST = "192.168.65.254";
    static final String NEAR = "10.77.1.2";
    static final String FAR = "10.77.2.2";
    static final String SERVER = "10.77.3.2";
    static final int NARROW_MTU = 1280;

    private static final List<String> PLACES = List.of("guest", "host", "near", "far", "server");
    private static final Duration READY = Duration.ofMinutes(2); // the first one builds

    private final long id = ProcessHandle.current().pid() % 65_536;
    private final Running longshore;

    RoutedLab() {
        try {
            for (String place : PLACES) {
                Command.of("ip", "netns", "add", namespace(place)).run().expectOk();
                ip(place, "link", "set", "lo", "up");
            }
            connect("host", "near", 1, 1500);
            connect("near", "far", 2, 1500);
            connect("far", "server", 3, NARROW_MTU);
            ip("host", "route", "add", "default", "via", NEAR);
            ip("near", "route", "add", "10.77.3.0/24", "via", FAR);
            ip("far", "route", "add", "10.77.1.0/24", "via", "10.77.2.1");
            ip("server", "route", "add", "default", "via", "10.77.3.1");
            in("near", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.icmp_ratelimit=0")
                    .run()
                    .expectOk();
            in("far", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.icmp_ratelimit=0")
                    .run()
                    .expectOk();
            in("server", "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0").run().expectOk();
            longshore = start();
        } catch (AssertionError e) {
            deleteNamespaces();
            throw e;
        }
    }

    private Running start() {
        String launcher = Path.of(System.getProperty("longshore.root", ".."), "longshore")
                .toAbsolutePath()
                .normalize()
                .toString();
        Command.of(launcher, "net", "--help").within(Duration.ofMinutes(10)).run(); // builds, outside of the namespace
        Running running = in("host", launcher, "net", "--tap", "eth0@" + namespace("guest"))
                .start();
        try {
            Await.until("longshore net is ready", READY, () -> running.err().contains("ready:"), running::err);
            ip("guest", "addr", "add", "192.168.65.3/24", "dev", "eth0");
            ip("guest", "link", "set", "eth0", "up");
            ip("guest", "route", "add", "default", "via", GATEWAY);
            return running;
        } catch (AssertionError e) {
            running.close();
            throw e;
        }
    }

    /** Interfaces {@code lan0} and {@code wan0}, addresses .1 and .2 of 10.77.{@code number}.0/24. */
    private void connect(String from, String to, int number, int mtu) {
        ip(from, "link", "add", "lan0", "type", "veth", "peer", "name", "wan0", "netns", namespace(to));
        ip(from, "addr", "add", "10.77." + number + ".1/24", "dev", "lan0");
        ip(to, "addr", "add", "10.77." + number + ".2/24", "dev", "wan0");
        ip(from, "link", "set", "lan0", "mtu", String.valueOf(mtu), "up");
        ip(to, "link", "set", "wan0", "mtu", String.valueOf(mtu), "up");
    }

    private String namespace(String place) {
        return "lsnet" + id + "-" + place;
    }

    private void ip(String place, String... arguments) {
        List<String> line = new ArrayList<>(List.of("ip", "-n", namespace(place)));
        line.addAll(List.of(arguments));
        Command.of(line).run().expectOk();
    }

    /** A command in one of the places: guest, host, near, far or server. */
    Command in(String place, String... line) {
        List<String> inside = new ArrayList<>(List.of("ip", "netns", "exec", namespace(place)));
        inside.addAll(List.of(line));
        return Command.of(inside);
    }

    private void deleteNamespaces() {
        PLACES.forEach(
                place -> Command.of("ip", "netns", "del", namespace(place)).run());
    }

    @Override
    public void close() {
        longshore.terminate();
        try {
            longshore.result(Duration.ofSeconds(20));
        } finally {
            longshore.close();
            deleteNamespaces();
        }
    }
}
