package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.wire.Seq;
import java.util.Arrays;

/**
 * What the guest has beyond SND.UNA, as it says by SACK, and what is therefore lost: the scoreboard of RFC 6675 §3 to §5.
 * Exists only from the first SACK or timeout until the loss is repaired.
 *
 * <p>Confined to the link's event loop.
 *
 * <pre>
 *            range 0      range 1           range 2
 *    - - - -[======]- - -[======]- - - - - -[=====]- - - - -
 *    |  lost            lost      |  in flight              |
 * SND.UNA          HighRxt     lostTo                    SND.MAX
 * </pre>
 *
 * Theory of operation: of three segments' worth beyond a hole the guest has told, so the hole is lost and not late: all holes
 * below {@link #lostTo} are lost. Those below HighRxt have been sent again. What is in flight ("pipe") are the holes that
 * are not lost and those sent again. When the guest tells of as much that was sent after the first hole was sent again, then
 * that was lost for the second time, and HighRxt goes back.
 *
 * <p>Invariants: ranges are in order, not empty, and do not touch; SND.UNA =&lt; HighRxt; SND.UNA =&lt; lostTo.
 */
final class Scoreboard {
    /** What does not fit is as if it had not been told: it counts as in flight, and may be sent twice. */
    static final int MAX_RANGES = 256;

    /** DupThresh. */
    private static final int THRESHOLD = 3;

    private int[] starts = new int[8];
    private int[] ends = new int[8];
    private int count;
    private int sacked;
    private int sndUna;
    private int highRxt;
    private int lostTo;
    private boolean rescued;
    private int rescueRxt;
    private int sentAfter; // what is new was above this when the first hole was sent again, or later
    private int toldAfter; // bytes told of that went out after the first hole was sent again

    /** Where the segment found by one of the {@code find} methods begins, and how much is missing there. */
    int foundAt;

    int foundBytes;

    Scoreboard(int sndUna) {
        this.sndUna = sndUna;
        this.highRxt = sndUna;
        this.lostTo = sndUna;
        this.sentAfter = sndUna;
    }

    /** The guest has told of nothing beyond SND.UNA. */
    boolean isEmpty() {
        return count == 0;
    }

    int ranges() {
        return count;
    }

    int sackedBytes() {
        return sacked;
    }

    /** SND.UNA has moved. */
    void advance(int una, int sndMax) {
        int gone = 0;
        while (gone < count && Seq.le(ends[gone], una)) {
            sacked -= Seq.distance(starts[gone], ends[gone]);
            gone++;
        }
        if (gone > 0) {
            count -= gone;
            System.arraycopy(starts, gone, starts, 0, count);
            System.arraycopy(ends, gone, ends, 0, count);
        }
        if (count > 0 && Seq.lt(starts[0], una)) {
            sacked -= Seq.distance(starts[0], una);
            starts[0] = una;
        }
        sndUna = una;
        highRxt = Seq.max(highRxt, una);
        lostTo = Seq.max(lostTo, una);
        againFrom(sndMax);
    }

    private void againFrom(int sndMax) {
        sentAfter = sndMax;
        toldAfter = 0;
    }

    /**
     * A block of a SACK option. What lies below SND.UNA (RFC 2883 tells of duplicates that way) or above SND.MAX, and what is
     * no block at all, means nothing.
     *
     * @return bytes that the guest had not told of before
     */
    int add(int left, int right, int sndMax) {
        if (Seq.ge(left, right) || Seq.lt(left, sndUna) || Seq.gt(right, sndMax)) {
            return 0;
        }
        int i = 0;
        while (i < count && Seq.lt(ends[i], left)) {
            i++;
        }
        int j = i;
        int from = left;
        int to = right;
        int known = 0;
        while (j < count && Seq.le(starts[j], right)) {
            from = Seq.min(from, starts[j]);
            to = Seq.max(to, ends[j]);
            known += Seq.distance(starts[j], ends[j]);
            j++;
        }
        if (i == j && !insert(i)) {
            return 0;
        }
        starts[i] = from;
        ends[i] = to;
        if (j > i + 1) {
            System.arraycopy(starts, j, starts, i + 1, count - j);
            System.arraycopy(ends, j, ends, i + 1, count - j);
            count -= j - i - 1;
        }
        int fresh = Seq.distance(from, to) - known;
        sacked += fresh;
        boolean sentLater = Seq.le(right, highRxt) || Seq.ge(left, sentAfter);
        if (fresh > 0 && sentLater && Seq.gt(highRxt, sndUna)) {
            toldAfter += fresh;
        }
        return fresh;
    }

    private boolean insert(int i) {
        if (count == MAX_RANGES) {
            return false;
        }
        if (count == starts.length) {
            starts = Arrays.copyOf(starts, 2 * count);
            ends = Arrays.copyOf(ends, 2 * count);
        }
        System.arraycopy(starts, i, starts, i + 1, count - i);
        System.arraycopy(ends, i, ends, i + 1, count - i);
        count++;
        return true;
    }

