package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.wire.Seq;
import dev.longshore.packet.wire.TcpHeader;

/**
 * The send sequence space of one flow (RFC 9293 §3.3.1, Figure 2): what is sent, when it is sent again, and what the
 * retransmission timer means.
 *
 * <p>Confined to the link's event loop.
 *
 * <pre>
 *      acknowledged         in flight         sent before a timeout       not sent
 *  ------------------|---------------------|------------------------|----------------
 *                 SND.UNA               SND.NXT                  SND.MAX
 * </pre>
 *
 * After a timeout SND.NXT goes back to SND.UNA and everything is sent again as the window allows, unless an acknowledgment
 * shows that it had arrived; otherwise SND.NXT equals SND.MAX.
 *
 * <p>One timer, with three meanings: in flight (SND.UNA before SND.MAX), it retransmits; with nothing in flight and
 * something to send that no window allows, it probes; otherwise it is off.
 */
final class Sender {
    /** Nothing is left to do. */
    static final int DONE = 0;

    /** There is more to send; other flows come first. */
    static final int MORE = 1;

    /** The link has no room: everything is as if it had not been tried. */
    static final int BLOCKED = 2;

    /** Linux tcp_retries2: some 13 minutes with our back-off; RFC 9293 §3.8.3 asks for 100 s at least. */
    private static final int MAX_RETRIES = 15;

    /** Linux tcp_syn_retries and tcp_synack_retries are 6 and 5. */
    private static final int MAX_SYN_RETRIES = 5;

    /** Linux TCP_MIN_SND_MSS: less would be an attack. */
    private static final int MIN_MSS = 48;

    private final TcpFlow flow;
    private final SegmentOut out;
    private final Congestion congestion;
    private final RttEstimator rtt = new RttEstimator();
    final SendQueue queue = new SendQueue();
    private final int iss;
    private int queueStart; // sequence number of the queue's first byte
    private int sndUna;
    private int sndNxt;
    private int sndMax;
    private int sndWnd;
    private int sndWl1;
    private int sndWl2;
    private int maxWnd;
    private int scale;
    private int mss;
    private boolean finQueued;

    private boolean resendFirst;
    private boolean probeDue;
    private boolean overrideDue; // send what fits, however small: RFC 9293 §3.8.6.2.1 (4)
    private int retries;
    int retransmissions;
    long bytes;

    private boolean timing;
    private int timedSeq;
    private long timedAt;

    private boolean timerOn;
    private long timerAt;

    Sender(TcpFlow flow, SegmentOut out, int iss) {
        this.flow = flow;
        this.out = out;
        this.iss = iss;
        this.congestion = new Congestion(iss);
        this.queueStart = iss + 1;
        this.sndUna = iss;
        this.sndNxt = iss;
        this.sndMax = iss;
    }

    // ---- what the guest said in its SYN

    /**
     * @param guestMss its option, or -1
     * @param windowScale its option if ours is sent too, else -1
     */
    void onSyn(int seq, int window, int guestMss, int windowScale, int ownMss) {
        int announced = guestMss < 0 ? (flow.isV4() ? 536 : 1220) : guestMss; // RFC 9293 §3.7.1 (MUST-15)
        mss = Math.max(MIN_MSS, Math.min(announced, ownMss));
        scale = Math.max(0, windowScale);
        sndWnd = window; // never scaled in a SYN
        maxWnd = window;
        sndWl1 = seq;
        sndWl2 = sndUna;
    }

    int sndNxt() {
        return sndNxt;
    }

    int sndMax() {
        return sndMax;
    }

    int sndUna() {
        return sndUna;
    }

    int sndWnd() {
        return sndWnd;
    }

    int mss() {
        return mss;
    }

    /** SRTT in nanoseconds, or -1. */
    long smoothedRtt() {
        return rtt.smoothed();
    }

    /**
     * A packet of ours was too big: segments become smaller, and what is in flight is sent again. No sign of congestion.
     *
     * @param seq of the segment, as quoted: false if it can't be in flight (RFC 5927 §4.1)
     * @param fits payload that would have crossed; 0 or less if unknown
     */
    boolean onPacketTooBig(int seq, int fits) {
        if (Seq.lt(seq, sndUna) || Seq.ge(seq, sndMax) || !isSynAcked()) {
            return false;
        }
        int smaller =
                Math.max(MIN_MSS, fits > 0 ? fits : mss / 2); // RFC 1191 §5 has a table for routers that don't say
        if (smaller >= mss) {
            return false;
        }
        mss = smaller;
        timing = false;
        sndNxt = sndUna;
        return true;
    }

    /** Nothing is given after this: the FIN follows the queue. */
    void queueFin() {
        finQueued = true;
    }

    boolean isFinQueued() {
        return finQueued;
    }

    private int finSeq() {
        return queueStart + queue.bytes();
    }

    boolean isFinAcked() {
        return finQueued && Seq.gt(sndUna, finSeq());
    }

    boolean isSynAcked() {
        return sndUna != iss;
    }

