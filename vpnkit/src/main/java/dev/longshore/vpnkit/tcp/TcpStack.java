package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.wire.Checksum;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.Seq;
import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.ethernet.LostHop;
import dev.longshore.vpnkit.flow.FlowChannel;
import dev.longshore.vpnkit.flow.FlowEnd;
import dev.longshore.vpnkit.flow.FlowOwners;
import dev.longshore.vpnkit.flow.FlowSnapshot;
import dev.longshore.vpnkit.flow.FlowTable;
import dev.longshore.vpnkit.flow.HostChannel;
import dev.longshore.vpnkit.flow.SeenFlow;
import dev.longshore.vpnkit.flow.Services;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.Dialer;
import dev.longshore.vpnkit.hostsocket.RouterError;
import dev.longshore.vpnkit.ip.IcmpErrors;
import dev.longshore.vpnkit.ip.IpOutput;
import dev.longshore.vpnkit.ip.PacketTraits;
import dev.longshore.vpnkit.ip.TransportInput;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All TCP flows of one guest: finds the flow of a segment, opens and forgets flows, gives each its turn to send.
 *
 * <p>Confined to the link's event loop, apart from {@link #counters}.
 *
 * <p>Theory of operation: segments of a batch change their flows and put them on the list of those with work; the batch's
 * end works through the list. Events of host sockets do the same and have one task of the loop do the work, so that
 * all sockets that were ready at once lead to one notification of the guest. When the link is full, the list stays as
 * it is, with the flow that was refused at its head, until the link has room. Nothing here sends from inside a send.
 */
public final class TcpStack implements TransportInput {
    private static final Logger log = LoggerFactory.getLogger(TcpStack.class);

    /** Nearly every connection is there by then: one that takes longer makes room for others. */
    private static final long DIAL_GRACE = TimeUnit.SECONDS.toNanos(3);

    /** Nobody is farther away than a program's usual TTL allows; who allows less looks for the way. */
    private static final int FEW_HOPS = 32;

    /** RFC 5961 §7: a limit for challenge ACKs. */
    private static final int CHALLENGES_PER_SECOND = 100;

    /**
     * RFC 9293 §3.8.6.3 allows half a second. A service of the host answers within this; a guest whose next small segment waits
     * for the acknowledgment (Nagle's algorithm) does not notice it.
     */
    public static final long ACK_DELAY = TimeUnit.MICROSECONDS.toNanos(500);

    private final SegmentOut out;
    private final EventLoop loop;
    private final Dialer dialer;
    private final Services services;
    private final IcmpErrors icmp;
    private final TcpLimits limits;
    private final long ackDelay;
    private final LongSupplier clock;
    private final Timers timers;
    private final Counters<TcpCounter> counters = new Counters<>(TcpCounter.class);
    private final InitialSequence initialSequence;
    private final FlowTable<TcpFlow> flows;
    private final ArrayDeque<TcpFlow> working = new ArrayDeque<>();
    private final Waiting timeWaits = new Waiting(TcpState.TIME_WAIT);
    private final Waiting dialed = new Waiting(TcpState.LISTEN);
    private final Waiting halfOpen = new Waiting(TcpState.SYN_RECEIVED);
    private final Memory memory;
    private final Runnable workTask = this::workNow;
    private final Orphans orphans;
    private final long startedAt;
    private FlowOwners owners;
    private int dials;
    private boolean inBatch;
    private boolean drainingNow;
    private boolean taskScheduled;
    private long challengeSecond;
    private int challenges;
    private boolean limitLogged;

