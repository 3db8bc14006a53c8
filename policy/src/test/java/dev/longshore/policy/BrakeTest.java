package dev.longshore.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class BrakeTest {
    private static final long START = Long.MAX_VALUE - TimeUnit.SECONDS.toNanos(5); // the clock overflows on the way

    private final Brake brake = new Brake(START);

    @Test
    void alike_areToldOfOnceInHalfAMinute_withTheirNumber() {
        assertThat(brake.like(7, START)).isZero();
        for (int i = 0; i < 5; i++) {
            assertThat(brake.like(7, START + TimeUnit.SECONDS.toNanos(29))).isEqualTo(-1);
        }
        assertThat(brake.like(7, START + TimeUnit.SECONDS.toNanos(30))).isEqualTo(5);
        assertThat(brake.like(7, START + TimeUnit.SECONDS.toNanos(60))).isZero();
    }

    @Test
    void manyKinds_areToldOfFiftyTimes_thenTwiceASecond() {
        int told = 0;
        for (int i = 1; i <= 10_000; i++) {
            told += brake.like(i * 1_000_003L, START) >= 0 ? 1 : 0;
        }
        assertThat(told).isEqualTo(50);
        for (int i = 1; i <= 10_000; i++) {
            told += brake.like(i * 7_000_003L, START + TimeUnit.SECONDS.toNanos(10)) >= 0 ? 1 : 0;
        }
        assertThat(told).isEqualTo(70);
    }
}
