package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.FIN;
import static dev.longshore.packet.wire.TcpHeader.PSH;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.TcpGuest;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** RFC 9293 §3.8.6.3: a little text is acknowledged with the host's answer, or soon. */
class TcpAckDelayTest {
    private static final Duration DELAY = Duration.ofNanos(500_000);
    private static final Duration ALMOST = DELAY.minusNanos(1);
    private static final Duration NANO = Duration.ofNanos(1);

    private final TcpBench bench = new TcpBench(TcpLimits.defaults(), DELAY);
    private final TcpGuest guest = bench.guest;

    @AfterEach
    void close() {
        bench.close();
    }

    private int una() {
        return bench.iss + 1;
    }

    @Test
    void answerWithinTheDelay_carriesTheAcknowledgment() {
        FakeHost host = bench.established();
        guest.sends(ACK | PSH, 0, una(), "ping");
        guest.receivesNothing();
        assertThat(host.takeText()).isEqualTo("ping");

        bench.advance(ALMOST);
        host.sends("pong");
        bench.run();
        guest.receives(ACK, una(), 4, "pong");

        guest.sends(ACK, 4, una() + 4);
        bench.advance(DELAY.multipliedBy(3));
        guest.receivesNothing(); // nothing is acknowledged twice
    }

    @Test
    void noAnswer_isAcknowledgedAfterTheDelay_once() {
        bench.established();
        guest.sends(ACK | PSH, 0, una(), "ping");
        bench.advance(ALMOST);
        guest.receivesNothing();
        bench.advance(NANO);
        guest.receives(ACK, una(), 4);
        bench.advance(DELAY.multipliedBy(10));
        guest.receivesNothing();
    }

    @Test
    void secondLittleText_doesNotPutTheFirstOff() {
        bench.established();
        guest.sends(ACK | PSH, 0, una(), "ping");
        bench.advance(ALMOST);
        guest.sends(ACK | PSH, 4, una(), "ping");
        guest.receivesNothing();
        bench.advance(NANO);
        guest.receives(ACK, una(), 8);
        guest.receivesNothing();
    }

    @Test
    void delayBeginsAnew_afterAnAcknowledgment() {
        FakeHost host = bench.established();
        guest.sends(ACK | PSH, 0, una(), "ping");
        bench.advance(ALMOST);
        host.sends("pong");
        bench.run();
        guest.receives(ACK, una(), 4, "pong");

        guest.sends(ACK | PSH, 4, una() + 4, "ping");
        bench.advance(ALMOST); // the timer of the first fires in here
        guest.receivesNothing();
        bench.advance(NANO);
        guest.receives(ACK, una() + 4, 8);
    }

    @Test
    void fullSegment_isAcknowledgedAtOnce() {
        bench.established();
        guest.sends(ACK, 0, una(), "x".repeat(TcpBench.GUEST_MSS));
        guest.receives(ACK, una(), TcpBench.GUEST_MSS);
    }

    @Test
    void littleTexts_thatAddUpToASegment_areAcknowledgedAtOnce() {
        bench.established();
        guest.sends(ACK, 0, una(), "x".repeat(1000));
        guest.receivesNothing();
        guest.sends(ACK, 1000, una(), "x".repeat(1000));
        guest.receives(ACK, una(), 2000);
    }

    @Test
    void fin_isAcknowledgedByTheHostsOwn() {
        FakeHost host = bench.established();
        guest.sends(ACK | PSH | FIN, 0, una(), "bye");
        guest.receivesNothing();
        host.finishes();
        bench.run();
        guest.receives(ACK | FIN, una(), 4);
        guest.receivesNothing();
    }

    @Test
    void fin_ofAHostThatGoesOn_isAcknowledgedAfterTheDelay() {
        bench.established();
        guest.sends(ACK | FIN, 0, una());
        bench.advance(ALMOST);
        guest.receivesNothing();
        bench.advance(NANO);
        guest.receives(ACK, una(), 1);
    }

    @Test
    void gap_isToldAtOnce_andSoIsItsFilling() {
        bench.established();
        guest.sends(ACK, 4, una(), "pong");
        guest.receives(ACK, una(), 0);
        bench.guestEnd.clearReceived();
        guest.sends(ACK, 0, una(), "ping");
        guest.receives(ACK, una(), 8);
    }

    @Test
    void repeatedText_isAcknowledgedAtOnce() {
        bench.established();
        guest.sends(ACK, 0, una(), "ping");
        guest.receivesNothing();
        guest.sends(ACK, 0, una(), "ping");
        guest.receives(ACK, una(), 4);
    }

    @Test
    void flowThatEndsMeanwhile_leavesNoTimer() {
        FakeHost host = bench.established();
        guest.sends(ACK, 0, una(), "ping");
        host.resets();
        bench.run();
        bench.guestEnd.clearReceived();
        bench.advance(DELAY);
        guest.receivesNothing();
        assertThat(bench.stack.timers().size()).isZero();
    }
}
