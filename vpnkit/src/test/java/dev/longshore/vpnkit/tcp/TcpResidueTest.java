package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.FIN;
import static dev.longshore.packet.wire.TcpHeader.PSH;
import static dev.longshore.packet.wire.TcpHeader.RST;
import static dev.longshore.packet.wire.TcpHeader.SYN;
import static dev.longshore.packet.wire.TcpHeader.URG;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.testkit.Received;
import dev.longshore.testkit.TcpGuest;
import dev.longshore.vpnkit.hostsocket.DialResult;
import io.netty.util.ResourceLeakDetector;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What floods, scans and storms leave behind: nothing. Lesson: host sockets leaked until a VM restart (vpnkit, for-mac). */
class TcpResidueTest {
    private final ResourceLeakDetector.Level level = ResourceLeakDetector.getLevel();
    private final List<FakeHost> hosts = new ArrayList<>();

    @BeforeEach
    void trackNoBuffers() {
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED); // they pass by the hundred thousand
    }

    @AfterEach
    void trackBuffersAgain() {
        ResourceLeakDetector.setLevel(level);
    }

    private static TcpGuest port(TcpBench bench, int port, int remotePort) {
        return new TcpGuest(bench.guestEnd, port, TcpBench.REMOTE, remotePort);
    }

    private static void nothingIsLeft(TcpBench bench) {
        assertThat(bench.stack.flowCount()).as("flows").isZero();
        assertThat(bench.stack.timers().size()).as("timers").isZero();
        assertThat(bench.stack.dials()).as("dials").isZero();
        assertThat(bench.stack.memory().keptForGuest())
                .as("bytes for the guest")
                .isZero();
        assertThat(bench.stack.working()).as("flows with work").isZero();
        assertThat(bench.stack.waiting()).as("remembered flows").isLessThan(200);
        assertThat(bench.count(TcpCounter.ENDED_BUG)).isZero();
    }

    @Test
    void synFlood_toHostsThatDoNotAnswer_isBoundedAndEnds() {
        try (TcpBench bench = new TcpBench(new TcpLimits(30_000, 2048, 64 << 20))) {
            for (int i = 0; i < 20_000; i++) {
                port(bench, 1 + i, 80).sendsSyn(i, 1460, 7);
            }
            assertThat(bench.stack.flowCount()).isEqualTo(2048);
            assertThat(bench.dials).hasSize(2048);
            assertThat(bench.count(TcpCounter.SYNS_OVER_DIAL_LIMIT)).isEqualTo(20_000 - 2048);
            bench.dials.forEach(d -> d.answers(new DialResult.TimedOut()));
            bench.run();
            bench.guestEnd.receivesNothing();
            nothingIsLeft(bench);
        }
    }

    /** The flood's dials had their time: an honest connection takes the place of the oldest. */
    @Test
    void synFlood_doesNotKeepOthersOut() {
        try (TcpBench bench = new TcpBench(new TcpLimits(1000, 10, 64 << 20))) {
            for (int i = 0; i < 100; i++) {
                port(bench, 1 + i, 80).sendsSyn(i, 1460, 7);
            }
            TcpGuest honest = port(bench, 40_001, 80);
            honest.sendsSyn(0, 1460, 7);
            assertThat(bench.dials).hasSize(10);
            bench.advance(Duration.ofSeconds(3));
            honest.sendsSyn(0, 1460, 7);
            assertThat(bench.dials).hasSize(11);
            assertThat(bench.dials.getFirst().promise().isCancelled()).isTrue();
            assertThat(bench.count(TcpCounter.DIALS_EVICTED)).isEqualTo(1);
            bench.dials.removeLast().answers(new DialResult.Connected(new FakeHost(bench.loop).channel));
            bench.run();
            assertThat(honest.receives().flags()).isEqualTo(SYN | ACK);
            bench.guestEnd.clearReceived();
        }
    }

    /** The same for handshakes that are never finished: any container can begin some thousands. */
    @Test
    void halfOpenFlood_doesNotKeepOthersOut() {
        try (TcpBench bench = new TcpBench(new TcpLimits(100, 2048, 64 << 20))) {
            for (int i = 0; i < 150; i++) {
                port(bench, 1 + i, 80).sendsSyn(i, 1460, 7);
                hosts.add(bench.connects());
            }
            assertThat(bench.stack.flowCount()).isEqualTo(100);
            bench.guestEnd.clearReceived();
            TcpGuest honest = port(bench, 40_001, 80);
            honest.sendsSyn(0, 1460, 7);
            FakeHost host = bench.connects();
            TcpGuest.Segment answer = honest.receives();
            assertThat(answer.flags()).isEqualTo(SYN | ACK);
            honest.sends(ACK, 1, answer.seq() + 1, "hello");
            assertThat(host.takeText()).isEqualTo("hello");
            assertThat(bench.count(TcpCounter.HALF_OPEN_EVICTED)).isEqualTo(51);
            assertThat(bench.count(TcpCounter.SYNS_OVER_FLOW_LIMIT)).isZero();
            assertThat(hosts.subList(0, 51)).allMatch(FakeHost::isReset);
            assertThat(hosts.subList(51, 150)).noneMatch(FakeHost::isClosed);
            bench.guestEnd.clearReceived();
            for (int i = 0; i < 200; i++) { // who has finished stays
                port(bench, 2000 + i, 80).sendsSyn(i, 1460, 7);
                hosts.add(bench.connects());
            }
            bench.guestEnd.clearReceived();
            honest.sends(ACK, 6, answer.seq() + 1, "again");
            assertThat(host.takeText()).isEqualTo("again");
            bench.guestEnd.clearReceived();
        }
    }

    @Test
    void twentyThousandHalfOpenConnections_endWithTheirHosts() {
        try (TcpBench bench = new TcpBench(new TcpLimits(30_000, 2048, 64 << 20))) {
            for (int i = 0; i < 20_000; i++) {
                port(bench, 1 + i, 80).sendsSyn(i, 1460, 7);
                hosts.add(bench.connects());
            }
            assertThat(bench.stack.flowCount()).isEqualTo(20_000);
            bench.guestEnd.clearReceived(); // never answered
            bench.advance(Duration.ofMinutes(2));
            bench.guestEnd.clearReceived();
            assertThat(hosts).allMatch(FakeHost::isReset);
            nothingIsLeft(bench);
        }
    }

    /** As by nmap -sS: SYN, then RST when it is answered. */
    @Test
    void synScan_leavesNothing() {
        try (TcpBench bench = new TcpBench()) {
            for (int i = 1; i <= 5000; i++) {
                TcpGuest scanner = port(bench, 55_555, i);
                scanner.sendsSyn(77, 1460, -1);
                if (i % 50 == 0) {
                    hosts.add(bench.connects());
                    assertThat(scanner.receives().flags()).isEqualTo(SYN | ACK);
                    scanner.sends(RST, 78, 0);
                } else {
                    bench.dial().answers(new DialResult.Refused());
                    bench.run();
                    assertThat(scanner.receives().flags()).isEqualTo(RST | ACK);
                }
            }
            bench.run();
            assertThat(hosts).hasSize(100).allMatch(FakeHost::isReset);
            nothingIsLeft(bench);
        }
    }

    /** As by nmap -sT of open ports: connected, then closed at once. */
    @Test
    void connectScan_leavesOnlyTimeWaits() {
        try (TcpBench bench = new TcpBench()) {
            for (int i = 1; i <= 2000; i++) {
                TcpGuest scanner = port(bench, 50_000, i);
                scanner.sendsSyn(0, 1460, 7);
                FakeHost host = bench.connects();
                hosts.add(host);
                int iss = scanner.receives().seq();
                scanner.sends(ACK, 1, iss + 1);
                scanner.sends(FIN | ACK, 1, iss + 1);
                host.finishes();
                bench.run();
                scanner.sends(ACK, 2, iss + 2);
                bench.guestEnd.clearReceived();
            }
            bench.guestEnd.clearReceived();
            bench.advance(Duration.ofSeconds(11));
            bench.run();
            assertThat(hosts).allMatch(FakeHost::isClosed);
            assertThat(bench.stack.flowCount()).isZero();
            assertThat(bench.stack.timers().size()).isZero();
        }
    }

    /** As by nmap -sN, -sF, -sX, -sA, -sM: no connection begins, and each is answered as RFC 9293 §3.10.7.1 says, or not. */
    @Test
    void oddScans_openNothing() {
        try (TcpBench bench = new TcpBench()) {
            int[] probes = {0, FIN, FIN | PSH | URG, ACK, FIN | ACK, RST, RST | ACK, SYN | RST, SYN | ACK};
            for (int i = 1; i <= 900; i++) {
                port(bench, 50_000, i).sends(probes[i % probes.length], i, i);
            }
            while (bench.guestEnd.hasReceived()) {
                Received frame = bench.guestEnd.receive();
                assertThat(TcpHeader.flags(frame.frame(), frame.transportAt()) & RST)
                        .isNotZero();
            }
            assertThat(bench.dials).isEmpty();
            nothingIsLeft(bench);
        }
    }

    @Test
    void rstStorm_isNeverAnswered() {
        try (TcpBench bench = new TcpBench()) {
            for (int i = 0; i < 20_000; i++) {
                port(bench, i % 60_000, 80).sends(i % 2 == 0 ? RST : RST | ACK, i * 7919, i);
            }
            bench.guestEnd.receivesNothing();
            nothingIsLeft(bench);
        }
    }

    /** SYN, connected, RST: again and again from the same port. */
    @Test
    void connectAndReset_tenThousandTimes() {
        try (TcpBench bench = new TcpBench()) {
            for (int i = 0; i < 10_000; i++) {
                bench.guest.sendsSyn(i * 100_000, 1460, 7);
                FakeHost host = bench.connects();
                int iss = bench.guest.receives().seq();
                bench.guest.sends(ACK, i * 100_000 + 1, iss + 1, "x");
                bench.guest.receives();
                bench.guest.sends(RST, i * 100_000 + 2, 0);
                bench.run();
                assertThat(host.isReset()).isTrue();
            }
            nothingIsLeft(bench);
        }
    }
}
