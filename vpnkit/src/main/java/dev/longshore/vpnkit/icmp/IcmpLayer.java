package dev.longshore.vpnkit.icmp;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.Checksum;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.ip.IpOutput;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.ip.TransportInput;
import io.netty.buffer.ByteBuf;

/** ICMP of one guest. Confined to the link's event loop, but for {@link #counters}. */
public final class IcmpLayer implements TransportInput {
    /** RFC 1191 §5: what a path carries whose router does not say how much; every host takes it. */
    private static final int OLD_ROUTERS_MTU = 576;

    private final IpPlan plan;
    private final IpOutput output;
    private final EchoFlows echoes;
    private final TransportInput tcp;
    private final TransportInput udp;
    private final Counters<IcmpCounter> counters;

    /** {@code tcp} and {@code udp} hear of errors about their packets. */
    public IcmpLayer(
            IpPlan plan,
            IpOutput output,
            EchoFlows echoes,
            TransportInput tcp,
            TransportInput udp,
            Counters<IcmpCounter> counters) {
        this.plan = plan;
        this.output = output;
        this.echoes = echoes;
        this.tcp = tcp;
        this.udp = udp;
        this.counters = counters;
    }

    @Override
    public void onSegment(
            ByteBuf b, int at, int len, long guestHi, long guestLo, long remoteHi, long remoteLo, int traits) {
        if (!IcmpHeader.isValid(b, at, len)) {
            counters.increment(IcmpCounter.DROPPED_HEADER);
            return;
        }
        if (!IcmpHeader.isChecksumRight(b, at, len)) { // no device offloads this one
            counters.increment(IcmpCounter.DROPPED_CHECKSUM);
            return;
        }
        switch (IcmpHeader.type(b, at)) {
            case IcmpHeader.ECHO_REQUEST -> onEcho(b, at, len, guestHi, guestLo, remoteHi, remoteLo, traits);
            case IcmpHeader.DESTINATION_UNREACHABLE -> onUnreachable(b, at, len);
            default -> counters.increment(IcmpCounter.DROPPED_TYPE);
        }
    }

    private void onEcho(
            ByteBuf b, int at, int len, long guestHi, long guestLo, long remoteHi, long remoteLo, int traits) {
        if (!plan.isOurs((int) remoteLo)) {
            echoes.send(b, at, len, guestHi, guestLo, remoteHi, remoteLo, traits);
            return;
        }
        OutFrame out = output.begin(remoteHi, remoteLo, guestHi, guestLo, IpProtocol.ICMP);
        int icmpAt = out.head().writerIndex();
        IcmpHeader.write(out.head(), IcmpHeader.ECHO_REPLY, 0, b.getInt(at + 4));
        int typeAndCode = b.getUnsignedShort(at); // nmap sends codes other than 0
        out.head().setShort(icmpAt + 2, Checksum.update(b.getUnsignedShort(at + 2), typeAndCode, 0));
        out.addPayload(b, at + IcmpHeader.BYTES, len - IcmpHeader.BYTES);
        counters.increment(output.end(out) ? IcmpCounter.ECHO_ANSWERED : IcmpCounter.DROPPED_NO_ROOM);
        out.clear();
    }

    /** The quote is a packet of ours: from a remote, to the guest. */
    private void onUnreachable(ByteBuf b, int at, int len) {
        int quoteAt = at + IcmpHeader.BYTES;
        int quoteLen = len - IcmpHeader.BYTES;
        // Not isValid: the quote is shorter than the length it names.
        boolean quotes = quoteLen >= Ipv4Header.MIN_BYTES + 4
                && b.getUnsignedByte(quoteAt) >>> 4 == 4
                && Ipv4Header.headerBytes(b, quoteAt) >= Ipv4Header.MIN_BYTES
                && Ipv4Header.headerBytes(b, quoteAt) + 4 <= quoteLen
                && Ipv4Header.fragmentOffset(b, quoteAt) == 0;
        TransportInput transport = quotes ? transport(Ipv4Header.protocol(b, quoteAt)) : null;
        if (transport == null) {
            counters.increment(IcmpCounter.DROPPED_QUOTE);
            return;
        }
        counters.increment(IcmpCounter.ERRORS_FROM_GUEST);
        int portsAt = quoteAt + Ipv4Header.headerBytes(b, quoteAt);
        long guestLo = IpAddress.loOfV4(Ipv4Header.destination(b, quoteAt));
        long remoteLo = IpAddress.loOfV4(Ipv4Header.source(b, quoteAt));
        int remotePort = b.getUnsignedShort(portsAt);
        int guestPort = b.getUnsignedShort(portsAt + 2);
        int code = IcmpHeader.code(b, at);
        if (code != IcmpHeader.CODE_TOO_BIG) {
            transport.onUnreachable(0, guestLo, guestPort, 0, remoteLo, remotePort, code);
        } else if (at + len - portsAt >= 8) {
            int told = IcmpHeader.nextHopMtu(b, at);
            int mtu = told == 0 ? OLD_ROUTERS_MTU : told;
            transport.onPacketTooBig(0, guestLo, guestPort, 0, remoteLo, remotePort, b.getInt(portsAt + 4), mtu);
        } else {
            counters.increment(IcmpCounter.DROPPED_QUOTE); // nothing shows that it is about something in flight
        }
    }

    private @org.jspecify.annotations.Nullable TransportInput transport(int protocol) {
        return switch (protocol) {
            case IpProtocol.TCP -> tcp;
            case IpProtocol.UDP -> udp;
            default -> null;
        };
    }

    /** ICMP about our ICMP: ping sockets are told by the host, not by the guest. */
    @Override
    public void onUnreachable(
            long guestHi, long guestLo, int guestPort, long remoteHi, long remoteLo, int remotePort, int code) {}

    @Override
    public void onBatchEnd() {
        echoes.onBatchEnd();
    }

    @Override
    public void onWritable() {}

    @Override
    public void onLinkState(boolean up) {
        if (!up) {
            echoes.endAll();
        }
    }
}
