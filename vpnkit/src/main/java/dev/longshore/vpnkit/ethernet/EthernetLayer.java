package dev.longshore.vpnkit.ethernet;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.ArpPacket;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.vpnkit.count.Counters;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;

/**
 * Between a link and the network layer: dispatches the guest's frames, answers ARP, addresses frames to the guest.
 * Confined to the link's event loop, but for {@link #counters}.
 */
public final class EthernetLayer implements FrameSink {
    private final Link link;
    private final EthernetConfig config;
    private final PacketSink sink;
    private final Neighbours neighbours;
    private final OutFrame arpFrame = new OutFrame(Unpooled.directBuffer(64));
    private final Counters<EthernetCounter> counters = new Counters<>(EthernetCounter.class);
    private boolean arpSent;
    private boolean inBatch;

    /** {@link Link#open} is the caller's: with this as the sink. */
    public EthernetLayer(Link link, EthernetConfig config, PacketSink sink) {
        this.link = link;
        this.config = config;
        this.sink = sink;
        this.neighbours = new Neighbours(config.network(), config.mask(), config.guestMac());
    }

    @Override
    public void onFrame(ByteBuf frame, int offload) {
        inBatch = true;
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
        if (destination != config.ourMac() && destination != EthernetHeader.BROADCAST) {
            counters.increment(
                    type == EthernetHeader.TYPE_IPV6
                            ? EthernetCounter.DROPPED_IPV6
                            : EthernetCounter.DROPPED_DESTINATION);
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
            case EthernetHeader.TYPE_IPV6 -> counters.increment(EthernetCounter.DROPPED_IPV6);
            default -> counters.increment(EthernetCounter.DROPPED_TYPE);
        }
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
            counters.increment(EthernetCounter.ARP_ANSWERED);
            sendArp(ArpPacket.REPLY, source, asked, source, ArpPacket.senderIp(b, at));
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

    private void sendArp(int operation, long toMac, int sender, long targetMac, int target) {
        ByteBuf b = arpFrame.clear().head();
        EthernetHeader.write(b, toMac, config.ourMac(), EthernetHeader.TYPE_ARP);
        ArpPacket.write(b, operation, config.ourMac(), sender, targetMac, target);
        if (send(arpFrame)) {
            arpSent = true;
        } else {
            counters.increment(EthernetCounter.DROPPED_NO_ROOM);
        }
    }

    @Override
    public void onBatchEnd() {
        inBatch = false;
        sink.onBatchEnd(); // flushes the link
        flushArp();
    }

    private void flushArp() {
        if (arpSent) {
            arpSent = false;
            link.flush();
        }
    }

    @Override
    public void onWritable() {
        sink.onWritable();
    }

    /** On link-up the guest hears of all our addresses, in case its table is older than we are (RFC 5227 §3). */
    @Override
    public void onLinkState(boolean up) {
        if (up) {
            for (int ours : config.ourAddresses()) {
                sendArp(ArpPacket.REQUEST, EthernetHeader.BROADCAST, ours, 0, ours);
            }
            flushArp();
        } else {
            neighbours.clear();
        }
        sink.onLinkState(up);
    }

    /** Appends the header of a frame for the station that has, or routes to, this IPv4 address. */
    public void writeHeader(ByteBuf b, int destination) {
        EthernetHeader.write(b, neighbours.macOf(destination), config.ourMac(), EthernetHeader.TYPE_IPV4);
    }

    /** Appends the header of an IPv4 frame to {@code mac}: for answers to a station that has no address yet. */
    public void writeHeaderToMac(ByteBuf b, long mac) {
        EthernetHeader.write(b, mac, config.ourMac(), EthernetHeader.TYPE_IPV4);
    }

    /** As {@link Link#send}. */
    public boolean send(OutFrame frame) {
        if (!link.send(frame)) {
            return false;
        }
        counters.increment(EthernetCounter.FRAMES_TO_GUEST);
        counters.add(EthernetCounter.BYTES_TO_GUEST, frame.bytes());
        return true;
    }

    /** True while frames of one wake-up are being delivered: whoever sends now need not flush. */
    public boolean inBatch() {
        return inBatch;
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
    }
}
