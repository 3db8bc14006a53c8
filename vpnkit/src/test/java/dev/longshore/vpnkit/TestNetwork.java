package dev.longshore.vpnkit;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.VirtualLink;
import dev.longshore.testkit.VirtualLoop;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.dns.ToldNames;
import dev.longshore.vpnkit.hostsocket.EgressGate;
import dev.longshore.vpnkit.icmp.PingSockets;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.ip.TransportInput;
import dev.longshore.vpnkit.udp.UdpLimits;
import io.netty.buffer.ByteBuf;
import io.netty.channel.epoll.EpollIoHandler;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A network and its guest in one thread: virtual time, real sockets on loopback. */
final class TestNetwork implements AutoCloseable {
    final VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
    final VirtualLink link = new VirtualLink();
    final GuestEnd guest = new GuestEnd(link);
    final NoTcp tcp = new NoTcp();
    final ToldNames told;
    final Network network;

    /** Whether the host has a way to the IPv4 Internet. */
    boolean hostHasIpv4 = true;

    /** Whether the host has a way to the IPv6 Internet. */
    boolean hostHasIpv6 = true;

    TestNetwork() {
        this(UdpLimits.standard(), List.of());
    }

    TestNetwork(UdpLimits limits, List<InetSocketAddress> resolvers) {
        this(limits, resolvers, PingSockets.none());
    }

    TestNetwork(UdpLimits limits, List<InetSocketAddress> resolvers, PingSockets pings) {
        this(limits, resolvers, pings, Path.of("/nonexistent/resolv.conf"));
    }

    /** A host with this resolv.conf. */
    TestNetwork(Path resolvConf) {
        this(UdpLimits.standard(), List.of(), PingSockets.none(), resolvConf);
    }

    private TestNetwork(UdpLimits limits, List<InetSocketAddress> resolvers, PingSockets pings, Path resolvConf) {
        this(limits, resolvers, pings, resolvConf, null);
    }

    TestNetwork(
            UdpLimits limits,
            List<InetSocketAddress> resolvers,
            PingSockets pings,
            Path resolvConf,
            @Nullable Path hostsFile) {
        NetworkConfig config = new NetworkConfig(
                IpPlan.standard(),
                1500,
                NetworkConfig.OUR_MAC,
                NetworkConfig.GUEST_MAC,
                resolvers,
                resolvConf,
                hostsFile,
                limits,
                () -> hostHasIpv4,
                () -> hostHasIpv6);
        told = new ToldNames(loop.clock()::nanos);
        network = new Network(
                config,
                link,
                loop,
                loop.clock()::nanos,
                pings,
                (output, errors, l, clock) -> tcp,
                EgressGate.OPEN,
                told);
        network.start();
        link.setUp(true);
        guest.sendArpRequest(GuestEnd.GATEWAY); // from now on the network knows where the guest is
        guest.clearReceived(); // the gratuitous ARP
    }

    /** The sum of all counters with this metric and this tag text in their tags. */
    long count(String metric, String tag) {
        return network.readings().stream()
                .filter(r -> r.metric().equals(metric) && r.tags().contains(tag))
                .mapToLong(Counters.Reading::value)
                .sum();
    }

    long dropped(String reason) {
        return count("vpnkit.packets.dropped", reason);
    }

    @Override
    public void close() {
        network.close();
        loop.runDue();
        loop.close();
    }

    /** Takes every segment and does nothing. */
    static final class NoTcp implements TransportInput {
        /** What the guest said was too big. */
        record TooBig(int guestPort, IpAddress remote, int remotePort, int seq, int mtu) {}

        final List<TooBig> tooBig = new ArrayList<>();
        int unreachable;

        @Override
        public void onPacketTooBig(
                long guestHi,
                long guestLo,
                int guestPort,
                long remoteHi,
                long remoteLo,
                int remotePort,
                int seq,
                int mtu) {
            tooBig.add(new TooBig(guestPort, new IpAddress(remoteHi, remoteLo), remotePort, seq, mtu));
        }

        @Override
        public void onSegment(
                ByteBuf b, int at, int len, long guestHi, long guestLo, long remoteHi, long remoteLo, int offload) {}

        @Override
        public void onUnreachable(
                long guestHi, long guestLo, int guestPort, long remoteHi, long remoteLo, int remotePort, int code) {
            unreachable++;
        }

        @Override
        public void onBatchEnd() {}

        @Override
        public void onWritable() {}

        @Override
        public void onLinkState(boolean up) {}
    }
}
