package dev.longshore.vpnkit.udp;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.UdpHeader;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.flow.FlowSnapshot;
import dev.longshore.vpnkit.flow.GuestConnector;
import dev.longshore.vpnkit.ip.IcmpErrors;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.ip.TransportInput;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.EventLoop;
import io.netty.channel.unix.Errors;
import io.netty.util.collection.LongObjectHashMap;
import io.netty.util.concurrent.ScheduledFuture;
import java.net.InetSocketAddress;
import java.net.NoRouteToHostException;
import java.net.PortUnreachableException;
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
public final class UdpLayer implements TransportInput {
    private static final Logger LOG = LoggerFactory.getLogger(UdpLayer.class);
    private static final int DNS_PORT = 53;
    private static final int FIRST_DYNAMIC_PORT = 49_152;
    private static final int DYNAMIC_PORTS = 65_536 - FIRST_DYNAMIC_PORT;

    private final IpPlan plan;
    private final UdpOutput output;
    private final IcmpErrors errors;
    private final EventLoop loop;
    private final LongSupplier nanoClock;
    private final UdpLimits limits;
    private final HostUdp sockets;
    private final Counters<UdpCounter> counters = new Counters<>(UdpCounter.class);
    private final LongObjectHashMap<UdpFlow> flows = new LongObjectHashMap<>();
    private final LongObjectHashMap<LongObjectHashMap<InboundUdp>> inbound = new LongObjectHashMap<>();
    private final List<UdpFlow> unflushed = new ArrayList<>();
    private final List<Binding> bindings = new ArrayList<>();
    private int inboundCount;
    private boolean closed;
    private int nextDynamicPort;
    private @Nullable UdpFlow oldest;
    private @Nullable UdpFlow newest;
    private @Nullable ScheduledFuture<?> sweep;

    /** A service and the address it answers at. */
    private record Binding(int address, int port, UdpService service) {}

    public UdpLayer(
            IpPlan plan,
            UdpOutput output,
            IcmpErrors errors,
            EventLoop loop,
            LongSupplier nanoClock,
            UdpLimits limits) {
        this.plan = plan;
        this.output = output;
        this.errors = errors;
        this.loop = loop;
        this.nanoClock = nanoClock;
        this.limits = limits;
        this.sockets = new HostUdp(loop, plan.host().v4Bits(), new HostEvents());
    }

    /** Datagrams to {@code address} (255.255.255.255 means any broadcast) and {@code port} are for {@code service}. */
    public void bind(IpAddress address, int port, UdpService service) {
        bindings.add(new Binding(address.v4Bits(), port, service));
    }

    // ---- from the guest

    @Override
    public void onSegment(
            ByteBuf b, int at, int len, long guestHi, long guestLo, long remoteHi, long remoteLo, int offload) {
        if (!UdpHeader.isValid(b, at, len) || UdpHeader.destinationPort(b, at) == 0) {
            counters.increment(UdpCounter.DROPPED_HEADER);
            return;
        }
        boolean trusted = (offload & (FrameSink.CHECKSUM_PARTIAL | FrameSink.CHECKSUM_VALID)) != 0;
        if (!trusted && !UdpHeader.isChecksumRight(b, at, guestHi, guestLo, remoteHi, remoteLo)) {
            counters.increment(UdpCounter.DROPPED_CHECKSUM);
            return;
        }
        int payloadAt = at + UdpHeader.BYTES;
        int payloadBytes = UdpHeader.length(b, at) - UdpHeader.BYTES;
        int guestPort = UdpHeader.sourcePort(b, at);
        int remotePort = UdpHeader.destinationPort(b, at);
        int remote = (int) remoteLo;
        counters.increment(UdpCounter.DATAGRAMS_FROM_GUEST);
        counters.add(UdpCounter.BYTES_FROM_GUEST, payloadBytes);
        UdpService service = service(remote, remotePort);
        if (service != null) {
            service.onDatagram(b, payloadAt, payloadBytes, guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort);
            return;
        }
        if (remote == -1 || remote == plan.broadcast() || (int) guestLo == 0) {
            counters.increment(UdpCounter.DROPPED_BROADCAST);
            return;
        }
        InboundUdp reply = inbound(key(guestLo, guestPort), key(remoteLo, remotePort));
        if (reply != null) {
            reply.bytesFromGuest += payloadBytes;
            reply.replies.onReply(b.slice(payloadAt, payloadBytes));
        } else if (plan.isOurs(remote) && remote != plan.host().v4Bits()) {
            counters.increment(UdpCounter.DROPPED_CLOSED);
            unreachable(IcmpHeader.CODE_PORT, guestHi, guestLo, guestPort, remote, remotePort, payloadBytes);
        } else if (guestPort == 0) {
            counters.increment(UdpCounter.DROPPED_HEADER); // nobody could answer
        } else {
            toHost(b, payloadAt, payloadBytes, guestHi, guestLo, guestPort, remote, remotePort);
        }
    }

