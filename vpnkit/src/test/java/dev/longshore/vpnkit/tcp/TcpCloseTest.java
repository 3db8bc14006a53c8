package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.FIN;
import static dev.longshore.packet.wire.TcpHeader.RST;
import static dev.longshore.packet.wire.TcpHeader.SYN;
import static dev.longshore.vpnkit.tcp.TcpBench.GUEST_MSS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.TcpGuest;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** RFC 9293 §3.6, closing a connection. */
class TcpCloseTest {
    private static final Duration TWO_MSL = Duration.ofNanos(2 * TcpFlow.MSL);

    private final TcpBench bench = new TcpBench();
    private final TcpGuest guest = bench.guest;

    @AfterEach
    void close() {
        bench.close();
    }

    /** The guest closes first, then the host: no TIME-WAIT here, the guest has it. */
    @Test
    void guestClosesFirst_endsInLastAck() {
        FakeHost host = bench.established();
        guest.sends(FIN | ACK, 0, bench.iss + 1);
        guest.receives(ACK, bench.iss + 1, 1);
        assertThat(host.sawEof()).isTrue();
        assertThat(bench.flow().state()).isEqualTo(TcpState.CLOSE_WAIT);

        host.sends("bye");
        bench.run();
        host.finishes();
        bench.run();
        guest.receives(ACK, bench.iss + 1, 1, "bye");
        guest.receives(FIN | ACK, bench.iss + 4, 1);
        assertThat(bench.flow().state()).isEqualTo(TcpState.LAST_ACK);

        guest.sends(ACK, 1, bench.iss + 5);
        assertThat(bench.isGone()).isTrue();
        assertThat(host.isClosed()).isTrue();
        assertThat(host.isReset()).isFalse();
        guest.receivesNothing();
    }

    @Test
    void hostClosesFirst_guestGoesOnSending() {
        FakeHost host = bench.established();
        host.sends("all");
        bench.run();
        host.finishes();
        bench.run();
        guest.receives(ACK, bench.iss + 1, 0, "all");
        guest.receives(FIN | ACK, bench.iss + 4, 0);
        assertThat(bench.flow().state()).isEqualTo(TcpState.FIN_WAIT_1);

        guest.sends(ACK, 0, bench.iss + 5, "more");
        guest.receives(ACK, bench.iss + 5, 4);
        assertThat(bench.flow().state()).isEqualTo(TcpState.FIN_WAIT_2);
        assertThat(host.takeText()).isEqualTo("more");

        guest.sends(FIN | ACK, 4, bench.iss + 5, "last");
        guest.receives(ACK, bench.iss + 5, 9);
        bench.run();
        assertThat(host.takeText()).isEqualTo("last");
        assertThat(host.sawEof()).isTrue();
        assertThat(host.isClosed()).isTrue();
        assertThat(bench.flow().state()).isEqualTo(TcpState.TIME_WAIT);
    }

    @Test
    void finOnTheLastText_ifItFitsAtOnce() {
        FakeHost host = bench.established();
        host.channel.hostSide().deliver(io.netty.buffer.Unpooled.wrappedBuffer(new byte[] {'x'}));
        host.channel.hostSide().guestFinished();
        bench.run();
        guest.receives(FIN | ACK, bench.iss + 1, 0, "x");
    }

    @Test
    void finWait2_fin_isAckedThenHeldForTwoMsl() {
        bench.in(TcpState.FIN_WAIT_2);
        guest.sends(FIN | ACK, 0, bench.iss + 2);
        guest.receives(ACK, bench.iss + 2, 1);

        bench.advance(TWO_MSL.minusNanos(1));
        assertThat(bench.flow().state()).isEqualTo(TcpState.TIME_WAIT);
        bench.advance(Duration.ofNanos(1));
        assertThat(bench.isGone()).isTrue();
        guest.receivesNothing();
    }

    @Test
    void simultaneousClose_goesThroughClosing() {
        FakeHost host = bench.in(TcpState.CLOSING);
        guest.sends(ACK, 1, bench.iss + 2);
        assertThat(bench.flow().state()).isEqualTo(TcpState.TIME_WAIT);
        assertThat(host.isClosed()).isTrue();
    }

    @Test
    void finAndAckOfOurFinInOne_goesStraightToTimeWait() {
        bench.in(TcpState.FIN_WAIT_1);
        guest.sends(FIN | ACK, 0, bench.iss + 2);
        guest.receives(ACK, bench.iss + 2, 1);
        assertThat(bench.flow().state()).isEqualTo(TcpState.TIME_WAIT);
    }

    @Test
    void finAgainInTimeWait_isAckedAndHeldLonger() {
        bench.in(TcpState.TIME_WAIT);
        bench.advance(TWO_MSL.dividedBy(2));
        guest.sends(FIN | ACK, 0, bench.iss + 2);
        guest.receives(ACK, bench.iss + 2, 1);
        bench.advance(TWO_MSL.minusNanos(1));
        assertThat(bench.flow().state()).isEqualTo(TcpState.TIME_WAIT);
        bench.advance(Duration.ofNanos(1));
        assertThat(bench.isGone()).isTrue();
    }

    /** Lesson 22: connect and close in a loop, with the same port. */
    @Test
    void synWithHigherNumberInTimeWait_opensAgain() {
        bench.in(TcpState.TIME_WAIT);
        int oldEnd = bench.iss + 2;
        guest.sendsSyn(100, GUEST_MSS, 7);
        bench.connects();
        TcpGuest.Segment synAck = guest.receives();
        assertThat(synAck.flags()).isEqualTo(SYN | ACK);
        assertThat(synAck.ack()).isEqualTo(101);
        assertThat(synAck.seq() - oldEnd).isPositive();
    }

