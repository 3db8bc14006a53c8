package dev.longshore.testkit;

import dev.longshore.packet.wire.ArpPacket;
import dev.longshore.packet.wire.Checksum;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.Ipv6Extension;
import dev.longshore.packet.wire.Ipv6Header;
import dev.longshore.packet.wire.NdpMessage;
import dev.longshore.packet.wire.UdpHeader;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * The guest's end of a {@link VirtualLink}: builds what a guest sends, queues and checks what it receives. By default the
 * guest is 192.168.65.3 and fdc4:f303:9324::3; the remote decides which of both sends. Confined to the test's thread.
 */
public final class GuestEnd {
    /** The MAC address we give to the guest. */
    public static final long GUEST_MAC = 0x024C_5300_0003L;

    /** The MAC address of all our own addresses. */
    public static final long OUR_MAC = 0x024C_5300_0001L;

    public static final IpAddress GUEST = IpAddress.parse("192.168.65.3");
    public static final IpAddress GATEWAY = IpAddress.parse("192.168.65.1");
    public static final IpAddress DNS = IpAddress.parse("192.168.65.7");
    public static final IpAddress HOST = IpAddress.parse("192.168.65.254");

    public static final IpAddress GUEST6 = IpAddress.parse("fdc4:f303:9324::3");
    public static final IpAddress GATEWAY6 = IpAddress.parse("fdc4:f303:9324::1");
    public static final IpAddress DNS6 = IpAddress.parse("fdc4:f303:9324::7");
    public static final IpAddress HOST6 = IpAddress.parse("fdc4:f303:9324::254");

    /** The stack's link-local address. */
    public static final IpAddress ROUTER = IpAddress.parse("fe80::1");

    /** The guest's link-local address, made of its MAC address (RFC 4291, appendix A). */
    public static final IpAddress GUEST_LINK_LOCAL = IpAddress.parse("fe80::4c:53ff:fe00:3");

    public static final IpAddress ALL_NODES = IpAddress.parse("ff02::1");
    public static final IpAddress ALL_ROUTERS = IpAddress.parse("ff02::2");

    /** ::, the source of a station that has no address yet. */
    public static final IpAddress UNSPECIFIED = new IpAddress(0, 0);

    private final VirtualLink link;
    private final Deque<Received> received = new ArrayDeque<>();
    private IpAddress address = GUEST;
    private IpAddress address6 = GUEST6;
    private long mac = GUEST_MAC;
    private int nextId = 1;

    public GuestEnd(VirtualLink link) {
        this.link = link;
        link.onFrameToGuest(frame -> received.add(new Received(frame)));
    }

    public VirtualLink link() {
        return link;
    }

    /** Sends from another address of this family from now on. */
    public GuestEnd address(IpAddress guest) {
        if (guest.isV4()) {
            address = guest;
        } else {
            address6 = guest;
        }
        return this;
    }

    /** The guest's IPv4 address. */
    public IpAddress address() {
        return address;
    }

    /** The address from which it speaks to {@code remote}. */
    public IpAddress addressFor(IpAddress remote) {
        return remote.isV4() ? address : address6;
    }

    public GuestEnd mac(long guestMac) {
        mac = guestMac;
        return this;
    }

    // ---- sending

    /** Takes ownership of a whole frame. */
    public void sendFrame(ByteBuf frame, int offload) {
        link.deliver(frame, offload);
    }

    /** A broadcast question who has {@code target}. */
    public void sendArpRequest(IpAddress target) {
        ByteBuf b = ethernet(EthernetHeader.BROADCAST, EthernetHeader.TYPE_ARP);
        ArpPacket.write(b, ArpPacket.REQUEST, mac, address.v4Bits(), 0, target.v4Bits());
        b.writeZero(60 - b.writerIndex()); // padded, as Ethernet hardware does
        sendFrame(b, 0);
    }

    /** Says to {@code remote} who has this guest's address. */
    public void sendArpReply(IpAddress remote) {
        ByteBuf b = ethernet(OUR_MAC, EthernetHeader.TYPE_ARP);
        ArpPacket.write(b, ArpPacket.REPLY, mac, address.v4Bits(), OUR_MAC, remote.v4Bits());
        b.writeZero(60 - b.writerIndex());
        sendFrame(b, 0);
    }

    /** One packet, not fragmented. Takes ownership of {@code transport}: header and payload, checksum and all. */
    public void sendIp(int protocol, IpAddress remote, ByteBuf transport, int offload) {
        sendFrame(ip(protocol, addressFor(remote), remote, 64, transport), offload);
    }

    /** Like {@link #sendIp}, as fragments of at most {@code mtu} bytes, in order. */
    public void sendFragments(int protocol, IpAddress remote, ByteBuf transport, int mtu) {
        for (ByteBuf fragment : fragments(protocol, remote, transport, mtu)) {
            sendFrame(fragment, 0);
        }
    }

