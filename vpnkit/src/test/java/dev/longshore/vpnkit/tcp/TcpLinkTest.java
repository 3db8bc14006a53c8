package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.SYN;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.TcpGuest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A link without room: nothing is lost, nothing is sent twice, every flow has its turn. */
class TcpLinkTest {
    private final TcpBench bench = new TcpBench();
    private final TcpGuest guest = bench.guest;

    @AfterEach
    void close() {
        bench.link.makeRoom();
        bench.close();
    }

    @Test
    void fullLink_goesOnWhereItStopped() {
        FakeHost host = bench.established(1000, 7);
        bench.link.limitRoom(3);
        host.sends(TcpTransferTest.pattern(10_000));
        bench.run();
        for (int i = 0; i < 3; i++) {
            assertThat(guest.receives().seq()).isEqualTo(bench.iss + 1 + i * 1000);
        }
        guest.receivesNothing();
        bench.link.makeRoom();
        for (int i = 3; i < 10; i++) {
            assertThat(guest.receives().seq()).isEqualTo(bench.iss + 1 + i * 1000);
        }
        guest.receivesNothing();
        assertThat(bench.flow().snapshot().retransmissions()).isZero();
    }

    @Test
    void synAckWithoutRoom_isSentLater() {
        guest.sendsSyn(TcpBench.GUEST_ISS, 1460, 7);
        bench.link.limitRoom(0);
        bench.connects();
        guest.receivesNothing();
        bench.link.makeRoom();
        assertThat(guest.receives().flags()).isEqualTo(SYN | ACK);
    }

    @Test
    void ackWithoutRoom_isSentLater() {
        bench.established();
        bench.link.limitRoom(0);
        guest.sends(ACK, 0, bench.iss + 1, "abc");
        guest.receivesNothing();
        bench.link.makeRoom();
        guest.receives(ACK, bench.iss + 1, 3);
    }

    /** A guest that takes no packets at all is not a lossy link. */
    @Test
    void timeoutsWhileTheLinkIsFull_doNotEndTheFlow() {
        FakeHost host = bench.established(1000, 7);
        host.sends(TcpTransferTest.pattern(2000));
        bench.run();
        bench.guestEnd.clearReceived();
        bench.link.limitRoom(0);
        guest.sends(ACK, 0, bench.iss + 1, "x"); // its answer finds no room
        bench.advance(Duration.ofHours(1));
        assertThat(bench.flow().state()).isEqualTo(TcpState.ESTABLISHED);
        bench.link.makeRoom();
        bench.advance(Duration.ofSeconds(61));
        assertThat(bench.guestEnd.receivedCount()).isPositive();
        bench.guestEnd.clearReceived();
    }

    /** Lesson 2: receiving from the guest goes on while sending to it is stuck. */
    @Test
    void fullLink_doesNotStopTheOtherDirection() {
        FakeHost host = bench.established();
        bench.link.limitRoom(0);
        for (int i = 0; i < 100; i++) {
            guest.sends(ACK, i * 1000, bench.iss + 1, TcpTransferTest.pattern(1000));
        }
        assertThat(host.receivedBytes()).isEqualTo(100_000);
        bench.link.makeRoom();
        guest.receives(ACK, bench.iss + 1, 100_000);
        guest.receivesNothing();
    }

    @Test
    void manyFlows_shareTheLinkFairly() {
        List<FakeHost> hosts = new ArrayList<>();
        List<Integer> isses = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            TcpGuest g = new TcpGuest(bench.guestEnd, 100 + i, TcpBench.REMOTE, 80);
            g.sendsSyn(0, 1000, 14);
            hosts.add(bench.connects());
            isses.add(g.receives().seq());
            g.sends(ACK, 1, isses.get(i) + 1);
            g.sends(ACK, 1, isses.get(i) + 1);
        }
        bench.guestEnd.clearReceived();
        bench.link.limitRoom(1200);
        for (FakeHost host : hosts) {
            for (int i = 0; i < 64; i++) {
                host.sends(TcpTransferTest.pattern(16_000));
            }
        }
        bench.run();
        int[] seen = new int[4];
        while (bench.guestEnd.hasReceived()) {
            var r = bench.guestEnd.receive();
            seen[dev.longshore.packet.wire.TcpHeader.destinationPort(r.frame(), r.transportAt()) - 100]++;
        }
        for (int flow = 0; flow < 4; flow++) {
            assertThat(seen[flow]).as("flow %d", flow).isGreaterThan(100);
        }
        bench.link.makeRoom();
        bench.guestEnd.clearReceived();
    }

    @Test
    void aBatch_isFlushedOnce() {
        bench.established();
        long before = bench.link.flushes();
        for (int i = 0; i < 10; i++) {
            guest.sendsInBatch(ACK, i, bench.iss + 1, (byte) i);
        }
        bench.link.endBatch();
        guest.receives(ACK, bench.iss + 1, 10);
        guest.receivesNothing();
        assertThat(bench.link.flushes() - before).isEqualTo(1);
    }
}