    private @Nullable UdpService service(int address, int port) {
        for (int i = 0; i < bindings.size(); i++) {
            Binding binding = bindings.get(i);
            boolean matches = binding.address == address || (binding.address == -1 && address == plan.broadcast());
            if (binding.port == port && matches) {
                return binding.service;
            }
        }
        return null;
    }

    private void toHost(
            ByteBuf b, int at, int len, long guestHi, long guestLo, int guestPort, int remote, int remotePort) {
        if (len == 0) {
            counters.increment(UdpCounter.DROPPED_EMPTY);
            return;
        }
        UdpFlow flow = flows.get(key(guestLo, guestPort));
        if (flow == null) {
            flow = openFlow(guestHi, guestLo, guestPort, remote, remotePort, len);
            if (flow == null) {
                return;
            }
        }
        touch(flow);
        if (!flow.write(b, at, len, remote, remotePort, sockets)) {
            counters.increment(UdpCounter.DROPPED_HOST_BUSY);
            return;
        }
        flow.sent++;
        flow.sentBytes += len;
        if (!flow.dirty) {
            flow.dirty = true;
            unflushed.add(flow);
        }
    }

    private @Nullable UdpFlow openFlow(long guestHi, long guestLo, int guestPort, int remote, int remotePort, int len) {
        if (flows.size() >= limits.maxFlows()) {
            UdpFlow victim = oldest;
            if (victim != null) {
                counters.increment(UdpCounter.FLOWS_EVICTED);
                end(victim);
            }
        }
        InetSocketAddress hostRemote = new InetSocketAddress(sockets.toHost(remote), remotePort);
        ChannelFuture connected = sockets.connect(hostRemote);
        Throwable failure = connected.cause();
        if (failure != null || !connected.isSuccess()) {
            counters.increment(UdpCounter.DROPPED_HOST_FAILED);
            LOG.debug(
                    "udp {}:{} > {}: {}", IpAddress.v4((int) guestLo), guestPort, hostRemote, String.valueOf(failure));
            unreachable(code(failure), guestHi, guestLo, guestPort, remote, remotePort, len);
            return null;
        }
        long key = key(guestLo, guestPort);
        UdpFlow flow = new UdpFlow(
                key,
                guestHi,
                guestLo,
                guestPort,
                remote,
                remotePort,
                hostRemote,
                connected.channel(),
                nanoClock.getAsLong());
        flows.put(key, flow);
        link(flow);
        sockets.join(flow);
        counters.increment(UdpCounter.FLOWS_OPENED);
        counters.set(UdpCounter.FLOWS_ACTIVE, flows.size());
        LOG.debug("{} opened", flow);
        armSweep();
        return flow;
    }

