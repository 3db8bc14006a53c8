package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.FIN;
import static dev.longshore.packet.wire.TcpHeader.RST;
import static dev.longshore.packet.wire.TcpHeader.SYN;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.TcpGuest;
import dev.longshore.vpnkit.flow.HostChannel;
import io.netty.buffer.ByteBuf;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Bugs that other user-space networks had, each as the test that would have found it. */
class TcpLessonsTest {
    private final ScriptedBench scripted = new ScriptedBench();
    private final TcpBench bench = scripted.bench;

    @AfterEach
    void close() {
        scripted.close();
    }

    /** podman, passt: a download freezes for ever at a zero window. Here the guest's opening of it gets lost as well. */
    @Test
    void openingOfAZeroWindowIsLost_theProbeFindsIt() {
        scripted.run("""
            0.000 guest> S 0:0 win 2000 <mss 1000>
                  host connects
                  gw> S. 0:0 ack 1
                  guest> . 1:1 ack 1 win 2000
                  host sends 6000
                  gw> . 1:1001 ack 1
                  gw> . 1001:2001 ack 1
                  guest> . 1:1 ack 2001 win 0
                  # the guest's program reads, and its window update is lost
            0.200 gw> . 2000:2000 ack 1
                  guest> . 1:1 ack 2001 win 4000
                  gw> . 2001:3001 ack 1
                  gw> . 3001:4001 ack 1
                  gw> . 4001:5001 ack 1
                  gw> P. 5001:6001 ack 1
                  guest> . 1:1 ack 6001 win 4000
            """);
    }

    /** podman, passt: a window update without the ACK flag is answered by RST, and the connection is gone. */
    @Test
    void everySegmentAfterTheSyn_carriesAck() {
        FakeHost host = bench.established();
        host.stalls(0);
        byte[] piece = TcpTransferTest.pattern(60_000);
        for (int sent = 0; sent < 900_000; sent += piece.length) {
            bench.guest.sends(ACK, sent, bench.iss + 1, piece);
        }
        host.resumes(); // a window update
        host.sends("text");
        bench.run();
        bench.advance(Duration.ofSeconds(2)); // repetitions
        bench.guest.sends(ACK, 900_000, bench.iss + 5);
        bench.advance(Duration.ofHours(3)); // keep-alive probes
        host.finishes();
        bench.run();
        host.resets();
        bench.run();
        int segments = 0;
        while (bench.guestEnd.hasReceived()) {
            assertThat(bench.guest.receives().has(ACK)).isTrue();
            segments++;
        }
        assertThat(segments).isGreaterThan(20);
    }

    /** podman, pasta: a closed window leads to a stall with a busy processor. Nothing may run while nothing can move. */
    @Test
    void closedWindow_costsNoWork() {
        FakeHost host = bench.established();
        bench.guest.window(0).sends(ACK, 0, bench.iss + 1);
        for (int i = 0; i < 40; i++) {
            host.sends(TcpTransferTest.pattern(16 << 10));
            bench.run();
        }
        assertThat(host.channel.config().isAutoRead()).as("reads from the host").isFalse();
        long flushes = bench.link.flushes();
        bench.advance(Duration.ofMinutes(1));
        assertThat(bench.link.flushes() - flushes).isLessThan(12);
        assertThat(bench.guestEnd.receivedCount()).isLessThan(12);
    }

    /** podman: resets now and then where a program connects and closes in a loop, and the same port comes again. */
    @Test
    void samePortAgainAndAgain_isNeverRefused() {
        int seq = 1;
        for (int i = 0; i < 1000; i++) {
            bench.guest.sendsSyn(seq, 1460, 7);
            FakeHost host = bench.connects();
            TcpGuest.Segment synAck =
                    bench.guest.receives(SYN | ACK, bench.flow().sndMax() - 1, seq + 1);
            int iss = synAck.seq();
            bench.guest.sends(ACK, seq + 1, iss + 1);
            host.finishes(); // the host closes first: the TIME-WAIT is ours
            bench.run();
            bench.guest.receives(FIN | ACK, iss + 1, seq + 1);
            bench.guest.sends(FIN | ACK, seq + 1, iss + 2);
            bench.guest.receives(ACK, iss + 2, seq + 2);
            assertThat(bench.flow().state()).isEqualTo(TcpState.TIME_WAIT);
            seq += 2 + 64_000;
        }
    }

