package dev.longshore.vpnkit.ip;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.Ipv6Header;
import dev.longshore.vpnkit.count.Counters;
import io.netty.buffer.ByteBuf;
import java.util.function.LongSupplier;

/** Makes ICMP errors to the guest: RFC 792, RFC 1122 §3.2.2, RFC 1812 §4.3.2; RFC 4443. Confined to the link's event loop. */
public final class IcmpErrorSender implements IcmpErrors {
    /** Linux net.ipv4.icmp_msgs_per_sec and icmp_msgs_burst. */
    private static final int PER_SECOND = 1000;

    private static final int BURST = 50;

    /** An error has at most 576 bytes with its IP header (RFC 1812 §4.3.2.3). */
    private static final int MAX_QUOTE = 576 - Ipv4Header.MIN_BYTES - IcmpHeader.BYTES;

    /** An IPv6 error fits in the least MTU (RFC 4443 §2.4 (c)). */
    private static final int MAX_QUOTE_V6 = Ipv6Output.MIN_MTU - Ipv6Header.BYTES - Icmpv6Header.BYTES;

    private final IpOutput output;
    private final IpPlan plan;
    private final Counters<IpCounter> counters;
    private final RateLimit limit;

    public IcmpErrorSender(IpOutput output, IpPlan plan, Counters<IpCounter> counters, LongSupplier nanoClock) {
        this.output = output;
        this.plan = plan;
        this.counters = counters;
        this.limit = new RateLimit(nanoClock, PER_SECOND, BURST);
    }

    /**
     * For a packet that is at hand: a valid one at {@code ipAt}, not a later fragment, to a unicast address. Never answers
     * an ICMP error, as that could go on for ever. Sent at the batch's end.
     */
    void sendFor(ByteBuf b, int ipAt, int type, int code) {
        if (isIcmpError(b, ipAt) || !allowed()) {
            return;
        }
        int source = plan.isOurs(Ipv4Header.destination(b, ipAt))
                ? Ipv4Header.destination(b, ipAt)
                : plan.gateway().v4Bits();
        OutFrame out = output.begin(
                0, IpAddress.loOfV4(source), 0, IpAddress.loOfV4(Ipv4Header.source(b, ipAt)), IpProtocol.ICMP);
        ByteBuf head = out.head();
        int icmpAt = head.writerIndex();
        IcmpHeader.write(head, type, code, 0);
        head.writeBytes(b, ipAt, Math.min(MAX_QUOTE, Ipv4Header.totalLength(b, ipAt)));
        finish(out, icmpAt);
    }

    /**
     * For an IPv6 packet that is at hand: a valid one at {@code ipAt}, not a later fragment, from a unicast address: RFC
     * 4443 §2.4. Never answers an ICMP error. Sent at the batch's end.
     *
     * @param secondWord the pointer of a parameter problem, the MTU of packet too big, else 0
     * @param icmpError whether the packet is one, which the caller knows from the end of the header chain
     */
    void sendFor6(ByteBuf b, int ipAt, int type, int code, int secondWord, boolean icmpError) {
        if (icmpError || !allowed()) {
            return;
        }
        long guestHi = Ipv6Header.sourceHi(b, ipAt);
        long guestLo = Ipv6Header.sourceLo(b, ipAt);
        boolean asked = plan.isOurs(Ipv6Header.destinationHi(b, ipAt), Ipv6Header.destinationLo(b, ipAt));
        IpAddress own = IpAddress.isLinkLocal(guestHi) ? IpPlan.LINK_LOCAL : plan.gateway6();
        long ourHi = asked ? Ipv6Header.destinationHi(b, ipAt) : own.hi();
        long ourLo = asked ? Ipv6Header.destinationLo(b, ipAt) : own.lo();
        OutFrame out = output.begin(ourHi, ourLo, guestHi, guestLo, IpProtocol.ICMPV6);
        ByteBuf head = out.head();
        int icmpAt = head.writerIndex();
        Icmpv6Header.write(head, type, code, secondWord);
        head.writeBytes(b, ipAt, Math.min(MAX_QUOTE_V6, Ipv6Header.BYTES + Ipv6Header.payloadLength(b, ipAt)));
        Icmpv6Header.complete(head, icmpAt, head.writerIndex() - icmpAt, ourHi, ourLo, guestHi, guestLo);
        send(out);
    }