    /** The frames of {@link #sendFragments}, for the test to send. Takes ownership of {@code transport}. */
    public ByteBuf[] fragments(int protocol, IpAddress remote, ByteBuf transport, int mtu) {
        if (!remote.isV4()) {
            return fragments6(protocol, remote, transport, mtu);
        }
        int piece = (mtu - Ipv4Header.MIN_BYTES) / 8 * 8;
        int total = transport.readableBytes();
        ByteBuf[] frames = new ByteBuf[Math.max(1, (total + piece - 1) / piece)];
        int id = nextId++;
        for (int i = 0; i < frames.length; i++) {
            int offset = i * piece;
            int bytes = Math.min(piece, total - offset);
            frames[i] = ip(protocol, address, remote, 64, transport.copy(offset, bytes));
            Ipv4Header.completeFragment(
                    frames[i], EthernetHeader.BYTES, Ipv4Header.MIN_BYTES + bytes, id, offset, i < frames.length - 1);
        }
        transport.release();
        return frames;
    }

    private ByteBuf[] fragments6(int protocol, IpAddress remote, ByteBuf transport, int mtu) {
        int piece = (mtu - Ipv6Header.BYTES - Ipv6Extension.FRAGMENT_BYTES) / 8 * 8;
        int total = transport.readableBytes();
        ByteBuf[] frames = new ByteBuf[Math.max(1, (total + piece - 1) / piece)];
        int id = nextId++;
        for (int i = 0; i < frames.length; i++) {
            int offset = i * piece;
            int bytes = Math.min(piece, total - offset);
            frames[i] = fragment6(protocol, remote, id, offset, i < frames.length - 1, transport.copy(offset, bytes));
        }
        transport.release();
        return frames;
    }

    /** A whole frame with one fragment of an IPv6 packet. Takes ownership of {@code piece}. */
    public ByteBuf fragment6(int protocol, IpAddress remote, int id, int offset, boolean more, ByteBuf piece) {
        ByteBuf b = Unpooled.buffer(Ipv6Extension.FRAGMENT_BYTES + piece.readableBytes());
        Ipv6Extension.writeFragment(b, protocol, offset, more, id);
        b.writeBytes(piece);
        piece.release();
        return ip(Ipv6Extension.FRAGMENT, addressFor(remote), remote, 64, b);
    }

    /**
     * A whole frame with one packet of the remote's family from {@code source}. Takes ownership of {@code transport}, which
     * with IPv6 may start with extension headers.
     */
    public ByteBuf ip(int protocol, IpAddress source, IpAddress remote, int ttl, ByteBuf transport) {
        if (!remote.isV4()) {
            return ip6(protocol, source, remote, ttl, transport);
        }
        ByteBuf b = ethernet(OUR_MAC, EthernetHeader.TYPE_IPV4);
        Ipv4Header.write(b, protocol, ttl, 0, source.v4Bits(), remote.v4Bits());
        b.setShort(EthernetHeader.BYTES + 4, nextId++);
        Ipv4Header.complete(b, EthernetHeader.BYTES, Ipv4Header.MIN_BYTES + transport.readableBytes());
        b.writeBytes(transport);
        transport.release();
        return b;
    }

    private ByteBuf ip6(int protocol, IpAddress source, IpAddress remote, int hopLimit, ByteBuf transport) {
        long to = IpAddress.isMulticast(remote.hi()) ? EthernetHeader.multicastOf(remote.lo()) : OUR_MAC;
        ByteBuf b = ethernet(to, EthernetHeader.TYPE_IPV6);
        Ipv6Header.write(b, protocol, hopLimit, source.hi(), source.lo(), remote.hi(), remote.lo());
        Ipv6Header.complete(b, EthernetHeader.BYTES, transport.readableBytes());
        b.writeBytes(transport);
        transport.release();
        return b;
    }

    private ByteBuf ethernet(long destination, int type) {
        ByteBuf b = Unpooled.directBuffer(256);
        EthernetHeader.write(b, destination, mac, type);
        return b;
    }

    public void sendUdp(int guestPort, IpAddress remote, int remotePort, byte[] payload) {
        sendIp(IpProtocol.UDP, remote, udp(guestPort, remote, remotePort, payload), 0);
    }

    public void sendUdp(int guestPort, IpAddress remote, int remotePort, String payload) {
        sendUdp(guestPort, remote, remotePort, payload.getBytes(StandardCharsets.UTF_8));
    }