    /** What a router would say for an error of connect(2). */
    private static int code(@Nullable Throwable failure) {
        if (failure instanceof PortUnreachableException) {
            return IcmpHeader.CODE_PORT;
        }
        if (failure instanceof NoRouteToHostException) {
            return IcmpHeader.CODE_HOST;
        }
        if (failure instanceof Errors.NativeIoException e) {
            if (e.expectedErr() == Errors.ERROR_ECONNREFUSED_NEGATIVE) {
                return IcmpHeader.CODE_PORT;
            }
            if (e.expectedErr() == -ENETUNREACH) {
                return IcmpHeader.CODE_NET;
            }
            if (e.expectedErr() == -EACCES || e.expectedErr() == -EPERM) {
                return IcmpHeader.CODE_ADMIN_PROHIBITED;
            }
        }
        return IcmpHeader.CODE_HOST;
    }

    /** Linux' numbers, asm-generic/errno-base.h and errno.h. */
    private static final int EPERM = 1;

    private static final int EACCES = 13;
    private static final int ENETUNREACH = 101;

    private void unreachable(
            int code, long guestHi, long guestLo, int guestPort, int remote, int remotePort, int payloadBytes) {
        int lengthAndChecksum = (UdpHeader.BYTES + payloadBytes) << 16;
        errors.unreachable(
                IpProtocol.UDP,
                code,
                guestHi,
                guestLo,
                guestPort,
                0,
                IpAddress.loOfV4(remote),
                remotePort,
                lengthAndChecksum);
    }

    @Override
    public void onUnreachable(
            long guestHi, long guestLo, int guestPort, long remoteHi, long remoteLo, int remotePort, int code) {
        InboundUdp flow = inbound(key(guestLo, guestPort), key(remoteLo, remotePort));
        if (flow != null && code != IcmpHeader.CODE_TOO_BIG) {
            flow.replies.onUnreachable();
        }
    }