    /** IsLost of §4, for all holes at once. */
    void judge(int mss, int sndMax) {
        int above = 0;
        for (int i = count - 1; i >= 0; i--) {
            above += Seq.distance(starts[i], ends[i]);
            if (count - i >= THRESHOLD || above > (THRESHOLD - 1) * mss) {
                lostTo = Seq.max(lostTo, starts[i]);
                break;
            }
        }
        if (toldAfter > (THRESHOLD - 1) * mss) {
            sendAgain(sndMax);
        }
    }

    /** What has been sent again is lost once more, or may be. */
    void sendAgain(int sndMax) {
        highRxt = sndUna;
        againFrom(sndMax);
    }

    boolean isFirstLost() {
        return Seq.gt(lostTo, sndUna);
    }

    /** What the guest has was sent last: whatever is missing before it is lost, however little it has. */
    void allBelowIsLost() {
        if (count > 0) {
            lostTo = Seq.max(lostTo, starts[count - 1]);
        }
    }

    /** A new recovery: another rescue is allowed, and what was sent again before is not. */
    void beginRecovery(int sndMax) {
        rescued = false;
        sendAgain(sndMax);
    }

    /** So many duplicates came that the first hole is lost, however small the segments: §5, step (1). */
    void firstIsLost() {
        if (count > 0) {
            lostTo = Seq.max(lostTo, starts[0]);
        }
    }

    /** After a timeout: all that the guest has not told of is lost, §5.1. */
    void allIsLost(int sndMax) {
        lostTo = sndMax;
        rescued = false;
        sendAgain(sndMax);
    }

    /** The timeout was none: nothing is lost that is not so by what the guest tells. */
    void nothingIsLost() {
        lostTo = sndUna;
        highRxt = sndUna;
    }

    /** The guest has thrown away what it had told of (RFC 2018 §8): it asks for the first byte of it. */
    boolean isReneged() {
        return count > 0 && starts[0] == sndUna;
    }

    /** Nothing that was told counts any more. */
    void forgetRanges() {
        count = 0;
        sacked = 0;
    }

    /** SetPipe of §4: bytes that are probably in flight. */
    int pipe(int sndMax) {
        int pipe = 0;
        int at = sndUna;
        for (int i = 0; i < count; i++) {
            pipe += inFlight(at, starts[i]);
            at = ends[i];
        }
        return pipe + inFlight(at, sndMax);
    }

    /** Of the hole from {@code a} to {@code b}. */
    private int inFlight(int a, int b) {
        int notLost = Math.max(0, Seq.distance(Seq.max(a, lostTo), b));
        int sentAgain = Math.max(0, Seq.distance(a, Seq.min(b, highRxt)));
        return notLost + sentAgain;
    }

    /** NextSeg (1) of §4: what is lost and has not been sent again. */
    boolean findLost() {
        return find(lostTo);
    }

    /** NextSeg (3): any hole below what the guest has. */
    boolean findHole() {
        return count > 0 && find(starts[count - 1]);
    }

    private boolean find(int limit) {
        int at = highRxt;
        for (int i = 0; i < count; i++) {
            if (Seq.lt(at, starts[i])) {
                return found(at, Seq.min(starts[i], limit));
            }
            at = Seq.max(at, ends[i]);
        }
        return found(at, limit);
    }

    private boolean found(int from, int to) {
        foundAt = from;
        foundBytes = Seq.distance(from, to);
        return foundBytes > 0;
    }

    /** NextSeg (4), the rescue: the end of what is in flight, once for each recovery. */
    boolean findRescue(int sndMax, int mss) {
        int end = count > 0 ? ends[count - 1] : sndUna;
        if (rescued && Seq.le(sndUna, rescueRxt)) {
            return false;
        }
        return found(Seq.max(end, sndMax - mss), sndMax);
    }

    void onRescue(int recoveryPoint) {
        rescued = true;
        rescueRxt = recoveryPoint;
    }

    /** What was found has been sent, up to {@code end}. */
    void onSentAgain(int end, int sndMax) {
        if (highRxt == sndUna) {
            againFrom(sndMax);
        }
        highRxt = Seq.max(highRxt, end);
    }

    /** Called under assert. */
    boolean checkInvariants(int una, int sndMax) {
        int sum = 0;
        for (int i = 0; i < count; i++) {
            assert Seq.lt(starts[i], ends[i]) : "empty range";
            assert Seq.ge(starts[i], i == 0 ? una : ends[i - 1] + 1) : "ranges touch";
            sum += Seq.distance(starts[i], ends[i]);
        }
        assert sum == sacked : sum + " bytes, not " + sacked;
        assert una == sndUna : "SND.UNA";
        assert count == 0 || Seq.le(ends[count - 1], sndMax) : "beyond SND.MAX";
        assert Seq.le(sndUna, highRxt) && Seq.le(sndUna, lostTo) && Seq.le(lostTo, sndMax) : "edges";
        return true;
    }

    @Override
    public String toString() {
        StringBuilder s = new StringBuilder("sacked");
        for (int i = 0; i < count; i++) {
            s.append(" +").append(Seq.distance(sndUna, starts[i])).append("..+").append(Seq.distance(sndUna, ends[i]));
        }
        return s.append(" lost to +")
                .append(Seq.distance(sndUna, lostTo))
                .append(" sent again to +")
                .append(Seq.distance(sndUna, highRxt))
                .toString();
    }
}
