package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.wire.Seq;

/**
 * How much may be in flight after a loss: RFC 5681; with recovery by RFC 6675 for guests that tell by SACK what they have, by
 * NewReno, RFC 6582, for the others.
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
    private int recover; // RFC 6582 and RecoveryPoint of RFC 6675: SND.MAX at the last loss; never far behind SND.UNA
    private int cwndBefore;
    private int ssthreshBefore;

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

    /** What was in flight at the last loss has not all been acknowledged. */
    boolean isRepairing(int sndUna) {
        return Seq.lt(sndUna, recover);
    }

    int recoveryPoint() {
        return recover;
    }

    // ---- without SACK

    /** RFC 5681 §3.2: returns true if the segment at SND.UNA shall be sent again now. */
    boolean onDuplicateAck(int sndUna, int sndMax, int mss) {
        if (recovering) {
            cwnd = Math.min(UNLIMITED, cwnd + mss);
            return false;
        }
        if (++dupAcks != DUP_ACKS || isRepairing(sndUna)) {
            return false; // RFC 6582 §3.2 (2): duplicates of what a timeout sent again mean nothing
        }
        lose(sndUna, sndMax, mss);
        cwnd = ssthresh + DUP_ACKS * mss;
        return true;
    }

    /** SND.UNA moved by {@code acked}. Returns true if the segment at the new SND.UNA is missing too and shall be sent now. */
    boolean onAck(int acked, int sndUna, int sndMax, int mss) {
        dupAcks = 0;
        if (!recovering) {
            grow(acked, mss);
            recover = Seq.max(recover, sndUna);
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

    // ---- with SACK

    /** RFC 6675 §2: an acknowledgment of nothing, which tells of something new that has arrived. True: the third. */
    boolean onDuplicateSack() {
        return ++dupAcks >= DUP_ACKS;
    }

    /** RFC 6675 §5, step (4). */
    void lose(int sndUna, int sndMax, int mss) {
        remember();
        ssthresh = halfFlight(sndUna, sndMax, mss);
        cwnd = ssthresh;
        recovering = true;
        recover = sndMax;
    }

    /** SND.UNA moved by {@code acked}: RFC 6675 §5, step (A), and growth as without. */
    void onAckWithSack(int acked, int sndUna, int mss) {
        dupAcks = 0;
        if (!recovering) {
            grow(acked, mss);
            recover = Seq.max(recover, sndUna);
        } else if (Seq.ge(sndUna, recover)) {
            recovering = false;
        }
    }

    // ---- both

    /** Slow start and congestion avoidance, counting bytes (RFC 5681 §3.1): one acknowledgment answers many segments here. */
    private void grow(int acked, int mss) {
        if (cwnd < UNLIMITED) {
            int step = cwnd < ssthresh ? acked : Math.max(1, (int) ((long) mss * Math.min(acked, cwnd) / cwnd));
            cwnd = Math.min(UNLIMITED, cwnd + step);
        }
    }

    /** The retransmission timer fired: RFC 5681 §3.1, equation (4). {@code first}: not a repetition of the same timeout. */
    void onTimeout(boolean first, int sndUna, int sndMax, int mss) {
        if (first) {
            remember();
            ssthresh = halfFlight(sndUna, sndMax, mss);
        }
        cwnd = mss;
        dupAcks = 0;
        recovering = false;
        recover = sndMax;
    }

    /** What is in flight is sent again for another reason than a loss. */
    void repeat(int sndMax) {
        recovering = false;
        dupAcks = 0;
        recover = sndMax;
    }

    /** The timeout came too early, nothing was lost: RFC 4015 §3.2. */
    void undo(int sndUna) {
        cwnd = Math.max(cwnd, cwndBefore);
        ssthresh = Math.max(ssthresh, ssthreshBefore);
        recover = sndUna;
    }

    private void remember() {
        cwndBefore = cwnd;
        ssthreshBefore = ssthresh;
    }

    private static int halfFlight(int sndUna, int sndMax, int mss) {
        return Math.max(Seq.distance(sndUna, sndMax) / 2, 2 * mss);
    }
}
