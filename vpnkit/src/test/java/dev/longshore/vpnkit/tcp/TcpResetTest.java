package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.RST;
import static dev.longshore.packet.wire.TcpHeader.SYN;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.TcpGuest;
import dev.longshore.vpnkit.hostsocket.DialResult;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** RFC 9293 §3.5.2 and §3.5.3, and the attacks of RFC 5961. */
class TcpResetTest {
    private final TcpBench bench = new TcpBench();
    private final TcpGuest guest = bench.guest;

    @AfterEach
    void close() {
        bench.close();
    }

    @ParameterizedTest
    @EnumSource(names = {"ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2"})
    void rstAtRcvNxt_isPassedToTheHost(TcpState state) {
        FakeHost host = bench.in(state);
        guest.sends(RST, 0, 0);
        bench.run();
        assertThat(bench.isGone()).isTrue();
        assertThat(host.isReset()).isTrue();
        guest.receivesNothing();
    }

    @ParameterizedTest
    @EnumSource(names = {"CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT"})
    void rstAfterTheGuestsFin_endsTheFlow(TcpState state) {
        bench.in(state);
        guest.sends(RST, 1, 0);
        assertThat(bench.isGone()).isTrue();
    }

    /** RFC 5961 §3.2. */
    @Test
    void rstElsewhereInTheWindow_isChallenged() {
        bench.established();
        guest.sends(RST, 5, 0);
        guest.receives(ACK, bench.iss + 1, 0);
        assertThat(bench.flow().state()).isEqualTo(TcpState.ESTABLISHED);
        guest.sends(RST, 0, 0);
        assertThat(bench.isGone()).isTrue();
    }

    @Test
    void rstOutsideTheWindow_isIgnored() {
        bench.established();
        guest.sends(RST, -9, 0);
        guest.sends(RST, 1 << 24, 0);
        guest.receivesNothing();
        assertThat(bench.flow().state()).isEqualTo(TcpState.ESTABLISHED);
    }

    /** RFC 5961 §4.2: a guest that forgot the connection answers the challenge by RST and may then connect again. */
    @Test
    void synInEstablished_isChallenged() {
        bench.established();
        guest.sendsSyn(12345, 1460, 7);
        guest.receives(ACK, bench.iss + 1, 0);
        guest.sends(RST, 0, 0);
        assertThat(bench.isGone()).isTrue();
        guest.sendsSyn(12345, 1460, 7);
        bench.connects();
        assertThat(guest.receives().flags()).isEqualTo(SYN | ACK);
    }

    /** RFC 5961 §5.2 and §7: acknowledgments of what was never sent are challenged, within a limit. */
    @Test
    void ackOfTheFuture_isChallengedWithinLimits() {
        bench.established();
        guest.sends(ACK, 0, bench.iss + 1000, "x");
        guest.receives(ACK, bench.iss + 1, 0);
        for (int i = 0; i < 1000; i++) {
            guest.sends(ACK, 0, bench.iss + 1000);
        }
        assertThat(bench.guestEnd.receivedCount()).isLessThan(110);
        bench.guestEnd.clearReceived();
    }

    @Test
    void hostReset_isRstWithAck() {
        FakeHost host = bench.established();
        guest.sends(ACK, 0, bench.iss + 1, "hi");
        guest.receives(ACK, bench.iss + 1, 2);
        host.resets();
        bench.run();
        guest.receives(RST | ACK, bench.iss + 1, 2);
        assertThat(bench.isGone()).isTrue();
        guest.sends(ACK, 2, bench.iss + 1, "?");
        guest.receives(RST, bench.iss + 1, 0);
    }

    @Test
    void hostReset_comesAfterWhatItSent() {
        FakeHost host = bench.established();
        host.sends("HTTP/1.1 413");
        bench.run();
        host.resets();
        bench.run();
        guest.receives(ACK, bench.iss + 1, 0, "HTTP/1.1 413");
        guest.receives(RST | ACK, bench.iss + 13, 0);
    }

    /** Both were in the host's kernel when the loop looked: a server that answers early and does not read the rest. */
    @Test
    void hostReset_togetherWithWhatItSent_comesAfterIt() {
        FakeHost host = bench.established();
        host.sends("HTTP/1.1 413");
        host.resets();
        bench.run();
        guest.receives(ACK, bench.iss + 1, 0, "HTTP/1.1 413");
        guest.receives(RST | ACK, bench.iss + 13, 0);
        assertThat(bench.isGone()).isTrue();
        guest.receivesNothing();
    }

    @Test
    void hostReset_doesNotWaitForTheGuestsWindow() {
        FakeHost host = bench.established();
        guest.window(0);
        guest.sends(ACK, 0, bench.iss + 1);
        host.sends("too late");
        host.resets();
        bench.run();
        guest.receives(RST | ACK, bench.iss + 1, 0);
        assertThat(bench.isGone()).isTrue();
        guest.receivesNothing();
    }

    @Test
    void hostClosedWithoutFin_isReset() {
        FakeHost host = bench.established();
        host.channel.close();
        bench.run();
        guest.receives(RST | ACK, bench.iss + 1, 0);
        assertThat(bench.isGone()).isTrue();
    }

    @Test
    void rstInSynReceived_closesTheHost() {
        guest.sendsSyn(TcpBench.GUEST_ISS, 1460, 7);
        FakeHost host = bench.connects();
        guest.receives();
        guest.sends(RST, 0, 0);
        bench.run();
        assertThat(host.isReset()).isTrue();
        assertThat(bench.isGone()).isTrue();
    }

    @Test
    void hostClosingAtOnce_isReset() {
        guest.sendsSyn(TcpBench.GUEST_ISS, 1460, 7);
        TcpBench.Dial dial = bench.dial();
        FakeHost host = new FakeHost(bench.loop);
        dial.answers(new DialResult.Connected(host.channel));
        host.channel.close();
        bench.run();
        int iss = guest.receives().seq();
        guest.receives(RST | ACK, iss + 1, 0);
        assertThat(bench.isGone()).isTrue();
    }

    /** A dialer that cannot be stopped: the connection it brings is closed. */
    @Test
    void dialSucceedingAfterAllIsOver_isClosed() {
        guest.sendsSyn(TcpBench.GUEST_ISS, 1460, 7);
        TcpBench.Dial dial = bench.dial();
        dial.promise().setUncancellable();
        guest.sends(RST, 0, 0);
        assertThat(bench.isGone()).isTrue();
        FakeHost host = new FakeHost(bench.loop);
        dial.answers(new DialResult.Connected(host.channel));
        bench.run();
        assertThat(host.isClosed()).isTrue();
        guest.receivesNothing();
    }

    @Test
    void linkDown_endsAllFlowsAndResetsTheHosts() {
        FakeHost host = bench.established();
        bench.link.setUp(false);
        bench.run();
        assertThat(bench.isGone()).isTrue();
        assertThat(host.isReset()).isTrue();
        guest.receivesNothing();
        bench.link.setUp(true);
    }
}
