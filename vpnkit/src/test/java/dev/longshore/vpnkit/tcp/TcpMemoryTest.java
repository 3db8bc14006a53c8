package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.FIN;
import static dev.longshore.packet.wire.TcpHeader.RST;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.TcpGuest;
import dev.longshore.vpnkit.flow.FlowEnd;
import dev.longshore.vpnkit.flow.HostSide;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** A guest, a remote, or both together that want the daemon to keep more than it can. */
class TcpMemoryTest {
    /** One byte ahead of its turn must not keep a frame of 64 KiB. */
    @Test
    void reassembly_keepsNoFrameForAFewBytes() {
        Reassembly early = new Reassembly();
        ByteBuf frame = Unpooled.directBuffer(65_536).writeZero(2000);
        for (int i = 0; i < 100; i++) {
            early.add(frame, 54, 1, 2 * i);
        }
        assertThat(frame.refCnt()).isEqualTo(1);
        assertThat(early.bytes()).isEqualTo(100);
        Objects.requireNonNull(early.take(0)).release();
        assertThat(early.bytes()).isEqualTo(99);
        early.clear();
        assertThat(early.bytes()).isZero();
        frame.release();
    }

    @Test
    void reassembly_copiesNoWholeFrame() {
        Reassembly early = new Reassembly();
        ByteBuf frame = Unpooled.directBuffer(2048).writeZero(1514);
        early.add(frame, 54, 1460, 0);
        assertThat(frame.refCnt()).isEqualTo(2);
        early.clear();
        frame.release();
    }