    @Test
    void oldSynInTimeWait_isChallenged() {
        bench.in(TcpState.TIME_WAIT);
        guest.sendsSyn(-5, GUEST_MSS, 7);
        guest.receives(ACK, bench.iss + 2, 1);
        assertThat(bench.flow().state()).isEqualTo(TcpState.TIME_WAIT);
    }

    @ParameterizedTest
    @EnumSource(names = {"CLOSE_WAIT", "CLOSING", "LAST_ACK"})
    void secondFin_isOnlyAcked(TcpState state) {
        bench.in(state);
        guest.sends(FIN | ACK, 0, bench.iss + 1);
        TcpGuest.Segment s = guest.receives();
        assertThat(s.flags()).isEqualTo(ACK);
        assertThat(s.ack()).isEqualTo(1);
        assertThat(bench.flow().state()).isEqualTo(state);
    }

    @ParameterizedTest
    @EnumSource(names = {"FIN_WAIT_1", "CLOSING", "LAST_ACK"})
    void lostFin_isSentAgain(TcpState state) {
        bench.in(state);
        bench.advance(Duration.ofMillis(1100));
        TcpGuest.Segment again = guest.receives();
        assertThat(again.flags()).isEqualTo(FIN | ACK);
        assertThat(again.seq()).isEqualTo(bench.iss + 1);
    }

    /** Lesson 38: a guest that never closes its half must not hold a slot for ever. */
    @Test
    void hostGoneAndGuestNeverCloses_endsAfterAMinute() {
        FakeHost host = bench.in(TcpState.FIN_WAIT_2);
        host.channel.close();
        bench.run();
        assertThat(bench.flow().state()).isEqualTo(TcpState.FIN_WAIT_2);
        bench.advance(Duration.ofNanos(TcpFlow.ORPHAN_TIMEOUT - 1));
        assertThat(bench.flow().state()).isEqualTo(TcpState.FIN_WAIT_2);
        bench.advance(Duration.ofNanos(1));
        assertThat(bench.isGone()).isTrue();
        guest.receives(RST | ACK, bench.iss + 2, 0);
    }

    @Test
    void hostAliveInFinWait2_isNeverTimedOut() {
        bench.in(TcpState.FIN_WAIT_2);
        bench.advance(Duration.ofMinutes(100));
        assertThat(bench.flow().state()).isEqualTo(TcpState.FIN_WAIT_2);
    }

    @Test
    void textAfterTheHostIsGone_isReset() {
        FakeHost host = bench.in(TcpState.FIN_WAIT_2);
        host.channel.close();
        bench.run();
        guest.sends(ACK, 0, bench.iss + 2, "too late");
        guest.receives(RST | ACK, bench.iss + 2, 0);
        assertThat(bench.isGone()).isTrue();
    }

    @Test
    void guestDataWaitingForTheHost_arrivesBeforeTheFin() {
        FakeHost host = bench.established();
        host.stalls(0);
        guest.sends(FIN | ACK, 0, bench.iss + 1, "slow reader");
        guest.receives(ACK, bench.iss + 1, 12);
        bench.run();
        assertThat(host.sawEof()).isFalse();
        host.resumes();
        bench.run();
        assertThat(host.takeText()).isEqualTo("slow reader");
        assertThat(host.sawEof()).isTrue();
    }

    @Test
    void finBeforeTheHandshakeIsComplete_followsIt() {
        guest.sendsSyn(TcpBench.GUEST_ISS, GUEST_MSS, 7);
        FakeHost host = bench.connects();
        int iss = guest.receives().seq();
        host.sends("banner");
        host.finishes();
        bench.run();
        guest.receivesNothing();
        guest.sends(ACK, 0, iss + 1);
        bench.run();
        guest.receives(ACK | FIN, iss + 1, 0, "banner");
        assertThat(bench.flow().state()).isEqualTo(TcpState.FIN_WAIT_1);
    }

    @Test
    void oldestTimeWait_makesRoomForNewFlows() {
        try (TcpBench small = new TcpBench(new TcpLimits(1, 10, 1 << 20))) {
            small.in(TcpState.TIME_WAIT);
            new TcpGuest(small.guestEnd, 1, TcpBench.REMOTE, 80).sendsSyn(7, GUEST_MSS, 7);
            assertThat(small.isGone()).isTrue();
            assertThat(small.stack.flowCount()).isEqualTo(1);
        }
    }

    /** Lesson 38 again: slots of thousands of short connections come back. */
    @Test
    void manyShortConnections_leaveNothing() {
        for (int i = 0; i < 500; i++) {
            TcpGuest g = new TcpGuest(bench.guestEnd, 1024 + i, TcpBench.REMOTE, 80);
            g.sendsSyn(i, GUEST_MSS, 7);
            FakeHost host = bench.connects();
            int iss = g.receives().seq();
            g.sends(FIN | ACK, i + 1, iss + 1, "q");
            g.receives(ACK, iss + 1, i + 3);
            host.finishes();
            bench.run();
            g.receives(FIN | ACK, iss + 1, i + 3);
            g.sends(ACK, i + 3, iss + 2);
            assertThat(host.isClosed()).isTrue();
        }
        assertThat(bench.stack.flowCount()).isZero();
        assertThat(bench.stack.timers().size()).isZero();
    }
}
