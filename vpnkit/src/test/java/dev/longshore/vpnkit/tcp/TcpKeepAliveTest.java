package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.RST;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.TcpGuest;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** RFC 9293 §3.8.4, and what an idle flow costs. */
class TcpKeepAliveTest {
    private final TcpBench bench = new TcpBench();
    private final TcpGuest guest = bench.guest;

    @AfterEach
    void close() {
        bench.close();
    }

    @Test
    void idleGuestThatAnswers_staysForEver() {
        FakeHost host = bench.established();
        int probes = 0;
        for (int hour = 0; hour < 24 * 7; hour++) {
            bench.advance(Duration.ofHours(1));
            while (bench.guestEnd.hasReceived()) {
                guest.receives(ACK, bench.iss, 0);
                guest.sends(ACK, 0, bench.iss + 1);
                probes++;
            }
        }
        assertThat(probes).isBetween(70, 90);
        assertThat(host.isClosed()).isFalse();
    }

    @Test
    void idleGuestThatIsGone_isFoundOut() {
        FakeHost host = bench.established();
        bench.advance(Duration.ofHours(2).plus(Duration.ofSeconds(76 * 9)));
        assertThat(bench.isGone()).isTrue();
        assertThat(host.isReset()).isTrue();
        assertThat(bench.guestEnd.receivedCount()).isEqualTo(13); // three early questions, nine probes, a RST
        TcpGuest.Segment last = guest.receives();
        while (bench.guestEnd.hasReceived()) {
            last = guest.receives();
        }
        assertThat(last.flags()).isEqualTo(RST | ACK);
    }

    @Test
    void idleFlow_needsNoTimerForHours() {
        FakeHost host = bench.established();
        host.sends("x");
        bench.run();
        guest.receives();
        guest.sends(ACK, 0, bench.iss + 2);
        bench.advance(Duration.ofSeconds(65));
        guest.receives(ACK, bench.iss + 1, 0); // the early question
        guest.sends(ACK, 0, bench.iss + 2);
        bench.advance(Duration.ofSeconds(5));
        assertThat(Duration.ofNanos(bench.loop.nanosToNextTimer())).isGreaterThan(Duration.ofMinutes(100));
    }

    @Test
    void guestWhoseResetWasLost_isFoundOutAfterAMinute() {
        FakeHost host = bench.established();
        bench.advance(Duration.ofSeconds(59));
        guest.receivesNothing();
        bench.advance(Duration.ofSeconds(1));
        guest.receives(ACK, bench.iss, 0);
        guest.sends(RST, 0, 0); // Linux's answer to what it has no socket for: SEG.SEQ is our SEG.ACK
        bench.run();
        assertThat(bench.isGone()).isTrue();
        assertThat(host.isReset()).isTrue();
    }

    @Test
    void guestWhoseResetWasLost_andTheQuestionToo_isFoundOutByTheNext() {
        FakeHost host = bench.established();
        bench.advance(Duration.ofSeconds(60));
        guest.receives(ACK, bench.iss, 0); // lost on its way, say
        bench.advance(Duration.ofSeconds(9));
        guest.receivesNothing();
        bench.advance(Duration.ofSeconds(1));
        guest.receives(ACK, bench.iss, 0);
        guest.sends(RST, 0, 0);
        bench.run();
        assertThat(bench.isGone()).isTrue();
        assertThat(host.isReset()).isTrue();
    }

    @Test
    void guestThatIsSilentWhenAskedEarly_staysUntilTheProbesProper() {
        FakeHost host = bench.established();
        bench.advance(Duration.ofMinutes(119));
        assertThat(bench.guestEnd.receivedCount()).isEqualTo(3);
        assertThat(host.isClosed()).isFalse();
    }

    @Test
    void guestIsAskedAgain_onlyAfterSomethingMoved() {
        FakeHost host = bench.established();
        bench.advance(Duration.ofSeconds(60));
        guest.receives(ACK, bench.iss, 0);
        guest.sends(ACK, 0, bench.iss + 1);
        bench.advance(Duration.ofMinutes(10));
        guest.receivesNothing();
        host.sends("x");
        bench.run();
        guest.receives();
        guest.sends(ACK, 0, bench.iss + 2);
        bench.advance(Duration.ofSeconds(60));
        guest.receives(ACK, bench.iss + 1, 0);
    }

    @Test
    void noFlows_noTimer() {
        bench.established();
        guest.sends(RST, 0, 0);
        bench.run();
        assertThat(bench.loop.nanosToNextTimer()).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void guestsOwnProbe_isAnswered() {
        bench.established();
        guest.sends(ACK, -1, bench.iss + 1);
        guest.receives(ACK, bench.iss + 1, 0);
        guest.sends(ACK, -1, bench.iss + 1, "x");
        guest.receives(ACK, bench.iss + 1, 0);
    }
}
