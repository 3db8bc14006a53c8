package dev.longshore.vpnkit.icmp;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.vpnkit.flow.FlowOwner;
import dev.longshore.vpnkit.flow.FlowSnapshot;
import dev.longshore.vpnkit.hostsocket.EgressMemory;
import dev.longshore.vpnkit.hostsocket.HostDatagrams;
import dev.longshore.vpnkit.hostsocket.HostError;
import dev.longshore.vpnkit.ip.PacketTraits;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * The pings of one identifier of the guest to one remote. The identifier on the wire is another: the kernel's, or ours on a
 * raw socket. Confined to the link's event loop.
 */
final class EchoFlow implements HostDatagrams.Receiver {
    final long guestHi;
    final long guestLo;
    final long remoteHi;
    final long remoteLo;
    final int identifier;
    final EgressMemory egress = new EgressMemory();
    private final EchoFlows flows;
    private final boolean v4;
    private final long openedAt;
    private HostDatagrams.@Nullable Socket socket;
    private FlowOwner owner = FlowOwner.nobody();
    private boolean raw;
    private int rawIdentifier;
    private long lastActive;
    private long bytesFromGuest;
    private long bytesToGuest;

    EchoFlow(EchoFlows flows, long guestHi, long guestLo, long remoteHi, long remoteLo, int identifier) {
        this.flows = flows;
        this.guestHi = guestHi;
        this.guestLo = guestLo;
        this.remoteHi = remoteHi;
        this.remoteLo = remoteLo;
        this.identifier = identifier;
        this.v4 = IpAddress.isV4(remoteHi, remoteLo);
        this.openedAt = flows.now();
        this.lastActive = openedAt;
    }

    long lastActive() {
        return lastActive;
    }

    /** 0, or the positive errno of connecting; the socket is the flow's from now on. */
    int use(PingSockets.Opened opened, int newRawIdentifier) {
        socket = opened.socket();
        raw = opened.raw();
        rawIdentifier = newRawIdentifier;
        return opened.socket().receiveHops().connect(remoteHi, remoteLo, 0);
    }

    /** Before anything is sent. */
    void belongTo(FlowOwner whose) {
        owner = whose;
    }

    FlowOwner owner() {
        return owner;
    }

    void send(ByteBuf b, int at, int len, int traits) {
        HostDatagrams.Socket s = socket;
        if (s == null) {
            return;
        }
        lastActive = flows.now();
        bytesFromGuest += len - IcmpHeader.BYTES;
        owner.countFromGuest(len - IcmpHeader.BYTES);
        s.travel(PacketTraits.hopsLeft(traits), PacketTraits.trafficClass(traits), PacketTraits.dontFragment(traits));
        if (!raw) {
            s.send(b, at, len, remoteHi, remoteLo, 0, 0, 0);
            return;
        }
        ByteBuf own = flows.scratch().writeBytes(b, at, len).setShort(4, rawIdentifier);
        if (v4) {
            IcmpHeader.complete(own, 0, len); // over IPv6 the kernel does it
        }
        s.send(own, 0, len, remoteHi, remoteLo, 0, 0, 0);
    }

    @Override
    public void onDatagram(
            ByteBuf b,
            int at,
            int len,
            long senderHi,
            long senderLo,
            int senderPort,
            long localHi,
            long localLo,
            int hops) {
        int skip = raw && v4 && len >= Ipv4Header.MIN_BYTES ? Ipv4Header.headerBytes(b, at) : 0;
        int icmpAt = at + skip;
        int icmpLen = len - skip;
        if (icmpLen < IcmpHeader.BYTES || !isReply(IcmpHeader.type(b, icmpAt))) {
            flows.counters.increment(IcmpCounter.DROPPED_TYPE);
        } else if (!raw || IcmpHeader.identifier(b, icmpAt) == rawIdentifier) { // else another's on this host
            onReply(b, icmpAt, icmpLen, hops);
        }
    }

    private boolean isReply(int type) {
        return type == (v4 ? IcmpHeader.ECHO_REPLY : Icmpv6Header.ECHO_REPLY);
    }

    private void onReply(ByteBuf b, int at, int len, int hops) {
        lastActive = flows.now();
        bytesToGuest += len - IcmpHeader.BYTES;
        owner.countToGuest(len - IcmpHeader.BYTES);
        b.setShort(at + 4, identifier);
        if (v4) {
            IcmpHeader.complete(b, at, len);
        } else {
            Icmpv6Header.complete(b, at, len, remoteHi, remoteLo, guestHi, guestLo);
        }
        OutFrame out =
                flows.output.begin(remoteHi, remoteLo, guestHi, guestLo, v4 ? IpProtocol.ICMP : IpProtocol.ICMPV6);
        if (hops > 1) {
            flows.output.setHops(out, hops - 1); // this is a hop, too
        }
        out.head().writeBytes(b, at, IcmpHeader.BYTES);
        out.addPayload(b, at + IcmpHeader.BYTES, len - IcmpHeader.BYTES);
        flows.counters.increment(flows.output.end(out) ? IcmpCounter.ECHO_REPLIED : IcmpCounter.DROPPED_NO_ROOM);
        out.clear();
    }

    @Override
    public void onReadComplete() {
        flows.output.flush();
    }

    /** The datagram starts with the ICMP header as it was on the wire. */
    @Override
    public void onError(HostError error) {
        ByteBuf sent = error.payload();
        int at = error.at();
        if (error.bytes() < IcmpHeader.BYTES
                || (raw && IcmpHeader.identifier(sent, at) != rawIdentifier)
                || isReply(IcmpHeader.type(sent, at))) {
            flows.counters.increment(IcmpCounter.DROPPED_QUOTE);
            return;
        }
        ByteBuf quote = flows.scratch();
        quote.writeBytes(sent, at, Math.min(error.bytes(), quote.capacity()));
        quote.setShort(4, identifier);
        if (v4) {
            IcmpHeader.complete(quote, 0, quote.writerIndex());
        } else {
            Icmpv6Header.complete(quote, 0, quote.writerIndex(), guestHi, guestLo, remoteHi, remoteLo);
        }
        flows.pass(error, this, quote, 0, quote.writerIndex());
    }

    @Override
    public void onDropped() {
        flows.counters.increment(IcmpCounter.DROPPED_HOST_BUSY);
    }

    void close() {
        HostDatagrams.Socket s = socket;
        if (s != null) {
            s.close();
        }
        owner.end();
    }

    FlowSnapshot snapshot(long now) {
        return FlowSnapshot.ofDatagrams(
                IpAddress.isV4(guestHi, guestLo) ? IpProtocol.ICMP : IpProtocol.ICMPV6,
                new IpAddress(guestHi, guestLo),
                identifier,
                new IpAddress(remoteHi, remoteLo),
                0,
                null,
                false,
                bytesToGuest == 0 ? "asking" : "answered",
                bytesFromGuest,
                bytesToGuest,
                openedAt,
                now,
                owner.identity());
    }

    @Override
    public String toString() {
        return "ping " + new IpAddress(guestHi, guestLo) + " > " + new IpAddress(remoteHi, remoteLo);
    }
}
