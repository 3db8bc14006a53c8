package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Seq;
import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.packet.wire.TcpOptions;
import dev.longshore.vpnkit.flow.FlowEnd;
import dev.longshore.vpnkit.flow.FlowOwner;
import dev.longshore.vpnkit.flow.FlowSnapshot;
import dev.longshore.vpnkit.flow.GuestSide;
import dev.longshore.vpnkit.flow.HostSide;
import dev.longshore.vpnkit.flow.SeenFlow;
import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection of the guest: the events of RFC 9293 §3.10, from segments, from the host's side and from time.
 *
 * <p>Confined to the link's event loop.
 *
 * <p>Theory of operation: an event changes variables and asks to be worked on ({@link TcpStack#work}); segments are sent
 * from {@link #work} only, once a batch, so that one acknowledgment answers all segments of it. Text out of order and
 * other things that need an answer each are the exception. Every way to end goes through {@link #end}.
 *
 * <p>Invariants: CLOSED means: not in the table, no timer, no buffer, no dial, host side gone. LISTEN means: a dial is
 * under way. TIME-WAIT holds no buffer and no host side.
 */
final class TcpFlow extends Timers.Entry implements GuestSide, SeenFlow {
    private static final Logger log = LoggerFactory.getLogger(TcpFlow.class);

    /** RFC 9293 §3.4.2 says 2 minutes for the Internet; a ring in memory keeps no packet for longer than this. */
    static final long MSL = TimeUnit.SECONDS.toNanos(5);

    /** How long a guest may leave its half open after the host's side is gone: Linux tcp_fin_timeout. */
    static final long ORPHAN_TIMEOUT = TimeUnit.SECONDS.toNanos(60);

    /**
     * An idle guest is asked whether it still knows the connection, since a RST that the link lost is never repeated. The question or
     * its answer may be lost as well, so it is put a few times. Only an answer counts; silence is left to the keep-alive proper.
     */
    static final long ASK_IDLE = TimeUnit.SECONDS.toNanos(60);

    private static final long ASK_AGAIN = TimeUnit.SECONDS.toNanos(10);
    private static final int ASKS = 3;

    /** RFC 9293 §3.8.4: at least two hours. */
    static final long KEEPALIVE_IDLE = TimeUnit.HOURS.toNanos(2);

    /** Linux tcp_keepalive_intvl and tcp_keepalive_probes. */
    static final long KEEPALIVE_INTERVAL = TimeUnit.SECONDS.toNanos(75);

    private static final int KEEPALIVE_PROBES = 9;

    /** What one flow sends before others have their turn. */
    private static final int QUANTUM = 256 << 10;

    final long guestHi;
    final long guestLo;
    final int guestPort;
    final long remoteHi;
    final long remoteLo;
    final int remotePort;
    private final boolean intoGuest;
    private final TcpStack stack;
    private final SegmentOut out;
    private final Sender sender;
    private final Receiver receiver;
    private final long openedAt;
    private final FlowOwner owner;

    private TcpState state = TcpState.CLOSED;
    private @Nullable HostSide host;
    private @Nullable Future<?> dial;
    private @Nullable Runnable onEstablished;
    private @Nullable FlowEnd end;
    private final FlowOptions options = new FlowOptions();
    private boolean hostGone;
    private boolean hostWanted;
    private boolean flushDue;
    private boolean lifeTimerOn;
    private long lifeTimerAt;
    private long heardAt;
    private boolean ackWaits;
    private long ackWaitsUntil;
    private int keepAliveProbes;
    private long askedAtBytes = -1; // both ways, when the idle guest was asked last
    private long askedAt;
    private int unanswered; // questions
    private int accounted;

    /** Used by {@link TcpStack#work}: waiting there for its turn. */
    boolean queued;

    TcpFlow(
            TcpStack stack,
            boolean intoGuest,
            long guestHi,
            long guestLo,
            int guestPort,
            long remoteHi,
            long remoteLo,
            int remotePort,
            int iss) {
        this.stack = stack;
        this.out = stack.out();
        this.intoGuest = intoGuest;
        this.guestHi = guestHi;
        this.guestLo = guestLo;
        this.guestPort = guestPort;
        this.remoteHi = remoteHi;
        this.remoteLo = remoteLo;
        this.remotePort = remotePort;
        this.sender = new Sender(this, out, iss);
        this.receiver = new Receiver(out.ownMss(isV4()));
        this.owner = stack.owners().begin(guestHi, guestLo);
        this.openedAt = stack.now();
        this.heardAt = openedAt;
    }

    // ---- opening

    /** The guest's SYN: nothing is answered until the host is connected. */
    void openFromGuest(ByteBuf b, int at) {
        become(TcpState.LISTEN);
        onSynOptions(b, at);
    }

    private void onSynOptions(ByteBuf b, int at) {
        options.onSyn(b, at, stack.newTimestamps(this), heardAt);
        receiver.onSyn(TcpHeader.seq(b, at), options.isScaled());
        sender.onSyn(b, at, out.ownMss(isV4()), options);
    }

    void dialing(Future<?> future) {
        dial = future;
    }

    /** The host's side is there: answer the guest. Takes ownership of {@code side}. */
    void hostConnected(HostSide side) {
        dial = null;
        host = side;
        if (state == TcpState.CLOSED) {
            side.abort(); // it failed while it was attached
            return;
        }
        become(state.onHostConnected());
        stack.work(this);
    }

    /** No way to the host: {@code reset} the guest, or leave it to its own timer. */
    void notConnected(String reason, boolean reset) {
        dial = null;
        if (reset) {
            sendReset(0, receiver.rcvNxt(), TcpHeader.RST | TcpHeader.ACK);
        }
        end(new FlowEnd.NotConnected(reason));
    }

    /** A SYN to the guest. {@code established} runs when it has answered, or at the flow's end if it never does. */
    void openIntoGuest(@Nullable Runnable established) {
        onEstablished = established;
        options.offer(stack.newTimestamps(this));
        become(TcpState.SYN_SENT);
        stack.work(this);
    }

    /** The host side of a flow into the guest, when it begins or when it is established. Takes ownership. */
    void attach(HostSide side) {
        if (state == TcpState.CLOSED) {
            side.abort(); // it failed while it was attached
        } else {
            host = side;
        }
    }

    // ---- segments: RFC 9293 §3.10.7

    /** Borrows {@code b}; {@code len} bytes at {@code at} are a valid segment. */
    void onSegment(ByteBuf b, int at, int len) {
        heardAt = stack.now();
        keepAliveProbes = 0;
        unanswered = 0;
        switch (state) {
            case LISTEN -> onSegmentWhileDialing(b, at);
            case SYN_SENT -> onSegmentInSynSent(b, at);
            case SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT ->
                onSegmentOtherwise(b, at, len);
            case CLOSED -> throw new IllegalStateException("segment for a closed flow");
        }
        assert checkInvariants();
    }

    /** A repeated SYN is no news; a RST takes it back. */
    private void onSegmentWhileDialing(ByteBuf b, int at) {
        int flags = TcpHeader.flags(b, at);
        if ((flags & TcpHeader.RST) != 0) {
            int seq = TcpHeader.seq(b, at);
            if (seq == receiver.rcvNxt() || seq == receiver.irs()) {
                end(new FlowEnd.GuestReset());
                return;
            }
        }
        count(TcpCounter.DROPPED_UNEXPECTED);
    }

    /** §3.10.7.3. */
    private void onSegmentInSynSent(ByteBuf b, int at) {
        int flags = TcpHeader.flags(b, at);
        int ack = TcpHeader.ack(b, at);
        boolean acked = (flags & TcpHeader.ACK) != 0;
        if (acked && (Seq.le(ack, sender.sndUna()) || Seq.gt(ack, sender.sndMax()))) {
            if ((flags & TcpHeader.RST) == 0) {
                sendReset(ack, 0, TcpHeader.RST);
                sender.repeatSyn(); // an old connection's TIME-WAIT is gone now
                stack.work(this);
            } else {
                count(TcpCounter.DROPPED_UNEXPECTED);
            }
            return;
        }
        if ((flags & TcpHeader.RST) != 0 && acked) {
            end(new FlowEnd.GuestRefused());
            return;
        }
        if ((flags & (TcpHeader.RST | TcpHeader.SYN)) != TcpHeader.SYN) {
            count(TcpCounter.DROPPED_UNEXPECTED);
            return;
        }
        onSynOptions(b, at);
        if (acked) {
            sender.onSynAckOfGuest(TcpHeader.seq(b, at), ack, TcpHeader.window(b, at));
            receiver.oweAck();
            become(state.onSynAcked());
            established();
        } else {
            become(state.onCrossingSyn());
            sender.repeatSyn();
        }
        stack.work(this);
    }

    private void established() {
        Runnable then = onEstablished;
        if (then != null) {
            onEstablished = null;
            then.run();
        }
        if (sender.isFinQueued() && state == TcpState.ESTABLISHED) {
            become(state.onHostEof());
        }
        wantMore();
    }

    /** §3.10.7.4, with the stricter checks of RFC 5961. */
    private void onSegmentOtherwise(ByteBuf b, int at, int len) {
        int flags = TcpHeader.flags(b, at);
        int seq = TcpHeader.seq(b, at);
        int segLen = TcpHeader.segLen(b, at, len);
        if ((flags & TcpHeader.RST) != 0) {
            onRst(seq);
            return;
        }
        if ((flags & TcpHeader.SYN) != 0) {
            onSyn(seq);
            return;
        }
        if ((flags & TcpHeader.ACK) == 0) {
            count(TcpCounter.DROPPED_UNEXPECTED);
            return;
        }
        if (options.isOld(b, at, heardAt)) {
            count(TcpCounter.OLD_TIMESTAMPS);
            onDuplicate(seq, segLen);
            return;
        }
        if (!receiver.isAcceptable(seq, segLen)) {
            onUnacceptable(b, at, seq, segLen, flags);
            return;
        }
        options.onSegment(b, at, heardAt);
        if (state == TcpState.SYN_RECEIVED && !onAckOfSyn(b, at, seq)) {
            return;
        }
        if (!onAck(b, at, seq, segLen == 0)) {
            return;
        }
        if (!state.takesText()) {
            if (segLen > 0) {
                count(TcpCounter.DROPPED_UNEXPECTED);
            }
            return;
        }
        onText(b, at, len, seq, (flags & TcpHeader.FIN) != 0);
    }

    /** First step: a duplicate from before, or something beyond the window. Tell the guest where we are. */
    private void onUnacceptable(ByteBuf b, int at, int seq, int segLen, int flags) {
        count(TcpCounter.UNACCEPTABLE);
        if (state == TcpState.TIME_WAIT && (flags & TcpHeader.FIN) != 0) {
            startLifeTimer(2 * MSL); // our acknowledgment of its FIN was lost
        }
        onDuplicate(seq, segLen);
        boolean zeroWindow = receiver.rcvWnd() == 0 && seq == receiver.rcvNxt();
        if (zeroWindow && state.isSynchronized()) {
            onAck(b, at, seq, false); // §3.10.7.4: "special allowance … to accept valid ACKs"
        }
    }

    /** Nothing of it is new. If it has been taken before, the guest is told so, once and at once: RFC 2883. */
    private void onDuplicate(int seq, int segLen) {
        receiver.onAgain(seq, segLen);
        receiver.oweAck();
        if (receiver.hasAgain() && state.isSynchronized()) {
            tellAgain();
        }
        stack.work(this);
    }

    /** By an acknowledgment of its own, since segments with text have no SACK. */
    private void tellAgain() {
        count(TcpCounter.DUPLICATES);
        sendAckNow();
    }

    /** Second step, as RFC 5961 §3.2 has it. */
    private void onRst(int seq) {
        if (seq == receiver.rcvNxt()) {
            end(state == TcpState.TIME_WAIT ? new FlowEnd.Closed() : new FlowEnd.GuestReset());
        } else if (receiver.isAcceptable(seq, 0)) {
            challenge();
        } else {
            count(TcpCounter.DROPPED_UNEXPECTED);
        }
    }

    /** Fourth step, as RFC 5961 §4.2 has it. A SYN that may reuse TIME-WAIT has been dealt with by the stack. */
    private void onSyn(int seq) {
        if (state == TcpState.SYN_RECEIVED && seq == receiver.irs()) {
            sender.repeatSyn();
            stack.work(this);
        } else {
            challenge();
        }
    }

    private void challenge() {
        if (stack.mayChallenge()) {
            count(TcpCounter.CHALLENGES);
            receiver.oweAck();
            stack.work(this);
        } else {
            count(TcpCounter.CHALLENGES_SUPPRESSED);
        }
    }

    /** Fifth step in SYN-RECEIVED. False if the segment is done with. */
    private boolean onAckOfSyn(ByteBuf b, int at, int seq) {
        int ack = TcpHeader.ack(b, at);
        if (Seq.le(ack, sender.sndUna()) || Seq.gt(ack, sender.sndMax())) {
            sendReset(ack, 0, TcpHeader.RST);
            return false;
        }
        sender.onSynAcked(seq, ack, TcpHeader.window(b, at));
        become(state.onSynAcked());
        established();
        stack.work(this);
        return state != TcpState.CLOSED;
    }

    /** Fifth step. False if the segment is done with. */
    private boolean onAck(ByteBuf b, int at, int seq, boolean bare) {
        int ack = TcpHeader.ack(b, at);
        if (!sender.isAckAcceptable(ack)) {
            challenge();
            return false;
        }
        boolean forward = Seq.gt(ack, sender.sndUna());
        if (forward) {
            options.onNewAck(b, at, heardAt, sender);
        }
        sender.onAck(seq, ack, TcpHeader.window(b, at), bare);
        SackRepair repair = sender.repair();
        int sackAt = repair == null ? -1 : options.sackIndex(b, at);
        if (repair != null && sackAt >= 0) {
            repair.onSack(b, sackAt, TcpOptions.sackBlocks(b, at), forward);
        }
        account();
        if (sender.isFinAcked()) {
            become(state.onFinAcked());
            if (state == TcpState.CLOSED) {
                end(new FlowEnd.Closed());
                return false;
            }
        }
        wantMore();
        stack.work(this);
        return true;
    }

    /** Seventh and eighth step. */
    private void onText(ByteBuf b, int at, int len, int seq, boolean fin) {
        int header = TcpHeader.headerBytes(b, at);
        int text = len - header;
        if (text == 0 && !fin) {
            return;
        }
        HostSide to = host;
        if (to == null || (hostGone && text > 0)) {
            abort(new FlowEnd.HostGone()); // §3.10.7.4 has no such case; RFC 9293 §3.6.1, second paragraph, does
            return;
        }
        if (text > 0 && !stack.memory().mayKeep(to.held() + receiver.earlyBytes(), text)) {
            count(TcpCounter.DROPPED_MEMORY); // as if lost on the way: the guest sends it again
            return;
        }
        boolean early = receiver.hasEarly() || seq != receiver.rcvNxt();
        long before = receiver.bytes;
        receiver.grow(heardAt, to.held());
        boolean finNow = receiver.onText(b, at + header, text, seq, fin, to);
        countLost();
        flushDue = true;
        countFromGuest((int) (receiver.bytes - before));
        if (finNow && state != TcpState.CLOSED) {
            onInOrderFin(to);
        }
        if (early) {
            count(TcpCounter.OUT_OF_ORDER);
        }
        if (receiver.hasAgain()) {
            tellAgain();
        } else if (early) {
            sendAckNow();
        }
        stack.work(this);
    }

    private void countLost() {
        if (receiver.isCut()) {
            count(TcpCounter.DROPPED_BEYOND_WINDOW);
        }
        if (receiver.isScattered()) {
            count(TcpCounter.DROPPED_GAPS);
        }
    }

    /** A FIN at RCV.NXT; all text before it has been delivered to the host. */
    private void onInOrderFin(HostSide to) {
        TcpState next = state.onFin(sender.isFinAcked());
        if (next != state) {
            receiver.passFin();
            become(next); // before the host hears of it: it may close at once, from within the call
            to.guestFinished();
        }
    }

    /** The guest's kernel says by ICMP that our SYN does not get anywhere. Later it is a soft error: RFC 9293 §3.9.2.2. */
    void onUnreachable() {
        if (state == TcpState.SYN_SENT) {
            end(new FlowEnd.GuestUnreachable());
        }
    }

    /** The guest's kernel says by ICMP that the segment at {@code seq} did not fit: RFC 1191, RFC 8201. */
    void onPacketTooBig(int seq, int mtu) {
        int headers = (isV4() ? 40 : 60) + options.bytes();
        if (state.sendsText() && sender.onPacketTooBig(seq, mtu - headers)) {
            stack.work(this);
        }
    }

    // ---- the host's side

    @Override
    public void fromHost(ByteBuf data) {
        if (state == TcpState.CLOSED || sender.isFinQueued()) {
            data.release();
            return;
        }
        sender.queue.add(data);
        account();
        if (stack.memory().isOverfull(sender.queue.footprint())) {
            abort(new FlowEnd.Evicted());
            return;
        }
        wantMore();
    }

    /** Tells the stack what this flow keeps for the guest. */
    private void account() {
        int footprint = sender.queue.footprint();
        stack.memory().onKeptForGuest(footprint - accounted);
        accounted = footprint;
    }

    /** What the host's side may hold for a slow remote, now. */
    int bufferForHost() {
        return stack.memory().forHost(receiver.growth());
    }

    long openedAt() {
        return openedAt;
    }

    @Override
    public void fromHostComplete() {
        stack.work(this);
    }

    /** Twice the guest's window keeps it full; a share of the whole keeps memory bounded. */
    private int sendBuffer() {
        return (int) Math.min(
                Math.max(2L * sender.sndWnd(), 64 << 10), stack.memory().forGuest());
    }

    /** Back-pressure, with a gap between off and on. */
    private void wantMore() {
        HostSide from = host;
        if (from == null || !state.isSynchronized()) {
            return;
        }
        // A remote that sends byte by byte costs a buffer for each: what counts then is the memory.
        int waiting = Math.max(sender.queue.bytes(), sender.queue.footprint() / 4);
        boolean wanted = hostWanted ? waiting < sendBuffer() : waiting <= sendBuffer() / 2;
        if (wanted != hostWanted) {
            hostWanted = wanted;
            from.wantMore(wanted);
        }
    }

    @Override
    public void hostFinished() {
        if (state != TcpState.CLOSED && !sender.isFinQueued()) {
            sender.queueFin();
            become(state.onHostEof());
            stack.work(this);
        }
    }

    @Override
    public void hostHasRoom() {
        HostSide to = host;
        if (to != null && state.takesText() && receiver.wantsUpdate(to.room())) {
            receiver.oweAck();
            stack.work(this);
        }
    }

    @Override
    public void hostClosed(@Nullable Throwable cause) {
        if (state == TcpState.CLOSED || state == TcpState.TIME_WAIT || hostGone) {
            return;
        }
        hostGone = true;
        if (cause != null || !sender.isFinQueued()) {
            sendWhatFits();
            abort(new FlowEnd.HostFailed(cause));
        } else if (state == TcpState.FIN_WAIT_2) {
            startLifeTimer(ORPHAN_TIMEOUT);
        }
    }

    // ---- sending

    /** A remote's RST takes back nothing of what came before it: as far as the guest's window goes, that is sent first. */
    private void sendWhatFits() {
        int result = Sender.MORE;
        while (result == Sender.MORE && state.sendsText()) {
            result = sender.output(QUANTUM);
        }
    }

    /** Flushes the host, sends what may be sent: one of Sender's DONE, MORE, BLOCKED. Called by the stack only. */
    int work() {
        HostSide to = host;
        if (flushDue && to != null) {
            flushDue = false;
            to.flush(); // may end the flow, or fill its queue
        }
        int result =
                switch (state) {
                    case CLOSED, LISTEN -> Sender.DONE;
                    case SYN_SENT, SYN_RECEIVED -> sendSyn();
                    case ESTABLISHED, FIN_WAIT_1, CLOSE_WAIT, CLOSING, LAST_ACK -> sendTextAndAck();
                    case FIN_WAIT_2, TIME_WAIT -> sendAck();
                };
        assert checkInvariants();
        return result;
    }

    private int sendSyn() {
        if (!sender.isSynDue()) {
            return state == TcpState.SYN_RECEIVED ? sendAck() : Sender.DONE;
        }
        boolean answer = state == TcpState.SYN_RECEIVED;
        int flags = answer ? TcpHeader.SYN | TcpHeader.ACK : TcpHeader.SYN;
        int windowScale = options.isScaled() ? Receiver.OUR_SCALE : -1;
        int window = answer ? receiver.window(room(), true) : Math.min(bufferForHost(), 0xFFFF);
        int ack = answer ? receiver.rcvNxt() : 0;
        if (!out.syn(this, sender.sndUna(), ack, flags, window, windowScale)) {
            return Sender.BLOCKED;
        }
        onAckSent();
        sender.onSynSent();
        return Sender.DONE;
    }

    private int sendTextAndAck() {
        int result = sender.output(QUANTUM);
        return result == Sender.BLOCKED || sendAck() == Sender.BLOCKED ? Sender.BLOCKED : result;
    }

    private int sendAck() {
        if (!sender.sendProbeIfDue()) {
            return Sender.BLOCKED;
        }
        boolean sent =
                switch (receiver.owed()) {
                    case NOTHING -> true;
                    case SOON -> waitForAnswer() || sendAckNow();
                    case NOW -> sendAckNow();
                };
        return sent ? Sender.DONE : Sender.BLOCKED;
    }

    /** Leaves the acknowledgment to the host's answer for a moment. False if there is no such moment. */
    private boolean waitForAnswer() {
        long delay = stack.ackDelay();
        if (!ackWaits && delay > 0) {
            ackWaits = true;
            ackWaitsUntil = now() + delay;
            wakeBy(ackWaitsUntil);
        }
        return delay > 0;
    }

    private boolean sendAckNow() {
        if (state == TcpState.CLOSED) {
            return true;
        }
        boolean sent = out.control(this, sender.sndMax(), receiver.rcvNxt(), TcpHeader.ACK, window());
        if (sent) {
            onAckSent();
        } else {
            receiver.oweAck();
        }
        return sent;
    }

    /** Any segment with ACK has gone out. */
    void onAckSent() {
        receiver.onAckSent();
        ackWaits = false;
        options.onAckSent(receiver.rcvNxt());
    }

    /** The guest does not answer our SYN: it may not be where we send it any more. */
    void doubtGuest() {
        if (intoGuest) {
            out.doubt(guestHi, guestLo);
        }
    }

    FlowOptions options() {
        return options;
    }

    Receiver receiver() {
        return receiver;
    }

    int rcvNxt() {
        return receiver.rcvNxt();
    }

    int window() {
        return receiver.window(room(), false);
    }

    private int room() {
        HostSide to = host;
        return to == null ? 0 : to.room();
    }

    // ---- time

    long now() {
        return stack.now();
    }

    void wakeBy(long deadline) {
        stack.timers().wakeBy(this, deadline);
    }

    private void startLifeTimer(long delay) {
        lifeTimerOn = true;
        lifeTimerAt = now() + delay;
        wakeBy(lifeTimerAt);
    }

    @Override
    void onTimer(long now) {
        try {
            onTime(now);
        } catch (RuntimeException | OutOfMemoryError e) {
            TcpStack.failed(this, e);
        }
    }

    private void onTime(long now) {
        if (lifeTimerOn && lifeTimerAt - now <= 0) {
            lifeTimerOn = false;
            if (state == TcpState.TIME_WAIT) {
                end(new FlowEnd.Closed());
            } else {
                abort(new FlowEnd.HostGone());
            }
            return;
        }
        if (sender.isTimerOn() && sender.timerAt() - now <= 0) {
            if (!sender.onTimer()) {
                abort(new FlowEnd.GuestSilent());
                return;
            }
            stack.work(this);
        }
        if (ackWaits && ackWaitsUntil - now <= 0) {
            ackWaits = false;
            receiver.oweAck();
            stack.work(this);
        }
        if (!keepAlive(now)) {
            return;
        }
        if (ackWaits) {
            wakeBy(ackWaitsUntil);
        }
        if (lifeTimerOn) {
            wakeBy(lifeTimerAt);
        }
        if (sender.isTimerOn()) {
            wakeBy(sender.timerAt());
        }
        assert checkInvariants();
    }

    /** Finds out whether a guest that says nothing is still there. False: it is not, and the flow has ended. */
    private boolean keepAlive(long now) {
        boolean mayBeIdle = state == TcpState.ESTABLISHED
                || state == TcpState.CLOSE_WAIT
                || (state == TcpState.FIN_WAIT_2 && !lifeTimerOn);
        if (!mayBeIdle || sender.isTimerOn()) {
            return true;
        }
        if (keepAliveProbes == 0 && askEarly(now)) {
            return true;
        }
        long due = heardAt + KEEPALIVE_IDLE + keepAliveProbes * KEEPALIVE_INTERVAL;
        if (due - now > 0) {
            wakeBy(due);
            return true;
        }
        if (keepAliveProbes == KEEPALIVE_PROBES) {
            abort(new FlowEnd.GuestSilent());
            return false;
        }
        keepAliveProbes++;
        sender.probe();
        stack.work(this);
        wakeBy(now + KEEPALIVE_INTERVAL);
        return true;
    }

    /** See {@link #ASK_IDLE}. False if there is nothing more to ask. */
    private boolean askEarly(long now) {
        long moved = receiver.bytes + sender.bytes;
        boolean begun = moved == askedAtBytes;
        if (begun && (unanswered == 0 || unanswered == ASKS)) {
            return false;
        }
        long due = begun ? askedAt + ASK_AGAIN : heardAt + ASK_IDLE;
        if (due - now > 0) {
            wakeBy(due);
            return true;
        }
        unanswered = begun ? unanswered + 1 : 1;
        askedAtBytes = moved;
        askedAt = now;
        sender.probe();
        stack.work(this);
        wakeBy(now + ASK_AGAIN);
        return true;
    }

    // ---- states and the end

    /** All changes of state go through here. */
    private void become(TcpState next) {
        if (next == state) {
            return;
        }
        if (log.isTraceEnabled()) {
            log.trace("{}: {} -> {}", this, state, next);
        }
        if (state == TcpState.LISTEN) {
            stack.onDialOver();
        }
        state = next;
        switch (next) {
            case LISTEN -> stack.onDialBegun(this);
            case TIME_WAIT -> {
                sender.release();
                account();
                receiver.release();
                leaveHost();
                startLifeTimer(2 * MSL);
                stack.onTimeWait(this);
            }
            case FIN_WAIT_2 -> {
                if (hostGone) {
                    startLifeTimer(ORPHAN_TIMEOUT);
                }
            }
            case ESTABLISHED, CLOSE_WAIT -> wakeBy(now() + KEEPALIVE_IDLE);
            case SYN_RECEIVED -> stack.onHalfOpen(this);
            case CLOSED, SYN_SENT, FIN_WAIT_1, CLOSING, LAST_ACK -> {}
        }
    }

    private void sendReset(int seq, int ack, int flags) {
        boolean sent = out.control(this, seq, ack, flags, 0);
        count(sent ? TcpCounter.RESETS_TO_GUEST : TcpCounter.DROPPED_NO_ROOM);
    }

    /** Ends the flow with a RST to the guest, if it knows of the flow. */
    void abort(FlowEnd why) {
        if (state.isSynchronized() || state == TcpState.SYN_RECEIVED) {
            sendReset(sender.sndMax(), receiver.rcvNxt(), TcpHeader.RST | TcpHeader.ACK);
            stack.flushSoon();
        }
        end(why);
    }

    /** The one way out: releases everything, once. */
    void end(FlowEnd why) {
        if (end != null) {
            return;
        }
        end = why;
        log.debug("{}: ended in {}: {}", this, state, why);
        become(TcpState.CLOSED);
        stack.timers().cancel(this);
        sender.release();
        account();
        receiver.release();
        Future<?> attempt = dial;
        dial = null;
        if (attempt != null) {
            attempt.cancel(false);
        }
        if (why instanceof FlowEnd.Closed) {
            leaveHost();
        }
        HostSide side = host;
        host = null;
        if (side != null && !hostGone) {
            side.abort();
        }
        stack.onEnded(this, why);
        owner.end();
        Runnable never = onEstablished;
        onEstablished = null;
        if (never != null) {
            never.run();
        }
    }

    /** All is said: the host's side closes itself when it has written what it got, if the remote ever takes it. */
    private void leaveHost() {
        HostSide side = host;
        host = null;
        if (side != null && !hostGone) {
            side.flush();
            if (side.held() > 0) {
                stack.orphans().add(side);
            }
        }
    }

    TcpState state() {
        return state;
    }

    /** Bytes of the guest that wait for the host, or for what is missing before them. */
    int keptForHost() {
        HostSide to = host;
        return receiver.earlyBytes() + (to == null ? 0 : to.held());
    }

    @Nullable
    FlowEnd ended() {
        return end;
    }

    int irs() {
        return receiver.irs();
    }

    int sndMax() {
        return sender.sndMax();
    }

    boolean isV4() {
        return SegmentOut.isV4(guestHi, guestLo);
    }

    void count(TcpCounter counter) {
        stack.counters().increment(counter);
    }

    private void countFromGuest(int n) {
        stack.counters().add(TcpCounter.BYTES_FROM_GUEST, n);
        owner.countFromGuest(n);
    }

    void countToGuest(int n) {
        stack.counters().add(TcpCounter.BYTES_TO_GUEST, n);
        owner.countToGuest(n);
    }

    @Override
    public boolean isLive() {
        return state != TcpState.CLOSED;
    }

    @Override
    public FlowSnapshot snapshot() {
        HostSide side = host;
        return new FlowSnapshot(
                IpProtocol.TCP,
                new IpAddress(guestHi, guestLo),
                guestPort,
                new IpAddress(remoteHi, remoteLo),
                remotePort,
                side == null ? null : side.hostAddress(),
                intoGuest,
                state.name(),
                receiver.bytes,
                sender.bytes,
                sender.retransmissions,
                sender.smoothedRtt(),
                sender.mss(),
                sender.sndWnd(),
                receiver.rcvWnd(),
                sender.queue.bytes(),
                openedAt,
                now() - openedAt,
                owner.identity());
    }

    private boolean checkInvariants() {
        if (state == TcpState.CLOSED) {
            assert !isSet() && sender.queue.isEmpty() && host == null : "closed with something left";
            return true;
        }
        assert sender.checkInvariants();
        assert receiver.checkInvariants();
        assert state != TcpState.LISTEN || sender.isSynDue() : "answered before the host";
        return true;
    }

    @Override
    public String toString() {
        String arrow = intoGuest ? " < " : " > ";
        return new IpAddress(guestHi, guestLo) + ":" + guestPort + arrow + new IpAddress(remoteHi, remoteLo) + ":"
                + remotePort;
    }
}
