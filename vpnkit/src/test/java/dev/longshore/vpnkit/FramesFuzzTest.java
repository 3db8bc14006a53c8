package dev.longshore.vpnkit;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.packet.wire.Dhcpv6Message;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.Ipv6Header;
import dev.longshore.testkit.GuestEnd;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.time.Duration;

/** Whatever a guest sends, nothing throws. How to search: {@code ./longshore fuzz}. */
class FramesFuzzTest {
    private static final IpAddress[] OURS = {GuestEnd.GATEWAY, GuestEnd.DNS, IpAddress.v4(-1)};

    private static final IpAddress[] OURS6 = {GuestEnd.GATEWAY6, GuestEnd.DNS6, GuestEnd.ROUTER, GuestEnd.HOST6};

    private static final IpAddress[] GROUPS = {
        GuestEnd.ALL_NODES, GuestEnd.ALL_ROUTERS, Dhcpv6Message.ALL_SERVERS, GuestEnd.solicitedNode(GuestEnd.HOST6)
    };

    /** Input: frames, each with an offload byte and two length bytes before it. */
    @FuzzTest(maxDuration = "2m")
    void anyFrames(byte[] input) {
        try (TestNetwork net = new TestNetwork()) {
            ByteBuf in = Unpooled.wrappedBuffer(input);
            while (in.readableBytes() >= 3) {
                int offload = in.readUnsignedByte() & 7;
                int length = Math.min(in.readUnsignedShort(), in.readableBytes());
                ByteBuf frame = Unpooled.buffer().writeBytes(in, length);
                keepOnThisMachine(frame);
                net.link.deliver(frame, offload);
            }
            net.loop.advance(Duration.ofSeconds(40));
            if (net.dropped("fault") > 0) {
                throw new AssertionError("a bug was caught at the edge: see the log");
            }
        }
    }

    /** A search must not send to strangers: addresses become ours, checksums right, so that it gets further, too. */
    private static void keepOnThisMachine(ByteBuf frame) {
        int at = EthernetHeader.BYTES;
        if (frame.readableBytes() < at + Ipv4Header.MIN_BYTES) {
            return;
        }
        if (frame.getUnsignedShort(12) == EthernetHeader.TYPE_IPV6) {
            keepOnThisMachine6(frame, at);
            return;
        }
        IpAddress to = OURS[(frame.getByte(at + 16) & 0xFF) % OURS.length];
        frame.setInt(at + 16, to.v4Bits());
        if (Ipv4Header.headerBytes(frame, at) <= frame.readableBytes() - at) {
            Ipv4Header.updateChecksum(frame, at);
        }
        int udpAt = at + Ipv4Header.headerBytes(frame, at);
        if (Ipv4Header.protocol(frame, at) == IpProtocol.UDP && frame.readableBytes() >= udpAt + 8) {
            frame.setShort(udpAt + 6, 0);
        }
    }

    private static void keepOnThisMachine6(ByteBuf frame, int at) {
        if (frame.readableBytes() < at + Ipv6Header.BYTES) {
            return;
        }
        boolean group = frame.getUnsignedByte(at + 24) == 0xFF;
        IpAddress to = group ? GROUPS[frame.getByte(at + 39) & 3] : OURS6[frame.getByte(at + 39) & 3];
        frame.setLong(at + 24, to.hi()).setLong(at + 32, to.lo());
        int payload = frame.readableBytes() - at - Ipv6Header.BYTES;
        Ipv6Header.complete(frame, at, payload);
        if (Ipv6Header.nextHeader(frame, at) == IpProtocol.ICMPV6 && payload >= Icmpv6Header.BYTES) {
            Icmpv6Header.complete(
                    frame,
                    at + Ipv6Header.BYTES,
                    payload,
                    Ipv6Header.sourceHi(frame, at),
                    Ipv6Header.sourceLo(frame, at),
                    to.hi(),
                    to.lo());
        }
    }
}