    /**
     * @param ackDelay how long the acknowledgment of a little text may wait for the host's answer to carry it, in nanoseconds;
     *     0 sends each at once
     * @param clock nanoseconds of no origin, with which {@code loop}'s own timers keep step
     * @param random for what a guest must not guess: sequence numbers, ports and the table's hash
     */
    public TcpStack(
            IpOutput out,
            EventLoop loop,
            Dialer dialer,
            Services services,
            IcmpErrors icmp,
            TcpLimits limits,
            long ackDelay,
            LongSupplier clock,
            RandomGenerator random) {
        this.out = new SegmentOut(out);
        this.loop = loop;
        this.dialer = dialer;
        this.services = services;
        this.icmp = icmp;
        this.limits = limits;
        this.ackDelay = ackDelay;
        this.clock = clock;
        this.timers = new Timers(loop, clock);
        this.initialSequence = new InitialSequence(random, clock);
        this.flows = new FlowTable<>(random.nextLong());
        this.startedAt = clock.getAsLong();
        this.challengeSecond = startedAt;
        this.memory = new Memory(limits.bufferedBytes(), new AllFlows(), clock);
        this.orphans = new Orphans(timers);
        this.owners = FlowOwners.nobody(loop);
    }

    /** Who flows belong to, from now on; before the first one. */
    public void attribute(FlowOwners to) {
        owners = to;
    }

    FlowOwners owners() {
        return owners;
    }

    // ---- segments

    @Override
    public void onSegment(
            ByteBuf b, int at, int len, long guestHi, long guestLo, long remoteHi, long remoteLo, int offload) {
        inBatch = true;
        counters.increment(TcpCounter.SEGMENTS_FROM_GUEST);
        if (!TcpHeader.isValid(b, at, len)) {
            counters.increment(TcpCounter.DROPPED_HEADER);
            return;
        }
        if ((offload & (FrameSink.CHECKSUM_PARTIAL | FrameSink.CHECKSUM_VALID)) == 0
                && !isChecksumRight(b, at, len, guestHi, guestLo, remoteHi, remoteLo)) {
            counters.increment(TcpCounter.DROPPED_CHECKSUM);
            return;
        }
        int guestPort = TcpHeader.sourcePort(b, at);
        int remotePort = TcpHeader.destinationPort(b, at);
        TcpFlow flow = flows.get(guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort);
        int issAtLeast = 0;
        if (flow != null && isNewSyn(flow, b, at)) {
            issAtLeast = flow.sndMax() + (1 << 16);
            flow.end(flow.state() == TcpState.TIME_WAIT ? new FlowEnd.Closed() : new FlowEnd.GuestReset());
            open(b, at, guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort, offload, issAtLeast, true);
        } else if (flow != null) {
            guarded(flow, b, at, len);
        } else if (isSyn(b, at)) {
            open(b, at, guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort, offload, issAtLeast, false);
        } else {
            resetStray(b, at, len, guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort);
        }
    }

    private static boolean isChecksumRight(
            ByteBuf b, int at, int len, long guestHi, long guestLo, long remoteHi, long remoteLo) {
        long sum = Checksum.pseudoHeader(guestHi, guestLo, remoteHi, remoteLo, TcpHeader.PROTOCOL, len);
        return Checksum.fold(sum + Checksum.sum(b, at, len)) == 0xFFFF;
    }

    /** The edge where a bug of ours ends one flow and nothing else. */
    private void guarded(TcpFlow flow, ByteBuf b, int at, int len) {
        try {
            flow.onSegment(b, at, len);
        } catch (RuntimeException | OutOfMemoryError e) {
            failed(flow, e);
        }
    }

    /** Memory is the daemon's, not this flow's alone; the flow that finds none has to go, and the daemon stays. */
    static void failed(TcpFlow flow, Throwable e) {
        if (e instanceof OutOfMemoryError) {
            log.warn("{}: ended, as there is no memory: {}", flow, e.getMessage());
            flow.abort(new FlowEnd.Evicted());
        } else {
            log.error("{}: bug in state {}", flow, flow.state(), e);
            flow.abort(new FlowEnd.Failed());
        }
    }

    /**
     * A SYN that begins a new connection on the addresses of an old one: in TIME-WAIT with a higher number (RFC 9293 §3.10.7.4,
     * MAY-2) or a later timestamp (RFC 6191), or instead of one that we have not answered.
     */
    private static boolean isNewSyn(TcpFlow flow, ByteBuf b, int at) {
        if (!isSyn(b, at)) {
            return false;
        }
        int seq = TcpHeader.seq(b, at);
        return (flow.state() == TcpState.TIME_WAIT
                        && (Seq.gt(seq, flow.rcvNxt()) || flow.options().isBefore(b, at)))
                || (flow.state() == TcpState.LISTEN && seq != flow.irs());
    }