    /** Windows promised while there was memory, used all at once when there is none. */
    @Test
    void textForHostsThatReadNothing_isBoundedInAll() {
        int limit = 256 << 10;
        TcpBench bench = new TcpBench(new TcpLimits(1000, 100, limit));
        List<TcpGuest> guests = new ArrayList<>();
        List<FakeHost> hosts = new ArrayList<>();
        List<Integer> isses = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
            TcpGuest g = new TcpGuest(bench.guestEnd, 1000 + i, TcpBench.REMOTE, 80);
            g.sendsSyn(-1, 1460, 7);
            FakeHost host = bench.connects();
            host.stalls(0);
            hosts.add(host);
            isses.add(g.receives().seq());
            g.sends(ACK, 0, isses.get(i) + 1);
            guests.add(g);
        }
        for (int i = 0; i < 32; i++) {
            for (int k = 0; k < 32; k++) {
                guests.get(i).sends(ACK, k * 1000, isses.get(i) + 1, TcpTransferTest.pattern(1000));
            }
            bench.advance(Duration.ofMillis(2));
        }
        assertThat(bench.count(TcpCounter.DROPPED_MEMORY)).isPositive();
        assertThat(bench.count(TcpCounter.BYTES_FROM_GUEST)).isBetween((long) limit / 2, 2L * limit);
        // Who comes late, and whose host does read, is served all the same.
        hosts.getLast().resumes();
        bench.run();
        bench.advance(Duration.ofMillis(2));
        int had = hosts.getLast().receivedBytes();
        for (int k = had / 1000; k < 32; k++) {
            guests.getLast().sends(ACK, k * 1000, isses.getLast() + 1, TcpTransferTest.pattern(1000));
        }
        bench.run();
        assertThat(hosts.getLast().receivedBytes()).isEqualTo(32_000);
        bench.guestEnd.clearReceived();
        bench.close();
    }

    /** A remote that sends byte by byte costs a buffer for each while the guest's window is closed. */
    @Test
    void tricklingRemotes_areReadNoFurtherThanMemoryGoes() {
        TcpBench bench = new TcpBench();
        FakeHost host = bench.established();
        bench.guest.window(0).sends(ACK, 0, bench.iss + 1);
        bench.run();
        for (int i = 0; i < 20_000; i++) {
            host.channel.hostSide().deliver(Unpooled.buffer(2048).writeByte(i));
        }
        host.channel.hostSide().flush();
        bench.run();
        assertThat(host.unread()).isGreaterThan(19_000);
        bench.guestEnd.clearReceived();
        bench.close();
    }

    /** Both ends have said all, but the remote never reads it: its socket is not in any flow's limit any more. */
    @Test
    void hostSideWithoutFlow_isGivenUpAfterAWhile() {
        TcpBench bench = new TcpBench();
        FakeHost host = bench.established();
        host.stalls(0);
        bench.guest.sends(FIN | ACK, 0, bench.iss + 1, "never read");
        host.finishes();
        bench.run();
        bench.guest.sends(ACK, 11, bench.iss + 2);
        bench.run();
        assertThat(bench.isGone()).isTrue();
        assertThat(host.isClosed()).isFalse();
        bench.advance(Duration.ofSeconds(601));
        assertThat(host.isClosed()).isTrue();
        assertThat(host.isReset()).isTrue();
        bench.guestEnd.clearReceived();
        bench.close();
    }

    /** An Error must not leave the stack: it would take the whole link with it. */
    @Test
    void noMemoryForText_endsThatFlowOnly() {
        TcpBench bench = new TcpBench();
        FakeHost other = bench.established();
        TcpFlow flow = Objects.requireNonNull(bench.stack.newFlowIntoGuest(GuestEnd.GUEST, 80, TcpBench.REMOTE, 999));
        flow.openIntoGuest(null);
        flow.attach(new HostSideWithoutMemory());
        bench.run();
        TcpGuest g = new TcpGuest(bench.guestEnd, 80, TcpBench.REMOTE, 999);
        int iss = g.receives().seq();
        g.sendsSynAck(70, iss + 1, 1460, 7);
        g.receives(ACK, iss + 1, 71);
        g.sends(ACK, 71, iss + 1, "text");
        assertThat(g.receives().has(RST)).isTrue();
        assertThat(flow.ended()).isEqualTo(new FlowEnd.Evicted());
        bench.guest.sends(ACK, 0, bench.iss + 1, "still here");
        bench.guest.receives(ACK, bench.iss + 1, 10);
        assertThat(other.takeText()).isEqualTo("still here");
        bench.close();
    }

    private static final class HostSideWithoutMemory implements HostSide {
        @Override
        public void deliver(ByteBuf data) {
            data.release();
            throw new OutOfMemoryError("no direct memory left");
        }

        @Override
        public void flush() {}

        @Override
        public void guestFinished() {}

        @Override
        public int room() {
            return 1 << 20;
        }

        @Override
        public int held() {
            return 0;
        }

        @Override
        public void wantMore(boolean wanted) {}

        @Override
        public void abort() {}
    }

    /** The guest was told that its bytes arrived: a remote that reads slowly gets them, however long it takes. */
    @Test
    void hostSideWithoutFlow_hasTheTimeItNeedsWhileTheRemoteReads() {
        TcpBench bench = new TcpBench();
        FakeHost host = bench.established();
        host.stalls(0);
        for (int i = 0; i < 8; i++) {
            bench.guest.sends(ACK, i, bench.iss + 1, "x");
        }
        bench.guest.sends(FIN | ACK, 8, bench.iss + 1);
        host.finishes();
        bench.run();
        bench.guest.sends(ACK, 9, bench.iss + 2);
        bench.run();
        assertThat(bench.isGone()).isTrue();
        for (int i = 0; i < 8; i++) {
            bench.advance(Duration.ofSeconds(500));
            host.stalls(1); // takes one more
        }
        bench.run();
        assertThat(host.receivedBytes()).isEqualTo(8);
        host.resumes();
        bench.advance(Duration.ofMinutes(30));
        assertThat(host.sawEof()).isTrue();
        assertThat(host.isReset()).isFalse();
        bench.guestEnd.clearReceived();
        bench.close();
    }

    @Test
    void hostSidesWithoutFlow_areBoundedInNumber() {
        TcpBench bench = new TcpBench();
        List<FakeHost> hosts = new ArrayList<>();
        for (int i = 0; i < Orphans.MAX + 20; i++) {
            TcpGuest g = new TcpGuest(bench.guestEnd, 1000 + i, TcpBench.REMOTE, 80);
            g.sendsSyn(-1, 1460, 7);
            FakeHost host = bench.connects();
            host.stalls(0);
            int iss = g.receives().seq();
            g.sends(ACK, 0, iss + 1);
            g.sends(FIN | ACK, 0, iss + 1, "x");
            host.finishes();
            bench.run();
            g.sends(ACK, 2, iss + 2);
            bench.run();
            bench.guestEnd.clearReceived();
            hosts.add(host);
        }
        assertThat(bench.stack.flowCount()).isZero();
        assertThat(hosts.stream().filter(h -> !h.isClosed()).count()).isEqualTo(Orphans.MAX);
        bench.advance(Duration.ofSeconds(601));
        assertThat(hosts).allMatch(FakeHost::isClosed);
        bench.close();
    }

    /** The oldest TIME-WAIT is kept alive by repeated FINs while younger ones are used again and again. */
    @Test
    void timeWaits_areForgottenBehindOneThatLastsForEver() {
        TcpBench bench = new TcpBench();
        bench.in(TcpState.TIME_WAIT);
        int seq = 0;
        for (int round = 0; round < 500; round++) {
            TcpGuest g = new TcpGuest(bench.guestEnd, 7, TcpBench.REMOTE, 80);
            g.sendsSyn(seq, 1460, 7);
            FakeHost host = bench.connects();
            int iss = g.receives().seq();
            g.sends(ACK, seq + 1, iss + 1);
            host.finishes();
            bench.run();
            g.sends(FIN | ACK, seq + 1, iss + 2);
            bench.run();
            bench.guestEnd.clearReceived();
            seq += 100;
            bench.guest.sends(FIN | ACK, 0, bench.iss + 2); // once more
            bench.guestEnd.clearReceived();
        }
        assertThat(bench.stack.timeWaits()).isLessThan(100);
        TcpGuest g = new TcpGuest(bench.guestEnd, 7, TcpBench.REMOTE, 80);
        g.sends(RST, seq, 0);
        bench.close();
    }
}
