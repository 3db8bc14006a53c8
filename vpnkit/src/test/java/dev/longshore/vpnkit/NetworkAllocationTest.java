package dev.longshore.vpnkit;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.longshore.linux.DatagramSockets;
import dev.longshore.linux.ReceiveBatch;
import dev.longshore.linux.SendBatch;
import dev.longshore.packet.capture.Capture;
import dev.longshore.packet.capture.CaptureFilter;
import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.ArpPacket;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.Ipv6Extension;
import dev.longshore.packet.wire.NdpMessage;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.VirtualLink;
import dev.longshore.testkit.VirtualLoop;
import dev.longshore.vpnkit.flow.GuestConnector.UdpFlow;
import dev.longshore.vpnkit.flow.GuestConnector.UdpReplies;
import dev.longshore.vpnkit.icmp.PingSockets;
import dev.longshore.vpnkit.ip.IpPlan;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.ResourceLeakDetector;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A packet through the layers allocates nothing. */
class NetworkAllocationTest {
    private static final int PACKETS = 5_000;
    private static final int ROUNDS = 8;

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private ResourceLeakDetector.Level level = ResourceLeakDetector.Level.DISABLED;
    private final VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
    private final SinkLink link = new SinkLink();
    private final GuestEnd builder = new GuestEnd(new VirtualLink());

    /** Takes every frame and forgets it. */
    private static final class SinkLink implements Link {
        FrameSink sink = new NoSink();
        long sent;

        @Override
        public void open(FrameSink fromGuest) {
            sink = fromGuest;
        }

        @Override
        public boolean send(OutFrame frame) {
            sent++;
            return true;
        }

        @Override
        public void flush() {}

        @Override
        public boolean isWritable() {
            return true;
        }

        @Override
        public int maxFrameBytes() {
            return 65_550;
        }

        @Override
        public boolean tso4ToGuest() {
            return true;
        }

        @Override
        public boolean tso6ToGuest() {
            return true;
        }

        @Override
        public boolean checksumOffloadToGuest() {
            return true;
        }

        @Override
        public void close() {}
    }

    private static final class NoSink implements FrameSink {
        @Override
        public void onFrame(ByteBuf frame, int offload) {}

        @Override
        public void onBatchEnd() {}

        @Override
        public void onWritable() {}

        @Override
        public void onLinkState(boolean up) {}
    }