    private static boolean isIcmpError(ByteBuf b, int ipAt) {
        int icmpAt = ipAt + Ipv4Header.headerBytes(b, ipAt);
        return Ipv4Header.protocol(b, ipAt) == IpProtocol.ICMP
                && Ipv4Header.totalLength(b, ipAt) > Ipv4Header.headerBytes(b, ipAt)
                && IcmpHeader.isError(IcmpHeader.type(b, icmpAt));
    }

    @Override
    public void unreachable(
            int protocol,
            int code,
            long guestHi,
            long guestLo,
            int guestPort,
            long remoteHi,
            long remoteLo,
            int remotePort,
            int fifthToEighthByte) {
        if (!allowed()) {
            return;
        }
        if (!IpAddress.isV4(guestHi, guestLo)) {
            unreachable6(
                    protocol, code, guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort, fifthToEighthByte);
            return;
        }
        // "No such port" is the remote's own word, the others are a router's.
        int source =
                code == IcmpHeader.CODE_PORT ? (int) remoteLo : plan.gateway().v4Bits();
        OutFrame out = output.begin(0, IpAddress.loOfV4(source), guestHi, guestLo, IpProtocol.ICMP);
        ByteBuf head = out.head();
        int icmpAt = head.writerIndex();
        IcmpHeader.write(head, IcmpHeader.DESTINATION_UNREACHABLE, code, 0);
        int quoteAt = head.writerIndex();
        Ipv4Header.write(head, protocol, 64, Ipv4Header.DF, (int) guestLo, (int) remoteLo);
        head.writeShort(guestPort);
        head.writeShort(remotePort);
        head.writeInt(fifthToEighthByte);
        Ipv4Header.complete(head, quoteAt, Ipv4Header.MIN_BYTES + 8);
        finish(out, icmpAt);
        output.flush();
    }

    private void unreachable6(
            int protocol,
            int code,
            long guestHi,
            long guestLo,
            int guestPort,
            long remoteHi,
            long remoteLo,
            int remotePort,
            int fifthToEighthByte) {
        IpAddress gateway = plan.gateway6();
        long ourHi = code == IcmpHeader.CODE_PORT ? remoteHi : gateway.hi();
        long ourLo = code == IcmpHeader.CODE_PORT ? remoteLo : gateway.lo();
        OutFrame out = output.begin(ourHi, ourLo, guestHi, guestLo, IpProtocol.ICMPV6);
        ByteBuf head = out.head();
        int icmpAt = head.writerIndex();
        Icmpv6Header.write(head, Icmpv6Header.DESTINATION_UNREACHABLE, codeV6(code), 0);
        int quoteAt = head.writerIndex();
        int quoted = protocol == IpProtocol.ICMP ? IpProtocol.ICMPV6 : protocol;
        Ipv6Header.write(head, quoted, Ipv6Output.HOP_LIMIT, guestHi, guestLo, remoteHi, remoteLo);
        head.writeShort(guestPort);
        head.writeShort(remotePort);
        head.writeInt(fifthToEighthByte);
        Ipv6Header.complete(head, quoteAt, 8);
        Icmpv6Header.complete(head, icmpAt, head.writerIndex() - icmpAt, ourHi, ourLo, guestHi, guestLo);
        send(out);
        output.flush();
    }

    /** RFC 4443 §3.1 in the place of RFC 792. */
    private static int codeV6(int code) {
        return switch (code) {
            case IcmpHeader.CODE_NET -> Icmpv6Header.CODE_NO_ROUTE;
            case IcmpHeader.CODE_PORT -> Icmpv6Header.CODE_PORT;
            case IcmpHeader.CODE_ADMIN_PROHIBITED -> Icmpv6Header.CODE_ADMIN_PROHIBITED;
            default -> Icmpv6Header.CODE_ADDRESS;
        };
    }

