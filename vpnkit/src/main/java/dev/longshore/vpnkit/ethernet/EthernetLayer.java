package dev.longshore.vpnkit.ethernet;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.FrameTap;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.ArpPacket;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.Ipv6Header;
import dev.longshore.vpnkit.count.Counters;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.concurrent.EventExecutor;
import org.jspecify.annotations.Nullable;

/**
 * Between a link and the network layer: dispatches the guest's frames, answers ARP, addresses frames to the guest.
 * Confined to the link's event loop, but for {@link #counters}.
 *
 * <p>On link-up the guest hears of all our addresses, in case its table is older than we are (RFC 5227 §3, RFC 4861
 * §7.2.6). A guest whose card has no buffers yet hears it when there is room.
 */
public final class EthernetLayer implements FrameSink {
    /** A destination written by {@link #writeHeader6} in place of one that is not known: all bits set, which no station has. */
    private static final long UNRESOLVED = Neighbours6.UNKNOWN & 0xFFFF_FFFF_FFFFL;

    private final Link link;
    private final EthernetConfig config;
    private final PacketSink sink;
    private final Neighbours neighbours;
    private final OutFrame arpFrame = new OutFrame(Unpooled.directBuffer(64));
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
        this.neighbours = new Neighbours(config.network(), config.mask(), config.guest(), config.guestMac());
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
        if (EthernetHeader.isGroup(source) || source == config.ourMac()) {
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
                    learn(Ipv4Header.source(frame, payloadAt), source);
                }
                sink.onIpv4(frame, payloadAt, payloadLen, offload);
            }
            case EthernetHeader.TYPE_ARP -> onArp(frame, payloadAt, payloadLen, source);
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

    private void learn(int address, long mac) {
        if (address != 0 && !isOurs(address)) {
            neighbours.learn(address, mac);
        }
    }

    private void onArp(ByteBuf b, int at, int len, long source) {
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
            boolean sent = sendArp(ArpPacket.REPLY, source, asked, source, ArpPacket.senderIp(b, at));
            counters.increment(sent ? EthernetCounter.ARP_ANSWERED : EthernetCounter.DROPPED_NO_ROOM);
        }
    }

    private boolean isOurs(int address) {
        for (int ours : config.ourAddresses()) {
            if (ours == address) {
                return true;
            }
        }
        return false;
    }

    private boolean sendArp(int operation, long toMac, int sender, long targetMac, int target) {
        ByteBuf b = arpFrame.clear().head();
        EthernetHeader.write(b, toMac, config.ourMac(), EthernetHeader.TYPE_ARP);
        ArpPacket.write(b, operation, config.ourMac(), sender, targetMac, target);
        return send(arpFrame);
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
            neighbours.clear();
            discovery.clear();
        }
        sink.onLinkState(up);
        flushNow();
    }

    private void announce() {
        boolean sent = true;
        for (int ours : config.ourAddresses()) {
            sent &= sendArp(ArpPacket.REQUEST, EthernetHeader.BROADCAST, ours, 0, ours);
        }
        if (hasIpv6) {
            sent &= discovery.announce();
        }
        announcing = !sent;
    }

    /** Appends the header of a frame for the station that has, or routes to, this IPv4 address. */
    public void writeHeader(ByteBuf b, int destination) {
        EthernetHeader.write(b, neighbours.macOf(destination), config.ourMac(), EthernetHeader.TYPE_IPV4);
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
     * Like {@link #send}, for a frame that begins with {@link #writeHeader6}: if it is not known yet which station has its
     * destination, the frame waits for that, and counts as sent.
     */
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

    /** Who is where on the link, for IPv6. */
    public NeighborDiscovery discovery() {
        return discovery;
    }

    /** True if a station of the link has shown that it has the guest's own IPv4 address. */
    public boolean isGuestHeard() {
        return neighbours.guestStation() != Neighbours.UNKNOWN;
    }

    /** True for the station that is the guest, and not another one behind it, as far as can be told. */
    boolean isGuest(long mac) {
        long station = neighbours.guestStation();
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
        arpFrame.release();
        discovery.close();
    }
}