    /** A datagram with its checksum, for {@link #sendIp} and {@link #sendFragments}. */
    public ByteBuf udp(int guestPort, IpAddress remote, int remotePort, byte[] payload) {
        IpAddress from = addressFor(remote);
        ByteBuf b = Unpooled.buffer(UdpHeader.BYTES + payload.length);
        int length = UdpHeader.BYTES + payload.length;
        UdpHeader.write(b, guestPort, remotePort, length);
        b.writeBytes(payload);
        long pseudo = Checksum.pseudoHeader(from.hi(), from.lo(), remote.hi(), remote.lo(), IpProtocol.UDP, length);
        UdpHeader.setChecksum(b, 0, pseudo + Checksum.sum(b, 0, length));
        return b;
    }

    public void sendPing(IpAddress remote, int identifier, int sequence, byte[] data) {
        if (!remote.isV4()) {
            ByteBuf b = Unpooled.buffer(Icmpv6Header.BYTES + data.length);
            Icmpv6Header.write(b, Icmpv6Header.ECHO_REQUEST, 0, identifier << 16 | sequence);
            b.writeBytes(data);
            sendIcmp6(addressFor(remote), remote, 64, b);
            return;
        }
        ByteBuf b = Unpooled.buffer(IcmpHeader.BYTES + data.length);
        IcmpHeader.write(b, IcmpHeader.ECHO_REQUEST, 0, identifier << 16 | sequence);
        b.writeBytes(data);
        IcmpHeader.complete(b, 0, b.writerIndex());
        sendIp(IpProtocol.ICMP, remote, b, 0);
    }

    /** One ICMPv6 message, whose checksum is set. Takes ownership. */
    public void sendIcmp6(IpAddress source, IpAddress remote, int hopLimit, ByteBuf message) {
        Icmpv6Header.complete(message, 0, message.writerIndex(), source.hi(), source.lo(), remote.hi(), remote.lo());
        sendFrame(ip(IpProtocol.ICMPV6, source, remote, hopLimit, message), 0);
    }

    /** Asks who has {@code target}, from {@code source}: :: tests the address (RFC 4862 §5.4.2). */
    public void sendNeighborSolicitation(IpAddress source, IpAddress target) {
        ByteBuf b = Unpooled.buffer();
        NdpMessage.writeSolicitation(b, target.hi(), target.lo());
        if (!source.equals(UNSPECIFIED)) {
            NdpMessage.writeLinkAddress(b, NdpMessage.OPTION_SOURCE_LINK, mac);
        }
        sendIcmp6(source, solicitedNode(target), NdpMessage.HOP_LIMIT, b);
    }

    /** Answers who has {@code target}: this guest. */
    public void sendNeighborAdvertisement(IpAddress target, IpAddress remote) {
        ByteBuf b = Unpooled.buffer();
        int flags = NdpMessage.FLAG_SOLICITED | NdpMessage.FLAG_OVERRIDE;
        NdpMessage.writeAdvertisement(b, flags, target.hi(), target.lo());
        NdpMessage.writeLinkAddress(b, NdpMessage.OPTION_TARGET_LINK, mac);
        sendIcmp6(target, remote, NdpMessage.HOP_LIMIT, b);
    }

    public void sendRouterSolicitation(IpAddress source) {
        ByteBuf b = Unpooled.buffer();
        Icmpv6Header.write(b, NdpMessage.ROUTER_SOLICITATION, 0, 0);
        if (!source.equals(UNSPECIFIED)) {
            NdpMessage.writeLinkAddress(b, NdpMessage.OPTION_SOURCE_LINK, mac);
        }
        sendIcmp6(source, ALL_ROUTERS, NdpMessage.HOP_LIMIT, b);
    }

    /** ff02::1:ffxx:xxxx, RFC 4291 §2.7.1. */
    public static IpAddress solicitedNode(IpAddress address) {
        return new IpAddress(ALL_NODES.hi(), 0x1_FF00_0000L | (address.lo() & 0xFF_FFFF));
    }

    /** Destination unreachable, quoting the header and the first 8 bytes of {@code packet}, which the guest received. */
    public void sendUnreachable(Received packet, int code) {
        int quoted = packet.transportAt() - packet.ipAt() + 8;
        if (packet.isIpv6()) {
            ByteBuf b = Unpooled.buffer(Icmpv6Header.BYTES + quoted);
            Icmpv6Header.write(b, Icmpv6Header.DESTINATION_UNREACHABLE, code, 0);
            b.writeBytes(packet.frame(), packet.ipAt(), quoted);
            sendIcmp6(packet.destination(), packet.source(), 64, b);
            return;
        }
        ByteBuf b = Unpooled.buffer(IcmpHeader.BYTES + quoted);
        IcmpHeader.write(b, IcmpHeader.DESTINATION_UNREACHABLE, code, 0);
        b.writeBytes(packet.frame(), packet.ipAt(), quoted);
        IcmpHeader.complete(b, 0, b.writerIndex());
        sendIp(IpProtocol.ICMP, packet.source(), b, 0);
    }

