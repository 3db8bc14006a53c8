package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.RST;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.Received;
import dev.longshore.testkit.TcpGuest;
import dev.longshore.testkit.VirtualLink;
import dev.longshore.testkit.VirtualLoop;
import dev.longshore.vpnkit.Network;
import dev.longshore.vpnkit.NetworkConfig;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.flow.Services;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.icmp.PingSockets;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.udp.UdpLimits;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** Calls into a guest through the whole network, in virtual time; the guest has said nothing yet. */
final class CallBench implements AutoCloseable {
    final VirtualLoop loop = new VirtualLoop();
    final VirtualLink link = new VirtualLink();
    final GuestEnd guest = new GuestEnd(link);
    final Network network;
    final TcpStack stack;
    final GuestCalls calls;

    /** Whether the guest is to have a default route. */
    boolean hostHasIpv6 = true;

    private @Nullable TcpStack made;

    CallBench() {
        NetworkConfig config = new NetworkConfig(
                IpPlan.standard(),
                1500,
                NetworkConfig.OUR_MAC,
                NetworkConfig.GUEST_MAC,
                List.of(),
                Path.of("/nonexistent/resolv.conf"),
                null,
                UdpLimits.standard(),
                () -> true,
                () -> hostHasIpv6);
        network = new Network(
                config,
                link,
                loop,
                loop.clock()::nanos,
                PingSockets.none(),
                (output, errors, l, clock) -> made = new TcpStack(
                        output,
                        l,
                        (destination, on) -> on.newSucceededFuture(new DialResult.Refused()),
                        new Services(),
                        errors,
                        TcpLimits.defaults(),
                        0,
                        clock,
                        new Random(1)));
        stack = Objects.requireNonNull(made);
        network.start();
        link.setUp(true);
        calls = new GuestCalls(stack, network.guestAddresses(), new Random(2));
        guest.clearReceived();
    }

    /** A caller of a published port of {@code to}. */
    FakeHost call(IpAddress to, IpAddress caller) {
        FakeHost host = new FakeHost(loop);
        calls.forwardTcp(host.channel, to, 80, caller, 5000);
        loop.runNow();
        return host;
    }

    /** The next and only frame. */
    Received receiveSyn(IpAddress to, IpAddress from) {
        Received syn = guest.receive();
        assertThat(syn.isIp(IpProtocol.TCP)).as("%s", syn).isTrue();
        assertThat(syn.destination()).isEqualTo(to);
        assertThat(syn.source()).isEqualTo(from);
        guest.receivesNothing();
        return syn;
    }

    /** The guest's end of the connection {@code syn} asks for. */
    TcpGuest end(Received syn) {
        return new TcpGuest(guest, 80, syn.source(), TcpHeader.sourcePort(syn.frame(), syn.transportAt()));
    }

    void refuse(Received syn) {
        end(syn).sends(RST | ACK, 0, seq(syn) + 1);
        loop.runNow();
    }

    int seq(Received syn) {
        return TcpHeader.seq(syn.frame(), syn.transportAt());
    }

    TcpGuest accept(Received syn) {
        TcpGuest end = end(syn);
        end.sendsSynAck(700, seq(syn) + 1, 1440, 7);
        end.receives(ACK, seq(syn) + 1, 701);
        loop.runNow();
        return end;
    }

    /** The sum of the counters with this metric and this text in their tags. */
    long count(String metric, String tag) {
        return network.readings().stream()
                .filter(r -> r.metric().equals(metric) && r.tags().contains(tag))
                .mapToLong(Counters.Reading::value)
                .sum();
    }

    @Override
    public void close() {
        stack.endAll();
        network.close();
        loop.runDue();
        loop.close();
    }
}