    @Override
    public void onBatchEnd() {
        for (int i = 0; i < unflushed.size(); i++) {
            unflushed.get(i).flush();
        }
        unflushed.clear();
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

    private final class HostEvents implements HostUdp.Events {
        @Override
        public void onFromHost(UdpFlow flow, ByteBuf payload, int remote, int remotePort) {
            if (plan.isInSubnet(remote) && remote != plan.host().v4Bits()) {
                counters.increment(UdpCounter.DROPPED_SPOOFED);
            } else if (flows.get(flow.key) == flow) {
                touch(flow);
                flow.received++;
                flow.receivedBytes += payload.readableBytes();
                toGuest(IpAddress.loOfV4(remote), remotePort, flow.guestHi, flow.guestLo, flow.guestPort, payload);
            }
        }

        @Override
        public void onReadComplete() {
            output.flush();
        }

        @Override
        public void onSendFailed(UdpFlow flow, Throwable cause) {
            LOG.debug("{}, another remote: {}", flow, cause.toString());
            counters.increment(UdpCounter.DROPPED_HOST_FAILED);
        }

        @Override
        public void onHostError(UdpFlow flow, Throwable cause) {
            LOG.debug("{}: {}", flow, cause.toString());
            if (flows.get(flow.key) == flow) {
                counters.increment(UdpCounter.REFUSED);
                unreachable(
                        code(cause),
                        flow.guestHi,
                        flow.guestLo,
                        flow.guestPort,
                        flow.firstRemote,
                        flow.firstRemotePort,
                        flow.lastBytes);
            }
        }
    }

    private void toGuest(long remoteLo, int remotePort, long guestHi, long guestLo, int guestPort, ByteBuf payload) {
        int len = payload.readableBytes();
        boolean sent =
                output.send(0, remoteLo, remotePort, guestHi, guestLo, guestPort, payload, payload.readerIndex(), len);
        if (sent) {
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
        long guestKey = key(guest.lo(), guestPort);
        long remoteKey = key(source.lo(), sourcePort);
        if (!mayAppear(source, guest) || sourcePort == 0 || inbound(guestKey, remoteKey) != null) {
            remoteKey = freeGatewayPort(guestKey);
        }
        LongObjectHashMap<InboundUdp> remotes = inbound.get(guestKey);
        if (remotes == null) {
            remotes = new LongObjectHashMap<>(4);
            inbound.put(guestKey, remotes);
        }
        InboundUdp flow = new InboundUdp(this, guestKey, remoteKey, replies, nanoClock.getAsLong());
        remotes.put(remoteKey, flow);
        inboundCount++;
        counters.set(UdpCounter.INBOUND_ACTIVE, inboundCount);
        return flow;
    }

    /** True if the guest would send its answer to {@code source} back to us. */
    private boolean mayAppear(IpAddress source, IpAddress guest) {
        if (!source.isV4() || source.isLoopback() || source.v4Bits() >>> 24 == 0 || source.v4Bits() >>> 28 >= 0xE) {
            return false;
        }
        boolean besideTheContainer = source.v4Bits() >>> 16 == guest.v4Bits() >>> 16;
        return !plan.isInSubnet(source.v4Bits()) && !besideTheContainer;
    }

    private long freeGatewayPort(long guestKey) {
        for (int tries = 0; tries < DYNAMIC_PORTS; tries++) {
            int port = FIRST_DYNAMIC_PORT + nextDynamicPort;
            nextDynamicPort = (nextDynamicPort + 1) % DYNAMIC_PORTS;
            long key = key(plan.gateway().lo(), port);
            if (inbound(guestKey, key) == null) {
                return key;
            }
        }
        throw new IllegalStateException("16,384 remotes of one UDP port all look like the gateway");
    }

    void sendInbound(InboundUdp flow, ByteBuf payload) {
        if (closed) {
            return;
        }
        flow.bytesToGuest += payload.readableBytes();
        toGuest(
                IpAddress.loOfV4((int) (flow.remoteKey >>> 16)),
                (int) flow.remoteKey & 0xFFFF,
                0,
                IpAddress.loOfV4((int) (flow.guestKey >>> 16)),
                (int) flow.guestKey & 0xFFFF,
                payload);
        output.flushSoon();
    }

    void closeInbound(InboundUdp flow) {
        LongObjectHashMap<InboundUdp> remotes = inbound.get(flow.guestKey);
        if (remotes != null && remotes.get(flow.remoteKey) == flow) {
            remotes.remove(flow.remoteKey);
            if (remotes.isEmpty()) {
                inbound.remove(flow.guestKey);
            }
            inboundCount--;
            counters.set(UdpCounter.INBOUND_ACTIVE, inboundCount);
        }
    }

    private @Nullable InboundUdp inbound(long guestKey, long remoteKey) {
        LongObjectHashMap<InboundUdp> remotes = inbound.get(guestKey);
        return remotes == null ? null : remotes.get(remoteKey);
    }

    /** IPv4 address and port in 48 bits. */
    private static long key(long lo, int port) {
        return (lo & 0xFFFF_FFFFL) << 16 | port;
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
        if (flows.get(flow.key) != flow) {
            return;
        }
        if (flow.dirty) {
            flow.flush();
            unflushed.remove(flow);
        }
        flows.remove(flow.key);
        unlink(flow);
        flow.close();
        counters.set(UdpCounter.FLOWS_ACTIVE, flows.size());
        LOG.debug("{} ended: {} sent, {} received", flow, flow.sent, flow.received);
    }

    private long idleNanos(UdpFlow flow) {
        if (flow.firstRemotePort == DNS_PORT) {
            return limits.dnsIdle().toNanos();
        }
        boolean stream = flow.received > 0 && flow.sent + flow.received > 2;
        return (stream ? limits.streamIdle() : limits.shortIdle()).toNanos();
    }

    private void armSweep() {
        if (sweep == null && !flows.isEmpty()) {
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
        closed = true;
        endAll();
    }

    /** The flows of now: the guest's own, then those of published ports. */
    public List<FlowSnapshot> snapshot() {
        assert loop.inEventLoop();
        List<FlowSnapshot> list = new ArrayList<>(flows.size() + inboundCount);
        long now = nanoClock.getAsLong();
        flows.values().forEach(f -> list.add(f.snapshot(now)));
        inbound.values().forEach(remotes -> remotes.values().forEach(f -> list.add(f.snapshot(now))));
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
            if (flows.get(flow.key) != flow) {
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