    /** Sent and not acknowledged, in octets of sequence space. */
    int inFlight() {
        return Seq.distance(sndUna, sndMax);
    }

    private boolean hasUnsent() {
        int unsent = Seq.distance(sndNxt, finSeq());
        return unsent > 0 || (finQueued && unsent == 0);
    }

    // ---- acknowledgments

    /** SEG.ACK of a segment that is not a duplicate from long ago: RFC 5961 §5.2. */
    boolean isAckAcceptable(int ack) {
        return Seq.le(ack, sndMax) && Seq.ge(ack, sndUna - maxWnd);
    }

    /** Our SYN has been acknowledged by {@code ack}. */
    void onSynAcked(int seq, int ack, int window) {
        advance(ack);
        sndWnd = window << scale;
        maxWnd = Math.max(maxWnd, sndWnd);
        sndWl1 = seq;
        sndWl2 = ack;
    }

    /** SYN-ACK: its window is not scaled. */
    void onSynAckOfGuest(int seq, int ack, int window) {
        advance(ack);
        sndWnd = window;
        maxWnd = Math.max(maxWnd, sndWnd);
        sndWl1 = seq;
        sndWl2 = ack;
    }

    /**
     * An acceptable acknowledgment in a synchronized state: RFC 9293 §3.10.7.4, fifth step.
     *
     * @param window the field as it came
     * @param bare no text, no SYN, no FIN: it may be a duplicate in the sense of RFC 5681 §2
     */
    void onAck(int seq, int ack, int window, boolean bare) {
        int wnd = window << scale;
        if (Seq.gt(ack, sndUna)) {
            advance(ack);
        } else if (ack == sndUna && bare && wnd == sndWnd && sndMax != sndUna) {
            if (congestion.onDuplicateAck(sndUna, sndMax, mss)) {
                resendFirst = true;
            }
        }
        boolean newer = Seq.lt(sndWl1, seq) || (sndWl1 == seq && Seq.le(sndWl2, ack));
        if (Seq.ge(ack, sndUna) && newer) {
            sndWnd = wnd;
            maxWnd = Math.max(maxWnd, wnd);
            sndWl1 = seq;
            sndWl2 = ack;
        }
        if (sndUna == sndMax || sndWnd == 0) {
            retries = 0; // RFC 9293 §3.8.6.1: as long as it answers, a window may stay closed
            if (sndWnd > 0) {
                rtt.onProgress();
            }
        }
    }

    private void advance(int ack) {
        int acked = Seq.distance(sndUna, ack);
        int text = Math.max(0, Math.min(Seq.distance(queueStart, ack), queue.bytes()));
        if (timing && Seq.ge(ack, timedSeq)) {
            timing = false;
            rtt.measure(flow.now() - timedAt);
        }
        queue.drop(text);
        queueStart += text;
        bytes += text;
        flow.countBytes(TcpCounter.BYTES_TO_GUEST, text);
        sndUna = ack;
        sndNxt = Seq.max(sndNxt, ack);
        retries = 0;
        rtt.onProgress();
        if (congestion.onAck(acked, sndUna, sndMax, mss)) {
            resendFirst = true;
        }
        if (sndUna == sndMax) {
            timerOn = false;
        } else {
            startTimer(rtt.rto()); // RFC 6298 (5.3)
        }
    }

    // ---- sending

    /** Our SYN, or SYN-ACK. */
    boolean isSynDue() {
        return sndNxt == iss;
    }

    void onSynSent() {
        if (sndMax == iss) {
            startTiming(iss + 1);
        }
        sndNxt = iss + 1;
        sndMax = Seq.max(sndMax, sndNxt);
        startTimer(rtt.rto());
    }

    /** The guest repeated its SYN: it has not seen ours. */
    void repeatSyn() {
        sndNxt = iss;
        timing = false;
    }

    /** Sends text and FIN as windows and link allow, up to about {@code quantum} bytes. */
    int output(int quantum) {
        if (resendFirst) {
            if (!resendFirst()) {
                return BLOCKED;
            }
            resendFirst = false;
        }
        int result = outputNew(quantum);
        if (result != BLOCKED) {
            settleTimer();
        }
        return result;
    }

    private int outputNew(int quantum) {
        int left = quantum;
        while (hasUnsent()) {
            if (left <= 0) {
                return MORE;
            }
            int unsent = queue.bytes() - Seq.distance(queueStart, sndNxt);
            int usable = Seq.distance(sndNxt, sndUna + Math.min(sndWnd, congestion.cwnd()));
            int len = sendable(unsent, usable);
            boolean fin = finQueued && len == unsent && usable > len;
            if (len <= 0 && !fin) {
                break;
            }
            int sent = send(sndNxt, Math.max(len, 0), fin, len == unsent);
            if (sent < 0) {
                return BLOCKED;
            }
            overrideDue = false;
            left -= Math.max(sent, mss);
        }
        return DONE;
    }

