package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.RST;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.TcpGuest;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** RFC 6298 (timeout), RFC 5681 and RFC 6582 (fast retransmit and recovery). */
class TcpLossTest {
    private static final int MSS = 1000;

    private final TcpBench bench = new TcpBench();
    private final TcpGuest guest = bench.guest;

    @AfterEach
    void close() {
        bench.close();
    }

    /** Ten segments are sent; none is looked at. */
    private FakeHost tenInFlight() {
        FakeHost host = bench.established(MSS, 7);
        host.sends(TcpTransferTest.pattern(10 * MSS));
        bench.run();
        assertThat(bench.guestEnd.receivedCount()).isEqualTo(10);
        bench.guestEnd.clearReceived();
        return host;
    }

    private void acks(int segments) {
        guest.sends(ACK, 0, bench.iss + 1 + segments * MSS);
    }

    @Test
    void noAnswer_isSentAgainWithBackOff_thenGivenUp() {
        FakeHost host = bench.established(MSS, 7);
        host.sends("lost");
        bench.run();
        guest.receives(ACK, bench.iss + 1, 0, "lost");
        bench.advance(Duration.ofMillis(199));
        guest.receivesNothing();
        bench.advance(Duration.ofMillis(2));
        guest.receives(ACK, bench.iss + 1, 0, "lost");
        bench.advance(Duration.ofMillis(398));
        guest.receivesNothing();
        bench.advance(Duration.ofMillis(2));
        guest.receives(ACK, bench.iss + 1, 0, "lost");
        bench.advance(Duration.ofSeconds(100));
        assertThat(bench.flow().state()).as("R2 is at least 100 s").isEqualTo(TcpState.ESTABLISHED);
        bench.advance(Duration.ofMinutes(20));
        assertThat(bench.isGone()).isTrue();
        assertThat(host.isReset()).isTrue();
        TcpGuest.Segment last = guest.receives();
        while (bench.guestEnd.hasReceived()) {
            last = guest.receives();
        }
        assertThat(last.flags()).isEqualTo(RST | ACK);
    }

    @Test
    void timeout_sendsOneSegmentThenGrows() {
        tenInFlight();
        bench.advance(Duration.ofMillis(201));
        assertThat(guest.receives().seq()).isEqualTo(bench.iss + 1);
        guest.receivesNothing();
        acks(1);
        assertThat(bench.guestEnd.receivedCount()).isEqualTo(2);
        bench.guestEnd.clearReceived();
        acks(3);
        assertThat(bench.guestEnd.receivedCount()).isGreaterThan(2);
        bench.guestEnd.clearReceived();
        acks(10);
        guest.receivesNothing();
        assertThat(bench.flow().snapshot().retransmissions()).isGreaterThanOrEqualTo(4);
    }

    /** The timeout was too early: an acknowledgment of everything ends the repetition. */
    @Test
    void lateAckOfEverything_stopsTheRepetition() {
        tenInFlight();
        bench.advance(Duration.ofMillis(201));
        bench.guestEnd.clearReceived();
        acks(10);
        guest.receivesNothing();
        bench.advance(Duration.ofSeconds(59)); // then an idle guest is asked whether it is there
        guest.receivesNothing();
    }

    @Test
    void threeDuplicateAcks_resendTheMissingSegmentAtOnce() {
        tenInFlight();
        acks(2);
        acks(2);
        acks(2);
        guest.receivesNothing();
        acks(2);
        TcpGuest.Segment again = guest.receives();
        assertThat(again.seq()).isEqualTo(bench.iss + 1 + 2 * MSS);
        assertThat(again.payload()).hasSize(MSS);
        guest.receivesNothing();
        acks(2);
        acks(2);
        guest.receivesNothing();
        acks(10);
        guest.receivesNothing();
        assertThat(bench.flow().snapshot().retransmissions()).isEqualTo(1);
    }

    @Test
    void partialAck_resendsTheNextHole() {
        tenInFlight();
        for (int i = 0; i < 4; i++) {
            acks(2);
        }
        assertThat(guest.receives().seq()).isEqualTo(bench.iss + 1 + 2 * MSS);
        acks(5);
        assertThat(guest.receives().seq()).isEqualTo(bench.iss + 1 + 5 * MSS);
        guest.receivesNothing();
        acks(10);
        guest.receivesNothing();
    }

    @Test
    void afterRecovery_theWindowIsHalf() {
        FakeHost host = tenInFlight();
        for (int i = 0; i < 4; i++) {
            acks(0);
        }
        bench.guestEnd.clearReceived();
        acks(10);
        host.sends(TcpTransferTest.pattern(20 * MSS));
        bench.run();
        assertThat(bench.guestEnd.receivedCount()).isLessThanOrEqualTo(6);
        bench.guestEnd.clearReceived();
    }

    @Test
    void textInBothDirections_isNoDuplicateAck() {
        tenInFlight();
        for (int i = 0; i < 5; i++) {
            guest.sends(ACK, i, bench.iss + 1, "x");
        }
        while (bench.guestEnd.hasReceived()) {
            assertThat(guest.receives().payload()).isEmpty();
        }
    }

    @Test
    void windowUpdates_areNoDuplicateAcks() {
        tenInFlight();
        for (int i = 0; i < 5; i++) {
            guest.window(1000 + i);
            acks(0);
        }
        guest.receivesNothing();
    }

    @Test
    void largeSegments_areSentAgainAsSmallOnes() {
        bench.link.offloading();
        FakeHost host = bench.established(MSS, 7);
        byte[] data = TcpTransferTest.pattern(10 * MSS);
        host.sends(data);
        bench.run();
        assertThat(guest.receives().payload()).hasSize(10 * MSS);
        bench.advance(Duration.ofMillis(201));
        assertThat(guest.receives().payload()).hasSize(MSS);
    }

    /** RFC 5681 does not apply to a link in memory before something is lost: no slow start. */
    @Test
    void withoutLoss_theWholeWindowIsUsedAtOnce() {
        FakeHost host = bench.established(MSS, 7);
        host.sends(TcpTransferTest.pattern(100 * MSS));
        bench.run();
        assertThat(bench.guestEnd.receivedCount()).isEqualTo(100);
        bench.guestEnd.clearReceived();
    }
}