    private static boolean isSyn(ByteBuf b, int at) {
        return (TcpHeader.flags(b, at) & (TcpHeader.SYN | TcpHeader.ACK | TcpHeader.RST)) == TcpHeader.SYN;
    }

    /**
     * §3.10.7.1: for no connection. Without an acknowledgment it may have come to a port in LISTEN, which says nothing (§3.10.7.2);
     * whether somebody listens is known of our own addresses alone. No connection of the guest sends such a segment, port scanners do,
     * and are never told that a port is closed which is open.
     */
    private void resetStray(
            ByteBuf b,
            int at,
            int len,
            long guestHi,
            long guestLo,
            int guestPort,
            long remoteHi,
            long remoteLo,
            int remotePort) {
        int flags = TcpHeader.flags(b, at);
        if ((flags & TcpHeader.RST) != 0) {
            counters.increment(TcpCounter.DROPPED_STRAY_RESET);
            return;
        }
        boolean acked = (flags & TcpHeader.ACK) != 0;
        if (!acked && mayListen(remoteHi, remoteLo, remotePort)) {
            counters.increment(TcpCounter.DROPPED_NO_CONNECTION);
            return;
        }
        int seq = acked ? TcpHeader.ack(b, at) : 0;
        int ack = acked ? 0 : TcpHeader.seq(b, at) + TcpHeader.segLen(b, at, len);
        boolean sent = out.reset(
                guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort, seq, ack, acked ? 0 : TcpHeader.ACK);
        counters.increment(sent ? TcpCounter.RESETS_TO_GUEST : TcpCounter.DROPPED_NO_ROOM);
    }

    private boolean mayListen(long remoteHi, long remoteLo, int remotePort) {
        return !services.isAt(remoteHi, remoteLo) || services.find(remoteHi, remoteLo, remotePort) != null;
    }

    @Override
    public void onUnreachable(
            long guestHi, long guestLo, int guestPort, long remoteHi, long remoteLo, int remotePort, int code) {
        TcpFlow flow = flows.get(guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort);
        if (flow != null) {
            flow.onUnreachable();
        }
    }

    @Override
    public void onPacketTooBig(
            long guestHi, long guestLo, int guestPort, long remoteHi, long remoteLo, int remotePort, int seq, int mtu) {
        TcpFlow flow = flows.get(guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort);
        if (flow != null) {
            flow.onPacketTooBig(seq, mtu);
        }
    }

    @Override
    public void onNobody(LostHop hop) {
        List<TcpFlow> lost = new ArrayList<>();
        flows.forEach(f -> {
            if (f.state() == TcpState.SYN_SENT && hop.isOnTheWayTo(f.guestHi, f.guestLo)) {
                lost.add(f);
            }
        });
        lost.forEach(f -> f.end(new FlowEnd.GuestAbsent(hop.address())));
    }

    // ---- opening flows from the guest

    private void open(
            ByteBuf b,
            int at,
            long guestHi,
            long guestLo,
            int guestPort,
            long remoteHi,
            long remoteLo,
            int remotePort,
            int traits,
            int issAtLeast,
            boolean reused) {
        if (!hasRoomForFlow()) {
            counters.increment(TcpCounter.SYNS_OVER_FLOW_LIMIT);
            return;
        }
        ChannelHandler service = services.find(remoteHi, remoteLo, remotePort);
        if (service == null && !hasRoomForDial()) {
            counters.increment(TcpCounter.SYNS_OVER_DIAL_LIMIT);
            return;
        }
        int iss = initialSequence.next(guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort);
        if (reused && Seq.lt(iss, issAtLeast)) {
            iss = issAtLeast;
        }
        TcpFlow flow = new TcpFlow(this, false, guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort, iss);
        flows.put(guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort, flow);
        counters.increment(TcpCounter.FLOWS_FROM_GUEST);
        counters.set(TcpCounter.FLOWS_ACTIVE, flows.size());
        try {
            flow.openFromGuest(b, at);
            if (service != null) {
                flow.hostConnected(channel(flow, service).hostSide());
            } else {
                dial(flow, PacketTraits.hopsLeft(traits));
            }
        } catch (RuntimeException | OutOfMemoryError e) {
            failed(flow, e);
        }
    }

