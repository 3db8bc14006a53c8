package dev.longshore.fileshare.watch;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PaceTest {
    private static final long MILLI = 1_000_000;

    private long now = Long.MAX_VALUE - MILLI; // overflows on the way
    private final Pace pace = new Pace(now);

    /** A line, whose answer takes so long. */
    private void line(long nanos) {
        pace.sent(now);
        now += nanos;
        assertThat(pace.answered(now)).isZero();
    }

    @Test
    void fewLines_areNotHeldUp() {
        for (int i = 0; i < 100; i++) {
            line(3 * MILLI);
            assertThat(pace.pause(now)).isZero();
        }
    }

    @Test
    void storm_takesAFifthOfTheTime() {
        long begun = now;
        long spent = 0;
        while (now - begun < 20_000 * MILLI) {
            now += pace.pause(now);
            line(3 * MILLI);
            spent += 3 * MILLI;
        }

        assertThat(spent).isBetween(4_000 * MILLI, 4_500 * MILLI);
    }

    @Test
    void guestThatHangs_isNotPunishedForLong() {
        pace.sent(now);
        now += 60_000 * MILLI;
        assertThat(pace.answered(now)).isZero();

        long wait = pace.pause(now);

        assertThat(wait).isEqualTo((Pace.MOST_NANOS + 1) * Pace.SHARE);
        now += wait;
        assertThat(pace.pause(now)).isZero();
    }

    @Test
    void linesAtOnce_areSpentOnce() {
        for (int i = 0; i < 8; i++) {
            pace.sent(now);
        }
        now += 100 * MILLI;
        for (int i = 7; i >= 0; i--) {
            assertThat(pace.answered(now)).isEqualTo(i);
        }

        assertThat(pace.pause(now)).isZero();
        assertThat(pace.answered(now)).as("of a session before").isZero();
    }

    @Test
    void whatIsForgotten_isNotSpent() {
        pace.sent(now);
        pace.forget(now);
        now += 10_000 * MILLI;

        assertThat(pace.unanswered()).isZero();
        assertThat(pace.pause(now)).isZero();
    }
}
