package dev.longshore.vpnkit.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** RFC 7323. */
class TimestampsTest {
    private static final long START = Long.MAX_VALUE - 1000;
    private final Timestamps stamps = new Timestamps(START, Integer.MAX_VALUE - 10);

    private static long at(long millis) {
        return START + TimeUnit.MILLISECONDS.toNanos(millis);
    }

    @Test
    void values_countMillisecondsAcrossBothWraps() {
        assertThat(stamps.value(at(20)) - stamps.value(at(0))).isEqualTo(20);
        assertThat(stamps.roundTrip(stamps.value(at(5)), at(20))).isEqualTo(TimeUnit.MILLISECONDS.toNanos(15));
        assertThat(stamps.roundTrip(stamps.value(at(25)), at(20))).isNegative();
    }

    @Test
    void segmentFromThePast_isOld_untilTheClockMayHaveWrapped() {
        stamps.onSyn(-3, 100, at(0));
        assertThat(stamps.isOld(-4, at(1))).isTrue();
        assertThat(stamps.isOld(-3, at(1))).isFalse();
        assertThat(stamps.isOld(5, at(1))).isFalse();
        assertThat(stamps.isOld(-4, at(TimeUnit.DAYS.toMillis(25)))).isFalse();
    }

    /** §4.3: a segment ahead of its turn is not echoed before the one that is missing. */
    @Test
    void echo_isOfTheFirstSegmentNotAcknowledged() {
        stamps.onSyn(10, 100, at(0));
        stamps.onSegment(20, 150, at(1));
        assertThat(stamps.recent()).isEqualTo(10);
        stamps.onSegment(30, 100, at(2));
        assertThat(stamps.recent()).isEqualTo(30);
        stamps.onAckSent(200);
        stamps.onSegment(40, 200, at(3));
        assertThat(stamps.recent()).isEqualTo(40);
    }

    @Test
    void newConnection_hasLaterStamps() {
        stamps.onSyn(10, 100, at(0));
        assertThat(stamps.isNewer(10)).isFalse();
        assertThat(stamps.isNewer(11)).isTrue();
    }
}