    /** A flow as a registered channel of the daemon's. */
    FlowChannel channel(TcpFlow flow, @Nullable ChannelHandler first) {
        FlowChannel channel = new FlowChannel(
                flow,
                new InetSocketAddress(new IpAddress(flow.remoteHi, flow.remoteLo).toInetAddress(), flow.remotePort),
                new InetSocketAddress(new IpAddress(flow.guestHi, flow.guestLo).toInetAddress(), flow.guestPort),
                flow::bufferForHost);
        if (first != null) {
            channel.pipeline().addLast(first);
        } else {
            channel.config().setAutoRead(false);
        }
        loop.register(channel);
        return channel;
    }

    private void dial(TcpFlow flow, int hops) {
        Destination anyWay = Destination.of(new IpAddress(flow.remoteHi, flow.remoteLo), flow.remotePort)
                .from(new IpAddress(flow.guestHi, flow.guestLo));
        Destination to = hops < FEW_HOPS ? anyWay.withHops(hops) : anyWay;
        Future<DialResult> future = dialer.dial(to, loop);
        flow.dialing(future);
        future.addListener(done -> {
            if (done.isSuccess()) {
                try {
                    onDialed(flow, future.getNow());
                } catch (RuntimeException | OutOfMemoryError e) {
                    failed(flow, e);
                }
            } else if (flow.state() == TcpState.LISTEN) { // otherwise we cancelled it ourselves
                flow.notConnected(String.valueOf(done.cause()), true);
                flushSoon();
            }
        });
    }

    private void onDialed(TcpFlow flow, DialResult result) {
        if (flow.state() != TcpState.LISTEN) { // the guest gave up, and the dialer could not be stopped in time
            if (result instanceof DialResult.Connected c) {
                c.channel().close();
            }
            return;
        }
        switch (result) {
            case DialResult.Connected c ->
                flow.hostConnected(HostChannel.attach(c.channel(), flow, flow::bufferForHost));
            case DialResult.InProcess p ->
                flow.hostConnected(channel(flow, p.remote()).hostSide());
            case DialResult.Refused ignored -> flow.notConnected("refused", true);
            case DialResult.Unreachable u
            when u.said() != null -> {
                pass(flow, u.said());
                flow.notConnected(u.reason(), false); // as far as the guest knows, its SYN got lost there
            }
            case DialResult.Unreachable u -> {
                unreachable(flow, u.network() ? IcmpHeader.CODE_NET : IcmpHeader.CODE_HOST);
                flow.notConnected(u.reason(), true);
            }
            case DialResult.TimedOut ignored -> flow.notConnected("timed out", false);
            case DialResult.Denied d -> {
                unreachable(flow, IcmpHeader.CODE_ADMIN_PROHIBITED);
                flow.notConnected(d.reason(), true);
            }
            case DialResult.UnknownHost u -> flow.notConnected(u.reason(), true);
            case DialResult.Failed f -> flow.notConnected(f.reason(), true);
        }
        flushSoon();
    }

    private void pass(TcpFlow f, RouterError said) {
        ByteBuf quote = Unpooled.buffer(8)
                .writeShort(f.guestPort)
                .writeShort(f.remotePort)
                .writeInt(f.irs());
        icmp.pass(
                said.type(),
                said.code(),
                said.info(),
                said.offender().hi(),
                said.offender().lo(),
                TcpHeader.PROTOCOL,
                f.guestHi,
                f.guestLo,
                f.remoteHi,
                f.remoteLo,
                quote,
                0,
                8);
    }

    private void unreachable(TcpFlow f, int code) {
        icmp.unreachable(
                TcpHeader.PROTOCOL,
                code,
                f.guestHi,
                f.guestLo,
                f.guestPort,
                f.remoteHi,
                f.remoteLo,
                f.remotePort,
                f.irs());
    }

