package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.testkit.TcpGuest;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** RFC 9293 §3.8.6, managing the window; lessons 19, 21, 25 and 27. */
class TcpWindowTest {
    private final TcpBench bench = new TcpBench();
    private final TcpGuest guest = bench.guest;

    @AfterEach
    void close() {
        bench.close();
    }

    @Test
    void guestsWindow_isNeverExceeded() {
        guest.window(3000);
        FakeHost host = bench.established(1460, TcpGuest.NONE);
        host.sends(TcpTransferTest.pattern(10_000));
        bench.run();
        assertThat(guest.receives().payload()).hasSize(1460);
        assertThat(guest.receives().payload()).hasSize(1460);
        guest.receivesNothing(); // 80 bytes would be silly
        guest.sends(ACK, 0, bench.iss + 1 + 2920);
        assertThat(guest.receives().seq()).isEqualTo(bench.iss + 1 + 2920);
        bench.guestEnd.clearReceived();
    }

    @Test
    void zeroWindow_isProbedWithBackOff_forEver() {
        FakeHost host = bench.established();
        guest.window(0);
        guest.sends(ACK, 0, bench.iss + 1);
        host.sends("waiting");
        bench.run();
        guest.receivesNothing();
        int probes = 0;
        for (int minute = 0; minute < 120; minute++) {
            bench.advance(Duration.ofMinutes(1));
            while (bench.guestEnd.hasReceived()) {
                TcpGuest.Segment probe = guest.receives(ACK, bench.iss, 0);
                assertThat(probe.payload()).isEmpty();
                probes++;
                guest.sends(ACK, 0, bench.iss + 1);
            }
        }
        assertThat(probes).isBetween(120, 135);
        guest.window(100);
        guest.sends(ACK, 0, bench.iss + 1);
        guest.receives(ACK, bench.iss + 1, 0, "waiting");
    }

    @Test
    void probesWithoutAnyAnswer_endTheFlow() {
        FakeHost host = bench.established();
        guest.window(0);
        guest.sends(ACK, 0, bench.iss + 1);
        host.sends("waiting");
        bench.run();
        bench.advance(Duration.ofMinutes(30));
        assertThat(bench.isGone()).isTrue();
        assertThat(host.isReset()).isTrue();
        bench.guestEnd.clearReceived();
    }

    @Test
    void smallWindow_isUsedAfterAWhile() {
        FakeHost host = bench.established();
        guest.window(1); // 128 bytes
        guest.sends(ACK, 0, bench.iss + 1);
        host.sends(TcpTransferTest.pattern(5000));
        bench.run();
        guest.receivesNothing();
        bench.advance(Duration.ofMillis(300));
        int sent = 0;
        while (bench.guestEnd.hasReceived()) {
            sent += guest.receives().payload().length;
        }
        assertThat(sent).isEqualTo(128);
    }

    @Test
    void windowTakenBackWithDataInFlight_doesNotStall() {
        FakeHost host = bench.established();
        host.sends(TcpTransferTest.pattern(3000));
        bench.run();
        bench.guestEnd.clearReceived(); // lost
        guest.window(0);
        guest.sends(ACK, 0, bench.iss + 1);
        for (int i = 0; i < 40; i++) {
            bench.advance(Duration.ofSeconds(30));
            while (bench.guestEnd.hasReceived()) {
                guest.receives();
            }
            guest.sends(ACK, 0, bench.iss + 1);
        }
        assertThat(bench.flow().state()).isEqualTo(TcpState.ESTABLISHED);
        guest.window(0xFFFF);
        guest.sends(ACK, 0, bench.iss + 1);
        bench.advance(Duration.ofSeconds(61));
        assertThat(guest.receives().payload()).isNotEmpty();
        bench.guestEnd.clearReceived();
    }

