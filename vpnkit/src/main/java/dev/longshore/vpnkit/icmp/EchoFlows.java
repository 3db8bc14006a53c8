package dev.longshore.vpnkit.icmp;

import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.flow.FlowOwners;
import dev.longshore.vpnkit.flow.FlowSnapshot;
import dev.longshore.vpnkit.flow.FlowTable;
import dev.longshore.vpnkit.hostsocket.EgressGate;
import dev.longshore.vpnkit.hostsocket.HostDatagrams;
import dev.longshore.vpnkit.hostsocket.HostError;
import dev.longshore.vpnkit.ip.Families;
import dev.longshore.vpnkit.ip.IcmpErrors;
import dev.longshore.vpnkit.ip.IpOutput;
import dev.longshore.vpnkit.ip.PacketTraits;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.ScheduledFuture;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Pings beyond our own addresses, of both families: one socket of the host for each (guest, remote, identifier), connected,
 * so that the kernel filters the answers. Hop limits are carried both ways, and what routers say comes back, so that
 * traceroute works. Nothing is answered that no remote answered. Confined to the link's event loop.
 */
public final class EchoFlows {
    private static final Logger LOG = LoggerFactory.getLogger(EchoFlows.class);
    private static final int MAX_FLOWS = 256;
    private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(30);

    /** As much of a ping as an error quotes at most, header included. */
    private static final int QUOTED = 1200;

    private final Families families;
    private final PingSockets sockets;
    final HostDatagrams datagrams;
    final IpOutput output;
    final IcmpErrors errors;
    private final EventLoop loop;
    private final LongSupplier nanoClock;
    final Counters<IcmpCounter> counters;
    private final EgressGate gate;

    /** By guest, identifier in the place of its port, and remote. */
    private final FlowTable<EchoFlow> flows;

    private final ByteBuf scratch = Unpooled.directBuffer(2048);
    private FlowOwners owners;
    private int nextRawIdentifier;
    private @Nullable ScheduledFuture<?> sweep;
    private boolean closed;

    public EchoFlows(
            Families families,
            PingSockets sockets,
            HostDatagrams datagrams,
            IpOutput output,
            IcmpErrors errors,
            EventLoop loop,
            LongSupplier nanoClock,
            Counters<IcmpCounter> counters,
            EgressGate gate) {
        this.gate = gate;
        this.families = families;
        this.sockets = sockets;
        this.datagrams = datagrams;
        this.output = output;
        this.errors = errors;
        this.loop = loop;
        this.nanoClock = nanoClock;
        this.counters = counters;
        SecureRandom random = new SecureRandom();
        this.flows = new FlowTable<>(random.nextLong());
        this.nextRawIdentifier = random.nextInt();
        this.owners = FlowOwners.nobody(loop);
    }

    /** Who flows belong to, from now on; before the first one. */
    public void attribute(FlowOwners to) {
        owners = to;
    }

    /**
     * A checked echo request of {@code len} bytes at {@code at}, which may go on, to a remote. Borrows. {@code traits}: see
     * {@link PacketTraits}.
     */
    public void send(ByteBuf b, int at, int len, long guestHi, long guestLo, long remoteHi, long remoteLo, int traits) {
        if (!families.mayReach(remoteHi, remoteLo)) {
            counters.increment(IcmpCounter.ECHO_PROHIBITED);
            unreachable(IcmpHeader.CODE_NET, b, at, guestHi, guestLo, remoteHi, remoteLo);
            return;
        }
        int identifier = IcmpHeader.identifier(b, at);
        EchoFlow flow = flows.get(guestHi, guestLo, identifier, remoteHi, remoteLo, 0);
        if (flow != null && owners.isStale(flow.owner(), guestHi, guestLo)) {
            end(flow);
            flow = null;
        }
        if (gate.isActive() && !mayGo(flow, b, at, guestHi, guestLo, remoteHi, remoteLo)) {
            return;
        }
        if (flow == null) {
            flow = open(b, at, len, guestHi, guestLo, remoteHi, remoteLo);
            if (flow == null) {
                return;
            }
        }
        counters.increment(IcmpCounter.ECHO_FORWARDED);
        flow.send(b, at, len, traits);
    }

    /** What the policy says; a ping that may not go is counted, and its sender told. */
    private boolean mayGo(
            @Nullable EchoFlow flow, ByteBuf b, int at, long guestHi, long guestLo, long remoteHi, long remoteLo) {
        EgressGate.Verdict verdict = flow == null
                ? gate.judge(IpProtocol.ICMP, guestHi, guestLo, remoteHi, remoteLo, 0, false, false)
                : flow.egress.judge(gate, IpProtocol.ICMP, guestHi, guestLo, remoteHi, remoteLo, 0, now());
        switch (verdict) {
            case ADMIT -> {}
            case LATER -> counters.increment(IcmpCounter.ECHO_UNKNOWN_SENDER);
            case DENY -> {
                counters.increment(IcmpCounter.ECHO_DENIED);
                unreachable(IcmpHeader.CODE_ADMIN_PROHIBITED, b, at, guestHi, guestLo, remoteHi, remoteLo);
            }
        }
        return verdict == EgressGate.Verdict.ADMIT;
    }