    private boolean hasRoomForFlow() {
        if (flows.size() >= limits.flows() && !evictTimeWait()) {
            evictHalfOpen();
        }
        boolean room = flows.size() < limits.flows();
        if (!room && !limitLogged) {
            limitLogged = true; // once: the counter has the rest
            log.warn("{} TCP flows are open, the limit; further connections of the guest have to wait", flows.size());
        }
        return room;
    }

    // ---- opening flows into the guest

    /** A new flow into the guest, not sending yet; null if there are too many, or these addresses are in use. */
    @Nullable
    TcpFlow newFlowIntoGuest(IpAddress guest, int guestPort, IpAddress source, int sourcePort) {
        TcpFlow old = flows.get(guest.hi(), guest.lo(), guestPort, source.hi(), source.lo(), sourcePort);
        if (!hasRoomForFlow() || (old != null && old.state() != TcpState.TIME_WAIT)) {
            return null;
        }
        int iss = initialSequence.next(guest.hi(), guest.lo(), guestPort, source.hi(), source.lo(), sourcePort);
        if (old != null) {
            iss = Seq.max(iss, old.sndMax() + (1 << 16)); // RFC 9293 §3.10.7.4: larger than all it has used
            old.end(new FlowEnd.Closed());
        }
        TcpFlow flow =
                new TcpFlow(this, true, guest.hi(), guest.lo(), guestPort, source.hi(), source.lo(), sourcePort, iss);
        flows.put(guest.hi(), guest.lo(), guestPort, source.hi(), source.lo(), sourcePort, flow);
        counters.increment(TcpCounter.FLOWS_TO_GUEST);
        counters.set(TcpCounter.FLOWS_ACTIVE, flows.size());
        return flow;
    }

    // ---- work

    /** {@code flow} has something to flush or to send. */
    void work(TcpFlow flow) {
        if (!flow.queued && flow.state() != TcpState.CLOSED) {
            flow.queued = true;
            working.add(flow);
        }
        scheduleWork();
    }

    /** Something was sent outside of a batch. */
    void flushSoon() {
        scheduleWork();
    }

    private void scheduleWork() {
        if (!inBatch && !drainingNow && !taskScheduled) {
            taskScheduled = true;
            loop.execute(workTask);
        }
    }

    private void workNow() {
        taskScheduled = false;
        drain();
        out.flush();
    }

    @Override
    public void onBatchEnd() {
        inBatch = false;
        drain();
    }

    @Override
    public void onWritable() {
        drain();
        out.flush();
    }

    private void drain() {
        if (drainingNow) {
            return;
        }
        drainingNow = true;
        try {
            boolean room = true;
            while (room && !working.isEmpty()) {
                room = workOne(working.remove());
            }
        } finally {
            drainingNow = false;
        }
    }

    /** False if the link is full: the flow is at the list's head again. */
    private boolean workOne(TcpFlow flow) {
        flow.queued = false;
        int result;
        try {
            result = flow.work();
        } catch (RuntimeException | OutOfMemoryError e) {
            failed(flow, e);
            return true;
        }
        if (result != Sender.DONE && !flow.queued && flow.state() != TcpState.CLOSED) {
            flow.queued = true;
            if (result == Sender.BLOCKED) {
                working.addFirst(flow);
            } else {
                working.add(flow);
            }
        }
        return result != Sender.BLOCKED;
    }

    // ---- what flows need

    SegmentOut out() {
        return out;
    }

    Timestamps newTimestamps(TcpFlow f) {
        return new Timestamps(
                startedAt,
                initialSequence.timestampOffset(
                        f.guestHi, f.guestLo, f.guestPort, f.remoteHi, f.remoteLo, f.remotePort));
    }

    Timers timers() {
        return timers;
    }

    long now() {
        return clock.getAsLong();
    }

    long ackDelay() {
        return ackDelay;
    }

    /** Thread-safe. */
    public Counters<TcpCounter> counters() {
        return counters;
    }

    EventLoop loop() {
        return loop;
    }

    Memory memory() {
        return memory;
    }

    private final class AllFlows implements Memory.Flows {
        private long sum;

        @Override
        public int count() {
            return flows.size();
        }

        @Override
        public long keptForHosts() {
            sum = 0;
            flows.forEach(f -> sum += f.keptForHost());
            return sum;
        }
    }

