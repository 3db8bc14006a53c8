package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What the guest's kernel and its tools hear of the network behind the host: hops, MTU, refusals. */
@BesideTheGuest
class IcmpIT {
    private static final Pattern HOP = Pattern.compile("(?m)^ ?(\\d+)[: ]\\s+(\\S+)");

    private static RoutedLab lab;

    @BeforeAll
    static void open() {
        lab = new RoutedLab();
    }

    @AfterAll
    static void close() {
        lab.close();
    }

    /** Who answered at each distance, as traceroute and tracepath print it. */
    private static List<String> hops(String out) {
        List<String> hops = new ArrayList<>();
        for (Matcher m = HOP.matcher(out); m.find(); ) {
            int distance = Integer.parseInt(m.group(1));
            if (distance == hops.size() + 1 && !m.group(2).startsWith("[")) {
                hops.add(m.group(2));
            } else if (distance == hops.size()) {
                hops.set(distance - 1, m.group(2)); // tracepath's last word about it
            }
        }
        return hops;
    }

    private static List<String> traceroute(String... options) {
        List<String> line = new ArrayList<>(List.of("traceroute", "-n", "-q", "1", "-w", "3"));
        line.addAll(List.of(options));
        line.add(RoutedLab.SERVER);
        Command.Result result =
                lab.in("guest", line.toArray(String[]::new)).run().expectOk();
        return hops(result.out().substring(result.out().indexOf('\n') + 1));
    }

    @Test
    void tracerouteWithUdp_showsEachHop() {
        assertThat(traceroute("-U"))
                .containsExactly(RoutedLab.GATEWAY, RoutedLab.NEAR, RoutedLab.FAR, RoutedLab.SERVER);
        assertThat(traceroute()).containsExactly(RoutedLab.GATEWAY, RoutedLab.NEAR, RoutedLab.FAR, RoutedLab.SERVER);
    }

    @Test
    void tracerouteWithPings_showsEachHop() {
        assertThat(traceroute("-I"))
                .containsExactly(RoutedLab.GATEWAY, RoutedLab.NEAR, RoutedLab.FAR, RoutedLab.SERVER);
    }

    @Test
    void tracerouteWithTcp_showsEachHop() {
        try (Running server = lab.in("server", "socat", "TCP4-LISTEN:80,fork,reuseaddr", "EXEC:cat")
                .start()) {
            assertThat(traceroute("-T", "-p", "80"))
                    .containsExactly(RoutedLab.GATEWAY, RoutedLab.NEAR, RoutedLab.FAR, RoutedLab.SERVER);
            assertThat(server.isAlive()).isTrue();
        }
    }

    @Test
    void tracepath_showsEachHop_andTheNarrowMtu() {
        Command.Result result =
                lab.in("guest", "tracepath", "-n", RoutedLab.SERVER).run().expectOk();
        assertThat(hops(result.out()))
                .as(result.out())
                .containsExactly(RoutedLab.GATEWAY, RoutedLab.NEAR, RoutedLab.FAR, RoutedLab.SERVER);
        assertThat(result.out()).contains("pmtu " + RoutedLab.NARROW_MTU);
    }

    @Test
    void ping_bringsTheRemotesTtl_lessTheHopsOnTheWay() {
        Command.Result result = lab.in("guest", "ping", "-n", "-c", "3", "-i", "0.2", RoutedLab.SERVER)
                .run()
                .expectOk();
        assertThat(result.out()).contains("ttl=61 "); // 64, less far, near and longshore
    }

    /** gvproxy: a guest's ping always succeeded, even to dead hosts. */
    @Test
    void pingOfADeadHost_fails_withTheRoutersWord() {
        Command.Result result = lab.in("guest", "ping", "-n", "-c", "1", "-W", "5", "10.77.3.99")
                .run();
        assertThat(result.exit()).isEqualTo(1);
        assertThat(result.out()).contains("From 10.77.2.2").contains("Destination Host Unreachable");
    }

    /** orbstack: packets above the path's MTU vanished without a word. */
    @Test
    void largePingThatMayNotBeCut_isToldTheMtu() {
        lab.in("guest", "ip", "route", "flush", "cache").run().expectOk(); // it may have heard before
        Command.Result result = lab.in(
                        "guest",
                        "ping",
                        "-n",
                        "-c",
                        "2",
                        "-i",
                        "0.5",
                        "-W",
                        "3",
                        "-M",
                        "do",
                        "-s",
                        "1400",
                        RoutedLab.SERVER)
                .run();
        assertThat(result.exit()).isEqualTo(1);
        assertThat(result.out()).contains("From 10.77.2.2").contains("mtu = " + RoutedLab.NARROW_MTU);
    }

    @Test
    void largePingThatMayBeCut_arrives() {
        lab.in("guest", "ping", "-n", "-c", "1", "-M", "dont", "-s", "20000", RoutedLab.SERVER)
                .run()
                .expectOk();
    }

    @Test
    void closedPort_isRefusedAtOnce() {
        Command.Result result = lab.in("guest", "sh", "-c", "echo x | socat -T 5 - UDP4:" + RoutedLab.SERVER + ":9")
                .within(Duration.ofSeconds(20))
                .run();
        assertThat(result.err()).contains("Connection refused");
    }
}
