package dev.longshore.vpnkit.ip;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.vpnkit.count.Counters;
import io.netty.buffer.ByteBuf;
import java.util.function.LongSupplier;

/** Makes ICMP errors to the guest: RFC 792, RFC 1122 §3.2.2, RFC 1812 §4.3.2. Confined to the link's event loop. */
public final class IcmpErrorSender implements IcmpErrors {
    /** Linux net.ipv4.icmp_msgs_per_sec and icmp_msgs_burst. */
    private static final int PER_SECOND = 1000;

    private static final int BURST = 50;

    /** An error has at most 576 bytes with its IP header (RFC 1812 §4.3.2.3). */
    private static final int MAX_QUOTE = 576 - Ipv4Header.MIN_BYTES - IcmpHeader.BYTES;

    private final Ipv4Output output;
    private final IpPlan plan;
    private final Counters<IpCounter> counters;
    private final RateLimit limit;

    public IcmpErrorSender(Ipv4Output output, IpPlan plan, Counters<IpCounter> counters, LongSupplier nanoClock) {
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
        if (output.end(out)) {
            counters.increment(IpCounter.ICMP_ERRORS_SENT);
        }
        out.clear();
    }
}