    Orphans orphans() {
        return orphans;
    }

    boolean mayChallenge() {
        long now = now();
        if (now - challengeSecond >= TimeUnit.SECONDS.toNanos(1)) {
            challengeSecond = now;
            challenges = 0;
        }
        return ++challenges <= CHALLENGES_PER_SECOND;
    }

    void onDialBegun(TcpFlow flow) {
        dials++;
        dialed.add(flow, flows.size());
    }

    void onDialOver() {
        dials--;
    }

    void onHalfOpen(TcpFlow flow) {
        halfOpen.add(flow, flows.size());
    }

    void onTimeWait(TcpFlow flow) {
        timeWaits.add(flow, flows.size());
    }

    /** For tests. */
    int timeWaits() {
        return timeWaits.size();
    }

    /** For tests. */
    int dials() {
        return dials;
    }

    /** For tests. */
    int working() {
        return working.size();
    }

    /** For tests. */
    int waiting() {
        return timeWaits.size() + dialed.size() + halfOpen.size();
    }

    /** Called by the flow when it ends. */
    void onEnded(TcpFlow flow, FlowEnd why) {
        TcpFlow gone =
                flows.remove(flow.guestHi, flow.guestLo, flow.guestPort, flow.remoteHi, flow.remoteLo, flow.remotePort);
        assert gone == flow : "another flow in its place";
        counters.increment(TcpCounter.of(why));
        counters.set(TcpCounter.FLOWS_ACTIVE, flows.size());
        timeWaits.oldest(); // forgets those that are over
        dialed.oldest();
        halfOpen.oldest();
    }

    /** The oldest TIME-WAIT makes room. False if there is none. */
    private boolean evictTimeWait() {
        TcpFlow oldest = timeWaits.oldest();
        if (oldest != null) {
            oldest.end(new FlowEnd.Closed());
        }
        return oldest != null;
    }

    /**
     * The oldest handshake that its guest has not finished makes room, as in Linux' SYN queue: an honest one is finished within a
     * millisecond, and those of a flood would keep everybody else out for a minute. Nothing is said to the guest; if it was
     * honest and slow, its acknowledgment is answered by RST.
     */
    private void evictHalfOpen() {
        TcpFlow oldest = halfOpen.oldest();
        if (oldest != null) {
            counters.increment(TcpCounter.HALF_OPEN_EVICTED);
            oldest.end(new FlowEnd.Evicted());
        }
    }

    /**
     * Room for one dial more: the oldest goes if it had its time, so that a flood of SYNs to hosts that don't answer keeps
     * nobody out for long. Its guest hears nothing and may ask again.
     */
    private boolean hasRoomForDial() {
        TcpFlow oldest = dials < limits.dials() ? null : dialed.oldest();
        if (oldest != null && now() - oldest.openedAt() >= DIAL_GRACE) {
            counters.increment(TcpCounter.DIALS_EVICTED);
            oldest.end(new FlowEnd.Evicted());
        }
        return dials < limits.dials();
    }

    // ---- the whole

    @Override
    public void onLinkState(boolean up) {
        if (!up) {
            endAll();
        }
    }

    /** Ends every flow without a word to the guest. */
    public void endAll() {
        List<TcpFlow> all = new ArrayList<>(flows.size());
        flows.forEach(all::add);
        for (TcpFlow flow : all) {
            flow.end(new FlowEnd.LinkDown());
        }
        working.clear();
    }

    /** All flows, in no order. */
    List<FlowSnapshot> snapshot() {
        List<FlowSnapshot> list = new ArrayList<>(flows.size());
        flows.forEach(f -> list.add(f.snapshot()));
        return list;
    }

    /** Adds all flows, in no order. */
    public void collect(List<? super SeenFlow> list) {
        flows.forEach(list::add);
    }

    public int flowCount() {
        return flows.size();
    }

    /** For tests. */
    @Nullable
    TcpFlow find(IpAddress guest, int guestPort, IpAddress remote, int remotePort) {
        return flows.get(guest.hi(), guest.lo(), guestPort, remote.hi(), remote.lo(), remotePort);
    }
}