    /** The policy has changed: pings that are denied now end, so that no late answer comes through. */
    public void onPolicyChanged() {
        assert loop.inEventLoop();
        for (EchoFlow f : all()) {
            if (gate.isActive()
                    && f.egress.isDenied(
                            gate, IpProtocol.ICMP, f.guestHi, f.guestLo, f.remoteHi, f.remoteLo, 0, now())) {
                end(f);
            }
        }
    }

    void onBatchEnd() {
        datagrams.flush();
    }

    private @Nullable EchoFlow open(
            ByteBuf b, int at, int len, long guestHi, long guestLo, long remoteHi, long remoteLo) {
        if (flows.size() >= MAX_FLOWS) {
            endLeastRecent();
        }
        int identifier = IcmpHeader.identifier(b, at);
        EchoFlow flow = new EchoFlow(this, guestHi, guestLo, remoteHi, remoteLo, identifier);
        PingSockets.Opened opened = sockets.open(datagrams, IpAddress.isV4(remoteHi, remoteLo), flow);
        if (opened == null) {
            LOG.debug("{}: no socket for it", flow);
            counters.increment(IcmpCounter.ECHO_PROHIBITED);
            unreachable(IcmpHeader.CODE_ADMIN_PROHIBITED, b, at, guestHi, guestLo, remoteHi, remoteLo);
            return null;
        }
        int errno = flow.use(opened, nextRawIdentifier++ & 0xFFFF);
        if (errno != 0) {
            LOG.debug("{}: errno {}", flow, errno);
            flow.close();
            HostError error = HostError.of(IpAddress.isV4(remoteHi, remoteLo), errno);
            if (error == null) {
                counters.increment(IcmpCounter.DROPPED_HOST_FAILED);
            } else {
                pass(error, flow, b, at, len);
            }
            return null;
        }
        flow.belongTo(owners.begin(guestHi, guestLo));
        flows.put(guestHi, guestLo, identifier, remoteHi, remoteLo, 0, flow);
        armSweep();
        return flow;
    }

    private void unreachable(int code, ByteBuf b, int at, long guestHi, long guestLo, long remoteHi, long remoteLo) {
        errors.unreachable(
                IpProtocol.ICMP,
                code,
                guestHi,
                guestLo,
                b.getUnsignedShort(at), // type and code stand where the others have their first port
                remoteHi,
                remoteLo,
                b.getUnsignedShort(at + 2),
                b.getInt(at + 4));
    }

    /** What an error quotes: {@code len} bytes of the echo request as the guest sent it. */
    void pass(HostError error, EchoFlow flow, ByteBuf b, int at, int len) {
        counters.increment(IcmpCounter.ERRORS_PASSED);
        errors.pass(
                error.type(),
                error.code(),
                error.info(),
                error.offenderHi(),
                error.offenderLo(),
                IpProtocol.ICMP,
                flow.guestHi,
                flow.guestLo,
                flow.remoteHi,
                flow.remoteLo,
                b,
                at,
                Math.min(len, QUOTED));
    }

    /** An empty buffer for one use. */
    ByteBuf scratch() {
        return scratch.clear();
    }

    long now() {
        return nanoClock.getAsLong();
    }

    private void end(EchoFlow flow) {
        flows.remove(flow.guestHi, flow.guestLo, flow.identifier, flow.remoteHi, flow.remoteLo, 0);
        flow.close();
    }

    /** The table is small, and full only for who pings the world. */
    private void endLeastRecent() {
        EchoFlow least = null;
        long now = now();
        for (EchoFlow flow : all()) {
            if (least == null || now - flow.lastActive() > now - least.lastActive()) {
                least = flow;
            }
        }
        if (least != null) {
            end(least);
        }
    }

    private List<EchoFlow> all() {
        List<EchoFlow> all = new ArrayList<>(flows.size());
        flows.forEach(all::add);
        return all;
    }

    private void armSweep() {
        if (sweep == null && flows.size() > 0) {
            sweep = loop.schedule(this::onSweep, 5, TimeUnit.SECONDS);
        }
    }

    private void onSweep() {
        sweep = null;
        long now = now();
        for (EchoFlow flow : all()) {
            if (now - flow.lastActive() >= IDLE_NANOS) {
                end(flow);
            }
        }
        armSweep();
    }

    /** The pings of now: the identifier stands in the place of the guest's port. */
    public List<FlowSnapshot> snapshot() {
        assert loop.inEventLoop();
        List<FlowSnapshot> list = new ArrayList<>(flows.size());
        long now = now();
        flows.forEach(f -> list.add(f.snapshot(now)));
        return list;
    }

    /** Idempotent. */
    public void endAll() {
        all().forEach(this::end);
        ScheduledFuture<?> timer = sweep;
        if (timer != null) {
            timer.cancel(false);
            sweep = null;
        }
    }

    /** Ends all, for good. Idempotent. */
    public void close() {
        if (!closed) {
            closed = true;
            endAll();
            scratch.release();
        }
    }
}
