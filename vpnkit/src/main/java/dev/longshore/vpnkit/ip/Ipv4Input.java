package dev.longshore.vpnkit.ip;

import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.ip.Reassembly.Partial;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * IPv4 from the guest: checks, puts fragments together, and hands each packet to its transport. Confined to the link's
 * event loop.
 *
 * <p>What is refused, and why: RFC 1122 §3.2.1.3 and RFC 1812 §5.3.7 (addresses no packet may come from or go to),
 * our own addresses as source, and link-local ones beyond the link (RFC 3927 §7). Any other source is the guest's, or of a network
 * behind it, as containers' are: the guest has them routed here.
 */
final class Ipv4Input {
    private static final Logger LOG = LoggerFactory.getLogger(Ipv4Input.class);
    private static final int LIMITED_BROADCAST = 0xFFFF_FFFF;

    /** 169.254.0.0/16. */
    private static final int LINK_LOCAL = 0xA9FE;

    private final IpPlan plan;
    private final IpOutput output;
    private final IcmpErrorSender errors;
    private final EventExecutor loop;
    private final LongSupplier nanoClock;
    private final Counters<IpCounter> counters;
    private final Reassembly reassembly;
    private final TransportInput tcp;
    private final TransportInput udp;
    private final TransportInput icmp;
    private @Nullable ScheduledFuture<?> expiry;

    Ipv4Input(
            IpPlan plan,
            IpOutput output,
            IcmpErrorSender errors,
            EventExecutor loop,
            LongSupplier nanoClock,
            ByteBufAllocator allocator,
            Counters<IpCounter> counters,
            TransportInput tcp,
            TransportInput udp,
            TransportInput icmp) {
        this.plan = plan;
        this.output = output;
        this.errors = errors;
        this.loop = loop;
        this.nanoClock = nanoClock;
        this.counters = counters;
        this.reassembly = Reassembly.ofIpv4(allocator);
        this.tcp = tcp;
        this.udp = udp;
        this.icmp = icmp;
    }

    /** As {@link dev.longshore.vpnkit.ethernet.PacketSink#onIpv4}. */
    void onPacket(ByteBuf b, int at, int len, int offload) {
        if (!Ipv4Header.isValid(b, at, len)) {
            counters.increment(IpCounter.DROPPED_HEADER);
            return;
        }
        if (!Ipv4Header.isChecksumRight(b, at)) {
            counters.increment(IpCounter.DROPPED_CHECKSUM);
            return;
        }
        int source = Ipv4Header.source(b, at);
        int destination = Ipv4Header.destination(b, at);
        if (!mayComeFrom(source, destination)) {
            counters.increment(IpCounter.DROPPED_SOURCE);
            return;
        }
        if (!mayGoTo(destination)) {
            counters.increment(isMulticast(destination) ? IpCounter.DROPPED_MULTICAST : IpCounter.DROPPED_DESTINATION);
            return;
        }
        if (!survivesTheHop(b, at, source, destination)) {
            return;
        }
        if (Ipv4Header.isFragment(b, at)) {
            onFragment(b, at, offload);
        } else {
            dispatch(b, at, offload);
        }
    }

    /** A guest without an address may only ask for one. */
    private boolean mayComeFrom(int source, int destination) {
        if (source == 0) {
            return destination == LIMITED_BROADCAST;
        }
        int first = source >>> 24;
        return first != 0
                && first != 127
                && first < 224
                && !plan.isOurs(source)
                && !(plan.isInSubnet(source) && (source == plan.broadcast() || source == plan.network()));
    }

    private boolean mayGoTo(int destination) {
        int first = destination >>> 24;
        return destination == LIMITED_BROADCAST || (first != 0 && first != 127 && first < 224);
    }

    private static boolean isMulticast(int address) {
        return address >>> 28 == 0xE;
    }

    private boolean isBroadcast(int address) {
        return address == LIMITED_BROADCAST || address == plan.broadcast();
    }

    /** The gateway is a hop, except for those who mean it; and there is nobody else in the subnet. */
    private boolean survivesTheHop(ByteBuf b, int at, int source, int destination) {
        if (plan.isOurs(destination) || isBroadcast(destination)) {
            return true;
        }
        if (source >>> 16 == LINK_LOCAL) {
            counters.increment(IpCounter.DROPPED_SCOPE);
            return false;
        }
        boolean first = Ipv4Header.fragmentOffset(b, at) == 0;
        if (plan.isInSubnet(destination)) {
            counters.increment(IpCounter.DROPPED_SUBNET);
            if (first) {
                errors.sendFor(b, at, IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_HOST);
            }
            return false;
        }
        if (Ipv4Header.ttl(b, at) <= 1) {
            counters.increment(IpCounter.DROPPED_TTL);
            if (first) {
                errors.sendFor(b, at, IcmpHeader.TIME_EXCEEDED, 0);
            }
            return false;
        }
        return true;
    }