    /** How much of {@code unsent} bytes goes into the next segment; 0 or less: nothing, for the time being. */
    private int sendable(int unsent, int usable) {
        int len = Math.min(Math.min(unsent, usable), out.maxPayload(flow.isV4(), mss));
        if (len >= unsent || len <= 0) {
            return len;
        }
        if (len > mss) {
            return len - len % mss; // whole segments, as long as more follows
        }
        boolean silly = len < mss && len < maxWnd / 2; // RFC 9293 §3.8.6.2.1
        return silly && !overrideDue ? 0 : len;
    }

    /** The segment that the guest is missing, once more. */
    private boolean resendFirst() {
        if (sndUna == sndMax || !isSynAcked()) {
            return true;
        }
        int len = Math.min(queue.bytes(), mss);
        boolean fin = finQueued && len == queue.bytes() && Seq.gt(sndMax, finSeq());
        return send(sndUna, len, fin, len == queue.bytes()) >= 0;
    }

    /** One segment at {@code seq}: -1 if the link has no room, else how many bytes of text went. */
    private int send(int seq, int len, boolean fin, boolean last) {
        int lastFlags = (last && len > 0 ? TcpHeader.PSH : 0) | (fin ? TcpHeader.FIN : 0);
        int from = Seq.distance(queueStart, seq);
        int sent = out.text(flow, seq, flow.rcvNxt(), flow.window(), queue, from, len, lastFlags, mss);
        if (sent < 0) {
            return -1;
        }
        flow.onAckSent();
        int end = seq + sent + (fin && sent == len ? 1 : 0);
        if (Seq.lt(seq, sndMax)) {
            timing = false; // Karn's algorithm: what is sent twice is not timed
            retransmissions++;
            flow.count(TcpCounter.RETRANSMITTED);
        } else if (!timing) {
            startTiming(end);
        }
        if (seq == sndNxt) {
            sndNxt = end;
        }
        boolean first = sndUna == sndMax;
        sndMax = Seq.max(sndMax, end);
        if (first || !timerOn) {
            startTimer(rtt.rto()); // RFC 6298 (5.1)
        }
        return sent;
    }

    /** A segment that asks for an acknowledgment and nothing else: RFC 9293 §3.8.4 and §3.8.6.1. False if no room. */
    boolean sendProbeIfDue() {
        if (!probeDue) {
            return true;
        }
        if (!out.control(flow, sndUna - 1, flow.rcvNxt(), TcpHeader.ACK, flow.window())) {
            return false;
        }
        probeDue = false;
        flow.onAckSent();
        flow.count(TcpCounter.PROBES);
        return true;
    }

    void probe() {
        probeDue = true;
    }

    private void startTiming(int until) {
        timing = true;
        timedSeq = until;
        timedAt = flow.now();
    }

    // ---- the timer

    private void startTimer(long delay) {
        timerOn = true;
        timerAt = flow.now() + delay;
        flow.wakeBy(timerAt);
    }

    /** After sending: on if something is in flight, or if something waits for the window. */
    private void settleTimer() {
        if (sndUna == sndMax && !hasUnsent()) {
            timerOn = false;
        } else if (!timerOn) {
            startTimer(rtt.rto());
        }
    }

    boolean isTimerOn() {
        return timerOn;
    }

    long timerAt() {
        return timerAt;
    }

    /** The timer has fired. False: the guest is not there any more. */
    boolean onTimer() {
        timerOn = false;
        if (!out.isWritable()) {
            startTimer(rtt.rto()); // the guest takes no packets at all: that is no loss
            return true;
        }
        if (++retries > (isSynAcked() ? MAX_RETRIES : MAX_SYN_RETRIES)) {
            return false;
        }
        if (sndUna == sndMax) { // SND.WND is zero or silly
            probeDue = true;
            overrideDue = true;
        } else {
            flow.count(TcpCounter.TIMEOUTS);
            if (isSynAcked()) {
                congestion.onTimeout(retries == 1, sndUna, sndMax, mss);
            }
            timing = false;
            sndNxt = sndUna;
            resendFirst = sndWnd < mss && isSynAcked(); // a window that was taken back must not end in silence
        }
        rtt.backOff();
        startTimer(rtt.rto());
        return true;
    }

    void release() {
        queue.releaseAll();
        timerOn = false;
    }

    /** Called under assert. */
    boolean checkInvariants() {
        assert Seq.le(sndUna, sndNxt) && Seq.le(sndNxt, sndMax) : sndUna + " " + sndNxt + " " + sndMax;
        assert !isSynAcked() || Seq.le(sndMax, finSeq() + 1) : "sent more than there is";
        assert !isSynAcked() || isFinAcked() || queueStart == sndUna : "queue starts at " + queueStart;
        assert sndUna == sndMax || timerOn || sndNxt == iss : "in flight without a timer";
        assert queue.checkInvariants();
        return true;
    }

    @Override
    public String toString() {
        return "una +" + Seq.distance(iss, sndUna) + " nxt +" + Seq.distance(iss, sndNxt) + " max +"
                + Seq.distance(iss, sndMax) + " wnd " + sndWnd + " queued " + queue.bytes();
    }
}
