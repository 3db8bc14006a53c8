package dev.longshore.vpnkit.ip;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.Ipv6Header;
import dev.longshore.packet.wire.UdpHeader;
import dev.longshore.vpnkit.count.Counters;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What routers say, as the guest gets it: RFC 792, RFC 1191, RFC 4443. */
class ErrorRelayTest {
    private static final IpAddress ROUTER = IpAddress.parse("203.0.113.9");
    private static final IpAddress ROUTER6 = IpAddress.parse("2001:db8:9::1");
    private static final IpAddress REMOTE = IpAddress.parse("192.0.2.53");
    private static final IpAddress REMOTE6 = IpAddress.parse("2001:db8::53");

    private final IpPlan plan = IpPlan.standard();
    private final Sent sent = new Sent();
    private final IcmpErrorSender relay =
            new IcmpErrorSender(sent, plan, new Counters<>(IpCounter.class), () -> Long.MAX_VALUE - 5);
    private final ByteBuf datagram = Unpooled.buffer();

    /** Takes packets without their IP header. */
    private static final class Sent implements IpOutput {
        final OutFrame frame = new OutFrame(Unpooled.directBuffer(64, 4096));
        final List<IpAddress> sources = new ArrayList<>();
        final List<ByteBuf> messages = new ArrayList<>();

        @Override
        public OutFrame begin(long sourceHi, long sourceLo, long destinationHi, long destinationLo, int protocol) {
            sources.add(new IpAddress(sourceHi, sourceLo));
            return frame.clear();
        }

        @Override
        public boolean end(OutFrame out) {
            messages.add(Unpooled.wrappedBuffer(ByteBufUtil.getBytes(out.head())));
            return true;
        }

        @Override
        public void flush() {}

        @Override
        public boolean isWritable() {
            return true;
        }

        @Override
        public int mtu() {
            return 1500;
        }

        @Override
        public int maxGsoPayload(boolean v4) {
            return 0;
        }

        @Override
        public boolean checksumOffload() {
            return false;
        }
    }

    @AfterEach
    void release() {
        sent.frame.release();
    }

    private void pass(int type, int code, int info, IpAddress offender, int payloadBytes) {
        boolean v4 = offender.isV4();
        IpAddress guest = v4 ? plan.guest() : plan.guest6();
        IpAddress remote = v4 ? REMOTE : REMOTE6;
        datagram.clear();
        UdpHeader.write(datagram, 4000, 33434, UdpHeader.BYTES + payloadBytes);
        datagram.writeZero(payloadBytes);
        relay.pass(
                type,
                code,
                info,
                offender.hi(),
                offender.lo(),
                IpProtocol.UDP,
                guest.hi(),
                guest.lo(),
                remote.hi(),
                remote.lo(),
                datagram,
                0,
                datagram.readableBytes());
    }

    @Test
    void timeExceeded_comesFromTheRouter_andQuotesTheGuestsPacket() {
        pass(IcmpHeader.TIME_EXCEEDED, 0, 0, ROUTER, 32);
        ByteBuf m = sent.messages.getFirst();
        assertThat(sent.sources).containsExactly(ROUTER);
        assertThat(IcmpHeader.type(m, 0)).isEqualTo(IcmpHeader.TIME_EXCEEDED);
        assertThat(IcmpHeader.isChecksumRight(m, 0, m.readableBytes())).isTrue();
        assertThat(Ipv4Header.isValid(m, 8, m.readableBytes() - 8)).isTrue();
        assertThat(Ipv4Header.isChecksumRight(m, 8)).isTrue();
        assertThat(Ipv4Header.source(m, 8)).isEqualTo(plan.guest().v4Bits());
        assertThat(Ipv4Header.destination(m, 8)).isEqualTo(REMOTE.v4Bits());
        assertThat(UdpHeader.sourcePort(m, 28)).isEqualTo(4000);
        assertThat(UdpHeader.destinationPort(m, 28)).isEqualTo(33434);
        assertThat(m.readableBytes()).isEqualTo(8 + 20 + 8 + 32);
    }

    /** orbstack: packets above the path's MTU vanished without a word. */
    @Test
    void tooBig_namesTheMtu_inBothFamilies() {
        pass(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_TOO_BIG, 1280, ROUTER, 1400);
        ByteBuf m = sent.messages.getFirst();
        assertThat(IcmpHeader.nextHopMtu(m, 0)).isEqualTo(1280);
        assertThat(m.readableBytes() + 20).isLessThanOrEqualTo(576); // RFC 1812 §4.3.2.3
        pass(Icmpv6Header.PACKET_TOO_BIG, 0, 1280, ROUTER6, 1400);
        ByteBuf m6 = sent.messages.getLast();
        assertThat(sent.sources.getLast()).isEqualTo(ROUTER6);
        assertThat(Icmpv6Header.type(m6, 0)).isEqualTo(Icmpv6Header.PACKET_TOO_BIG);
        assertThat(Icmpv6Header.mtu(m6, 0)).isEqualTo(1280);
        assertThat(m6.readableBytes() + Ipv6Header.BYTES).isLessThanOrEqualTo(1280);
        IpAddress guest = plan.guest6();
        assertThat(Icmpv6Header.isChecksumRight(
                        m6, 0, m6.readableBytes(), ROUTER6.hi(), ROUTER6.lo(), guest.hi(), guest.lo()))
                .isTrue();
        assertThat(Ipv6Header.destinationLo(m6, 8)).isEqualTo(REMOTE6.lo());
        assertThat(UdpHeader.destinationPort(m6, 48)).isEqualTo(33434);
    }

    @Test
    void whoCannotHaveSaidIt_isReplacedByTheGateway() {
        IpAddress[] impossible = {
            new IpAddress(0, 0xFFFF_0000_0000L), // the host's own kernel
            IpAddress.parse("127.0.0.1"),
            plan.guest(),
            IpAddress.parse("192.168.65.77"),
        };
        for (IpAddress offender : impossible) {
            pass(IcmpHeader.DESTINATION_UNREACHABLE, IcmpHeader.CODE_HOST, 0, offender, 0);
            assertThat(sent.sources.getLast()).as("%s", offender).isEqualTo(plan.gateway());
        }
        pass(Icmpv6Header.DESTINATION_UNREACHABLE, 0, 0, new IpAddress(0, 1), 0);
        assertThat(sent.sources.getLast()).isEqualTo(plan.gateway6());
    }

    @Test
    void flood_isLimited() {
        for (int i = 0; i < 1000; i++) {
            pass(IcmpHeader.TIME_EXCEEDED, 0, 0, ROUTER, 0);
        }
        assertThat(sent.messages).hasSize(50);
    }
}