    // ---- receiving

    /** The next frame, or null. */
    public @Nullable Received poll() {
        return received.poll();
    }

    /** The next frame; fails if there is none. */
    public Received receive() {
        Received next = received.poll();
        if (next == null) {
            throw new AssertionError("the guest received nothing"
                    + (link.unflushedFrames() > 0 ? " (" + link.unflushedFrames() + " frames not flushed)" : ""));
        }
        return next;
    }

    public boolean hasReceived() {
        return !received.isEmpty();
    }

    public int receivedCount() {
        return received.size();
    }

    /** Fails if a frame is there, flushed or not. */
    public void receivesNothing() {
        Received next = received.poll();
        if (next != null) {
            throw new AssertionError("the guest received " + next);
        }
        if (link.unflushedFrames() > 0) {
            throw new AssertionError(link.unflushedFrames() + " frames sent but not flushed");
        }
    }

    /** Forgets what was received so far. */
    public void clearReceived() {
        received.clear();
    }

    /** One UDP datagram as the guest received it; {@code payload} is on the heap and needs no release. */
    public record Datagram(
            IpAddress source, int sourcePort, IpAddress destination, int destinationPort, ByteBuf payload) {
        public byte[] bytes() {
            return ByteBufUtil.getBytes(payload);
        }

        public String text() {
            return payload.toString(StandardCharsets.UTF_8);
        }
    }

    /** The next frames must be one datagram, whole or in fragments in order. */
    public Datagram receiveUdp() {
        Received first = receive();
        if (!first.isIp(IpProtocol.UDP)) {
            throw new AssertionError("not UDP: " + first);
        }
        ByteBuf whole = Unpooled.buffer();
        whole.writeBytes(first.bytesFrom(first.transportAt()));
        Received piece = first;
        int id = first.fragmentId();
        while (piece.moreFragments()) {
            piece = receive();
            boolean next = piece.fragmentId() == id && piece.fragmentOffset() == whole.writerIndex();
            if (!next) {
                throw new AssertionError("not the next fragment: " + piece);
            }
            whole.writeBytes(piece.bytesFrom(piece.transportAt()));
        }
        boolean right = UdpHeader.isValid(whole, 0, whole.writerIndex())
                && UdpHeader.isChecksumRight(
                        whole,
                        0,
                        first.source().hi(),
                        first.source().lo(),
                        first.destination().hi(),
                        first.destination().lo());
        if (!right) {
            throw new AssertionError("bad datagram, first frame: " + first);
        }
        return new Datagram(
                first.source(),
                UdpHeader.sourcePort(whole, 0),
                first.destination(),
                UdpHeader.destinationPort(whole, 0),
                whole.copy(UdpHeader.BYTES, whole.writerIndex() - UdpHeader.BYTES));
    }

    /** The next frame must be ICMP of this type and code. */
    public Received receiveIcmp(int type, int code) {
        Received next = receive();
        boolean right = next.isIp(IpProtocol.ICMP)
                && IcmpHeader.type(next.frame(), next.transportAt()) == type
                && IcmpHeader.code(next.frame(), next.transportAt()) == code;
        if (!right) {
            throw new AssertionError("not ICMP type " + type + " code " + code + ": " + next);
        }
        return next;
    }

    /** The next frame must be ICMPv6 of this type and code. */
    public Received receiveIcmp6(int type, int code) {
        Received next = receive();
        boolean right = next.isIcmp6(type) && Icmpv6Header.code(next.frame(), next.transportAt()) == code;
        if (!right) {
            throw new AssertionError("not ICMPv6 type " + type + " code " + code + ": " + next);
        }
        return next;
    }

    /** The next frame must be a neighbor advertisement for {@code target}. */
    public Received receiveNeighborAdvertisement(IpAddress target) {
        Received next = receiveIcmp6(NdpMessage.NEIGHBOR_ADVERTISEMENT, 0);
        boolean right = NdpMessage.targetHi(next.frame(), next.transportAt()) == target.hi()
                && NdpMessage.targetLo(next.frame(), next.transportAt()) == target.lo();
        if (!right) {
            throw new AssertionError("not about " + target + ": " + next);
        }
        return next;
    }

    /** The next frame must be an ARP reply for {@code target}; returns the MAC address it gives. */
    public long receiveArpReply(IpAddress target) {
        Received next = receive();
        boolean right = next.isArp()
                && ArpPacket.operation(next.frame(), next.ipAt()) == ArpPacket.REPLY
                && ArpPacket.senderIp(next.frame(), next.ipAt()) == target.v4Bits();
        if (!right) {
            throw new AssertionError("not an ARP reply for " + target + ": " + next);
        }
        return ArpPacket.senderMac(next.frame(), next.ipAt());
    }
}
