package dev.longshore.vpnkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.wire.ArpPacket;
import dev.longshore.packet.wire.Dhcpv6Message;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.Ipv6Extension;
import dev.longshore.packet.wire.UdpHeader;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.vpnkit.count.Counters;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Frames nobody would send: nothing throws, nothing leaks, every answer is well formed (the guest's end checks it). Longer
 * with {@code -Dlongshore.test.frames=5000000}.
 */
class NetworkRandomTest {
    private static final int FRAMES = Integer.getInteger("longshore.test.frames", 10_000);

    /** Never anything that would leave this machine: our own addresses, and such as no packet may go to. */
    private static final IpAddress[] DESTINATIONS = {
        GuestEnd.GATEWAY,
        GuestEnd.DNS,
        GuestEnd.HOST,
        IpAddress.parse("255.255.255.255"),
        IpAddress.parse("192.168.65.255"),
        IpAddress.parse("192.168.65.50"),
        IpAddress.parse("224.0.0.251"),
        IpAddress.parse("127.0.0.1"),
        IpAddress.parse("0.0.0.0"),
    };

    private static final IpAddress[] DESTINATIONS6 = {
        GuestEnd.GATEWAY6,
        GuestEnd.DNS6,
        GuestEnd.HOST6,
        GuestEnd.ROUTER,
        GuestEnd.ALL_NODES,
        GuestEnd.ALL_ROUTERS,
        Dhcpv6Message.ALL_SERVERS,
        GuestEnd.solicitedNode(GuestEnd.HOST6),
        IpAddress.parse("fdc4:f303:9324::99"),
        IpAddress.parse("::1"),
        new IpAddress(0, 0),
    };

    private static final IpAddress[] SOURCES6 = {
        GuestEnd.GUEST6,
        GuestEnd.GUEST6,
        GuestEnd.GUEST_LINK_LOCAL,
        GuestEnd.GUEST_LINK_LOCAL,
        GuestEnd.UNSPECIFIED,
        GuestEnd.GATEWAY6,
        GuestEnd.ALL_NODES,
        IpAddress.parse("fd00:1::2"),
    };

    private static final int[] NEXT_HEADERS = {
        IpProtocol.ICMPV6,
        IpProtocol.ICMPV6,
        IpProtocol.UDP,
        IpProtocol.TCP,
        Ipv6Extension.HOP_BY_HOP,
        Ipv6Extension.DESTINATION_OPTIONS,
        Ipv6Extension.ROUTING,
        Ipv6Extension.FRAGMENT,
        Ipv6Extension.NO_NEXT_HEADER,
        132,
    };

    private static final IpAddress[] SOURCES = {
        GuestEnd.GUEST,
        GuestEnd.GUEST,
        GuestEnd.GUEST,
        IpAddress.parse("172.17.0.2"),
        IpAddress.parse("0.0.0.0"),
        GuestEnd.GATEWAY,
        IpAddress.parse("255.255.255.255"),
    };

    private static final int[] PROTOCOLS = {IpProtocol.ICMP, IpProtocol.TCP, IpProtocol.UDP, IpProtocol.UDP, 132, 0};

    /** No port on which a test machine may have a listener matters: 9 and above 65,000. */
    private static final int[] PORTS = {53, 67, 68, 9, 65_432, 0};

    private final TestNetwork net = new TestNetwork();

    @AfterEach
    void close() {
        net.close();
    }

    private static int pick(Random random, int[] from) {
        return from[random.nextInt(from.length)];
    }

    /** Extension headers, fragments, neighbor discovery and DHCPv6 that are nearly right. */
    private ByteBuf frame6(Random random) {
        IpAddress to = DESTINATIONS6[random.nextInt(DESTINATIONS6.length)];
        IpAddress from = SOURCES6[random.nextInt(SOURCES6.length)];
        int next = pick(random, NEXT_HEADERS);
        ByteBuf b = transport(random);
        if (next == IpProtocol.ICMPV6 && b.readableBytes() >= 8 && random.nextInt(8) != 0) {
            b.setByte(0, random.nextBoolean() ? 133 + random.nextInt(5) : random.nextInt(5) + 127);
            b.setByte(1, 0);
            for (int i = 9; i < b.writerIndex(); i += 8) {
                b.setByte(i, random.nextInt(3));
            }
            Icmpv6Header.complete(b, 0, b.writerIndex(), from.hi(), from.lo(), to.hi(), to.lo());
        } else if (next == IpProtocol.UDP && b.readableBytes() >= 8) {
            b.setShort(2, random.nextBoolean() ? 547 : pick(random, PORTS)).setShort(4, b.writerIndex());
            if (b.readableBytes() > 16) {
                b.setByte(8, random.nextInt(13)).setShort(12, random.nextInt(8)).setShort(14, random.nextInt(20));
            }
        } else if (next == Ipv6Extension.FRAGMENT && b.readableBytes() >= 8) {
            b.setByte(0, pick(random, NEXT_HEADERS)).setShort(2, random.nextInt(4) * 8 | random.nextInt(2));
            b.setInt(4, random.nextInt(4));
        } else if (b.readableBytes() >= 8) {
            b.setByte(0, pick(random, NEXT_HEADERS))
                    .setByte(1, random.nextInt(3))
                    .setShort(2, random.nextInt(1 << 12));
        }
        ByteBuf frame = net.guest.ip(next, from, to, random.nextInt(4) == 0 ? random.nextInt(3) : 255, b);
        switch (random.nextInt(10)) {
            case 0 -> frame.setByte(random.nextInt(frame.writerIndex()), random.nextInt());
            case 1 -> frame.writerIndex(random.nextInt(frame.writerIndex() + 1)); // cut
            default -> {}
        }
        return frame;
    }

    private ByteBuf frame(Random random) {
        if (random.nextBoolean()) {
            return frame6(random);
        }
        ByteBuf transport = transport(random);
        IpAddress to = DESTINATIONS[random.nextInt(DESTINATIONS.length)];
        IpAddress from = SOURCES[random.nextInt(SOURCES.length)];
        int protocol = PROTOCOLS[random.nextInt(PROTOCOLS.length)];
        if (protocol == IpProtocol.UDP && transport.readableBytes() >= UdpHeader.BYTES) {
            transport.setShort(0, random.nextInt(1 << 16));
            transport.setShort(2, PORTS[random.nextInt(PORTS.length)]);
            transport.setShort(4, random.nextInt(8) == 0 ? random.nextInt(1 << 16) : transport.readableBytes());
            transport.setShort(6, 0);
        }
        ByteBuf frame = net.guest.ip(protocol, from, to, random.nextInt(4) == 0 ? random.nextInt(3) : 64, transport);
        mutate(frame, random);
        return frame;
    }

    private static ByteBuf transport(Random random) {
        byte[] bytes = new byte[random.nextInt(random.nextInt(10) == 0 ? 1480 : 64)];
        random.nextBytes(bytes);
        return Unpooled.copiedBuffer(bytes);
    }

    private static void mutate(ByteBuf frame, Random random) {
        int ip = EthernetHeader.BYTES;
        switch (random.nextInt(12)) {
            case 0 -> frame.setByte(random.nextInt(frame.writerIndex()), random.nextInt());
            case 1 -> frame.writerIndex(random.nextInt(frame.writerIndex() + 1)); // cut
            case 2 -> frame.setByte(ip, random.nextInt()); // version and header length
            case 3 -> {
                frame.setShort(ip + 6, random.nextInt() & 0x3FFF); // a fragment
                Ipv4Header.updateChecksum(frame, ip);
            }
            case 4 -> {
                frame.setShort(ip + 6, random.nextInt(4) | (random.nextBoolean() ? Ipv4Header.MF : 0));
                frame.setShort(ip + 4, random.nextInt(4));
                Ipv4Header.updateChecksum(frame, ip);
            }
            case 5 -> {
                frame.setShort(ip + 2, random.nextInt());
                Ipv4Header.updateChecksum(frame, ip);
            }
            case 6 -> {
                frame.setShort(12, EthernetHeader.TYPE_ARP);
                if (frame.writerIndex() >= ip + ArpPacket.BYTES) {
                    frame.setInt(ip, 0x0001_0800).setShort(ip + 4, 0x0604).setShort(ip + 6, random.nextInt(3));
                }
            }
            case 7 -> frame.setLong(0, random.nextLong());
            default -> {}
        }
    }

    /** What says of a frame that it was taken, answered or dropped; not that it came, nor what is there now. */
    private long fates() {
        return net.network.readings().stream()
                .filter(r -> !r.metric().equals("vpnkit.frames")
                        && !r.metric().equals("vpnkit.bytes")
                        && !r.metric().endsWith(".active")
                        && !r.metric().endsWith(".leases"))
                .mapToLong(Counters.Reading::value)
                .sum();
    }

    /** Nothing disappears: each frame moves a counter, whatever it is. */
    @Test
    void randomFrames_areAllCounted() {
        long seed = 20_27;
        Random random = new Random(seed);
        for (int i = 0; i < FRAMES; i++) {
            ByteBuf frame = frame(random);
            String hex = ByteBufUtil.hexDump(frame);
            long before = fates();
            net.link.deliver(frame, random.nextInt(4) == 0 ? random.nextInt(8) : FrameSink.CHECKSUM_PARTIAL);
            assertThat(fates()).as("seed %d, frame %d: %s", seed, i, hex).isGreaterThan(before);
            if (i % 1000 == 0) {
                net.loop.advance(Duration.ofMillis(500));
                net.guest.clearReceived();
            }
        }
    }

    /** A guest that takes nothing: what it would have been answered is counted too. */
    @Test
    void randomFrames_ofAGuestWithoutRoom_loseAnswersThatAreCounted() {
        long seed = 20_28;
        Random random = new Random(seed);
        net.link.limitRoom(0);
        long answersBefore = net.link.framesToGuest();
        net.guest.sendArpRequest(GuestEnd.GATEWAY);
        for (int i = 0; i < FRAMES; i++) {
            long before = fates();
            net.link.deliver(frame(random), FrameSink.CHECKSUM_PARTIAL);
            assertThat(fates()).as("seed %d, frame %d", seed, i).isGreaterThan(before);
        }
        assertThat(net.dropped("reason=no_room")).isPositive();
        assertThat(net.link.framesToGuest()).isEqualTo(answersBefore);
        for (String layer : new String[] {"ethernet", "ip", "icmp", "dns"}) {
            assertThat(net.dropped("layer=" + layer + ",reason=no_room"))
                    .as(layer)
                    .isPositive();
        }
        assertThat(net.count("vpnkit.icmp.errors.sent", "")).isZero();
    }

    @Test
    void randomFrames_neitherThrowNorLeak() {
        long seed = 20_26;
        Random random = new Random(seed);
        for (int i = 0; i < FRAMES; i++) {
            ByteBuf frame = frame(random);
            int offload = random.nextInt(4) == 0 ? random.nextInt(8) : FrameSink.CHECKSUM_PARTIAL;
            try {
                net.link.deliver(frame, offload);
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed + ", frame " + i, e);
            }
            if (i % 1000 == 0) {
                net.loop.advance(Duration.ofMillis(500));
                net.guest.clearReceived();
            }
        }
        assertThat(net.dropped("fault")).as("seed " + seed).isZero();
        net.loop.advance(Duration.ofSeconds(400));
        assertThat(net.count("vpnkit.udp.flows.active", "")).isZero();
        assertThat(net.count("vpnkit.dns.active", "")).isZero();
        assertThat(net.link.unflushedFrames()).isZero();
    }
}
