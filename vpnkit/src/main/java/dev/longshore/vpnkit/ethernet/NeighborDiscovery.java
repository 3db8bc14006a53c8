package dev.longshore.vpnkit.ethernet;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv6Header;
import dev.longshore.packet.wire.NdpMessage;
import dev.longshore.vpnkit.count.Counters;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.concurrent.EventExecutor;
import org.jspecify.annotations.Nullable;

/**
 * Neighbor discovery: RFC 4861 §7; ours are answered for, the guest's are learned and asked for. Messages come checked from
 * the network layer. Confined to the link's event loop.
 *
 * <p>Only our own addresses are ever claimed, so an address the guest tests before it uses it (RFC 4862 §5.4) stays free;
 * if it tests one of ours, it hears that it is taken. An address is believed to be where packets from it come from: the
 * link has one guest, whose kernel is not asked again and again whether it is still there.
 *
 * <p>Beyond the link is what the guest has behind it: the way there is the station that has the address the guest was given, else
 * the one heard last. A packet to a station that is not known waits for the answer of all: see {@link Resolution}.
 */
public final class NeighborDiscovery {
    /** ff02::1, to which all nodes listen. */
    private static final long ALL_NODES_HI = 0xFF02L << 48;

    private static final long ALL_NODES_LO = 1;

    /** ff02::1:ff00:0, the last 24 bits of an address complete it: RFC 4291 §2.7.1. */
    private static final long SOLICITED_NODE_LO = 0x1_FF00_0000L;

    private final EthernetLayer ethernet;
    private final EthernetConfig config;
    private final Counters<EthernetCounter> counters;
    private final OutFrame frame = new OutFrame(Unpooled.directBuffer(128));
    private final Neighbours6 neighbours = new Neighbours6();
    private final Resolution resolution;
    private long lastHeard = Neighbours6.UNKNOWN;

    /** The sender of the frame that is looked at. */
    private long frameFrom;

    /** The last 64 bits of the address by our prefix that the guest has used last; 0: none. */
    private long heardLo;

    /** Of the address by our prefix that the guest has tested last (RFC 4862 §5.4), to use it; 0: none. */
    private long testedLo;

    NeighborDiscovery(
            EthernetLayer ethernet, EthernetConfig config, EventExecutor loop, Counters<EthernetCounter> counters) {
        this.ethernet = ethernet;
        this.config = config;
        this.counters = counters;
        this.resolution = new Resolution(ethernet, loop, counters, new Questions());
    }

    // ---- who is where

    /** A packet with this source, which is not ours, came from {@code mac}, a unicast address. */
    void learn(long hi, long lo, long mac) {
        frameFrom = mac;
        if (hi == 0 || IpAddress.isMulticast(hi) || isOurs(hi, lo)) {
            return; // no address a station of the link has
        }
        lastHeard = mac;
        if (isOnLink(hi)) {
            neighbours.put(hi, lo, mac);
            if (hi == config.ipv6Prefix() && ethernet.isGuest(mac)) {
                heardLo = lo;
            }
            resolution.onFound(hi, lo, mac);
        }
    }

    private boolean isOnLink(long hi) {
        return hi == config.ipv6Prefix() || IpAddress.isLinkLocal(hi);
    }

    private boolean isOurs(long hi, long lo) {
        for (IpAddress ours : config.ourIpv6()) {
            if (ours.lo() == lo && ours.hi() == hi) {
                return true;
            }
        }
        return false;
    }

    /**
     * The station that has, or routes to, this address; {@link Neighbours6#UNKNOWN} if none is known: then {@link #hold} takes
     * the frame.
     */
    public long macOf(long hi, long lo) {
        if (IpAddress.isMulticast(hi)) {
            return EthernetHeader.multicastOf(lo);
        }
        return isOnLink(hi) ? neighbours.find(hi, lo) : router();
    }

