package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.PSH;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.testkit.TcpGuest;
import io.netty.buffer.ByteBuf;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** RFC 9293 §3.7 and §3.8, data both ways without loss. */
class TcpTransferTest {
    private final TcpBench bench = new TcpBench();
    private final TcpGuest guest = bench.guest;

    @AfterEach
    void close() {
        bench.close();
    }

    @Test
    void textFromGuest_isDeliveredAndAckedOnceABatch() {
        FakeHost host = bench.established();
        guest.sendsInBatch(ACK, 0, bench.iss + 1, "GET ".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        guest.sendsInBatch(ACK, 4, bench.iss + 1, "/ ".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        guest.sends(ACK | PSH, 6, bench.iss + 1, "HTTP/1.1");
        guest.receives(ACK, bench.iss + 1, 14);
        guest.receivesNothing();
        assertThat(host.takeText()).isEqualTo("GET / HTTP/1.1");
    }

    @Test
    void textFromHost_goesOutWithAckAndPush() {
        FakeHost host = bench.established();
        guest.sends(ACK, 0, bench.iss + 1, "hi");
        guest.receives(ACK, bench.iss + 1, 2);
        host.sends("hello");
        bench.run();
        TcpGuest.Segment s = guest.receives(ACK, bench.iss + 1, 2, "hello");
        assertThat(s.has(PSH)).isTrue();
        guest.sends(ACK, 2, bench.iss + 6);
        guest.receivesNothing();
        assertThat(bench.stack.timers().size()).isEqualTo(1);
    }

    @Test
    void largeText_isCutAtTheMss() {
        FakeHost host = bench.established(1000, 7);
        host.sends(new byte[2500]);
        bench.run();
        assertThat(guest.receives().payload()).hasSize(1000);
        assertThat(guest.receives().payload()).hasSize(1000);
        TcpGuest.Segment last = guest.receives();
        assertThat(last.payload()).hasSize(500);
        assertThat(last.has(PSH)).isTrue();
        assertThat(last.seq()).isEqualTo(bench.iss + 2001);
    }

    @Test
    void noMssOption_means536() {
        FakeHost host = bench.established(TcpGuest.NONE, 7);
        host.sends(new byte[600]);
        bench.run();
        assertThat(guest.receives().payload()).hasSize(536);
        assertThat(guest.receives().payload()).hasSize(64);
    }

    @Test
    void absurdMss_isNotBelieved() {
        FakeHost host = bench.established(1, 7);
        host.sends(new byte[100]);
        bench.run();
        assertThat(guest.receives().payload()).hasSize(48);
        bench.guestEnd.clearReceived();
    }

    @Test
    void hugeMss_isClampedToTheMtu() {
        FakeHost host = bench.established(65_000, 7);
        host.sends(new byte[3000]);
        bench.run();
        assertThat(guest.receives().payload()).hasSize(1460);
        bench.guestEnd.clearReceived();
    }

    @Test
    void offloadingGuest_getsOneLargeSegment() {
        bench.link.offloading();
        FakeHost host = bench.established();
        byte[] data = pattern(50_000);
        host.sends(data);
        bench.run();
        TcpGuest.Segment s = guest.receives();
        assertThat(s.payload()).isEqualTo(data);
        guest.receivesNothing();
    }

    /** As in the plan: large segments are cut at the guest's window, and whole segments are sent as long as more follows. */
    @Test
    void largeSegments_fitTheWindow() {
        bench.link.offloading();
        guest.window(10_000);
        FakeHost host = bench.established(1460, TcpGuest.NONE);
        host.sends(pattern(30_000));
        bench.run();
        assertThat(guest.receives().payload()).hasSize(6 * 1460);
        guest.receivesNothing();
        guest.sends(ACK, 0, bench.iss + 1 + 6 * 1460);
        assertThat(guest.receives().payload()).hasSize(6 * 1460);
    }

    @Test
    void manySmallReads_becomeFewSegments() {
        bench.link.offloading();
        FakeHost host = bench.established();
        for (int i = 0; i < 40; i++) {
            host.channel.hostSide().deliver(io.netty.buffer.Unpooled.wrappedBuffer(pattern(10)));
        }
        host.channel.hostSide().flush();
        bench.run();
        assertThat(guest.receives().payload()).hasSize(320); // 32 pieces a frame
        assertThat(guest.receives().payload()).hasSize(80);
        guest.receivesNothing();
    }

    @Test
    void largeSegmentFromGuest_isTakenWhole() {
        FakeHost host = bench.established();
        byte[] data = pattern(60_000);
        ByteBuf segment = guest.segment(ACK, 0, bench.iss + 1, data);
        segment.setShort(16, 0x1234); // a partial checksum, as TSO leaves it
        guest.sendsRaw(segment, FrameSink.CHECKSUM_PARTIAL | FrameSink.LARGE_SEGMENT);
        guest.receives(ACK, bench.iss + 1, 60_000);
        assertThat(host.takeReceived()).isEqualTo(data);
    }

    /** grout, F-Stack: pings crossed and TCP did not, as partial checksums were passed on as they were. */
    @Test
    void wrongChecksum_isDroppedUnlessVouchedFor() {
        FakeHost host = bench.established();
        ByteBuf segment = guest.segment(ACK, 0, bench.iss + 1, pattern(10));
        segment.setByte(25, 99);
        guest.sendsRaw(segment.copy(), 0);
        guest.receivesNothing();
        assertThat(bench.count(TcpCounter.DROPPED_CHECKSUM)).isEqualTo(1);
        guest.sendsRaw(segment, FrameSink.CHECKSUM_VALID);
        guest.receives(ACK, bench.iss + 1, 10);
        assertThat(host.receivedBytes()).isEqualTo(10);
    }

    @Test
    void malformedHeader_isDropped() {
        bench.established();
        ByteBuf segment = guest.segment(ACK, 0, bench.iss + 1, pattern(10));
        segment.setByte(12, 0xF0);
        guest.sendsRaw(segment, FrameSink.CHECKSUM_VALID);
        guest.receivesNothing();
        assertThat(bench.count(TcpCounter.DROPPED_HEADER)).isEqualTo(1);
    }

    @Test
    void segmentWithoutAck_isIgnored() {
        FakeHost host = bench.established();
        guest.sends(PSH, 0, 0, "no ack");
        guest.receivesNothing();
        assertThat(host.receivedBytes()).isZero();
    }

    @Test
    void repeatedText_isAckedAndNotDeliveredTwice() {
        FakeHost host = bench.established();
        guest.sends(ACK, 0, bench.iss + 1, "abc");
        guest.receives(ACK, bench.iss + 1, 3);
        guest.sends(ACK, 0, bench.iss + 1, "abc");
        guest.receives(ACK, bench.iss + 1, 3);
        guest.sends(ACK, 1, bench.iss + 1, "bcde");
        guest.receives(ACK, bench.iss + 1, 5);
        assertThat(host.takeText()).isEqualTo("abcde");
    }

    @Test
    void textOutOfOrder_isHeldAndAckedAtOnce() {
        FakeHost host = bench.established();
        guest.sends(ACK, 6, bench.iss + 1, "third");
        guest.receives(ACK, bench.iss + 1, 0);
        guest.sends(ACK, 3, bench.iss + 1, "two");
        guest.receives(ACK, bench.iss + 1, 0);
        guest.sends(ACK, 0, bench.iss + 1, "one");
        guest.receives(ACK, bench.iss + 1, 11);
        guest.receivesNothing();
        assertThat(host.takeText()).isEqualTo("onetwothird");
    }

    @Test
    void finOutOfOrder_waitsForTheText() {
        FakeHost host = bench.established();
        guest.sends(dev.longshore.packet.wire.TcpHeader.FIN | ACK, 3, bench.iss + 1, "end");
        guest.receives(ACK, bench.iss + 1, 0);
        assertThat(host.sawEof()).isFalse();
        guest.sends(ACK, 0, bench.iss + 1, "the");
        guest.receives(ACK, bench.iss + 1, 7);
        bench.run();
        assertThat(host.takeText()).isEqualTo("theend");
        assertThat(host.sawEof()).isTrue();
        assertThat(bench.flow().state()).isEqualTo(TcpState.CLOSE_WAIT);
    }

    @Test
    void textBeyondTheWindow_isCutOff() {
        FakeHost host = bench.established(1460, TcpGuest.NONE);
        byte[] data = pattern(66_000);
        ByteBuf segment = guest.segment(ACK, 0, bench.iss + 1, Arrays.copyOf(data, 60_000));
        guest.sendsRaw(segment, FrameSink.CHECKSUM_VALID);
        bench.guestEnd.clearReceived();
        host.stalls(0);
        guest.sendsRaw(
                guest.segment(ACK, 60_000, bench.iss + 1, Arrays.copyOf(data, 65_000)), FrameSink.CHECKSUM_VALID);
        TcpGuest.Segment ack = guest.receives();
        assertThat(ack.ack()).isBetween(60_000, 60_000 + 0xFFFF);
        host.resumes();
    }

    @Test
    void snapshot_tellsTheFlow() {
        FakeHost host = bench.established();
        host.sends("12345");
        bench.run();
        guest.receives();
        guest.sends(ACK, 0, bench.iss + 6, "abc");
        guest.receives();
        var s = bench.stack.snapshot().getFirst();
        assertThat(s.guestPort()).isEqualTo(40_000);
        assertThat(s.remote()).isEqualTo(TcpBench.REMOTE);
        assertThat(s.state()).isEqualTo("ESTABLISHED");
        assertThat(s.bytesFromGuest()).isEqualTo(3);
        assertThat(s.bytesToGuest()).isEqualTo(5);
        assertThat(s.intoGuest()).isFalse();
    }

    static byte[] pattern(int n) {
        byte[] b = new byte[n];
        for (int i = 0; i < n; i++) {
            b[i] = (byte) (i * 31 + (i >> 8));
        }
        return b;
    }
}