    @Override
    public void pass(
            int type,
            int code,
            int info,
            long offenderHi,
            long offenderLo,
            int protocol,
            long guestHi,
            long guestLo,
            long remoteHi,
            long remoteLo,
            ByteBuf b,
            int at,
            int len) {
        if (!allowed()) {
            return;
        }
        boolean v4 = IpAddress.isV4(guestHi, guestLo);
        boolean known =
                offenderLo != 0 && IpAddress.isV4(offenderHi, offenderLo) == v4 && mayBeSaidBy(offenderHi, offenderLo);
        IpAddress gateway = v4 ? plan.gateway() : plan.gateway6();
        long ourHi = known ? offenderHi : gateway.hi();
        long ourLo = known ? offenderLo : gateway.lo();
        if (v4) {
            pass4(type, code, info, ourLo, protocol, guestLo, remoteLo, b, at, len);
        } else {
            pass6(type, code, info, ourHi, ourLo, protocol, guestHi, guestLo, remoteHi, remoteLo, b, at, len);
        }
        output.flush();
    }

    /** Not the guest itself, nor a stranger that has an address of its link. */
    private boolean mayBeSaidBy(long hi, long lo) {
        boolean nobody = IpAddress.isV4(hi, lo) ? (int) lo >>> 24 == 127 || (int) lo >>> 24 == 0 : hi == 0;
        return plan.isOurs(hi, lo) || (!nobody && !plan.isOnLink(hi, lo));
    }

    private void pass4(
            int type,
            int code,
            int info,
            long ourLo,
            int protocol,
            long guestLo,
            long remoteLo,
            ByteBuf b,
            int at,
            int len) {
        OutFrame out = output.begin(0, ourLo, 0, guestLo, IpProtocol.ICMP);
        ByteBuf head = out.head();
        int icmpAt = head.writerIndex();
        IcmpHeader.write(head, type, code, info & 0xFFFF);
        int quoteAt = head.writerIndex();
        Ipv4Header.write(head, protocol, 1, Ipv4Header.DF, (int) guestLo, (int) remoteLo);
        int quoted = Math.min(len, MAX_QUOTE - Ipv4Header.MIN_BYTES);
        head.writeBytes(b, at, quoted);
        Ipv4Header.complete(head, quoteAt, Ipv4Header.MIN_BYTES + quoted);
        finish(out, icmpAt);
    }

    private void pass6(
            int type,
            int code,
            int info,
            long ourHi,
            long ourLo,
            int protocol,
            long guestHi,
            long guestLo,
            long remoteHi,
            long remoteLo,
            ByteBuf b,
            int at,
            int len) {
        OutFrame out = output.begin(ourHi, ourLo, guestHi, guestLo, IpProtocol.ICMPV6);
        ByteBuf head = out.head();
        int icmpAt = head.writerIndex();
        Icmpv6Header.write(head, type, code, info);
        int quoteAt = head.writerIndex();
        int next = protocol == IpProtocol.ICMP ? IpProtocol.ICMPV6 : protocol;
        Ipv6Header.write(head, next, 1, guestHi, guestLo, remoteHi, remoteLo);
        int quoted = Math.min(len, MAX_QUOTE_V6 - Ipv6Header.BYTES);
        head.writeBytes(b, at, quoted);
        Ipv6Header.complete(head, quoteAt, quoted);
        Icmpv6Header.complete(head, icmpAt, head.writerIndex() - icmpAt, ourHi, ourLo, guestHi, guestLo);
        send(out);
    }

    private boolean allowed() {
        if (limit.take()) {
            return true;
        }
        counters.increment(IpCounter.ICMP_ERRORS_SUPPRESSED);
        return false;
    }

    private void finish(OutFrame out, int icmpAt) {
        ByteBuf head = out.head();
        IcmpHeader.complete(head, icmpAt, head.writerIndex() - icmpAt);
        send(out);
    }

    private void send(OutFrame out) {
        counters.increment(output.end(out) ? IpCounter.ICMP_ERRORS_SENT : IpCounter.DROPPED_NO_ROOM);
        out.clear();
    }
}