    @BeforeEach
    void leakDetectionOff() {
        level = ResourceLeakDetector.getLevel();
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED); // it allocates for each access
    }

    @AfterEach
    void leakDetectionBack() {
        ResourceLeakDetector.setLevel(level);
        loop.close();
    }

    private Network network() {
        Network network = new Network(
                NetworkConfig.of(IpPlan.standard(), 1500, List.of()),
                link,
                loop,
                loop.clock()::nanos,
                PingSockets.none(),
                (out, errors, l, clock) -> new TestNetwork.NoTcp());
        network.start();
        link.sink.onLinkState(true);
        return network;
    }

    private static ByteBuf direct(ByteBuf frame) {
        ByteBuffer copy = ByteBuffer.allocateDirect(frame.readableBytes());
        frame.getBytes(0, copy);
        frame.release();
        return Unpooled.wrappedBuffer(copy.flip());
    }

    /** The least of several rounds: early ones compile and fill caches. */
    private long leastAllocated(Runnable onePacket) {
        long least = Long.MAX_VALUE;
        for (int round = 0; round < ROUNDS; round++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < PACKETS; i++) {
                onePacket.run();
            }
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        return least;
    }

    private void deliver(ByteBuf frame) {
        link.sink.onFrame(frame, 0);
        link.sink.onBatchEnd();
    }

    @Test
    void echoArpAndDrops_allocateNothing() {
        Network network = network();
        ByteBuf echo = Unpooled.buffer().writeZero(64);
        echo.setByte(0, IcmpHeader.ECHO_REQUEST);
        IcmpHeader.complete(echo, 0, 64);
        ByteBuf ping = direct(builder.ip(IpProtocol.ICMP, GuestEnd.GUEST, GuestEnd.GATEWAY, 64, echo));
        ByteBuf bad = ping.copy();
        bad.setByte(EthernetHeader.BYTES, 0x41);
        ByteBuf mangled = direct(bad);
        ByteBuf question = Unpooled.buffer();
        EthernetHeader.write(question, EthernetHeader.BROADCAST, GuestEnd.GUEST_MAC, EthernetHeader.TYPE_ARP);
        ArpPacket.write(
                question, ArpPacket.REQUEST, GuestEnd.GUEST_MAC, GuestEnd.GUEST.v4Bits(), 0, GuestEnd.DNS.v4Bits());
        ByteBuf arp = direct(question);
        long before = link.sent;
        assertThat(leastAllocated(() -> {
                    deliver(ping);
                    deliver(arp);
                    deliver(mangled);
                }))
                .isZero();
        assertThat(link.sent - before).isEqualTo(2L * PACKETS * ROUNDS);
        network.close();
    }

    @Test
    void tap_thatTakesNothingOrHasGone_allocatesNothing() {
        Network network = network();
        ByteBuf echo = Unpooled.buffer().writeZero(64);
        echo.setByte(0, IcmpHeader.ECHO_REQUEST);
        IcmpHeader.complete(echo, 0, 64);
        ByteBuf ping = direct(builder.ip(IpProtocol.ICMP, GuestEnd.GUEST, GuestEnd.GATEWAY, 64, echo));
        Capture capture = new Capture(CaptureFilter.parse("tcp port 80 or net 10.0.0.0/8"), 100, 0, () -> 0, () -> {});
        network.setTap(capture);
        assertThat(leastAllocated(() -> deliver(ping))).isZero();
        assertThat(capture.captured()).isZero();
        network.setTap(new Capture(CaptureFilter.parse("icmp"), 100, 2, () -> 0, () -> {}));
        deliver(ping);
        network.setTap(null);
        assertThat(leastAllocated(() -> deliver(ping))).isZero();
        network.close();
    }

    @Test
    void ipv6EchoDiscoveryExtensionsAndDrops_allocateNothing() {
        Network network = network();
        IpAddress guest = GuestEnd.GUEST6;
        IpAddress ours = GuestEnd.GATEWAY6;
        ByteBuf echo = Unpooled.buffer().writeZero(64);
        echo.setByte(0, Icmpv6Header.ECHO_REQUEST);
        Icmpv6Header.complete(echo, 0, 64, guest.hi(), guest.lo(), ours.hi(), ours.lo());
        ByteBuf options = Unpooled.buffer().writeByte(IpProtocol.ICMPV6).writeZero(7);
        options.writeBytes(echo, 0, 64);
        ByteBuf ping = direct(builder.ip(IpProtocol.ICMPV6, guest, ours, 64, echo));
        ByteBuf withOptions = direct(builder.ip(Ipv6Extension.DESTINATION_OPTIONS, guest, ours, 64, options));
        ByteBuf question = Unpooled.buffer();
        NdpMessage.writeSolicitation(question, ours.hi(), ours.lo());
        Icmpv6Header.complete(question, 0, 24, guest.hi(), guest.lo(), ours.hi(), ours.lo());
        ByteBuf solicitation = direct(builder.ip(IpProtocol.ICMPV6, guest, ours, 255, question));
        ByteBuf segment = direct(builder.ip(
                IpProtocol.TCP,
                guest,
                IpAddress.parse("2001:db8::1"),
                64,
                Unpooled.buffer().writeZero(20)));
        ByteBuf dropped = direct(builder.ip(
                IpProtocol.TCP,
                guest,
                IpAddress.parse("::1"),
                64,
                Unpooled.buffer().writeZero(20)));
        long before = link.sent;
        assertThat(leastAllocated(() -> {
                    deliver(ping);
                    deliver(withOptions);
                    deliver(solicitation);
                    deliver(segment);
                    deliver(dropped);
                }))
                .isZero();
        assertThat(link.sent - before).isEqualTo(3L * PACKETS * ROUNDS);
        network.close();
    }

    @Test
    void datagramOfAPublishedPort_bothWays_allocatesNothing() {
        Network network = network();
        int[] replies = new int[1];
        UdpReplies owner = new UdpReplies() {
            @Override
            public void onReply(ByteBuf b, int at, int len) {
                replies[0]++;
            }

            @Override
            public void onUnreachable() {}
        };
        IpAddress source = IpAddress.parse("10.9.8.7");
        UdpFlow flow = network.udp().openInbound(GuestEnd.GUEST, 9000, source, 5555, owner);
        ByteBuf payload = Unpooled.wrappedBuffer(ByteBuffer.allocateDirect(100));
        ByteBuf reply = direct(
                builder.ip(IpProtocol.UDP, GuestEnd.GUEST, source, 64, builder.udp(9000, source, 5555, new byte[100])));
        deliver(reply); // now it is known where the guest is
        replies[0] = 0;
        assertThat(leastAllocated(() -> {
                    flow.sendToGuest(payload, 0, 100);
                    loop.runNow();
                }))
                .isZero();
        assertThat(Ipv4Header.isValid(reply, EthernetHeader.BYTES, 128)).isTrue();
        assertThat(leastAllocated(() -> deliver(reply))).isZero();
        assertThat(replies[0]).isEqualTo(PACKETS * ROUNDS);
        network.close();
    }

    /** From the guest through a host socket to a remote, and back. */
    @Test
    void datagramOfAFlow_bothWays_allocatesNothing() {
        Network network = network();
        DatagramSockets sockets = new DatagramSockets();
        ReceiveBatch in = new ReceiveBatch();
        SendBatch out = new SendBatch();
        long loopback = IpAddress.loOfV4(0x7F00_0001);
        int remote = sockets.udp(true);
        assertThat(sockets.bind(remote, 0, loopback, 0)).isZero();
        int port = sockets.localPort(remote);
        ByteBuf question = direct(builder.ip(
                IpProtocol.UDP,
                GuestEnd.GUEST,
                GuestEnd.HOST,
                64,
                builder.udp(4000, GuestEnd.HOST, port, new byte[100])));
        ByteBuf answer = Unpooled.wrappedBuffer(ByteBuffer.allocateDirect(200));
        SendBatch.Failures failures = (datagram, errno) -> {
            throw new AssertionError("errno " + errno);
        };
        long before = link.sent;
        assertThat(leastAllocated(() -> {
                    deliver(question);
                    if (in.receive(remote) != 1) {
                        throw new AssertionError("no datagram at the remote");
                    }
                    out.add(answer, 0, 200, in.remoteHi(0), in.remoteLo(0), in.remotePort(0), 0, 0);
                    out.send(remote, failures);
                    loop.runNow();
                }))
                .isZero();
        assertThat(link.sent - before).isEqualTo((long) PACKETS * ROUNDS);
        sockets.close(remote);
        network.close();
    }
}