    /** The station behind which everything is that is not on the link. */
    private long router() {
        IpAddress given = config.guest6();
        long guest = given == null ? Neighbours6.UNKNOWN : neighbours.find(given.hi(), given.lo());
        return guest != Neighbours6.UNKNOWN ? guest : lastHeard;
    }

    /** Takes a copy of a frame to an address whose station is not known, and asks for that. */
    void hold(OutFrame out, long hi, long lo) {
        IpAddress given = config.guest6();
        if (isOnLink(hi) || given == null) {
            resolution.hold(out, hi, lo);
        } else {
            resolution.hold(out, given.hi(), given.lo());
        }
    }

    /** Packets to this address are not answered: see {@link Resolution#verify}. */
    void doubt(long hi, long lo) {
        IpAddress given = config.guest6();
        if (isOnLink(hi)) {
            resolution.verify(hi, lo);
        } else if (given != null && neighbours.find(given.hi(), given.lo()) != Neighbours6.UNKNOWN) {
            resolution.verify(given.hi(), given.lo());
        }
    }

    private final class Questions implements Resolution.Asker {
        @Override
        public void ask(long hi, long lo) {
            long groupLo = SOLICITED_NODE_LO | (lo & 0xFF_FFFF);
            IpAddress from = config.linkLocal();
            begin(from.hi(), from.lo(), ALL_NODES_HI, groupLo, EthernetHeader.multicastOf(groupLo));
            NdpMessage.writeSolicitation(frame.head(), hi, lo);
            NdpMessage.writeLinkAddress(frame.head(), NdpMessage.OPTION_SOURCE_LINK, config.ourMac());
            boolean sent = send(from.hi(), from.lo(), ALL_NODES_HI, groupLo);
            counters.increment(sent ? EthernetCounter.NDP_ASKED : EthernetCounter.DROPPED_NO_ROOM);
        }

        @Override
        public void onNobody(long hi, long lo) {
            lastHeard = lastHeard == neighbours.find(hi, lo) ? Neighbours6.UNKNOWN : lastHeard;
            neighbours.forget(hi, lo);
            if (heardLo == lo) {
                heardLo = 0;
            }
            if (testedLo == lo) {
                testedLo = 0;
            }
            ethernet.onNobody(new Lost(new IpAddress(hi, lo)));
        }
    }

    private final class Lost implements LostHop {
        private final IpAddress address;

        Lost(IpAddress address) {
            this.address = address;
        }

        @Override
        public IpAddress address() {
            return address;
        }

        @Override
        public boolean isOnTheWayTo(long guestHi, long guestLo) {
            if (IpAddress.isV4(guestHi, guestLo)) {
                return false;
            }
            return isOnLink(guestHi)
                    ? guestHi == address.hi() && guestLo == address.lo()
                    : address.equals(config.guest6());
        }
    }

    // ---- messages of the guest

    /**
     * A checked neighbor solicitation at {@code at}; the answer for an address of ours goes to the asker, or to all if it
     * has no address yet.
     */
    public void onSolicitation(ByteBuf b, int at, long sourceHi, long sourceLo) {
        long targetHi = NdpMessage.targetHi(b, at);
        long targetLo = NdpMessage.targetLo(b, at);
        boolean anonymous = sourceHi == 0 && sourceLo == 0;
        if (!isOurs(targetHi, targetLo)) { // the guest's own test of an address, or a question for another station
            counters.increment(EthernetCounter.NDP_HEARD);
            if (anonymous && targetHi == config.ipv6Prefix() && ethernet.isGuest(frameFrom)) {
                testedLo = targetLo;
            }
            return;
        }
        long mac = anonymous ? EthernetHeader.multicastOf(ALL_NODES_LO) : macOf(sourceHi, sourceLo);
        int flags = NdpMessage.FLAG_ROUTER | NdpMessage.FLAG_OVERRIDE | (anonymous ? 0 : NdpMessage.FLAG_SOLICITED);
        boolean sent = anonymous
                ? advertise(targetHi, targetLo, flags, ALL_NODES_HI, ALL_NODES_LO, mac)
                : advertise(targetHi, targetLo, flags, sourceHi, sourceLo, mac);
        counters.increment(sent ? EthernetCounter.NDP_ANSWERED : EthernetCounter.DROPPED_NO_ROOM);
    }

