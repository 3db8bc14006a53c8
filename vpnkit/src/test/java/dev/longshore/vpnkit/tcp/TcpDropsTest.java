package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.FIN;
import static dev.longshore.packet.wire.TcpHeader.RST;
import static dev.longshore.packet.wire.TcpHeader.SYN;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.TcpGuest;
import dev.longshore.vpnkit.count.Counters;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Nothing of the guest's disappears: a segment is taken, answered, or counted as dropped with its reason. */
class TcpDropsTest {
    private static final int ROUNDS = 400;
    private static final int SEGMENTS = 20;
    private static final int[] FLAGS = {0, SYN, RST, FIN, ACK, SYN | ACK, RST | ACK, FIN | ACK, SYN | FIN, 0x3F};

    /** All that says what became of a segment. */
    private static long fates(TcpBench bench) {
        return bench.stack.counters().readings().stream()
                .filter(r ->
                        !r.metric().equals("vpnkit.tcp.segments") && !r.metric().endsWith(".active"))
                .mapToLong(Counters.Reading::value)
                .sum();
    }

    /** One in a few is where it belongs, the others are near. */
    private static int near(Random random, int seq) {
        return switch (random.nextInt(4)) {
            case 0 -> seq;
            case 1 -> seq + random.nextInt(3000) - 1500;
            case 2 -> seq + random.nextInt(1 << 22) - (1 << 21);
            default -> random.nextInt();
        };
    }

    @ParameterizedTest
    @EnumSource(
            value = TcpState.class,
            mode = EnumSource.Mode.EXCLUDE,
            names = {"CLOSED", "LISTEN", "SYN_SENT", "SYN_RECEIVED"})
    void randomSegments_inEachState_areTakenAnsweredOrCounted(TcpState state) {
        for (int seed = 0; seed < ROUNDS / 10; seed++) {
            try (TcpBench bench = new TcpBench()) {
                bench.in(state);
                int iss = bench.iss;
                send(bench, new Random(seed), 0, iss + 1, state + ", seed " + seed);
            }
        }
    }

    @Test
    void randomSegments_whileDialing_areTakenAnsweredOrCounted() {
        for (int seed = 0; seed < ROUNDS / 10; seed++) {
            try (TcpBench bench = new TcpBench()) {
                bench.guest.sendsSyn(TcpBench.GUEST_ISS, 1460, 7);
                send(bench, new Random(seed), 0, 1, "dialing, seed " + seed);
            }
        }
    }

    @Test
    void randomSegments_beforeTheHandshakesEnd_areTakenAnsweredOrCounted() {
        for (int seed = 0; seed < ROUNDS / 10; seed++) {
            try (TcpBench bench = new TcpBench()) {
                bench.guest.sendsSyn(TcpBench.GUEST_ISS, 1460, 7);
                bench.connects();
                int iss = bench.guest.receives().seq();
                send(bench, new Random(seed), 0, iss + 1, "SYN-RECEIVED, seed " + seed);
            }
        }
    }

    private static void send(TcpBench bench, Random random, int seq, int ack, String where) {
        for (int i = 0; i < SEGMENTS; i++) {
            int flags = FLAGS[random.nextInt(FLAGS.length)];
            byte[] text = new byte[random.nextInt(3) == 0 ? random.nextInt(1400) : 0];
            long before = fates(bench);
            long answersBefore = bench.link.framesToGuest();
            bench.guest.sends(flags, near(random, seq), near(random, ack), text);
            bench.run();
            boolean bare = flags == ACK && text.length == 0; // an acknowledgment that is taken says nothing more
            if (!bare) {
                assertThat(fates(bench) - before + bench.link.framesToGuest() - answersBefore)
                        .as("%s, segment %d, flags %x, %d bytes", where, i, flags, text.length)
                        .isPositive();
            }
            bench.guestEnd.clearReceived();
        }
    }

    @Test
    void textBeyondTheWindow_isCounted() {
        try (TcpBench bench = new TcpBench()) {
            bench.established();
            bench.guest.sends(ACK, 0, bench.iss + 1, new byte[1]);
            int edge = 1 + (bench.guest.receives().window() << 8);
            bench.guest.sends(ACK, edge - 100, bench.iss + 1, new byte[100]);
            assertThat(bench.count(TcpCounter.DROPPED_BEYOND_WINDOW)).isZero();
            bench.guest.sends(ACK, edge - 200, bench.iss + 1, new byte[201]);
            assertThat(bench.count(TcpCounter.DROPPED_BEYOND_WINDOW)).isEqualTo(1);
        }
    }

    @Test
    void textInTooManyPieces_isCounted() {
        try (TcpBench bench = new TcpBench()) {
            bench.established();
            for (int i = 0; i < 3000; i++) {
                bench.guest.sends(ACK, 2 * i + 1, bench.iss + 1, new byte[1]);
                bench.guestEnd.clearReceived();
            }
            assertThat(bench.count(TcpCounter.DROPPED_GAPS)).isPositive();
            assertThat(bench.count(TcpCounter.DROPPED_GAPS) + bench.count(TcpCounter.OUT_OF_ORDER))
                    .isGreaterThanOrEqualTo(3000);
        }
    }

    @Test
    void resetWithoutRoom_isCounted() {
        try (TcpBench bench = new TcpBench()) {
            bench.link.limitRoom(0);
            new TcpGuest(bench.guestEnd, 7, TcpBench.REMOTE, 80).sends(ACK, 5, 5);
            assertThat(bench.count(TcpCounter.DROPPED_NO_ROOM)).isEqualTo(1);
            assertThat(bench.count(TcpCounter.RESETS_TO_GUEST)).isZero();
            new TcpGuest(bench.guestEnd, 7, TcpBench.REMOTE, 80).sends(RST, 5, 5);
            assertThat(bench.count(TcpCounter.DROPPED_STRAY_RESET)).isEqualTo(1);
        }
    }
}
