package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Datagrams of a real kernel through the network, to servers beyond routers and on the host. */
@BesideTheGuest
class UdpIT {
    private static final Pattern RECEIVED = Pattern.compile("(\\S+ [KMG]bits/sec) .*\\((\\S+)%\\)\\s+receiver");

    private static RoutedLab lab;

    @BeforeAll
    static void open() {
        lab = new RoutedLab();
    }

    @AfterAll
    static void close() {
        lab.close();
    }

    /** What comes back; nothing if the server does not listen yet, which the guest is told. */
    private static String ask(String text, String address) {
        return lab.in("guest", "sh", "-c", "printf '" + text + "' | socat -T 3 -t 3 - " + address)
                .within(Duration.ofSeconds(20))
                .run()
                .text();
    }

    @Test
    void serverBeyondTheRouters_answers() {
        try (Running server =
                lab.in("server", "socat", "UDP4-RECVFROM:5000,fork", "EXEC:cat").start()) {
            Await.until("an answer", Duration.ofSeconds(20), () -> ask("hello", "UDP4:" + RoutedLab.SERVER + ":5000")
                    .equals("hello"));
            assertThat(server.isAlive()).isTrue();
        }
    }

    @Test
    void datagramsAboveTheNarrowMtu_crossBothWays() {
        try (Running server = lab.in("server", "socat", "-b", "65507", "UDP4-RECVFROM:5001,fork", "EXEC:cat")
                .start()) {
            String big = "abcdefghij".repeat(2500);
            Await.until("an answer", Duration.ofSeconds(20), () -> ask(
                            big, "UDP4:" + RoutedLab.SERVER + ":5001,rcvbuf=1000000")
                    .equals(big));
            assertThat(server.isAlive()).isTrue();
        }
    }

    @Test
    void throughput_bothWays_isPrinted() {
        for (String direction : new String[] {"", "-R"}) {
            try (Running server = lab.in("host", "iperf3", "-s", "-1", "--forceflush", "-B", "127.0.0.1")
                    .start()) {
                server.awaitOut("listening", Duration.ofSeconds(10));
                Command.Result result = lab.in(
                                "guest",
                                "sh",
                                "-c",
                                "iperf3 -u -b 2G -l 1400 -t 8 -f m " + direction + " -c " + RoutedLab.HOST)
                        .run()
                        .expectOk();
                Matcher m = RECEIVED.matcher(result.out());
                assertThat(m.find()).as(result.out()).isTrue();
                System.out.println("iperf3 -u at 2 Gbit/s " + (direction.isEmpty() ? "from" : "to") + " the guest: "
                        + m.group(1) + " received, " + m.group(2) + " % lost");
            }
        }
    }
}
