package dev.longshore.vpnkit.ip;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.Ipv6Extension;
import dev.longshore.packet.wire.Ipv6Header;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.ethernet.EthernetLayer;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;

/**
 * The way of IPv6 packets to the guest: see {@link DualOutput}. A packet to an address of the link whose station is not
 * known yet waits for it in the link layer. Confined to the link's event loop.
 */
public final class Ipv6Output {
    /** RFC 8200 §5: no link has less. */
    public static final int MIN_MTU = 1280;

    /** Linux' default; we are the last router. */
    static final int HOP_LIMIT = 64;

    /** Ethernet, IPv6 and TCP headers with all options. */
    private static final int HEAD_BYTES = EthernetHeader.BYTES + Ipv6Header.BYTES + 60;

    private static final int IP_AT = EthernetHeader.BYTES;
    private static final int TRANSPORT_AT = IP_AT + Ipv6Header.BYTES;

    /** Largest TCP payload with the longest TCP header; the payload length is a field of 16 bits. */
    private static final int MAX_GSO_PAYLOAD = 65_535 - 60;

    private final EthernetLayer ethernet;
    private final int mtu;
    private final Counters<IpCounter> counters;
    private final OutFrame frame = new OutFrame(Unpooled.directBuffer(HEAD_BYTES, 2048));
    private final OutFrame fragment = new OutFrame(Unpooled.directBuffer(HEAD_BYTES, 2048));
    private int nextId = 1;
    private boolean closed;

    /** Every packet has at most {@code mtu} bytes, unless it is GSO. */
    public Ipv6Output(EthernetLayer ethernet, int mtu, Counters<IpCounter> counters) {
        this.ethernet = ethernet;
        this.mtu = mtu;
        this.counters = counters;
    }

    /** As {@link IpOutput#begin}, with a hop limit of the caller's. */
    public OutFrame begin(
            long sourceHi, long sourceLo, long destinationHi, long destinationLo, int protocol, int hopLimit) {
        ByteBuf b = frame.clear().head();
        ethernet.writeHeader6(b, destinationHi, destinationLo);
        Ipv6Header.write(b, protocol, hopLimit, sourceHi, sourceLo, destinationHi, destinationLo);
        return frame;
    }

    /** As {@link IpOutput#setHops}. */
    void setHops(OutFrame out, int hops) {
        Ipv6Header.setHopLimit(out.head(), IP_AT, hops);
    }

    /** As {@link IpOutput#end}. */
    public boolean end(OutFrame out) {
        int packetBytes = out.bytes() - IP_AT;
        boolean sent;
        if (packetBytes <= mtu || out.gsoType() != OutFrame.GSO_NONE) {
            Ipv6Header.complete(out.head(), IP_AT, packetBytes - Ipv6Header.BYTES);
            sent = send(out);
        } else {
            sent = sendFragments(out);
        }
        if (sent) {
            counters.increment(IpCounter.PACKETS_TO_GUEST);
        }
        return sent;
    }

    private boolean send(OutFrame out) {
        ByteBuf head = out.head();
        return ethernet.send6(out, Ipv6Header.destinationHi(head, IP_AT), Ipv6Header.destinationLo(head, IP_AT));
    }

    /** RFC 8200 §4.5. True if at least the first one went: the rest is then lost like any packet may be, and counted. */
    private boolean sendFragments(OutFrame out) {
        int id = nextId++;
        int protocol = Ipv6Header.nextHeader(out.head(), IP_AT);
        int payloadBytes = out.bytes() - TRANSPORT_AT;
        int perFragment = (mtu - Ipv6Header.BYTES - Ipv6Extension.FRAGMENT_BYTES) / 8 * 8;
        for (int offset = 0; offset < payloadBytes; offset += perFragment) {
            int bytes = Math.min(perFragment, payloadBytes - offset);
            ByteBuf head = fragment.clear().head().writeBytes(out.head(), 0, TRANSPORT_AT);
            Ipv6Header.setNextHeader(head, IP_AT, Ipv6Extension.FRAGMENT);
            Ipv6Header.complete(head, IP_AT, Ipv6Extension.FRAGMENT_BYTES + bytes);
            Ipv6Extension.writeFragment(head, protocol, offset, offset + bytes < payloadBytes, id);
            Ipv4Output.addPayload(fragment, out, TRANSPORT_AT, offset, bytes);
            if (!send(fragment)) {
                fragment.clear();
                if (offset > 0) {
                    counters.increment(IpCounter.DROPPED_NO_ROOM);
                }
                return offset > 0;
            }
            counters.increment(IpCounter.FRAGMENTS_TO_GUEST);
        }
        fragment.clear();
        return true;
    }

    int maxGsoPayload() {
        if (!ethernet.link().tso6ToGuest()) {
            return 0;
        }
        return Math.min(MAX_GSO_PAYLOAD, ethernet.link().maxFrameBytes() - HEAD_BYTES);
    }

    /** True for a frame that {@link #begin} returned. */
    boolean made(OutFrame out) {
        return out == frame;
    }

    /** Releases its frames. Idempotent. */
    public void close() {
        if (!closed) {
            closed = true;
            frame.release();
            fragment.release();
        }
    }
}
