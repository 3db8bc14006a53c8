package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.wire.Seq;

/**
 * How much may be in flight after a loss: RFC 5681 with NewReno recovery, RFC 6582.
 *
 * <p>Deviation: there is no slow start before the first loss (RFC 5681 §3.1). The path to the guest is a ring in memory that
 * pushes back when it is full; it has no queue to overflow, so the guest's window is the limit.
 *
 * <p>Confined to the link's event loop.
 */
final class Congestion {
    /** Larger than any window. */
    static final int UNLIMITED = 1 << 30;

    private static final int DUP_ACKS = 3;

    private int cwnd = UNLIMITED;
    private int ssthresh = UNLIMITED;
    private int dupAcks;
    private boolean recovering;
    private int recover; // RFC 6582: SND.MAX at the last loss

    Congestion(int iss) {
        recover = iss;
    }

    /** Bytes that may be in flight. */
    int cwnd() {
        return cwnd;
    }

    boolean isRecovering() {
        return recovering;
    }

    /** RFC 5681 §3.2: returns true if the segment at SND.UNA shall be sent again now. */
    boolean onDuplicateAck(int sndUna, int sndMax, int mss) {
        if (recovering) {
            cwnd = Math.min(UNLIMITED, cwnd + mss);
            return false;
        }
        if (++dupAcks != DUP_ACKS || Seq.lt(sndUna, recover)) {
            return false; // RFC 6582 §3.2 (2): duplicates of what a timeout sent again mean nothing
        }
        ssthresh = halfFlight(sndUna, sndMax, mss);
        cwnd = ssthresh + DUP_ACKS * mss;
        recovering = true;
        recover = sndMax;
        return true;
    }

    /** SND.UNA moved by {@code acked}. Returns true if the segment at the new SND.UNA is missing too and shall be sent now. */
    boolean onAck(int acked, int sndUna, int sndMax, int mss) {
        dupAcks = 0;
        if (!recovering) {
            grow(acked, mss);
            return false;
        }
        if (Seq.ge(sndUna, recover)) { // full acknowledgment
            recovering = false;
            cwnd = Math.min(ssthresh, Math.max(Seq.distance(sndUna, sndMax), mss) + mss);
            return false;
        }
        cwnd = Math.max(mss, cwnd - acked + (acked >= mss ? mss : 0)); // partial acknowledgment
        return true;
    }

    private void grow(int acked, int mss) {
        if (cwnd < UNLIMITED) {
            int step = cwnd < ssthresh ? acked : Math.max(1, (int) ((long) mss * Math.min(acked, mss) / cwnd));
            cwnd = Math.min(UNLIMITED, cwnd + step);
        }
    }

    /** The retransmission timer fired: RFC 5681 §3.1, equation (4). {@code first}: not a repetition of the same timeout. */
    void onTimeout(boolean first, int sndUna, int sndMax, int mss) {
        if (first) {
            ssthresh = halfFlight(sndUna, sndMax, mss);
        }
        cwnd = mss;
        dupAcks = 0;
        recovering = false;
        recover = sndMax;
    }

    private static int halfFlight(int sndUna, int sndMax, int mss) {
        return Math.max(Seq.distance(sndUna, sndMax) / 2, 2 * mss);
    }
}
