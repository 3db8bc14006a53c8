package dev.longshore.vpnkit.tcp;

import java.util.concurrent.TimeUnit;

/** The retransmission timeout: RFC 6298. Confined to the link's event loop. */
final class RttEstimator {
    /** (2.1), before any measurement. */
    static final long INITIAL_RTO = TimeUnit.SECONDS.toNanos(1);

    /** (2.4) says SHOULD one second; Linux takes 200 ms, and a guest may delay an acknowledgment by 40 ms or more. */
    static final long MIN_RTO = TimeUnit.MILLISECONDS.toNanos(200);

    /** RFC 8985 §7.2 has no floor; a guest that is starved of its processor for a moment has lost nothing. */
    static final long MIN_PROBE_TIMEOUT = TimeUnit.MILLISECONDS.toNanos(50);

    /** (2.5): at least 60 s. */
    static final long MAX_RTO = TimeUnit.SECONDS.toNanos(60);

    /** G of (2.2): timers are as exact as the loop, a millisecond. */
    private static final long GRANULARITY = TimeUnit.MILLISECONDS.toNanos(1);

    private boolean measured;
    private long srtt;
    private long rttvar;
    private long rto = INITIAL_RTO;
    private int backoffs;

    /** Nanoseconds, with the current back-off. */
    long rto() {
        return Math.min(rto << Math.min(backoffs, 10), MAX_RTO);
    }

    /** PTO of RFC 8985 §7.2, never above {@link #rto}. */
    long probeTimeout() {
        return Math.min(Math.max(2 * srtt, MIN_PROBE_TIMEOUT), rto());
    }

    /** SRTT in nanoseconds, or -1 before the first measurement. */
    long smoothed() {
        return measured ? srtt : -1;
    }

    /** A round trip of a segment that was sent once (Karn's algorithm). */
    void measure(long nanos) {
        if (measured) {
            rttvar = (3 * rttvar + Math.abs(srtt - nanos)) / 4; // (2.3)
            srtt = (7 * srtt + nanos) / 8;
        } else {
            measured = true;
            srtt = nanos; // (2.2)
            rttvar = nanos / 2;
        }
        rto = Math.max(MIN_RTO, srtt + Math.max(GRANULARITY, 4 * rttvar));
        backoffs = 0;
    }

    /** (5.5): after a timeout. */
    void backOff() {
        backoffs++;
    }

    /** New data was acknowledged: the back-off has done its work. RFC 6298 keeps it until a measurement; Linux does as here. */
    void onProgress() {
        backoffs = 0;
    }

    int backoffs() {
        return backoffs;
    }
}