    private void onFragment(ByteBuf b, int at, int offload) {
        counters.increment(IpCounter.FRAGMENTS_FROM_GUEST);
        Partial whole = reassembly.add(b, at, offload, nanoClock.getAsLong());
        reassembly.count(counters);
        if (whole != null) {
            counters.increment(IpCounter.REASSEMBLED);
            dispatch(whole.packet, 0, whole.offload);
            whole.packet.release();
        }
        assert reassembly.checkInvariants();
        armExpiry();
    }

    private void armExpiry() {
        long delay = reassembly.nanosToNextDeadline(nanoClock.getAsLong());
        if (expiry == null && delay >= 0) {
            expiry = loop.schedule(this::expire, delay, TimeUnit.NANOSECONDS);
        }
    }

    private void expire() {
        expiry = null;
        long now = nanoClock.getAsLong();
        for (Partial p = reassembly.pollExpired(now); p != null; p = reassembly.pollExpired(now)) {
            counters.increment(IpCounter.DROPPED_FRAGMENT_TIMEOUT);
            if (p.hasStart() && !isBroadcast((int) p.destinationLo)) {
                sendReassemblyTimeExceeded(p);
            }
            p.packet.release();
        }
        armExpiry();
    }

    /** RFC 1122 §3.3.2: only if the first fragment is there, whose header is rebuilt for the quote. */
    private void sendReassemblyTimeExceeded(Partial p) {
        ByteBuf b = p.packet;
        b.setInt(0, 0x4500_0000);
        int key = (int) p.key;
        b.setInt(4, key >>> 8 << 16 | Ipv4Header.MF);
        b.setInt(8, 64 << 24 | (key & 0xFF) << 16);
        b.setInt(12, (int) p.sourceLo);
        b.setInt(16, (int) p.destinationLo);
        Ipv4Header.complete(b, 0, b.writerIndex());
        errors.sendFor(b, 0, IcmpHeader.TIME_EXCEEDED, IcmpHeader.CODE_REASSEMBLY);
        output.flush();
    }

    private void dispatch(ByteBuf b, int at, int offload) {
        int protocol = Ipv4Header.protocol(b, at);
        int destination = Ipv4Header.destination(b, at);
        TransportInput transport = transport(protocol);
        if (isBroadcast(destination) && protocol != IpProtocol.UDP) {
            counters.increment(IpCounter.DROPPED_MULTICAST);
            return;
        }
        if (transport == null) {
            counters.increment(IpCounter.DROPPED_PROTOCOL);
            errors.sendFor(b, at, IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_PROTOCOL);
            return;
        }
        counters.increment(IpCounter.PACKETS_FROM_GUEST);
        int headerBytes = Ipv4Header.headerBytes(b, at);
        long guestLo = IpAddress.loOfV4(Ipv4Header.source(b, at));
        long remoteLo = IpAddress.loOfV4(destination);
        int len = Ipv4Header.totalLength(b, at) - headerBytes;
        int traits = PacketTraits.of(
                offload,
                Ipv4Header.ttl(b, at),
                Ipv4Header.trafficClass(b, at),
                (Ipv4Header.flagsAndOffset(b, at) & Ipv4Header.DF) != 0);
        try {
            transport.onSegment(b, at + headerBytes, len, 0, guestLo, 0, remoteLo, traits);
        } catch (RuntimeException e) {
            // The loop's edge: a bug of ours must not take the other flows with it.
            counters.increment(IpCounter.DROPPED_FAULT);
            LOG.error(
                    "fault on a packet of protocol {} from {} to {}",
                    protocol,
                    IpAddress.v4((int) guestLo),
                    IpAddress.v4((int) remoteLo),
                    e);
        }
    }

    private @Nullable TransportInput transport(int protocol) {
        return switch (protocol) {
            case IpProtocol.TCP -> tcp;
            case IpProtocol.UDP -> udp;
            case IpProtocol.ICMP -> icmp;
            default -> null;
        };
    }

    /** The guest went away. */
    void clear() {
        counters.add(IpCounter.DROPPED_FRAGMENT_LINK, reassembly.clear());
    }

    /** Forgets unfinished packets. Idempotent. */
    void close() {
        reassembly.clear();
        ScheduledFuture<?> timer = expiry;
        if (timer != null) {
            timer.cancel(false);
            expiry = null;
        }
    }
}