    /** A checked neighbor advertisement of {@code len} bytes at {@code at}. One for an address of ours is wrong. */
    public void onAdvertisement(ByteBuf b, int at, int len) {
        long mac = NdpMessage.linkAddress(b, at, len, NdpMessage.OPTION_TARGET_LINK);
        long hi = NdpMessage.targetHi(b, at);
        long lo = NdpMessage.targetLo(b, at);
        if (isOurs(hi, lo)) {
            counters.increment(EthernetCounter.DROPPED_BAD_NDP);
            return;
        }
        counters.increment(EthernetCounter.NDP_HEARD);
        if (mac > 0 && !EthernetHeader.isGroup(mac) && mac != config.ourMac()) {
            learn(hi, lo, mac);
        }
    }

    // ---- our own word

    /** Tells the guest all our addresses, in case its table is older than we are: RFC 4861 §7.2.6. False if there was no room. */
    boolean announce() {
        boolean sent = true;
        for (IpAddress ours : config.ourIpv6()) {
            int flags = NdpMessage.FLAG_ROUTER | NdpMessage.FLAG_OVERRIDE;
            sent &= advertise(
                    ours.hi(), ours.lo(), flags, ALL_NODES_HI, ALL_NODES_LO, EthernetHeader.multicastOf(ALL_NODES_LO));
        }
        return sent;
    }

    private boolean advertise(long ourHi, long ourLo, int flags, long toHi, long toLo, long mac) {
        begin(ourHi, ourLo, toHi, toLo, mac);
        NdpMessage.writeAdvertisement(frame.head(), flags, ourHi, ourLo);
        NdpMessage.writeLinkAddress(frame.head(), NdpMessage.OPTION_TARGET_LINK, config.ourMac());
        return send(ourHi, ourLo, toHi, toLo);
    }

    private void begin(long fromHi, long fromLo, long toHi, long toLo, long mac) {
        ByteBuf head = frame.clear().head();
        ethernet.writeHeader6(head, mac);
        Ipv6Header.write(head, IpProtocol.ICMPV6, NdpMessage.HOP_LIMIT, fromHi, fromLo, toHi, toLo);
    }

    private boolean send(long fromHi, long fromLo, long toHi, long toLo) {
        ByteBuf head = frame.head();
        int icmpAt = EthernetHeader.BYTES + Ipv6Header.BYTES;
        int len = head.writerIndex() - icmpAt;
        Ipv6Header.complete(head, EthernetHeader.BYTES, len);
        Icmpv6Header.complete(head, icmpAt, len, fromHi, fromLo, toHi, toLo);
        return ethernet.send(frame);
    }

    /** The guest went away. */
    void clear() {
        neighbours.clear();
        heardLo = 0;
        testedLo = 0;
        lastHeard = Neighbours6.UNKNOWN;
        resolution.clear();
    }

    /**
     * The guest's own address by our prefix: the one it is given, once it uses it, else the one it used last, else the one it
     * tested last; null if it has shown none. So a guest without a DHCPv6 client is found too.
     */
    public @Nullable IpAddress guestAddress() {
        IpAddress given = config.guest6();
        if (given != null && neighbours.find(given.hi(), given.lo()) != Neighbours6.UNKNOWN) {
            return given;
        }
        long lo = heardLo != 0 ? heardLo : testedLo;
        return lo == 0 ? null : new IpAddress(config.ipv6Prefix(), lo);
    }

    /** How many addresses of the guest are known. */
    int known() {
        return neighbours.size();
    }

    void close() {
        clear();
        frame.release();
    }
}
