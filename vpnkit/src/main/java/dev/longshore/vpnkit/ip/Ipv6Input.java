package dev.longshore.vpnkit.ip;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.wire.Dhcpv6Message;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv6Extension;
import dev.longshore.packet.wire.Ipv6Header;
import dev.longshore.packet.wire.NdpMessage;
import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.packet.wire.UdpHeader;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.ethernet.NeighborDiscovery;
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
 * IPv6 from the guest: checks, walks extension headers, puts fragments together, and hands each packet to its transport.
 * Confined to the link's event loop.
 *
 * <p>Theory of operation: the flows of all destinations end here, so the headers for the destination are looked at as the
 * destination would: RFC 8200 §4. Refused are addresses no packet may come from or go to (RFC 4291 §2.5.2, §2.5.3, §2.7; all
 * of ::/64, in which IPv4's mapped form would otherwise pass for IPv4), our own as source, link-local ones beyond the link
 * (RFC 4007 §9), routing headers with work left (RFC 5095), more than {@link #MAX_HEADERS} headers, header chains that are
 * not in the first fragment (RFC 7112), neighbor discovery in fragments (RFC 6980) or from beyond the link.
 */
final class Ipv6Input {
    private static final Logger LOG = LoggerFactory.getLogger(Ipv6Input.class);

    /** No honest packet has more than four kinds of extension headers, one of them twice (RFC 8200 §4.1). */
    static final int MAX_HEADERS = 8;

    /** RFC 7112 §5: the first fragment does not hold all headers. */
    private static final int CODE_INCOMPLETE_CHAIN = 3;

    private static final long LINK_GROUP_HI = 0xFF02L << 48;
    private static final long ALL_NODES_LO = 1;
    private static final long ALL_ROUTERS_LO = 2;

    /** ff02::1:ff00:0/104, RFC 4291 §2.7.1. */
    private static final long SOLICITED_NODE_LO = 0x1_FF00_0000L;

    private final IpPlan plan;
    private final IpOutput output;
    private final IcmpErrorSender errors;
    private final EventExecutor loop;
    private final LongSupplier nanoClock;
    private final Counters<IpCounter> counters;
    private final Reassembly reassembly;
    private final NeighborDiscovery discovery;
    private final LinkScope gateway;
    private final TransportInput tcp;
    private final TransportInput udp;
    private final Icmpv6Input icmp;
    private @Nullable ScheduledFuture<?> expiry;

    Ipv6Input(
            IpPlan plan,
            IpOutput output,
            IcmpErrorSender errors,
            EventExecutor loop,
            LongSupplier nanoClock,
            ByteBufAllocator allocator,
            Counters<IpCounter> counters,
            NeighborDiscovery discovery,
            LinkScope gateway,
            TransportInput tcp,
            TransportInput udp,
            Icmpv6Input icmp) {
        this.plan = plan;
        this.output = output;
        this.errors = errors;
        this.loop = loop;
        this.nanoClock = nanoClock;
        this.counters = counters;
        this.reassembly = Reassembly.ofIpv6(allocator);
        this.discovery = discovery;
        this.gateway = gateway;
        this.tcp = tcp;
        this.udp = udp;
        this.icmp = icmp;
    }

    /** As {@link dev.longshore.vpnkit.ethernet.PacketSink#onIpv6}. */
    void onPacket(ByteBuf b, int at, int len, int offload) {
        if (!Ipv6Header.isValid(b, at, len)) {
            counters.increment(IpCounter.DROPPED_HEADER);
            return;
        }
        long sourceHi = Ipv6Header.sourceHi(b, at);
        long sourceLo = Ipv6Header.sourceLo(b, at);
        long remoteHi = Ipv6Header.destinationHi(b, at);
        long remoteLo = Ipv6Header.destinationLo(b, at);
        boolean multicast = IpAddress.isMulticast(remoteHi);
        if (!mayComeFrom(sourceHi, sourceLo, multicast)) {
            counters.increment(IpCounter.DROPPED_SOURCE);
            return;
        }
        if (multicast ? !isOurGroup(sourceHi, remoteHi, remoteLo) : remoteHi == 0) {
            counters.increment(multicast ? IpCounter.DROPPED_MULTICAST : IpCounter.DROPPED_DESTINATION);
            return;
        }
        if (multicast || survivesTheHop(b, at, sourceHi, remoteHi, remoteLo)) {
            int end = at + Ipv6Header.BYTES + Ipv6Header.payloadLength(b, at);
            walk(b, at, Ipv6Header.nextHeader(b, at), at + Ipv6Header.BYTES, end, offload, false);
        }
    }

    /** A station without an address may only speak to the link. */
    private boolean mayComeFrom(long hi, long lo, boolean toMulticast) {
        if (hi == 0) {
            return lo == 0 && toMulticast;
        }
        return !IpAddress.isMulticast(hi) && !plan.isOurs(hi, lo);
    }

    /**
     * All nodes, all routers, DHCPv6's servers, the solicited-node groups of our addresses, and those in which a station without
     * an address tests the one it is about to take: from then on that is where it is.
     */
    private boolean isOurGroup(long sourceHi, long hi, long lo) {
        if (hi != LINK_GROUP_HI) {
            return false;
        }
        boolean solicitedNode = (lo & ~0xFF_FFFFL) == SOLICITED_NODE_LO;
        return lo == ALL_NODES_LO
                || lo == ALL_ROUTERS_LO
                || lo == Dhcpv6Message.ALL_SERVERS.lo()
                || (solicitedNode && (sourceHi == 0 || plan.isOurs(plan.ipv6Prefix(), lo & 0xFF_FFFF)));
    }

    /** The gateway is a hop, except for those who mean it; and there is nobody else on the link. */
    private boolean survivesTheHop(ByteBuf b, int at, long sourceHi, long remoteHi, long remoteLo) {
        if (plan.isOurs(remoteHi, remoteLo)) {
            return true;
        }
        if (plan.isOnLink(remoteHi, remoteLo)) {
            counters.increment(IpCounter.DROPPED_SUBNET);
            error(b, at, Icmpv6Header.DESTINATION_UNREACHABLE, Icmpv6Header.CODE_ADDRESS, 0);
            return false;
        }
        if (IpAddress.isLinkLocal(sourceHi)) {
            counters.increment(IpCounter.DROPPED_SCOPE);
            error(b, at, Icmpv6Header.DESTINATION_UNREACHABLE, Icmpv6Header.CODE_BEYOND_SCOPE, 0);
            return false;
        }
        if (Ipv6Header.hopLimit(b, at) <= 1) {
            counters.increment(IpCounter.DROPPED_TTL);
            error(b, at, Icmpv6Header.TIME_EXCEEDED, Icmpv6Header.CODE_HOP_LIMIT, 0);
            return false;
        }
        return true;
    }

    /**
     * From header to header, up to a transport's.
     *
     * @param next what is at {@code headerAt}; the packet's bytes end at {@code end}
     * @param fragmented the packet had a fragment header
     */
    private void walk(ByteBuf b, int ipAt, int next, int headerAt, int end, int offload, boolean fragmented) {
        int nextAt = ipAt + 6; // where the number of the header stands, for parameter problems
        int header = next;
        int at = headerAt;
        for (int n = 0; n <= MAX_HEADERS; n++) {
            switch (header) {
                case Ipv6Extension.FRAGMENT -> {
                    onFragment(b, ipAt, nextAt, at, end, offload, fragmented);
                    return;
                }
                case Ipv6Extension.HOP_BY_HOP, Ipv6Extension.DESTINATION_OPTIONS, Ipv6Extension.ROUTING -> {
                    if (!maySkip(b, ipAt, header, nextAt, at, end)) {
                        return;
                    }
                    nextAt = at;
                    header = Ipv6Extension.nextHeader(b, at);
                    at += Ipv6Extension.headerBytes(b, at);
                }
                case Ipv6Extension.NO_NEXT_HEADER -> {
                    counters.increment(IpCounter.DROPPED_PROTOCOL); // RFC 8200 §4.7: nothing to do, nothing to say
                    return;
                }
                default -> {
                    dispatch(b, ipAt, header, nextAt, at, end - at, offload, fragmented);
                    return;
                }
            }
        }
        counters.increment(IpCounter.DROPPED_EXTENSION);
    }

    /** An extension header other than a fragment's; what can't be skipped is counted and answered. */
    private boolean maySkip(ByteBuf b, int ipAt, int header, int nextAt, int at, int end) {
        if (!Ipv6Extension.isValid(b, at, end - at)) {
            counters.increment(IpCounter.DROPPED_EXTENSION);
            return false;
        }
        if (header == Ipv6Extension.HOP_BY_HOP && at != ipAt + Ipv6Header.BYTES) {
            problem(b, ipAt, Icmpv6Header.CODE_NEXT_HEADER, nextAt); // RFC 8200 §4.3: only right behind the IPv6 header
            return false;
        }
        if (header == Ipv6Extension.ROUTING) {
            if (Ipv6Extension.segmentsLeft(b, at) != 0) {
                problem(b, ipAt, Icmpv6Header.CODE_HEADER_FIELD, at + 2); // RFC 8200 §4.4
                return false;
            }
            return true;
        }
        int bad = Ipv6Extension.badOption(b, at);
        if (bad == Ipv6Extension.NONE) {
            return true;
        }
        if (Ipv6Extension.wantsError(b.getUnsignedByte(bad))) {
            problem(b, ipAt, Icmpv6Header.CODE_OPTION, bad);
        } else {
            counters.increment(IpCounter.DROPPED_EXTENSION);
        }
        return false;
    }

    private void onFragment(ByteBuf b, int ipAt, int nextAt, int at, int end, int offload, boolean fragmented) {
        if (fragmented || end - at < Ipv6Extension.FRAGMENT_BYTES) {
            counters.increment(IpCounter.DROPPED_FRAGMENT);
            return;
        }
        int payloadAt = at + Ipv6Extension.FRAGMENT_BYTES;
        int offset = Ipv6Extension.fragmentOffset(b, at);
        boolean more = Ipv6Extension.moreFragments(b, at);
        if (offset == 0 && !more) {
            walk(b, ipAt, Ipv6Extension.nextHeader(b, at), payloadAt, end, offload, true); // RFC 6946: atomic
            return;
        }
        counters.increment(IpCounter.FRAGMENTS_FROM_GUEST);
        if (more && (end - payloadAt) % 8 != 0) {
            problem(b, ipAt, Icmpv6Header.CODE_HEADER_FIELD, ipAt + 4); // RFC 8200 §4.5
            return;
        }
        if (offset + end - payloadAt > 65_535) {
            problem(b, ipAt, Icmpv6Header.CODE_HEADER_FIELD, at + 2);
            return;
        }
        if (offset == 0 && !hasWholeChain(b, Ipv6Extension.nextHeader(b, at), payloadAt, end)) {
            problem(b, ipAt, CODE_INCOMPLETE_CHAIN, nextAt);
            return;
        }
        Partial whole = reassembly.addIpv6(b, ipAt, at, offload, nanoClock.getAsLong());
        reassembly.count(counters);
        if (whole != null) {
            counters.increment(IpCounter.REASSEMBLED);
            ByteBuf packet = whole.packet;
            walk(packet, 0, whole.nextHeader, Ipv6Header.BYTES, packet.writerIndex(), whole.offload, true);
            packet.release();
        }
        assert reassembly.checkInvariants();
        armExpiry();
    }

    /** RFC 7112 §3: all headers up to the transport's, which decide what becomes of the packet. */
    private static boolean hasWholeChain(ByteBuf b, int next, int from, int end) {
        int header = next;
        int at = from;
        for (int n = 0; n <= MAX_HEADERS; n++) {
            boolean extension = header == Ipv6Extension.HOP_BY_HOP
                    || header == Ipv6Extension.DESTINATION_OPTIONS
                    || header == Ipv6Extension.ROUTING;
            if (!extension) {
                return end - at >= transportBytes(header);
            }
            if (!Ipv6Extension.isValid(b, at, end - at)) {
                return false;
            }
            header = Ipv6Extension.nextHeader(b, at);
            at += Ipv6Extension.headerBytes(b, at);
        }
        return false;
    }

    private static int transportBytes(int protocol) {
        return switch (protocol) {
            case IpProtocol.TCP -> TcpHeader.MIN_BYTES;
            case IpProtocol.UDP -> UdpHeader.BYTES;
            case IpProtocol.ICMPV6 -> Icmpv6Header.BYTES;
            default -> 0;
        };
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
            if (p.hasStart() && !IpAddress.isMulticast(p.destinationHi)) {
                Reassembly.writeIpv6Header(p); // for the quote
                error(p.packet, 0, Icmpv6Header.TIME_EXCEEDED, Icmpv6Header.CODE_REASSEMBLY, 0);
                output.flush();
            }
            p.packet.release();
        }
        armExpiry();
    }

    private void dispatch(
            ByteBuf b, int ipAt, int protocol, int nextAt, int at, int len, int offload, boolean fragmented) {
        long guestHi = Ipv6Header.sourceHi(b, ipAt);
        long guestLo = Ipv6Header.sourceLo(b, ipAt);
        long remoteHi = Ipv6Header.destinationHi(b, ipAt);
        long remoteLo = Ipv6Header.destinationLo(b, ipAt);
        int traits =
                PacketTraits.of(offload, Ipv6Header.hopLimit(b, ipAt), Ipv6Header.trafficClass(b, ipAt), !fragmented);
        try {
            if (protocol == IpProtocol.ICMPV6) {
                onIcmp(b, ipAt, at, len, guestHi, guestLo, remoteHi, remoteLo, traits, fragmented);
            } else if (guestHi == 0) {
                counters.increment(IpCounter.DROPPED_SOURCE);
            } else if (IpAddress.isMulticast(remoteHi)) {
                onGroup(b, protocol, at, len, guestHi, guestLo, remoteHi, remoteLo, offload);
            } else if (protocol == IpProtocol.TCP || protocol == IpProtocol.UDP) {
                counters.increment(IpCounter.PACKETS_FROM_GUEST);
                TransportInput transport = protocol == IpProtocol.TCP ? tcp : udp;
                transport.onSegment(b, at, len, guestHi, guestLo, remoteHi, remoteLo, traits);
            } else {
                counters.increment(IpCounter.DROPPED_PROTOCOL);
                error(b, ipAt, Icmpv6Header.PARAMETER_PROBLEM, Icmpv6Header.CODE_NEXT_HEADER, nextAt - ipAt);
            }
        } catch (RuntimeException e) {
            // The loop's edge: a bug of ours must not take the other flows with it.
            counters.increment(IpCounter.DROPPED_FAULT);
            LOG.error(
                    "fault on a packet of protocol {} from {} to {}",
                    protocol,
                    new IpAddress(guestHi, guestLo),
                    new IpAddress(remoteHi, remoteLo),
                    e);
        }
    }

    /** Of all that is said to groups over UDP only DHCPv6 concerns us. */
    private void onGroup(
            ByteBuf b,
            int protocol,
            int at,
            int len,
            long guestHi,
            long guestLo,
            long remoteHi,
            long remoteLo,
            int offload) {
        boolean dhcp = protocol == IpProtocol.UDP
                && remoteLo == Dhcpv6Message.ALL_SERVERS.lo()
                && UdpHeader.isValid(b, at, len)
                && UdpHeader.destinationPort(b, at) == Dhcpv6Message.SERVER_PORT;
        if (!dhcp) {
            counters.increment(IpCounter.DROPPED_MULTICAST);
            return;
        }
        boolean vouched = (offload & (FrameSink.CHECKSUM_PARTIAL | FrameSink.CHECKSUM_VALID)) != 0;
        if (!vouched && !UdpHeader.isChecksumRight(b, at, guestHi, guestLo, remoteHi, remoteLo)) {
            counters.increment(IpCounter.DROPPED_CHECKSUM);
            return;
        }
        counters.increment(IpCounter.PACKETS_FROM_GUEST);
        gateway.onDhcp(b, at + UdpHeader.BYTES, UdpHeader.length(b, at) - UdpHeader.BYTES, guestHi, guestLo);
    }

    private void onIcmp(
            ByteBuf b,
            int ipAt,
            int at,
            int len,
            long guestHi,
            long guestLo,
            long remoteHi,
            long remoteLo,
            int traits,
            boolean fragmented) {
        if (!Icmpv6Header.isValid(b, at, len)) {
            counters.increment(IpCounter.DROPPED_HEADER);
            return;
        }
        if (!Icmpv6Header.isChecksumRight(b, at, len, guestHi, guestLo, remoteHi, remoteLo)) { // no device offloads it
            counters.increment(IpCounter.DROPPED_CHECKSUM);
            return;
        }
        int type = Icmpv6Header.type(b, at);
        boolean multicast = IpAddress.isMulticast(remoteHi);
        if (type >= NdpMessage.ROUTER_SOLICITATION && type <= NdpMessage.REDIRECT) {
            if (fragmented || Ipv6Header.hopLimit(b, ipAt) != NdpMessage.HOP_LIMIT || !onDiscovery(b, ipAt, at, len)) {
                counters.increment(IpCounter.DROPPED_NDP);
            }
        } else if (isMulticastListener(type)) {
            counters.increment(
                    IpCounter.DROPPED_MULTICAST); // who listens to what does not matter: it all stays in the guest
        } else if (guestHi == 0) {
            counters.increment(IpCounter.DROPPED_SOURCE);
        } else if (multicast && type != Icmpv6Header.ECHO_REQUEST) {
            counters.increment(IpCounter.DROPPED_MULTICAST);
        } else {
            counters.increment(IpCounter.PACKETS_FROM_GUEST);
            IpAddress own = IpPlan.LINK_LOCAL;
            icmp.onMessage(
                    b,
                    at,
                    len,
                    guestHi,
                    guestLo,
                    multicast ? own.hi() : remoteHi,
                    multicast ? own.lo() : remoteLo,
                    traits);
        }
    }

    private static boolean isMulticastListener(int type) {
        return (type >= Icmpv6Header.LISTENER_QUERY && type <= Icmpv6Header.LISTENER_DONE)
                || type == Icmpv6Header.LISTENER_REPORT_V2;
    }

    /** False for what RFC 4861 §6.1, §7.1 discard, and for what only routers send. */
    private boolean onDiscovery(ByteBuf b, int ipAt, int at, int len) {
        if (!NdpMessage.isValid(b, at, len) || Icmpv6Header.code(b, at) != 0) {
            return false;
        }
        return switch (Icmpv6Header.type(b, at)) {
            case NdpMessage.NEIGHBOR_SOLICITATION -> onNeighborSolicitation(b, ipAt, at, len);
            case NdpMessage.NEIGHBOR_ADVERTISEMENT -> onNeighborAdvertisement(b, ipAt, at, len);
            case NdpMessage.ROUTER_SOLICITATION -> onRouterSolicitation(b, ipAt, at, len);
            default -> false;
        };
    }

    private static boolean tellsItsMac(ByteBuf b, int at, int len) {
        return NdpMessage.option(b, at, len, NdpMessage.OPTION_SOURCE_LINK) >= 0;
    }

    private boolean onNeighborSolicitation(ByteBuf b, int ipAt, int at, int len) {
        long guestHi = Ipv6Header.sourceHi(b, ipAt);
        boolean toSolicitedNode = (Ipv6Header.destinationLo(b, ipAt) & ~0xFF_FFFFL) == SOLICITED_NODE_LO;
        boolean anonymous = guestHi == 0;
        if (IpAddress.isMulticast(NdpMessage.targetHi(b, at))
                || (anonymous && (!toSolicitedNode || tellsItsMac(b, at, len)))) {
            return false;
        }
        discovery.onSolicitation(b, at, guestHi, Ipv6Header.sourceLo(b, ipAt));
        return true;
    }

    private boolean onNeighborAdvertisement(ByteBuf b, int ipAt, int at, int len) {
        boolean solicited = (NdpMessage.flags(b, at) & NdpMessage.FLAG_SOLICITED) != 0;
        if (Ipv6Header.sourceHi(b, ipAt) == 0
                || IpAddress.isMulticast(NdpMessage.targetHi(b, at))
                || (solicited && IpAddress.isMulticast(Ipv6Header.destinationHi(b, ipAt)))) {
            return false;
        }
        discovery.onAdvertisement(b, at, len);
        return true;
    }

    private boolean onRouterSolicitation(ByteBuf b, int ipAt, int at, int len) {
        long guestHi = Ipv6Header.sourceHi(b, ipAt);
        if (guestHi == 0 && tellsItsMac(b, at, len)) {
            return false;
        }
        gateway.onRouterSolicitation(guestHi, Ipv6Header.sourceLo(b, ipAt));
        return true;
    }

    private void problem(ByteBuf b, int ipAt, int code, int pointerAt) {
        counters.increment(IpCounter.DROPPED_EXTENSION);
        error(b, ipAt, Icmpv6Header.PARAMETER_PROBLEM, code, pointerAt - ipAt);
    }

    /** RFC 4443 §2.4 (e): never about an ICMP error, to a group, or to nobody. */
    private void error(ByteBuf b, int ipAt, int type, int code, int secondWord) {
        if (Ipv6Header.sourceHi(b, ipAt) != 0 && !IpAddress.isMulticast(Ipv6Header.destinationHi(b, ipAt))) {
            errors.sendFor6(b, ipAt, type, code, secondWord, isIcmpErrorOrLaterFragment(b, ipAt));
        }
    }

    private static boolean isIcmpErrorOrLaterFragment(ByteBuf b, int ipAt) {
        int end = ipAt + Ipv6Header.BYTES + Ipv6Header.payloadLength(b, ipAt);
        int header = Ipv6Header.nextHeader(b, ipAt);
        int at = ipAt + Ipv6Header.BYTES;
        for (int n = 0; n <= MAX_HEADERS && end - at >= 8; n++) {
            switch (header) {
                case IpProtocol.ICMPV6 -> {
                    return Icmpv6Header.isError(Icmpv6Header.type(b, at));
                }
                case Ipv6Extension.FRAGMENT -> {
                    if (Ipv6Extension.fragmentOffset(b, at) != 0) {
                        return true;
                    }
                    header = Ipv6Extension.nextHeader(b, at);
                    at += Ipv6Extension.FRAGMENT_BYTES;
                }
                case Ipv6Extension.HOP_BY_HOP, Ipv6Extension.DESTINATION_OPTIONS, Ipv6Extension.ROUTING -> {
                    header = Ipv6Extension.nextHeader(b, at);
                    at += Ipv6Extension.headerBytes(b, at);
                }
                default -> {
                    return false;
                }
            }
        }
        return header == IpProtocol.ICMPV6; // cut: rather silent than a loop
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
