package dev.longshore.vpnkit.ethernet;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.FrameTap;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.Ipv6Header;
import dev.longshore.vpnkit.count.Counters;
import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.EventExecutor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Between a link and the network layer: dispatches the guest's frames, answers ARP, addresses frames to the guest.
 * Confined to the link's event loop, but for {@link #counters}.
 *
 * <p>On link-up the guest hears of all our addresses, in case its table is older than we are (RFC 5227 §3, RFC 4861
 * §7.2.6). A guest whose card has no buffers yet hears it when there is room.
 */
public final class EthernetLayer implements FrameSink {
    /** A destination that is written in place of one that is not known. */
    private static final long UNRESOLVED = Neighbours.UNKNOWN;

    private static final Logger LOG = LoggerFactory.getLogger(EthernetLayer.class);

    private final Link link;
    private final EthernetConfig config;
    private final PacketSink sink;
    private final Arp arp;
    private final Counters<EthernetCounter> counters = new Counters<>(EthernetCounter.class);
    private final NeighborDiscovery discovery;
    private final boolean hasIpv6;
    private boolean dirty;
    private boolean inBatch;
    private boolean announcing;

    /** Null while nobody captures: all that a capture costs then is this check. */
    private @Nullable FrameTap tap;

    /** {@link Link#open} is the caller's: with this as the sink. */
    public EthernetLayer(Link link, EthernetConfig config, PacketSink sink, EventExecutor loop) {
        this.link = link;
        this.config = config;
        this.sink = sink;
        this.arp = new Arp(this, config, loop, counters);
        this.hasIpv6 = config.ourIpv6().length > 0;
        this.discovery = new NeighborDiscovery(this, config, loop, counters);
    }

    @Override
    public void onFrame(ByteBuf frame, int offload) {
        inBatch = true;
        if (tap != null) {
            tap.fromGuest(frame);
        }
        int at = frame.readerIndex();
        int len = frame.readableBytes();
        counters.increment(EthernetCounter.FRAMES_FROM_GUEST);
        counters.add(EthernetCounter.BYTES_FROM_GUEST, len);
        if (!EthernetHeader.isValid(frame, at, len)) {
            counters.increment(EthernetCounter.DROPPED_SHORT);
            return;
        }
        long source = EthernetHeader.source(frame, at);
        if (EthernetHeader.isGroup(source) || source == config.ourMac() || source == UNRESOLVED) {
            counters.increment(EthernetCounter.DROPPED_SOURCE);
            return;
        }
        int type = EthernetHeader.type(frame, at);
        long destination = EthernetHeader.destination(frame, at);
        if (!isForUs(destination, type)) {
            counters.increment(EthernetCounter.DROPPED_DESTINATION);
            return;
        }
        int payloadAt = at + EthernetHeader.BYTES;
        int payloadLen = len - EthernetHeader.BYTES;
        switch (type) {
            case EthernetHeader.TYPE_IPV4 -> {
                if (Ipv4Header.isValid(frame, payloadAt, payloadLen)) {
                    arp.learn(Ipv4Header.source(frame, payloadAt), source);
                }
                sink.onIpv4(frame, payloadAt, payloadLen, offload);
            }
            case EthernetHeader.TYPE_ARP -> arp.onPacket(frame, payloadAt, payloadLen, source);
            case EthernetHeader.TYPE_IPV6 -> onIpv6(frame, payloadAt, payloadLen, source, offload);
            default -> counters.increment(EthernetCounter.DROPPED_TYPE);
        }
    }

    private boolean isForUs(long destination, int type) {
        return destination == config.ourMac()
                || destination == EthernetHeader.BROADCAST
                || (type == EthernetHeader.TYPE_IPV6 && EthernetHeader.isIpv6Multicast(destination));
    }

    private void onIpv6(ByteBuf b, int at, int len, long source, int offload) {
        if (!hasIpv6) {
            counters.increment(EthernetCounter.DROPPED_IPV6);
            return;
        }
        if (Ipv6Header.isValid(b, at, len)) {
            discovery.learn(Ipv6Header.sourceHi(b, at), Ipv6Header.sourceLo(b, at), source);
        }
        sink.onIpv6(b, at, len, offload);
    }

    @Override
    public void onBatchEnd() {
        inBatch = false;
        sink.onBatchEnd();
        flushNow();
    }

    @Override
    public void onWritable() {
        if (announcing) {
            announce();
        }
        sink.onWritable();
        flushNow();
    }

