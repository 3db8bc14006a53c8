package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.wire.Seq;
import dev.longshore.packet.wire.TcpOptions;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * Repairs losses of one flow whose guest speaks SACK: RFC 6675, with the tail loss probe of RFC 8985 §7. Decides what its
 * {@link Sender} sends while something is missing.
 *
 * <p>Confined to the link's event loop.
 */
final class SackRepair {
    private final TcpFlow flow;
    private final Sender sender;
    private final Congestion congestion;
    private @Nullable Scoreboard board;
    private boolean firstDue; // step (4.3): the first hole goes at once, whatever is in flight
    private boolean tailProbeDue;
    private boolean tailProbed; // nothing was acknowledged since the last probe

    SackRepair(TcpFlow flow, Sender sender, Congestion congestion) {
        this.flow = flow;
        this.sender = sender;
        this.congestion = congestion;
    }

    /** False on a clean link: the sender goes its own way. */
    boolean isActive() {
        return board != null || tailProbeDue;
    }

    private Scoreboard board() {
        Scoreboard b = board;
        if (b == null) {
            b = new Scoreboard(sender.sndUna());
            board = b;
        }
        return b;
    }

    // ---- what has happened

    /**
     * What a segment tells by SACK, after its acknowledgment has been taken: RFC 6675 §5.
     *
     * @param at index of its first block in {@code b}
     * @param forward whether it acknowledged something new
     */
    void onSack(ByteBuf b, int at, int blocks, boolean forward) {
        if (sender.inFlight() == 0) {
            return;
        }
        int fresh = 0;
        for (int i = 0; i < Math.min(blocks, TcpOptions.MAX_SACK_BLOCKS); i++) {
            int left = b.getInt(at + 8 * i);
            if (Seq.gt(left, sender.sndUna())) { // else a duplicate that it tells of: RFC 2883
                fresh += board().add(left, b.getInt(at + 8 * i + 4), sender.sndMax());
            }
        }
        Scoreboard known = board;
        if (known == null || fresh == 0) {
            return;
        }
        if (tailProbed) {
            known.allBelowIsLost(); // the probe arrived, and it was the last: RFC 8985 §7.4
        }
        boolean third = !forward && congestion.onDuplicateSack();
        if (third && !congestion.isRepairing(sender.sndUna())) {
            known.firstIsLost();
        }
        judge(known);
    }

    private void judge(Scoreboard known) {
        known.judge(sender.mss(), sender.sndMax());
        if (known.isFirstLost() && !congestion.isRepairing(sender.sndUna())) {
            congestion.lose(sender.sndUna(), sender.sndMax(), sender.mss());
            known.beginRecovery(sender.sndMax());
            firstDue = true;
        }
    }

    /** SND.UNA has moved by {@code acked}. */
    void onAdvance(int acked) {
        tailProbed = false;
        congestion.onAckWithSack(acked, sender.sndUna(), sender.mss());
        Scoreboard known = board;
        if (known == null) {
            return;
        }
        known.advance(sender.sndUna(), sender.sndMax());
        if (known.isEmpty() && !congestion.isRepairing(sender.sndUna())) {
            board = null;
            firstDue = false;
        } else {
            judge(known);
        }
    }

    /** True if the timer shall ask for the tail before it means a timeout. A single segment's acknowledgment may be delayed; while something is missing, none is. */
    boolean wantsTailProbe() {
        return !tailProbed && (board != null || sender.inFlight() > sender.mss());
    }

    /** Nothing has been heard for two round trips: ask for the tail, or send again what was to repair a loss. */
    void onTailTimer() {
        tailProbed = true;
        Scoreboard known = board;
        if (known != null) {
            known.sendAgain(sender.sndMax());
        } else {
            tailProbeDue = sender.inFlight() > 0;
        }
    }

    /** A timeout, or segments were too big: all is lost that the guest has not told of. */
    void allIsLost() {
        Scoreboard known = board();
        if (known.isReneged()) {
            known.forgetRanges();
        }
        known.allIsLost(sender.sndMax());
    }

    /** The timeout was none. */
    void nothingIsLost() {
        if (board != null) {
            board.nothingIsLost();
        }
    }

    void release() {
        board = null;
        firstDue = false;
        tailProbeDue = false;
    }

    // ---- what is sent

    /** What is lost first, then what is new, as far as the pipe has room: RFC 6675 §5, step (C), and NextSeg. One of Sender's DONE, MORE, BLOCKED. */
    int output(int quantum) {
        if (tailProbeDue) {
            if (!sendTailProbe()) {
                return Sender.BLOCKED;
            }
            tailProbeDue = false;
        }
        Scoreboard known = board;
        return known == null ? sender.outputNew(quantum) : output(known, quantum);
    }

    private int output(Scoreboard known, int quantum) {
        int left = quantum;
        int mss = sender.mss();
        int pipe = known.pipe(sender.sndMax());
        while (pipe == 0 || firstDue || congestion.cwnd() - pipe >= mss) {
            if (left <= 0) {
                return Sender.MORE;
            }
            int sent = sendNext(known, congestion.cwnd() - pipe);
            if (sent < 0) {
                return Sender.BLOCKED;
            }
            firstDue = false;
            if (sent == 0) {
                break; // nothing to send, or beyond what the guest allows now
            }
            left -= Math.max(sent, mss);
            pipe = known.pipe(sender.sndMax());
        }
        return Sender.DONE;
    }

    /** NextSeg of §4: -1 if the link has no room, else bytes of sequence space. */
    private int sendNext(Scoreboard known, int room) {
        if (known.findLost()) {
            return sendAgain(known);
        }
        if (sender.isNewSendable(room)) {
            return sender.sendNew(room);
        }
        if (congestion.isRecovering() && known.findHole()) {
            return sendAgain(known);
        }
        if (congestion.isRecovering() && known.findRescue(sender.sndMax(), sender.mss())) {
            int bytes = sender.sendOnceMore(known.foundAt, known.foundBytes);
            if (bytes > 0) {
                known.onRescue(congestion.recoveryPoint());
            }
            return bytes;
        }
        return 0;
    }

    private int sendAgain(Scoreboard known) {
        int seq = known.foundAt;
        int bytes = sender.sendOnceMore(seq, known.foundBytes);
        if (bytes > 0) {
            known.onSentAgain(seq + bytes, sender.sndMax());
        }
        return bytes;
    }

    /** The last segment in flight again, so that the guest tells of what is missing before it: RFC 8985 §7.3. False if no room. */
    private boolean sendTailProbe() {
        if (board != null || sender.inFlight() == 0) {
            return true; // the guest has answered meanwhile
        }
        int seq = Seq.max(sender.sndUna(), sender.sndMax() - sender.mss());
        flow.count(TcpCounter.TAIL_PROBES);
        return sender.sendOnceMore(seq, Seq.distance(seq, sender.sndMax())) >= 0;
    }

    /** Called under assert. */
    boolean checkInvariants() {
        assert board == null || board.checkInvariants(sender.sndUna(), sender.sndMax());
        return true;
    }
}
