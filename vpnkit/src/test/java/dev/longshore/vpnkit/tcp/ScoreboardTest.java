package dev.longshore.vpnkit.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.Seq;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** RFC 6675 §3 and §4, across the wrap of sequence numbers. */
class ScoreboardTest {
    private static final int UNA = -5000;
    private static final int MSS = 1000;
    private static final int MAX = UNA + 20 * MSS;

    private final Scoreboard board = new Scoreboard(UNA);

    private int add(int left, int right) {
        int fresh = board.add(UNA + left, UNA + right, MAX);
        assertThat(board.checkInvariants(UNA, MAX)).isTrue();
        return fresh;
    }

    @Test
    void blocksThatTouchOrOverlap_areOneRange() {
        assertThat(add(2000, 3000)).isEqualTo(1000);
        assertThat(add(4000, 5000)).isEqualTo(1000);
        assertThat(add(3000, 4000)).isEqualTo(1000);
        assertThat(board.ranges()).isEqualTo(1);
        assertThat(add(1000, 9000)).isEqualTo(5000);
        assertThat(add(1000, 9000)).isZero();
        assertThat(board.sackedBytes()).isEqualTo(8000);
    }

    @Test
    void whatIsNoBlock_meansNothing() {
        assertThat(add(3000, 3000)).isZero();
        assertThat(add(4000, 3000)).isZero();
        assertThat(add(-1000, 3000)).isZero(); // begins below SND.UNA
        assertThat(add(19_000, 20_001)).isZero(); // ends above SND.MAX
        assertThat(board.isEmpty()).isTrue();
    }

    @Test
    void ranges_areBoundedInNumber() {
        Scoreboard many = new Scoreboard(0);
        for (int i = 0; i < 2 * Scoreboard.MAX_RANGES; i++) {
            many.add(2 * i + 1, 2 * i + 2, 1 << 20);
        }
        assertThat(many.ranges()).isEqualTo(Scoreboard.MAX_RANGES);
        assertThat(many.add(1, 1000, 1 << 20)).isPositive();
        assertThat(many.ranges()).isLessThan(Scoreboard.MAX_RANGES);
    }

    @Test
    void holeBelowThreeSegments_isLost() {
        add(1000, 3000);
        board.judge(MSS, MAX);
        assertThat(board.isFirstLost()).as("two segments may be late").isFalse();
        add(3000, 3001);
        board.judge(MSS, MAX);
        assertThat(board.isFirstLost()).isTrue();
    }

    @Test
    void holeBelowThreeRanges_isLostHoweverSmallTheyAre() {
        add(10, 20);
        add(30, 40);
        board.judge(MSS, MAX);
        assertThat(board.isFirstLost()).isFalse();
        add(50, 60);
        board.judge(MSS, MAX);
        assertThat(board.isFirstLost()).isTrue();
        assertThat(board.findLost()).isTrue();
        assertThat(board.foundAt).isEqualTo(UNA);
        assertThat(board.foundBytes).isEqualTo(10);
    }

    @Test
    void pipe_countsWhatIsNotLostAndWhatWasSentAgain() {
        assertThat(board.pipe(MAX)).isEqualTo(20_000);
        add(2000, 6000);
        assertThat(board.pipe(MAX)).isEqualTo(16_000);
        board.judge(MSS, MAX);
        assertThat(board.pipe(MAX)).as("without the hole below").isEqualTo(14_000);
        board.onSentAgain(UNA + 1000, MAX);
        assertThat(board.pipe(MAX)).isEqualTo(15_000);
    }

    @Test
    void holes_areFoundInOrder_thenNone() {
        add(1000, 2000);
        add(3000, 9000);
        board.judge(MSS, MAX);
        assertThat(board.findLost()).isTrue();
        assertThat(board.foundAt).isEqualTo(UNA);
        board.onSentAgain(UNA + 1000, MAX);
        assertThat(board.findLost()).isTrue();
        assertThat(board.foundAt).isEqualTo(UNA + 2000);
        assertThat(board.foundBytes).isEqualTo(1000);
        board.onSentAgain(UNA + 3000, MAX);
        assertThat(board.findLost()).isFalse();
        assertThat(board.findHole()).isFalse();
        assertThat(board.findRescue(MAX, MSS)).isTrue();
        assertThat(board.foundAt).isEqualTo(MAX - MSS);
        board.onRescue(MAX);
        assertThat(board.findRescue(MAX, MSS)).isFalse();
    }

    /** What was sent after the first hole was repaired has arrived, and the hole is there still. */
    @Test
    void repairLostItself_isRepeated() {
        add(1000, 5000);
        board.judge(MSS, MAX);
        board.onSentAgain(UNA + 1000, MAX);
        assertThat(board.findLost()).isFalse();
        int later = MAX + 4000;
        board.add(MAX, MAX + 2000, later);
        board.judge(MSS, later);
        assertThat(board.findLost() && board.foundAt == UNA).isFalse();
        board.add(MAX + 2000, MAX + 2500, later);
        board.judge(MSS, later);
        assertThat(board.findLost()).isTrue();
        assertThat(board.foundAt).isEqualTo(UNA);
    }

    @Test
    void timeout_losesAllButWhatTheGuestHas() {
        add(5000, 6000);
        board.allIsLost(MAX);
        assertThat(board.pipe(MAX)).isZero();
        assertThat(board.findLost()).isTrue();
        assertThat(board.foundBytes).isEqualTo(5000);
        board.nothingIsLost();
        assertThat(board.pipe(MAX)).isEqualTo(19_000);
    }

    @Test
    void guestAsksForWhatItHad_isReneging() {
        add(1000, 6000);
        assertThat(board.isReneged()).isFalse();
        board.advance(UNA + 1000, MAX);
        assertThat(board.isReneged()).isTrue();
        board.forgetRanges();
        assertThat(board.checkInvariants(UNA + 1000, MAX)).isTrue();
        assertThat(board.sackedBytes()).isZero();
    }

    /** Against a map of bytes. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void anyBlocks_areAsAMapOfBytes(long seed) {
        Random random = new Random(seed);
        int bytes = 400;
        boolean[] has = new boolean[bytes];
        int una = 0;
        Scoreboard b = new Scoreboard(UNA);
        for (int step = 0; step < 2000; step++) {
            if (random.nextInt(20) == 0) {
                una = Math.min(bytes, una + random.nextInt(20));
                b.advance(UNA + una, UNA + bytes);
            }
            int left = random.nextInt(bytes + 40) - 20;
            int right = left + random.nextInt(30);
            int fresh = 0;
            if (left >= una && right <= bytes) {
                for (int i = left; i < right; i++) {
                    fresh += has[i] ? 0 : 1;
                    has[i] = true;
                }
            }
            assertThat(b.add(UNA + left, UNA + right, UNA + bytes))
                    .as("seed %d step %d", seed, step)
                    .isEqualTo(fresh);
            assertThat(b.checkInvariants(UNA + una, UNA + bytes)).isTrue();
            int missing = 0;
            for (int i = una; i < bytes; i++) {
                missing += has[i] ? 0 : 1;
            }
            assertThat(b.pipe(UNA + bytes)).isEqualTo(missing);
            if (una == bytes) {
                break;
            }
            assertThat(Seq.distance(UNA + una, UNA + bytes)).isEqualTo(missing + b.sackedBytes());
        }
    }
}