    /** slirp4netns: at a large MTU the window is less than two segments, and every transfer is slow or stalls. */
    @Test
    void window_isManyOfTheLargestSegments() {
        FakeHost host = bench.established(65_480, 7);
        bench.guest.sends(ACK, 0, bench.iss + 1, TcpTransferTest.pattern(60_000));
        assertThat(bench.guest.receives().window() << 8).isGreaterThan(4 * 65_480);
        assertThat(host.receivedBytes()).isEqualTo(60_000);
    }

    /** slirp4netns, podman: no more than 64 KiB a round trip, as the window is not scaled. */
    @Test
    void windowScale_isOfferedBothWays() {
        bench.guest.sendsSyn(TcpBench.GUEST_ISS, 1460, 7);
        bench.connects();
        assertThat(bench.guest.receives().windowScale()).isGreaterThanOrEqualTo(8);
        bench.stack.endAll();
    }

    /** rootlesskit, slirpnetstack: a small window falls to zero with every packet and rises again. */
    @Test
    void window_isSteadyWhileTheHostReads() {
        FakeHost host = bench.established();
        int least = Integer.MAX_VALUE;
        for (int i = 0; i < 2000; i++) {
            bench.guest.sends(ACK, i * 1460, bench.iss + 1, TcpTransferTest.pattern(1460));
            least = Math.min(least, bench.guest.receives().window() << 8);
            host.takeReceived();
        }
        assertThat(least).isGreaterThan(256 << 10);
    }

    /** microsandbox: the guest's FIN is not passed on, and after 256 connections there is no slot left. */
    @Test
    void thousandsOfShortConnections_leaveNoFlow() {
        for (int i = 0; i < 3000; i++) {
            TcpGuest g = new TcpGuest(bench.guestEnd, 1000 + i, TcpBench.REMOTE, 80);
            g.sendsSyn(0, 1460, 7);
            FakeHost host = bench.connects();
            int iss = g.receives().seq();
            g.sends(FIN | ACK, 1, iss + 1, "GET");
            g.receives(ACK, iss + 1, 5);
            assertThat(host.takeText()).isEqualTo("GET");
            assertThat(host.sawEof()).isTrue();
            host.sends("OK");
            host.finishes();
            bench.run();
            g.receives(FIN | ACK, iss + 1, 5, "OK");
            g.sends(ACK, 5, iss + 4);
            assertThat(host.isClosed()).isTrue();
            assertThat(host.isReset()).isFalse();
        }
        bench.run();
        assertThat(bench.stack.flowCount()).isZero();
    }

    /** vpnkit: the last bytes are lost when the other direction shuts down first. */
    @Test
    void halfClosedByTheGuest_stillGetsEverything() {
        FakeHost host = bench.established();
        bench.guest.sends(FIN | ACK, 0, bench.iss + 1);
        bench.guest.receives(ACK, bench.iss + 1, 1);
        byte[] text = TcpTransferTest.pattern(200_000);
        int got = 0;
        host.sends(text);
        host.finishes();
        boolean finished = false;
        while (!finished) {
            bench.run();
            while (bench.guestEnd.hasReceived()) {
                TcpGuest.Segment s = bench.guest.receives();
                assertThat(s.has(RST)).isFalse();
                assertThat(s.payload()).isEqualTo(Arrays.copyOfRange(text, got, got + s.payload().length));
                got += s.payload().length;
                finished = s.has(FIN);
            }
            bench.guest.sends(ACK, 1, bench.iss + 1 + got + (finished ? 1 : 0));
        }
        assertThat(got).isEqualTo(text.length);
        assertThat(bench.isGone()).isTrue();
    }

