package dev.longshore.vpnkit.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** RFC 6298. */
class RttEstimatorTest {
    private final RttEstimator rtt = new RttEstimator();

    private static long ms(long n) {
        return TimeUnit.MILLISECONDS.toNanos(n);
    }

    @Test
    void beforeAnyMeasurement_oneSecond() {
        assertThat(rtt.rto()).isEqualTo(ms(1000));
    }

    @Test
    void firstMeasurement_isSrttPlusFourHalves() {
        rtt.measure(ms(300));
        assertThat(rtt.rto()).isEqualTo(ms(900));
    }

    @Test
    void laterMeasurements_areSmoothed() {
        rtt.measure(ms(800));
        rtt.measure(ms(1600));
        // rttvar = 3/4 * 400 + 1/4 * 800 = 500, srtt = 7/8 * 800 + 1/8 * 1600 = 900
        assertThat(rtt.rto()).isEqualTo(ms(900 + 4 * 500));
    }

    @Test
    void shortRoundTrips_haveAMinimum() {
        rtt.measure(1000);
        assertThat(rtt.rto()).isEqualTo(RttEstimator.MIN_RTO);
    }

    @Test
    void backOff_doublesUpToAMinute_andProgressEndsIt() {
        rtt.measure(ms(1));
        rtt.backOff();
        assertThat(rtt.rto()).isEqualTo(2 * RttEstimator.MIN_RTO);
        for (int i = 0; i < 100; i++) {
            rtt.backOff();
        }
        assertThat(rtt.rto()).isEqualTo(RttEstimator.MAX_RTO);
        rtt.onProgress();
        assertThat(rtt.rto()).isEqualTo(RttEstimator.MIN_RTO);
    }
}
