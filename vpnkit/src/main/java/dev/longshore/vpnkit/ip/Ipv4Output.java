package dev.longshore.vpnkit.ip;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.ethernet.EthernetLayer;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;

/** The way of IPv4 packets to the guest: see {@link DualOutput}. Confined to the link's event loop. */
public final class Ipv4Output {
    /** Linux' default; we are the last router. */
    private static final int TTL = 64;

    /** Ethernet, IPv4 and TCP headers with all options. */
    private static final int HEAD_BYTES = EthernetHeader.BYTES + Ipv4Header.MIN_BYTES + 60;

    private static final int IP_AT = EthernetHeader.BYTES;
    private static final int TRANSPORT_AT = IP_AT + Ipv4Header.MIN_BYTES;

    /** Largest TCP payload with the longest TCP header in a 65,535-byte packet. */
    private static final int MAX_GSO_PAYLOAD = Ipv4Header.MAX_PACKET - Ipv4Header.MIN_BYTES - 60;

    private final EthernetLayer ethernet;
    private final int mtu;
    private final Counters<IpCounter> counters;
    private final OutFrame frame = new OutFrame(Unpooled.directBuffer(HEAD_BYTES, 2048));
    private final OutFrame fragment = new OutFrame(Unpooled.directBuffer(HEAD_BYTES, 2048));
    private int nextId = 1;
    private boolean closed;

    /** Every IP packet has at most {@code mtu} bytes, unless it is GSO. */
    public Ipv4Output(EthernetLayer ethernet, int mtu, Counters<IpCounter> counters) {
        this.ethernet = ethernet;
        this.mtu = mtu;
        this.counters = counters;
    }

    /** As {@link IpOutput#begin}. */
    OutFrame begin(int source, int destination, int protocol) {
        ByteBuf b = frame.clear().head();
        ethernet.writeHeader(b, destination);
        writeIp(b, source, destination, protocol);
        return frame;
    }

    /** Like {@link #begin}, to a station whose IP address isn't its own yet. */
    public OutFrame beginToMac(long mac, int source, int destination, int protocol) {
        ByteBuf b = frame.clear().head();
        ethernet.writeHeaderToMac(b, mac);
        writeIp(b, source, destination, protocol);
        return frame;
    }

    private static void writeIp(ByteBuf b, int source, int destination, int protocol) {
        // TCP finds the path's MTU; for datagrams a router behind us (the guest, for its containers) may cut.
        Ipv4Header.write(b, protocol, TTL, protocol == IpProtocol.TCP ? Ipv4Header.DF : 0, source, destination);
    }

    /** As {@link IpOutput#setHops}. */
    void setHops(OutFrame out, int hops) {
        Ipv4Header.setTtl(out.head(), IP_AT, hops);
    }

    /** As {@link IpOutput#end}. */
    public boolean end(OutFrame out) {
        int packetBytes = out.bytes() - IP_AT;
        boolean sent;
        if (packetBytes <= mtu || out.gsoType() != OutFrame.GSO_NONE) {
            if (out.head().getUnsignedShort(IP_AT + 6) == 0) {
                out.head().setShort(IP_AT + 4, nextId++);
            }
            Ipv4Header.complete(out.head(), IP_AT, packetBytes);
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
        return ethernet.send4(out, Ipv4Header.destination(out.head(), IP_AT));
    }

    /** True if at least the first one went: the rest is then lost like any packet may be, and counted. */
    private boolean sendFragments(OutFrame out) {
        int id = nextId++;
        int payloadBytes = out.bytes() - TRANSPORT_AT;
        int perFragment = (mtu - Ipv4Header.MIN_BYTES) / 8 * 8;
        for (int offset = 0; offset < payloadBytes; offset += perFragment) {
            int bytes = Math.min(perFragment, payloadBytes - offset);
            fillFragment(out, offset, bytes);
            Ipv4Header.completeFragment(
                    fragment.head(), IP_AT, Ipv4Header.MIN_BYTES + bytes, id, offset, offset + bytes < payloadBytes);
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

    /** Ethernet and IP header of {@code out}, then {@code bytes} of what follows them from {@code offset} on. */
    private void fillFragment(OutFrame out, int offset, int bytes) {
        fragment.clear().head().writeBytes(out.head(), 0, TRANSPORT_AT);
        addPayload(fragment, out, TRANSPORT_AT, offset, bytes);
    }

    /** Appends {@code bytes} of what follows the first {@code from} bytes of {@code out}, from {@code offset} on. */
    static void addPayload(OutFrame fragment, OutFrame out, int from, int offset, int bytes) {
        int skip = offset;
        int wanted = bytes;
        int headBytes = out.head().writerIndex() - from;
        if (skip < headBytes) {
            int n = Math.min(wanted, headBytes - skip);
            fragment.addPayload(out.head(), from + skip, n);
            wanted -= n;
            skip = 0;
        } else {
            skip -= headBytes;
        }
        for (int i = 0; i < out.pieces() && wanted > 0; i++) {
            int pieceBytes = out.pieceBytes(i);
            if (skip < pieceBytes) {
                int n = Math.min(wanted, pieceBytes - skip);
                fragment.addPayload(out.piece(i), out.pieceAt(i) + skip, n);
                wanted -= n;
                skip = 0;
            } else {
                skip -= pieceBytes;
            }
        }
    }

    int maxGsoPayload() {
        if (!ethernet.link().tso4ToGuest()) {
            return 0;
        }
        return Math.min(MAX_GSO_PAYLOAD, ethernet.link().maxFrameBytes() - HEAD_BYTES);
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