    /** libkrun, krunkit: with offloads on, one direction was fast and the other broken. Each direction has its own agreement. */
    @Test
    void offloadsAgreedOnFromTheGuestOnly_bothDirectionsMove() {
        bench.link.plain(1500);
        byte[] text = TcpTransferTest.pattern(60_000);
        FakeHost host = bench.established();
        ByteBuf large = bench.guest.segment(ACK, 0, bench.iss + 1, text);
        large.setShort(16, 0x1234); // a partial checksum, as TSO leaves it
        bench.guest.sendsRaw(large, FrameSink.CHECKSUM_PARTIAL | FrameSink.LARGE_SEGMENT);
        bench.guest.receives(ACK, bench.iss + 1, 60_000);
        assertThat(host.takeReceived()).isEqualTo(text);
        host.sends(Arrays.copyOf(text, 3000));
        bench.run();
        for (int at = 0; at < 3000; at += 1460) { // the link takes nothing else; the guest's end checks the checksums
            byte[] piece = bench.guest.receives().payload();
            assertThat(piece).isEqualTo(Arrays.copyOfRange(text, at, Math.min(at + 1460, 3000)));
        }
    }

    /** The other way round: a guest that takes what it does not send. */
    @Test
    void offloadsAgreedOnToTheGuestOnly_bothDirectionsMove() {
        bench.link.offloading();
        byte[] text = TcpTransferTest.pattern(50_000);
        FakeHost host = bench.established();
        host.sends(text);
        bench.run();
        assertThat(bench.guest.receives().payload()).isEqualTo(text);
        bench.guest.sends(ACK, 0, bench.iss + 50_001, Arrays.copyOf(text, 1460));
        bench.guest.receives(ACK, bench.iss + 50_001, 1460);
        assertThat(host.takeReceived()).isEqualTo(Arrays.copyOf(text, 1460));
    }

    /** Urgent data (telnet, rlogin): nothing of it is lost, it stays where it was sent, as with SO_OOBINLINE. */
    @Test
    void urgentData_isTextInItsPlace() {
        scripted.run("""
            0.000 guest> S 0:0 win 64240 <mss 1460>
                  host connects
                  gw> S. 0:0 ack 1
                  guest> . 1:1 ack 1
                  guest> P. 1:11 ack 1
                  gw> . 1:1 ack 11
                  guest> PU. 11:12 ack 1
                  gw> . 1:1 ack 12
                  guest> U. 12:22 ack 1
                  gw> . 1:1 ack 22
                  host got 21
            """);
    }

    /** The guest asks whether we are there: answered while the host's side lives, RST when it does not. */
    @Test
    void guestsKeepAlive_isAnsweredForTheHostOnly() {
        scripted.run("""
            0.000 guest> S 0:0 win 64240 <mss 1460>
                  host connects
                  gw> S. 0:0 ack 1
                  guest> . 1:1 ack 1
            60.000 gw> . 0:0 ack 1          # is the guest there?
                  guest> . 1:1 ack 1
            600.000 guest> . 0:0 ack 1      # a probe
                  gw> . 1:1 ack 1
            600.100 guest> . 0:1 ack 1      # with a byte of garbage, as old ones have
                  gw> . 1:1 ack 1
            601.000 host resets             # the kernel's own keep-alive has found the remote dead
                  gw> R. 1:1 ack 1
            700.000 guest> . 0:0 ack 1
                  gw> R 1:1
            """);
    }

    /** Both ends dial at once: RFC 9293 §3.5, Figure 7. A published port is called while its container calls out. */
    @Test
    void simultaneousOpen_isOneConnection() {
        TcpFlow flow = Objects.requireNonNull(bench.stack.newFlowIntoGuest(
                GuestEnd.GUEST, TcpBench.GUEST_PORT, TcpBench.REMOTE, TcpBench.REMOTE_PORT));
        FakeHost host = new FakeHost(bench.loop);
        flow.openIntoGuest(null);
        flow.attach(HostChannel.attach(host.channel, flow, () -> 1 << 20));
        bench.run();
        int iss = bench.guest.receives().seq();
        bench.guest.sendsSyn(-1, 1460, 7);
        bench.run();
        bench.guest.receives(SYN | ACK, iss, 0);
        bench.guest.sendsSynAck(-1, iss + 1, 1460, 7);
        bench.run();
        bench.guest.sends(ACK, 0, iss + 1, "hello");
        bench.run();
        assertThat(flow.state()).isEqualTo(TcpState.ESTABLISHED);
        assertThat(host.takeText()).isEqualTo("hello");
    }
}
