package dev.longshore.vpnkit.ethernet;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.ArpPacket;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.count.Counters;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.concurrent.EventExecutor;

/**
 * Who is where on the link, for IPv4: RFC 826; ours are answered for, the guest's are learned and asked for. Confined to the
 * link's event loop.
 *
 * <p>An address of the subnet is where packets from it come from. Beyond the subnet is what the guest has behind it (containers'
 * own addresses): the way there is the station that has the guest's own address, or, where a guest has chosen another one, the
 * station heard last. A packet to a station that is not known waits for the answer of all: see {@link Resolution}.
 */
final class Arp {
    private final EthernetLayer ethernet;
    private final EthernetConfig config;
    private final Counters<EthernetCounter> counters;
    private final Neighbours neighbours;
    private final Resolution resolution;
    private final OutFrame frame = new OutFrame(Unpooled.directBuffer(64));

    Arp(EthernetLayer ethernet, EthernetConfig config, EventExecutor loop, Counters<EthernetCounter> counters) {
        this.ethernet = ethernet;
        this.config = config;
        this.counters = counters;
        this.neighbours = new Neighbours(config.network(), config.mask(), config.guest());
        this.resolution = new Resolution(ethernet, loop, counters, new Questions());
    }

    private final class Questions implements Resolution.Asker {
        @Override
        public void ask(long hi, long lo) {
            boolean sent = send(ArpPacket.REQUEST, EthernetHeader.BROADCAST, config.ourAddresses()[0], 0, (int) lo);
            counters.increment(sent ? EthernetCounter.ARP_ASKED : EthernetCounter.DROPPED_NO_ROOM);
        }

        @Override
        public void onNobody(long hi, long lo) {
            neighbours.forget((int) lo);
            ethernet.onNobody(new Lost(IpAddress.v4((int) lo)));
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
            return IpAddress.isV4(guestHi, guestLo) && nextHop((int) guestLo) == address.v4Bits();
        }
    }

    // ---- who is where

    /** A packet with this source came from {@code mac}, a unicast address. */
    void learn(int address, long mac) {
        if (address != 0 && !isOurs(address)) {
            neighbours.learn(address, mac);
            resolution.onFound(0, IpAddress.loOfV4(address), mac);
        }
    }

    /** The station that has, or routes to, this address; {@link Neighbours#UNKNOWN} if none is known. */
    long macOf(int address) {
        boolean broadcast = address == -1 || address == (config.network() | ~config.mask());
        return broadcast ? EthernetHeader.BROADCAST : neighbours.macOf(address);
    }

    /** Whom to ask for a packet to this address. */
    private int nextHop(int address) {
        return (address & config.mask()) == config.network() ? address : config.guest();
    }

    /** Takes a copy of a frame to {@code address}, whose station is not known, and asks for that. */
    void hold(OutFrame out, int address) {
        resolution.hold(out, 0, IpAddress.loOfV4(nextHop(address)));
    }

    /** Packets to this address are not answered: see {@link Resolution#verify}. */
    void doubt(int address) {
        resolution.verify(0, IpAddress.loOfV4(nextHop(address)));
    }

    /** See {@link Neighbours#guestStation}. */
    long guestStation() {
        return neighbours.guestStation();
    }

    private boolean isOurs(int address) {
        for (int ours : config.ourAddresses()) {
            if (ours == address) {
                return true;
            }
        }
        return false;
    }

    // ---- packets

    /** What should be an ARP packet, from the station {@code source}. */
    void onPacket(ByteBuf b, int at, int len, long source) {
        boolean good = ArpPacket.isValid(b, at, len)
                && ArpPacket.senderMac(b, at) == source
                && !isOurs(ArpPacket.senderIp(b, at));
        if (!good) {
            counters.increment(EthernetCounter.DROPPED_BAD_ARP);
            return;
        }
        learn(ArpPacket.senderIp(b, at), source);
        int asked = ArpPacket.targetIp(b, at);
        if (ArpPacket.operation(b, at) == ArpPacket.REQUEST && isOurs(asked)) {
            boolean sent = send(ArpPacket.REPLY, source, asked, source, ArpPacket.senderIp(b, at));
            counters.increment(sent ? EthernetCounter.ARP_ANSWERED : EthernetCounter.DROPPED_NO_ROOM);
        } else {
            counters.increment(EthernetCounter.ARP_HEARD);
        }
    }

    /** Tells the guest all our addresses, in case its table is older than we are: RFC 5227 §3. False if there was no room. */
    boolean announce() {
        boolean sent = true;
        for (int ours : config.ourAddresses()) {
            sent &= send(ArpPacket.REQUEST, EthernetHeader.BROADCAST, ours, 0, ours);
        }
        return sent;
    }

    private boolean send(int operation, long toMac, int sender, long targetMac, int target) {
        ByteBuf b = frame.clear().head();
        EthernetHeader.write(b, toMac, config.ourMac(), EthernetHeader.TYPE_ARP);
        ArpPacket.write(b, operation, config.ourMac(), sender, targetMac, target);
        return ethernet.send(frame);
    }

    /** The guest went away. */
    void clear() {
        neighbours.clear();
        resolution.clear();
    }

    void close() {
        clear();
        frame.release();
    }
}
