package dev.longshore.vpnkit.icmp;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv6Extension;
import dev.longshore.packet.wire.Ipv6Header;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.ip.Icmpv6Input;
import dev.longshore.vpnkit.ip.IpOutput;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.ip.TransportInput;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/** ICMPv6 of one guest: RFC 4443. Confined to the link's event loop. */
public final class Icmpv6Layer implements Icmpv6Input {
    private final IpPlan plan;
    private final IpOutput output;
    private final EchoFlows echoes;
    private final TransportInput tcp;
    private final TransportInput udp;
    private final Counters<IcmpCounter> counters;

    /** {@code tcp} and {@code udp} hear of errors about their packets. */
    public Icmpv6Layer(
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
    public void onMessage(
            ByteBuf b, int at, int len, long guestHi, long guestLo, long remoteHi, long remoteLo, int traits) {
        switch (Icmpv6Header.type(b, at)) {
            case Icmpv6Header.ECHO_REQUEST -> {
                if (plan.isOurs(remoteHi, remoteLo)) {
                    answer(b, at, len, guestHi, guestLo, remoteHi, remoteLo);
                } else {
                    echoes.send(b, at, len, guestHi, guestLo, remoteHi, remoteLo, traits);
                }
            }
            case Icmpv6Header.DESTINATION_UNREACHABLE, Icmpv6Header.PACKET_TOO_BIG -> onError(b, at, len);
            default -> counters.increment(IcmpCounter.DROPPED_TYPE);
        }
    }

    private void answer(ByteBuf b, int at, int len, long guestHi, long guestLo, long ourHi, long ourLo) {
        OutFrame out = output.begin(ourHi, ourLo, guestHi, guestLo, IpProtocol.ICMPV6);
        ByteBuf head = out.head();
        int icmpAt = head.writerIndex();
        Icmpv6Header.write(head, Icmpv6Header.ECHO_REPLY, 0, b.getInt(at + 4));
        Icmpv6Header.complete(
                head, icmpAt, b, at + Icmpv6Header.BYTES, len - Icmpv6Header.BYTES, ourHi, ourLo, guestHi, guestLo);
        out.addPayload(b, at + Icmpv6Header.BYTES, len - Icmpv6Header.BYTES);
        counters.increment(output.end(out) ? IcmpCounter.ECHO_ANSWERED : IcmpCounter.DROPPED_NO_ROOM);
        out.clear();
    }

    /** The quote is a packet of ours, from a remote to the guest: without extension headers, but for a fragment's. */
    private void onError(ByteBuf b, int at, int len) {
        int quoteAt = at + Icmpv6Header.BYTES;
        int end = at + len;
        int portsAt = quoteAt + Ipv6Header.BYTES;
        if (end - portsAt < 8 || b.getUnsignedByte(quoteAt) >>> 4 != 6) {
            counters.increment(IcmpCounter.DROPPED_QUOTE);
            return;
        }
        int protocol = Ipv6Header.nextHeader(b, quoteAt);
        if (protocol == Ipv6Extension.FRAGMENT && Ipv6Extension.fragmentOffset(b, portsAt) == 0) {
            protocol = Ipv6Extension.nextHeader(b, portsAt);
            portsAt += Ipv6Extension.FRAGMENT_BYTES;
        }
        TransportInput transport = end - portsAt < 8 ? null : transport(protocol);
        if (transport == null) {
            counters.increment(IcmpCounter.DROPPED_QUOTE);
            return;
        }
        counters.increment(IcmpCounter.ERRORS_FROM_GUEST);
        long guestHi = Ipv6Header.destinationHi(b, quoteAt);
        long guestLo = Ipv6Header.destinationLo(b, quoteAt);
        long remoteHi = Ipv6Header.sourceHi(b, quoteAt);
        long remoteLo = Ipv6Header.sourceLo(b, quoteAt);
        int remotePort = b.getUnsignedShort(portsAt);
        int guestPort = b.getUnsignedShort(portsAt + 2);
        if (Icmpv6Header.type(b, at) == Icmpv6Header.PACKET_TOO_BIG) {
            int mtu = (int) Math.min(Icmpv6Header.mtu(b, at), Integer.MAX_VALUE);
            int seq = b.getInt(portsAt + 4);
            transport.onPacketTooBig(guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort, seq, mtu);
        } else {
            int code = codeV4(Icmpv6Header.code(b, at));
            transport.onUnreachable(guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort, code);
        }
    }

    private @Nullable TransportInput transport(int protocol) {
        return switch (protocol) {
            case IpProtocol.TCP -> tcp;
            case IpProtocol.UDP -> udp;
            default -> null;
        };
    }

    /** Transports know IPv4's codes. */
    private static int codeV4(int code) {
        return switch (code) {
            case Icmpv6Header.CODE_NO_ROUTE -> IcmpHeader.CODE_NET;
            case Icmpv6Header.CODE_ADMIN_PROHIBITED -> IcmpHeader.CODE_ADMIN_PROHIBITED;
            case Icmpv6Header.CODE_PORT -> IcmpHeader.CODE_PORT;
            default -> IcmpHeader.CODE_HOST;
        };
    }
}
