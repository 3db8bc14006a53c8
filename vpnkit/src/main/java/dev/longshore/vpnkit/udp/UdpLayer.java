package dev.longshore.vpnkit.udp;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.UdpHeader;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.ethernet.LostHop;
import dev.longshore.vpnkit.flow.FlowOwners;
import dev.longshore.vpnkit.flow.FlowSnapshot;
import dev.longshore.vpnkit.flow.FlowTable;
import dev.longshore.vpnkit.flow.GuestConnector;
import dev.longshore.vpnkit.hostsocket.EgressGate;
import dev.longshore.vpnkit.hostsocket.HostDatagrams;
import dev.longshore.vpnkit.hostsocket.HostError;
import dev.longshore.vpnkit.ip.Families;
import dev.longshore.vpnkit.ip.GuestAddresses;
import dev.longshore.vpnkit.ip.IcmpErrors;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.ip.PacketTraits;
import dev.longshore.vpnkit.ip.TransportInput;
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
 * All UDP of one guest: services of ours, flows to remotes, remotes of published ports. Confined to the link's event loop,
 * but for {@link #counters}.
 *
 * <p>Invariants: the flows in the map and in the list by age are the same; at most {@link UdpLimits#maxFlows} of them; the
 * sweep timer is armed exactly if there is a flow.
 */
public final class UdpLayer implements TransportInput, InboundFlows.Owner {
    private static final Logger LOG = LoggerFactory.getLogger(UdpLayer.class);
    private static final int DNS_PORT = 53;

    /** As much of a datagram as an error quotes at most, behind its header. */
    private static final int QUOTED = 1200;

    private static final long LOOPBACK_V4_LO = IpAddress.loOfV4(0x7F00_0001);
    private static final long LOOPBACK_V6_LO = 1;

    private final IpPlan plan;
    private final Families families;
    private final UdpOutput output;
    private final IcmpErrors errors;
    private final EventLoop loop;
    private final LongSupplier nanoClock;
    private final UdpLimits limits;
    private final HostDatagrams datagrams;
    private final EgressGate gate;
    private final Counters<UdpCounter> counters = new Counters<>(UdpCounter.class);
    private final FlowTable<UdpFlow> flows; // by the guest's address and port, the remote being 0
    private final InboundFlows inbound;
    private final ByteBuf quote = Unpooled.directBuffer(UdpHeader.BYTES + QUOTED);
    private final List<Binding> bindings = new ArrayList<>();
    private FlowOwners owners;
    private boolean closed;
    private @Nullable UdpFlow oldest;
    private @Nullable UdpFlow newest;
    private @Nullable ScheduledFuture<?> sweep;

    /** A service and the address it answers at. */
    private record Binding(IpAddress address, int port, UdpService service) {}

    public UdpLayer(
            IpPlan plan,
            Families families,
            UdpOutput output,
            IcmpErrors errors,
            EventLoop loop,
            LongSupplier nanoClock,
            UdpLimits limits,
            HostDatagrams datagrams,
            GuestAddresses addresses,
            EgressGate gate) {
        this.gate = gate;
        this.plan = plan;
        this.families = families;
        this.output = output;
        this.errors = errors;
        this.loop = loop;
        this.nanoClock = nanoClock;
        this.limits = limits;
        this.datagrams = datagrams;
        SecureRandom random = new SecureRandom();
        this.flows = new FlowTable<>(random.nextLong());
        this.inbound = new InboundFlows(addresses, this, random.nextLong());
        this.owners = FlowOwners.nobody(loop);
    }

    /** Who flows belong to, from now on; before the first one. */
    public void attribute(FlowOwners to) {
        owners = to;
    }

    @Override
    public FlowOwners owners() {
        return owners;
    }

    /** Datagrams to {@code address} (255.255.255.255 means any broadcast) and {@code port} are for {@code service}. */
    public void bind(IpAddress address, int port, UdpService service) {
        bindings.add(new Binding(address, port, service));
    }

    // ---- from the guest

    @Override
    public void onSegment(
            ByteBuf b, int at, int len, long guestHi, long guestLo, long remoteHi, long remoteLo, int traits) {
        if (!UdpHeader.isValid(b, at, len) || UdpHeader.destinationPort(b, at) == 0) {
            counters.increment(UdpCounter.DROPPED_HEADER);
            return;
        }
        boolean v4 = IpAddress.isV4(remoteHi, remoteLo);
        if ((traits & (FrameSink.CHECKSUM_PARTIAL | FrameSink.CHECKSUM_VALID)) == 0) {
            if (!v4 && UdpHeader.checksum(b, at) == 0) { // RFC 8200 §8.1
                counters.increment(UdpCounter.DROPPED_NO_CHECKSUM);
                return;
            }
            if (!UdpHeader.isChecksumRight(b, at, guestHi, guestLo, remoteHi, remoteLo)) {
                counters.increment(UdpCounter.DROPPED_CHECKSUM);
                return;
            }
        }
        int payloadAt = at + UdpHeader.BYTES;
        int payloadBytes = UdpHeader.length(b, at) - UdpHeader.BYTES;
        int guestPort = UdpHeader.sourcePort(b, at);
        int remotePort = UdpHeader.destinationPort(b, at);
        counters.increment(UdpCounter.DATAGRAMS_FROM_GUEST);
        counters.add(UdpCounter.BYTES_FROM_GUEST, payloadBytes);
        UdpService service = service(remoteHi, remoteLo, remotePort);
        if (service != null) {
            service.onDatagram(b, payloadAt, payloadBytes, guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort);
            return;
        }
        if (v4 && (isBroadcast((int) remoteLo) || (int) guestLo == 0)) {
            counters.increment(UdpCounter.DROPPED_BROADCAST);
            return;
        }
        InboundUdp reply = inbound.find(guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort);
        if (reply != null) {
            reply.onReply(b, payloadAt, payloadBytes);
        } else if (plan.isOurs(remoteHi, remoteLo) && !isHost(remoteHi, remoteLo)) {
            counters.increment(UdpCounter.DROPPED_CLOSED);
            unreachable(
                    IcmpHeader.CODE_PORT,
                    guestHi,
                    guestLo,
                    guestPort,
                    remoteHi,
                    remoteLo,
                    remotePort,
                    b.getInt(at + 4));
        } else if (!families.mayReach(remoteHi, remoteLo)) {
            counters.increment(UdpCounter.DROPPED_FAMILY);
            unreachable(
                    IcmpHeader.CODE_NET, guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort, b.getInt(at + 4));
        } else if (guestPort == 0) {
            counters.increment(UdpCounter.DROPPED_HEADER); // nobody could answer
        } else {
            toHost(b, payloadAt, payloadBytes, guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort, traits);
        }
    }

    private void unreachable(
            int code,
            long guestHi,
            long guestLo,
            int guestPort,
            long remoteHi,
            long remoteLo,
            int remotePort,
            int lengthAndChecksum) {
        errors.unreachable(
                IpProtocol.UDP, code, guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort, lengthAndChecksum);
    }

    private boolean isBroadcast(int remote) {
        return remote == -1 || remote == plan.broadcast();
    }

    private @Nullable UdpService service(long hi, long lo, int port) {
        for (int i = 0; i < bindings.size(); i++) {
            Binding binding = bindings.get(i);
            if (binding.port == port && isAt(binding.address, hi, lo)) {
                return binding.service;
            }
        }
        return null;
    }

    private boolean isAt(IpAddress bound, long hi, long lo) {
        boolean anyBroadcast = bound.isV4() && bound.v4Bits() == -1 && IpAddress.isV4(hi, lo);
        return (bound.lo() == lo && bound.hi() == hi) || (anyBroadcast && (int) lo == plan.broadcast());
    }

    /** True for the address that stands for the host's loopback. */
    private boolean isHost(long hi, long lo) {
        if (IpAddress.isV4(hi, lo)) {
            return lo == plan.host().lo();
        }
        return plan.hasIpv6() && plan.isHost6(hi, lo);
    }

    private void toHost(
            ByteBuf b,
            int at,
            int len,
            long guestHi,
            long guestLo,
            int guestPort,
            long remoteHi,
            long remoteLo,
            int remotePort,
            int traits) {
        UdpFlow flow = flows.get(guestHi, guestLo, guestPort, 0, 0, 0);
        if (flow != null && owners.isStale(flow.owner(), guestHi, guestLo)) {
            end(flow);
            flow = null;
        }
        if (gate.isActive()
                && !mayGo(flow, guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort, b.getInt(at - 4))) {
            return;
        }
        if (flow == null) {
            flow = openFlow(guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort);
            if (flow == null) {
                counters.increment(UdpCounter.DROPPED_HOST_FAILED);
                return;
            }
        }
        touch(flow);
        boolean loopback = isHost(remoteHi, remoteLo);
        boolean v4 = IpAddress.isV4(remoteHi, remoteLo);
        flow.send(
                b,
                at,
                len,
                loopback ? 0 : remoteHi,
                loopback ? (v4 ? LOOPBACK_V4_LO : LOOPBACK_V6_LO) : remoteLo,
                remotePort,
                PacketTraits.hopsLeft(traits),
                PacketTraits.trafficClass(traits),
                PacketTraits.dontFragment(traits));
    }

    /** What the policy says; a datagram that may not go is counted, and its sender told. */
    private boolean mayGo(
            @Nullable UdpFlow flow,
            long guestHi,
            long guestLo,
            int guestPort,
            long remoteHi,
            long remoteLo,
            int remotePort,
            int lengthAndChecksum) {
        EgressGate.Verdict verdict = flow == null
                ? gate.judge(IpProtocol.UDP, guestHi, guestLo, remoteHi, remoteLo, remotePort, false, false)
                : flow.egress.judge(
                        gate, IpProtocol.UDP, guestHi, guestLo, remoteHi, remoteLo, remotePort, nanoClock.getAsLong());
        switch (verdict) {
            case ADMIT -> {}
            case LATER -> counters.increment(UdpCounter.DROPPED_UNKNOWN_SENDER);
            case DENY -> {
                counters.increment(UdpCounter.DROPPED_POLICY);
                unreachable(
                        IcmpHeader.CODE_ADMIN_PROHIBITED,
                        guestHi,
                        guestLo,
                        guestPort,
                        remoteHi,
                        remoteLo,
                        remotePort,
                        lengthAndChecksum);
            }
        }
        return verdict == EgressGate.Verdict.ADMIT;
    }

    /** The policy has changed: flows whose last remote is denied now end. */
    public void onPolicyChanged() {
        assert loop.inEventLoop();
        long now = nanoClock.getAsLong();
        for (UdpFlow flow = oldest; flow != null; ) {
            UdpFlow next = flow.newer;
            if (gate.isActive() && flow.isDenied(gate, now)) {
                counters.increment(UdpCounter.FLOWS_CUT);
                end(flow);
            }
            flow = next;
        }
    }

    private @Nullable UdpFlow openFlow(
            long guestHi, long guestLo, int guestPort, long remoteHi, long remoteLo, int remotePort) {
        if (flows.size() >= limits.maxFlows()) {
            UdpFlow victim = oldest;
            if (victim != null) {
                counters.increment(UdpCounter.FLOWS_EVICTED);
                end(victim);
            }
        }
        long now = nanoClock.getAsLong();
        UdpFlow flow = new UdpFlow(this, guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort, now);
        HostDatagrams.Opened opened = datagrams.openUdp(IpAddress.isV4(remoteHi, remoteLo), flow);
        HostDatagrams.Socket socket = opened.socket();
        if (socket == null) {
            LOG.debug("{}: no socket, errno {}", flow, opened.errno());
            return null;
        }
        flow.use(socket, owners.begin(guestHi, guestLo));
        flows.put(guestHi, guestLo, guestPort, 0, 0, 0, flow);
        link(flow);
        counters.increment(UdpCounter.FLOWS_OPENED);
        counters.set(UdpCounter.FLOWS_ACTIVE, flows.size());
        LOG.debug("{} opened", flow);
        armSweep();
        return flow;
    }

    @Override
    public void onUnreachable(
            long guestHi, long guestLo, int guestPort, long remoteHi, long remoteLo, int remotePort, int code) {
        InboundUdp flow = inbound.find(guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort);
        if (flow != null && code != IcmpHeader.CODE_TOO_BIG) {
            flow.replies.onUnreachable();
        }
    }

    @Override
    public void onNobody(LostHop hop) {
        List<InboundUdp> lost = new ArrayList<>();
        inbound.table().forEach(f -> {
            if (hop.isOnTheWayTo(f.guest.hi(), f.guest.lo())) {
                lost.add(f);
            }
        });
        lost.forEach(f -> f.replies.onUnreachable());
    }

    @Override
    public void onBatchEnd() {
        datagrams.flush();
    }

    /** Datagrams wait for nobody: what had no room is gone. */
    @Override
    public void onWritable() {}

    @Override
    public void onLinkState(boolean up) {
        if (!up) {
            endAll();
        }
    }

    // ---- from the host

    void onFromHost(UdpFlow flow, ByteBuf b, int at, int len, long senderHi, long senderLo, int remotePort) {
        boolean loopback = isLoopback(senderHi, senderLo);
        long remoteHi = loopback ? hostHi(senderHi, senderLo) : senderHi;
        long remoteLo = loopback ? hostLo(senderHi, senderLo) : senderLo;
        if (!loopback && plan.isOnLink(senderHi, senderLo)) {
            counters.increment(UdpCounter.DROPPED_SPOOFED);
            return;
        }
        touch(flow);
        flow.received++;
        flow.receivedBytes += len;
        flow.countToGuest(len);
        toGuest(remoteHi, remoteLo, remotePort, flow.guestHi, flow.guestLo, flow.guestPort, b, at, len);
    }

    private static boolean isLoopback(long hi, long lo) {
        return IpAddress.isV4(hi, lo) ? (int) lo >>> 24 == 127 : hi == 0 && lo == LOOPBACK_V6_LO;
    }

    /** How the guest knows the host's loopback of the family of (hi, lo). */
    private long hostHi(long hi, long lo) {
        return IpAddress.isV4(hi, lo) ? 0 : plan.host6().hi();
    }

    private long hostLo(long hi, long lo) {
        return IpAddress.isV4(hi, lo) ? plan.host().lo() : plan.host6().lo();
    }

    void onReadComplete() {
        output.flush();
    }

    void onDropped() {
        counters.increment(UdpCounter.DROPPED_HOST_BUSY);
    }

    void onHostError(UdpFlow flow, HostError error) {
        LOG.debug("{}: {}", flow, error);
        boolean refused = error.isPortClosed();
        counters.increment(refused ? UdpCounter.REFUSED : UdpCounter.ERRORS_PASSED);
        boolean loopback = isLoopback(error.remoteHi(), error.remoteLo());
        long remoteHi = loopback ? hostHi(error.remoteHi(), error.remoteLo()) : error.remoteHi();
        long remoteLo = loopback ? hostLo(error.remoteHi(), error.remoteLo()) : error.remoteLo();
        boolean byHost = isLoopback(error.offenderHi(), error.offenderLo());
        boolean byRemote = byHost || (refused && error.offenderLo() == 0);
        int quoted = Math.min(error.bytes(), QUOTED);
        quote.clear();
        UdpHeader.write(quote, flow.guestPort, error.remotePort(), UdpHeader.BYTES + quoted);
        quote.writeBytes(error.payload(), error.at(), quoted);
        errors.pass(
                error.type(),
                error.code(),
                error.info(),
                byRemote ? remoteHi : error.offenderHi(),
                byRemote ? remoteLo : error.offenderLo(),
                IpProtocol.UDP,
                flow.guestHi,
                flow.guestLo,
                remoteHi,
                remoteLo,
                quote,
                0,
                quote.writerIndex());
    }

    private void toGuest(
            long remoteHi,
            long remoteLo,
            int remotePort,
            long guestHi,
            long guestLo,
            int guestPort,
            ByteBuf b,
            int at,
            int len) {
        if (output.send(remoteHi, remoteLo, remotePort, guestHi, guestLo, guestPort, b, at, len)) {
            counters.increment(UdpCounter.DATAGRAMS_TO_GUEST);
            counters.add(UdpCounter.BYTES_TO_GUEST, len);
        } else {
            counters.increment(UdpCounter.DROPPED_NO_ROOM);
        }
    }

    // ---- published ports

    /** See {@link GuestConnector#openUdp}. */
    public GuestConnector.UdpFlow openInbound(
            IpAddress guest, int guestPort, IpAddress source, int sourcePort, GuestConnector.UdpReplies replies) {
        assert loop.inEventLoop();
        return inbound.open(guest, guestPort, source, sourcePort, replies, nanoClock.getAsLong());
    }

    @Override
    public void send(InboundUdp flow, ByteBuf b, int at, int len) {
        if (!closed) {
            IpAddress remote = flow.remote;
            IpAddress guest = flow.guest;
            toGuest(remote.hi(), remote.lo(), flow.remotePort, guest.hi(), guest.lo(), flow.guestPort, b, at, len);
            output.flushSoon();
        }
    }

    @Override
    public void onSizeChanged() {
        counters.set(UdpCounter.INBOUND_ACTIVE, inbound.size());
    }

    @Override
    public void onNoGatewayPort() {
        counters.increment(UdpCounter.DROPPED_NO_GATEWAY_PORT);
    }

    @Override
    public void onNoIpv6() {
        counters.increment(UdpCounter.DROPPED_NO_IPV6);
    }

    @Override
    public void onTooLarge() {
        counters.increment(UdpCounter.DROPPED_TOO_LARGE);
    }

    // ---- the flows' lives

    private void touch(UdpFlow flow) {
        flow.lastActive = nanoClock.getAsLong();
        if (newest != flow) {
            unlink(flow);
            link(flow);
        }
    }

    private void link(UdpFlow flow) {
        flow.lastActive = nanoClock.getAsLong();
        UdpFlow last = newest;
        flow.older = last;
        flow.newer = null;
        newest = flow;
        if (last == null) {
            oldest = flow;
        } else {
            last.newer = flow;
        }
    }

    private void unlink(UdpFlow flow) {
        UdpFlow before = flow.older;
        UdpFlow after = flow.newer;
        if (before == null) {
            oldest = after;
        } else {
            before.newer = after;
        }
        if (after == null) {
            newest = before;
        } else {
            after.older = before;
        }
        flow.older = null;
        flow.newer = null;
    }

    /** The one way a flow ends. */
    private void end(UdpFlow flow) {
        if (find(flow) != flow) {
            return;
        }
        flows.remove(flow.guestHi, flow.guestLo, flow.guestPort, 0, 0, 0);
        unlink(flow);
        flow.close();
        counters.set(UdpCounter.FLOWS_ACTIVE, flows.size());
        LOG.debug("{} ended: {} sent, {} received", flow, flow.sent, flow.received);
    }

    private @Nullable UdpFlow find(UdpFlow flow) {
        return flows.get(flow.guestHi, flow.guestLo, flow.guestPort, 0, 0, 0);
    }

    private long idleNanos(UdpFlow flow) {
        if (flow.isTo(DNS_PORT)) {
            return limits.dnsIdle().toNanos();
        }
        boolean stream = flow.received > 0 && flow.sent + flow.received > 2;
        return (stream ? limits.streamIdle() : limits.shortIdle()).toNanos();
    }

    private void armSweep() {
        if (sweep == null && flows.size() > 0) {
            sweep = loop.schedule(this::onSweep, 1, TimeUnit.SECONDS);
        }
    }

    private void onSweep() {
        sweep = null;
        long now = nanoClock.getAsLong();
        for (UdpFlow flow = oldest; flow != null; ) {
            UdpFlow next = flow.newer;
            if (now - flow.lastActive >= idleNanos(flow)) {
                counters.increment(UdpCounter.FLOWS_IDLE);
                end(flow);
            }
            flow = next;
        }
        assert checkInvariants();
        armSweep();
    }

    private void endAll() {
        for (UdpFlow flow = oldest; flow != null; flow = oldest) {
            end(flow);
        }
        ScheduledFuture<?> timer = sweep;
        if (timer != null) {
            timer.cancel(false);
            sweep = null;
        }
    }

    /** Ends all flows. Published ports' flows are closed by their owners. Idempotent. */
    public void close() {
        if (!closed) {
            closed = true;
            endAll();
            quote.release();
        }
    }

    /** The flows of now: the guest's own, then those of published ports. */
    public List<FlowSnapshot> snapshot() {
        assert loop.inEventLoop();
        List<FlowSnapshot> list = new ArrayList<>(flows.size() + inbound.size());
        long now = nanoClock.getAsLong();
        flows.forEach(f -> list.add(f.snapshot(now)));
        inbound.table().forEach(f -> list.add(f.snapshot(now)));
        return list;
    }

    /** Readable from any thread. */
    public Counters<UdpCounter> counters() {
        return counters;
    }

    /** See the class comment. */
    private boolean checkInvariants() {
        int listed = 0;
        for (UdpFlow flow = oldest; flow != null; flow = flow.newer) {
            if (find(flow) != flow) {
                throw new IllegalStateException("listed, not mapped: " + flow);
            }
            listed++;
        }
        if (listed != flows.size() || listed > limits.maxFlows()) {
            throw new IllegalStateException(listed + " listed, " + flows.size() + " mapped");
        }
        return true;
    }
}
