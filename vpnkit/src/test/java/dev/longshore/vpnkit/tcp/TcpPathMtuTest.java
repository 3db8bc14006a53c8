package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.TcpGuest;
import dev.longshore.testkit.TcpGuestOptions;
import dev.longshore.vpnkit.flow.FlowSnapshot;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** RFC 1191 and RFC 8201 (path MTU discovery), with the check of RFC 5927 §4.1. */
class TcpPathMtuTest {
    private final TcpBench bench = new TcpBench();
    private final TcpGuest guest = bench.guest;

    @AfterEach
    void close() {
        bench.close();
    }

    private void tooBig(int seq, int mtu) {
        bench.stack.onPacketTooBig(
                GuestEnd.GUEST.hi(),
                GuestEnd.GUEST.lo(),
                TcpBench.GUEST_PORT,
                TcpBench.REMOTE.hi(),
                TcpBench.REMOTE.lo(),
                TcpBench.REMOTE_PORT,
                seq,
                mtu);
        bench.run();
    }

    private void threeInFlight() {
        FakeHost host = bench.established(1460, 7);
        host.sends(TcpTransferTest.pattern(3 * 1460));
        bench.run();
        assertThat(bench.guestEnd.receivedCount()).isEqualTo(3);
        bench.guestEnd.clearReceived();
    }

    @Test
    void tooBig_isSentAgainInSmallerSegments() {
        threeInFlight();
        tooBig(bench.iss + 1, 1240);
        TcpGuest.Segment first = guest.receives();
        assertThat(first.seq()).isEqualTo(bench.iss + 1);
        assertThat(first.payload()).hasSize(1200);
        bench.guestEnd.clearReceived();
        guest.sends(ACK, 0, bench.iss + 1 + 3 * 1460);
        bench.guestEnd.clearReceived();
        assertThat(bench.stack.snapshot().getFirst().mss()).isEqualTo(1200);
    }

    /** The options of each segment have to fit as well. */
    @Test
    void tooBigWithTimestamps_leavesRoomForThem() {
        guest.sends(
                TcpHeader.SYN,
                TcpBench.GUEST_ISS,
                0,
                TcpGuestOptions.NONE
                        .withMss(1460)
                        .withWindowScale(7)
                        .withSackPermitted()
                        .withTimestamps(5, 0));
        FakeHost host = bench.connects();
        bench.iss = guest.receives().seq();
        guest.sends(ACK, 0, bench.iss + 1);
        host.sends(TcpTransferTest.pattern(3 * 1448));
        bench.run();
        assertThat(guest.receives().payload()).hasSize(1448);
        bench.guestEnd.clearReceived();
        tooBig(bench.iss + 1 + 1448, 1240);
        int received = 0;
        while (bench.guestEnd.hasReceived()) {
            TcpGuest.Segment s = guest.receives();
            assertThat(s.seq()).isEqualTo(bench.iss + 1 + received);
            assertThat(s.payload().length).isLessThanOrEqualTo(1240 - 52);
            received += s.payload().length;
        }
        assertThat(received).as("all of it, at once: nothing is congested").isEqualTo(3 * 1448);
        guest.sends(ACK, 0, bench.iss + 1 + received);
        guest.receivesNothing();
    }

    /** Once for the packet, however many routers complain. */
    @Test
    void tooBigAgain_changesNothing() {
        threeInFlight();
        tooBig(bench.iss + 1, 1240);
        bench.guestEnd.clearReceived();
        tooBig(bench.iss + 1 + 1460, 1240);
        guest.receivesNothing();
    }

    @Test
    void tooBigForWhatIsNotInFlight_isIgnored() {
        threeInFlight();
        tooBig(bench.iss, 1000);
        tooBig(bench.iss + 1 + 3 * 1460, 1000);
        tooBig(bench.iss + 12345678, 1000);
        guest.receivesNothing();
        assertThat(bench.stack.snapshot().getFirst().mss()).isEqualTo(1460);
    }

    @Test
    void tooBigWithAbsurdMtu_leavesASegmentOfSomeSize() {
        threeInFlight();
        tooBig(bench.iss + 1, 41);
        assertThat(guest.receives().payload()).hasSize(48); // Linux TCP_MIN_SND_MSS
        bench.guestEnd.clearReceived();
    }

    @Test
    void tooBigWithoutMtu_halves() {
        threeInFlight();
        tooBig(bench.iss + 1, 0);
        assertThat(guest.receives().payload()).hasSize(730);
        bench.guestEnd.clearReceived();
    }

    @Test
    void tooBigForNoFlow_isIgnored() {
        tooBig(77, 1000);
        guest.receivesNothing();
    }

    @Test
    void snapshot_tellsWindowsRttAndMss() {
        FakeHost host = bench.established(1000, 7);
        host.sends("hello");
        bench.run();
        guest.receives();
        bench.advance(Duration.ofMillis(3));
        guest.window(100).sends(ACK, 0, bench.iss + 6, "answer");
        bench.run();
        guest.receives();
        FlowSnapshot s = bench.stack.snapshot().getFirst();
        assertThat(s.intoGuest()).isFalse();
        assertThat(s.state()).isEqualTo("ESTABLISHED");
        assertThat(s.bytesToGuest()).isEqualTo(5);
        assertThat(s.bytesFromGuest()).isEqualTo(6);
        assertThat(s.mss()).isEqualTo(1000);
        assertThat(s.guestWindow()).isEqualTo(12_800);
        assertThat(s.ourWindow()).isGreaterThan(256 << 10);
        assertThat(s.queuedToGuest()).isZero();
        assertThat(s.smoothedRttNanos()).isBetween(1L, 3_000_000L);
        assertThat(s.ageNanos()).isEqualTo(3_000_000L);
        assertThat(s.openedAt() + s.ageNanos()).isEqualTo(bench.loop.clock().nanos());
    }
}