    /** The remote does not read: what the guest may send is bounded, and opens again without the guest asking. */
    @Test
    void slowHost_closesTheWindowAndReopensIt() {
        FakeHost host = bench.established();
        host.stalls(0);
        int sent = 0;
        int window = 0xFFFF;
        byte[] piece = TcpTransferTest.pattern(10_000);
        while (window >= piece.length) {
            guest.sendsRaw(guest.segment(ACK, sent, bench.iss + 1, piece), FrameSink.CHECKSUM_VALID);
            sent += piece.length;
            TcpGuest.Segment ack = guest.receives();
            assertThat(ack.ack()).isEqualTo(sent);
            window = ack.window() << 8;
            assertThat(sent).as("bounded").isLessThan(1 << 21);
        }
        guest.receivesNothing();
        assertThat(sent).isGreaterThan(1 << 19);

        host.resumes();
        bench.run();
        TcpGuest.Segment update = guest.receives();
        assertThat(update.ack()).isEqualTo(sent);
        assertThat(update.window() << 8).isGreaterThan(256 << 10); // lesson 27
        assertThat(host.receivedBytes()).isEqualTo(sent);
    }

    @Test
    void slowGuest_stopsTheReadingFromTheHost() {
        FakeHost host = bench.established();
        guest.window(0);
        guest.sends(ACK, 0, bench.iss + 1);
        byte[] piece = TcpTransferTest.pattern(16 << 10);
        for (int i = 0; i < 20; i++) {
            host.sends(piece);
            bench.run();
        }
        assertThat(host.unread()).isGreaterThan(100 << 10);
        assertThat(host.channel.config().isAutoRead()).isFalse();

        guest.window(0xFFFF);
        int received = 0;
        guest.sends(ACK, 0, bench.iss + 1);
        while (received < 20 * piece.length) {
            bench.run();
            if (!bench.guestEnd.hasReceived()) {
                bench.advance(Duration.ofSeconds(61)); // an acknowledgment may be waited for
            }
            while (bench.guestEnd.hasReceived()) {
                received += guest.receives().payload().length;
            }
            guest.sends(ACK, 0, bench.iss + 1 + received);
        }
        assertThat(host.unread()).isZero();
    }

    @Test
    void window_isScaledAndLarge() {
        bench.established();
        guest.sends(ACK, 0, bench.iss + 1, "x");
        assertThat(guest.receives().window() << 8).isGreaterThanOrEqualTo(1 << 20 >> 1); // lesson 26
    }

    @Test
    void manyFlows_shareTheMemory() {
        try (TcpBench small = new TcpBench(new TcpLimits(1000, 1000, 4 << 20))) {
            small.established();
            for (int i = 0; i < 63; i++) {
                new TcpGuest(small.guestEnd, 1000 + i, TcpBench.REMOTE, 80).sendsSyn(7, 1460, 7);
            }
            assertThat(small.flow().bufferForHost()).isEqualTo(64 << 10);
        }
    }

    /** A flow that moves much gets more, as long as its host takes it; and never more than its share of the memory. */
    @Test
    void fastFlow_getsALargerWindow_andASlowHostNone() {
        FakeHost host = bench.established();
        assertThat(bench.flow().bufferForHost()).isEqualTo(1 << 20);
        int sent = 0;
        byte[] piece = TcpTransferTest.pattern(60_000);
        while (sent < 40 << 20) {
            guest.sendsRaw(guest.segment(ACK, sent, bench.iss + 1, piece), FrameSink.CHECKSUM_VALID);
            sent += piece.length;
            bench.guestEnd.clearReceived();
            host.takeReceived();
        }
        assertThat(bench.flow().bufferForHost()).isEqualTo(Memory.MAX_BUFFER);
        guest.sends(ACK, sent, bench.iss + 1, "x");
        assertThat(guest.receives().window() << 8).isGreaterThan(3 << 20);
    }

    @Test
    void slowFlow_keepsItsWindow() {
        FakeHost host = bench.established();
        int sent = 0;
        byte[] piece = TcpTransferTest.pattern(60_000);
        while (sent < 10 << 20) {
            guest.sendsRaw(guest.segment(ACK, sent, bench.iss + 1, piece), FrameSink.CHECKSUM_VALID);
            sent += piece.length;
            bench.advance(Duration.ofMillis(10));
            bench.guestEnd.clearReceived();
            host.takeReceived();
        }
        assertThat(bench.flow().bufferForHost()).isEqualTo(1 << 20);
    }
}