    @Override
    public void onLinkState(boolean up) {
        if (up) {
            announce();
        } else {
            announcing = false;
            arp.clear();
            discovery.clear();
        }
        sink.onLinkState(up);
        flushNow();
    }

    private void announce() {
        boolean sent = arp.announce();
        if (hasIpv6) {
            sent &= discovery.announce();
        }
        announcing = !sent;
    }

    /** Appends the header of a frame for the station that has, or routes to, this IPv4 address. */
    public void writeHeader(ByteBuf b, int destination) {
        EthernetHeader.write(b, arp.macOf(destination), config.ourMac(), EthernetHeader.TYPE_IPV4);
    }

    /** Appends the header of an IPv4 frame to {@code mac}: for answers to a station that has no address yet. */
    public void writeHeaderToMac(ByteBuf b, long mac) {
        EthernetHeader.write(b, mac, config.ourMac(), EthernetHeader.TYPE_IPV4);
    }

    /** Appends the header of an IPv6 frame to {@code mac}. */
    void writeHeader6(ByteBuf b, long mac) {
        EthernetHeader.write(b, mac, config.ourMac(), EthernetHeader.TYPE_IPV6);
    }

    /** Appends the header of a frame for the station that has, or routes to, this IPv6 address. */
    public void writeHeader6(ByteBuf b, long destinationHi, long destinationLo) {
        writeHeader6(b, discovery.macOf(destinationHi, destinationLo));
    }

    /**
     * Like {@link #send}, for a frame that begins with {@link #writeHeader}: if it is not known yet which station has its
     * destination, the frame waits for that, and counts as sent.
     */
    public boolean send4(OutFrame frame, int destination) {
        if (EthernetHeader.destination(frame.head(), 0) == UNRESOLVED) {
            arp.hold(frame, destination);
            return true;
        }
        return send(frame);
    }

    /** Like {@link #send4}, for a frame that begins with {@link #writeHeader6}. */
    public boolean send6(OutFrame frame, long destinationHi, long destinationLo) {
        if (!hasIpv6) {
            counters.increment(EthernetCounter.DROPPED_IPV6);
            return true;
        }
        if (EthernetHeader.destination(frame.head(), 0) == UNRESOLVED) {
            discovery.hold(frame, destinationHi, destinationLo);
            return true;
        }
        return send(frame);
    }

    /** As {@link Link#send}. {@link #flush} follows. */
    public boolean send(OutFrame frame) {
        if (!link.send(frame)) {
            return false;
        }
        dirty = true;
        counters.increment(EthernetCounter.FRAMES_TO_GUEST);
        counters.add(EthernetCounter.BYTES_TO_GUEST, frame.bytes());
        if (tap != null) {
            tap.toGuest(frame);
        }
        return true;
    }

    /** One notification for all frames since the last one; during a batch from the guest it waits for the batch's end. */
    public void flush() {
        if (!inBatch) {
            flushNow();
        }
    }

    private void flushNow() {
        if (dirty) {
            dirty = false;
            link.flush();
        }
    }

    /** Packets to this address are not answered: its station, or the one before it, is asked whether it is still there. */
    public void doubt(long hi, long lo) {
        if (IpAddress.isV4(hi, lo)) {
            arp.doubt((int) lo);
        } else {
            discovery.doubt(hi, lo);
        }
    }

    void onNobody(LostHop hop) {
        LOG.debug("nobody on the link answers for {}", hop.address());
        sink.onNobody(hop);
        flush();
    }

    /** Who is where on the link, for IPv6. */
    public NeighborDiscovery discovery() {
        return discovery;
    }

    /** True if a station of the link has shown that it has the guest's own IPv4 address. */
    public boolean isGuestHeard() {
        return arp.guestStation() != Neighbours.UNKNOWN;
    }

    /** True for the station that is the guest, and not another one behind it, as far as can be told. */
    boolean isGuest(long mac) {
        long station = arp.guestStation();
        return mac == config.guestMac() || station == Neighbours.UNKNOWN || mac == station;
    }

    /** From now on {@code tap} sees every frame; null: nobody does. */
    public void setTap(@Nullable FrameTap tap) {
        this.tap = tap;
    }

    public Link link() {
        return link;
    }

    /** Readable from any thread. */
    public Counters<EthernetCounter> counters() {
        return counters;
    }

    /** Releases what this layer holds; the link is closed by its owner. */
    public void close() {
        arp.close();
        discovery.close();
    }
}
