package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.wire.Seq;
import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.packet.wire.TcpOptions;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

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
 * With a guest that speaks SACK, {@link SackRepair} says what is sent again, and SND.NXT always equals SND.MAX. Without, after
 * a timeout SND.NXT goes back to SND.UNA and everything is sent again as the window allows, unless an acknowledgment shows
 * that it had arrived.
 *
 * <p>One timer, with four meanings: in flight (SND.UNA before SND.MAX), it asks for the tail once (RFC 8985 §7), then
 * retransmits; with nothing in flight and something to send that no window allows, it probes; otherwise it is off.
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
    private @Nullable SackRepair repair; // null: the guest does not speak SACK

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
    private boolean tailTimer; // the timer stands for a tail loss probe, not for a timeout
    private boolean timeoutDoubted; // one has fired, and the next echo tells whether something was lost
    private int timeoutStamp;

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

    /** The guest's SYN at {@code at} of {@code b}, with what is agreed on. */
    void onSyn(ByteBuf b, int at, int ownMss, FlowOptions options) {
        int guestMss = TcpOptions.mss(b, at);
        int announced = guestMss < 0 ? (flow.isV4() ? 536 : 1220) : guestMss; // RFC 9293 §3.7.1 (MUST-15)
        mss = Math.max(MIN_MSS, Math.min(announced, ownMss))
                - options.bytes(); // which the MSS does not count: RFC 6691
        repair = options.isSack() ? new SackRepair(flow, this, congestion) : null;
        scale = Math.max(0, TcpOptions.windowScale(b, at));
        int window = TcpHeader.window(b, at);
        sndWnd = window; // never scaled in a SYN
        maxWnd = window;
        sndWl1 = TcpHeader.seq(b, at);
        sndWl2 = sndUna;
    }

    /** Null if the guest does not speak SACK. */
    @Nullable
    SackRepair repair() {
        return repair;
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
        if (repair != null) {
            congestion.repeat(sndMax);
            repair.allIsLost();
        } else {
            sndNxt = sndUna;
        }
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
        } else if (ack == sndUna && bare && wnd == sndWnd && sndMax != sndUna && repair == null) {
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

    /**
     * The timestamp that an acknowledgment of something new echoes: before {@link #onAck}.
     *
     * @param nanos since it was sent; negative if it was not
     */
    void onEcho(int tsEcr, long nanos) {
        if (timeoutDoubted
                && tsEcr - timeoutStamp < 0) { // RFC 3522 §3.2, step (5): of what was sent before the timeout
            congestion.undo(sndUna);
            if (repair != null) {
                repair.nothingIsLost();
            }
            flow.count(TcpCounter.TIMEOUTS_UNDONE);
        }
        timeoutDoubted = false;
        if (!timing && nanos >= 0) {
            rtt.measure(nanos); // what was sent twice: RFC 7323 §4.1; else our own clock is finer
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
        flow.countToGuest(text);
        sndUna = ack;
        sndNxt = Seq.max(sndNxt, ack);
        retries = 0;
        rtt.onProgress();
        if (repair != null) {
            repair.onAdvance(acked);
        } else if (congestion.onAck(acked, sndUna, sndMax, mss)) {
            resendFirst = true;
        }
        if (sndUna == sndMax) {
            timerOn = false;
        } else {
            startRetransmission(); // RFC 6298 (5.3)
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
        SackRepair r = repair;
        int result = r != null && r.isActive() ? r.output(quantum) : outputNew(quantum);
        if (result != BLOCKED) {
            settleTimer();
        }
        return result;
    }

    /** What has never been sent. */
    int outputNew(int quantum) {
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

    /** True if something new may be sent, with {@code room} in the pipe. */
    boolean isNewSendable(int room) {
        int unsent = queue.bytes() - Seq.distance(queueStart, sndNxt);
        int usable = Math.min(Seq.distance(sndNxt, sndUna + sndWnd), room);
        return hasUnsent() && (sendable(unsent, usable) > 0 || (finQueued && unsent == 0 && usable > 0));
    }

    /** One segment of it: -1 if the link has no room, else bytes of sequence space. */
    int sendNew(int room) {
        int unsent = queue.bytes() - Seq.distance(queueStart, sndNxt);
        int usable = Math.min(Seq.distance(sndNxt, sndUna + sndWnd), room);
        int len = Math.max(0, sendable(unsent, usable));
        int before = sndMax;
        boolean fin = finQueued && len == unsent && usable > len;
        int sent = send(sndNxt, len, fin, len == unsent);
        overrideDue = overrideDue && sent < 0;
        return sent < 0 ? -1 : Seq.distance(before, sndMax);
    }

    /**
     * One segment of what has been sent before. A window that was taken back must not end in silence: one is allowed always.
     *
     * @return -1 if the link has no room, 0 if the guest allows nothing, else bytes of sequence space
     */
    int sendOnceMore(int seq, int missing) {
        int allowed = Seq.distance(seq, sndUna + Math.max(sndWnd, mss));
        int space = Math.min(Math.min(missing, mss), allowed);
        if (space <= 0) {
            return 0;
        }
        int text = Math.min(space, Seq.distance(seq, finSeq()));
        boolean fin = finQueued && seq + text == finSeq() && missing > text;
        int sent = send(seq, text, fin, seq + text == finSeq());
        return sent < 0 ? -1 : sent + (fin && sent == text ? 1 : 0);
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
        int len = Math.min(Math.min(queue.bytes(), mss), inFlight());
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
        int before = inFlight();
        sndMax = Seq.max(sndMax, end);
        if (before == 0 || !timerOn || (before <= mss && inFlight() > mss)) {
            startRetransmission(); // RFC 6298 (5.1), RFC 8985 §7.2
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

    /** RFC 6298; before it, once, RFC 8985 §7.2. */
    private void startRetransmission() {
        boolean tail = repair != null && retries == 0 && repair.wantsTailProbe();
        startTimer(tail ? rtt.probeTimeout() : rtt.rto());
        tailTimer = tail;
    }

    private void startTimer(long delay) {
        tailTimer = false;
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
        if (tailTimer && repair != null) {
            repair.onTailTimer();
            startTimer(rtt.rto());
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
                onLossTimeout();
            } else {
                sndNxt = sndUna;
                if (retries == 2) {
                    flow.doubtGuest();
                }
            }
            timing = false;
        }
        rtt.backOff();
        startTimer(rtt.rto());
        return true;
    }

    private void onLossTimeout() {
        congestion.onTimeout(retries == 1, sndUna, sndMax, mss);
        if (retries == 1 && flow.options().isStamped()) {
            timeoutDoubted = true;
            timeoutStamp = flow.options().stamp(flow.now());
        }
        if (repair != null) {
            repair.allIsLost();
        } else {
            sndNxt = sndUna;
            resendFirst = sndWnd < mss; // a window that was taken back must not end in silence
        }
    }

    void release() {
        if (repair != null) {
            repair.release();
        }
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
        assert repair == null || !isSynAcked() || sndNxt == sndMax : "SND.NXT has gone back";
        assert repair == null || repair.checkInvariants();
        return true;
    }

    @Override
    public String toString() {
        return "una +" + Seq.distance(iss, sndUna) + " nxt +" + Seq.distance(iss, sndNxt) + " max +"
                + Seq.distance(iss, sndMax) + " wnd " + sndWnd + " queued " + queue.bytes();
    }
}
