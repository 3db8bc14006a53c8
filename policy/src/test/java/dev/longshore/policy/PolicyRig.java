package dev.longshore.policy;

import dev.longshore.config.AddressPlan;
import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.proxy.HttpProxy;
import dev.longshore.proxy.ProxySettings;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.TcpGuest;
import dev.longshore.testkit.VirtualLink;
import dev.longshore.testkit.VirtualLoop;
import dev.longshore.vpnkit.Network;
import dev.longshore.vpnkit.NetworkConfig;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.dns.ToldNames;
import dev.longshore.vpnkit.flow.ContainerDirectory;
import dev.longshore.vpnkit.flow.ContainerIdentity;
import dev.longshore.vpnkit.flow.Services;
import dev.longshore.vpnkit.hostsocket.DirectDialer;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import dev.longshore.vpnkit.icmp.PingSockets;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.tcp.TcpLimits;
import dev.longshore.vpnkit.tcp.TcpStack;
import dev.longshore.vpnkit.udp.UdpLimits;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/** A whole network with a policy and its guest in one thread: virtual time, real sockets on loopback, containers by hand. */
final class PolicyRig implements AutoCloseable {
    static final IpAddress WEB = IpAddress.parse("172.17.0.2");
    static final IpAddress DB = IpAddress.parse("172.17.0.3");
    private static final IpPlan PLAN = IpPlan.standard();

    final VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
    final VirtualLink link = new VirtualLink();
    final GuestEnd guest = new GuestEnd(link);
    final Containers containers = new Containers();
    final List<String> told = new ArrayList<>();
    final Map<String, List<String>> hostNames = new ConcurrentHashMap<>();
    volatile @Nullable CountDownLatch lookUpsWaitFor; // read by the threads of look-ups
    final EgressControl egress;
    final GuardedDialer dialer;
    final Network network;
    private final DirectDialer direct;
    private final DatagramChannel resolver;
    private int nextPort = 40_000;

    /** The Engine's containers as the test has them. Confined to the test's thread. */
    final class Containers implements ContainerDirectory {
        final Map<IpAddress, ContainerIdentity> known = new HashMap<>();

        /** Questions that wait for {@link #answer}. */
        final Deque<Promise<Optional<ContainerIdentity>>> asked = new ArrayDeque<>();

        private final Deque<IpAddress> askedFor = new ArrayDeque<>();

        @Override
        public @Nullable ContainerIdentity of(IpAddress address) {
            return known.get(address);
        }

        @Override
        public Future<Optional<ContainerIdentity>> ask(IpAddress address, EventLoop on) {
            Promise<Optional<ContainerIdentity>> promise = on.newPromise();
            asked.add(promise);
            askedFor.add(address);
            return promise;
        }

        /** The container has been found, so that everybody knows it. */
        void answer(ContainerIdentity who) {
            known.put(askedFor.element(), who);
            answerFromMemory(who);
        }

        /** It had the address, and has ended; or nobody is known at all. */
        void answerFromMemory(@Nullable ContainerIdentity who) {
            askedFor.remove();
            asked.remove().setSuccess(Optional.ofNullable(who));
            loop.runDue();
        }
    }

    PolicyRig() {
        try {
            resolver = DatagramChannel.open();
            resolver.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                    .configureBlocking(false);
            OwnAddresses own = new OwnAddresses(
                    Set.of(PLAN.host(), PLAN.host6()),
                    Set.of(Attempt.HOST_NAME),
                    List.of(
                            new OwnAddresses.Subnet(PLAN.gateway(), PLAN.prefixLength()),
                            new OwnAddresses.Subnet(PLAN.gateway6(), 64)));
            direct = new DirectDialer(own, this::lookUp, Duration.ofSeconds(60));
            ToldNames names = new ToldNames(loop.clock()::nanos);
            egress = new EgressControl(loop, PLAN, containers, names, loop.clock()::nanos, d -> told.add(d.text()));
            dialer = egress.dialer(direct, own);
            Services services = new Services();
            NetworkConfig config = new NetworkConfig(
                    PLAN,
                    1500,
                    NetworkConfig.OUR_MAC,
                    NetworkConfig.GUEST_MAC,
                    List.of((InetSocketAddress) resolver.getLocalAddress()),
                    Path.of("/nonexistent/resolv.conf"),
                    null,
                    UdpLimits.standard(),
                    () -> true,
                    () -> true);
            network = new Network(
                    config,
                    link,
                    loop,
                    loop.clock()::nanos,
                    PingSockets.none(),
                    (output, errors, l, clock) -> new TcpStack(
                            output,
                            l,
                            dialer,
                            services,
                            errors,
                            new TcpLimits(64, 32, 1 << 20),
                            0,
                            clock,
                            new Random(1)),
                    egress,
                    names);
            services.register(
                    PLAN.gateway(),
                    AddressPlan.PROXY_PORT,
                    new HttpProxy(ProxySettings.of("longshore", own), dialer, 8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        network.start();
        link.setUp(true);
        guest.sendArpRequest(GuestEnd.GATEWAY);
        guest.clearReceived();
    }

    private List<InetAddress> lookUp(String name) throws UnknownHostException {
        CountDownLatch latch = lookUpsWaitFor;
        if (latch != null) {
            try {
                latch.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        List<String> found = hostNames.get(name);
        if (found == null) {
            throw new UnknownHostException(name);
        }
        return found.stream().map(InetAddress::ofLiteral).toList();
    }

    void obey(String json) {
        egress.set(Policies.policy(json));
        network.onPolicyChanged();
        loop.runDue();
    }

    /** As whom the guest sends from now on. */
    PolicyRig as(IpAddress source) {
        guest.address(source);
        return this;
    }

    // ---- TCP

    /** A connection under way: the SYN is sent, nothing is answered yet. */
    TcpGuest dial(IpAddress remote, int port) {
        TcpGuest tcp = new TcpGuest(guest, nextPort++, remote, port);
        tcp.sendsSyn(999, 1460, 7);
        loop.runDue();
        return tcp;
    }

    /** A connection that stands; returns the sequence number that the guest expects next. */
    int connected(TcpGuest tcp) {
        loop.runUntil(guest::hasReceived, "an answer to the SYN");
        TcpGuest.Segment synAck = tcp.receives();
        if (synAck.flags() != (TcpHeader.SYN | TcpHeader.ACK)) {
            throw new AssertionError("not connected: " + synAck);
        }
        tcp.sends(TcpHeader.ACK, 1000, synAck.seq() + 1);
        loop.runDue();
        return synAck.seq() + 1;
    }

    // ---- names

    /** The guest asks for {@code name} and hears of these addresses. */
    void resolves(String name, String... addresses) {
        ByteBuf query = Unpooled.buffer();
        DnsMessage.writeQueryHeader(query, 77);
        DnsMessage.writeQuestion(query, name, DnsMessage.TYPE_A);
        byte[] bytes = new byte[query.readableBytes()];
        query.readBytes(bytes);
        guest.sendUdp(5353, GuestEnd.DNS, 53, bytes);
        ByteBuffer buffer = ByteBuffer.allocate(2048);
        SocketAddress[] from = new SocketAddress[1];
        loop.runUntil(
                () -> {
                    try {
                        from[0] = resolver.receive(buffer);
                        return from[0] != null;
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                },
                "a question at the resolver");
        ByteBuf question = Unpooled.wrappedBuffer(buffer.flip());
        ByteBuf answer = Unpooled.buffer();
        DnsMessage.writeAnswerHeader(answer, question, 0, 0, 1, addresses.length, 0, 0);
        answer.writeBytes(question, 12, question.readableBytes() - 12);
        for (String a : addresses) {
            DnsMessage.writeA(answer, 60, IpAddress.parse(a).v4Bits());
        }
        try {
            resolver.send(answer.nioBuffer(), from[0]);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        loop.runUntil(guest::hasReceived, "an answer at the guest");
        guest.receiveUdp();
    }

    long count(PolicyCounter counter) {
        return egress.readings().stream()
                .filter(r -> r.metric().equals(counter.metric()) && r.tags().equals(counter.tags()))
                .mapToLong(Counters.Reading::value)
                .sum();
    }

    @Override
    public void close() {
        network.close();
        loop.runDue();
        loop.close();
        direct.close();
        try {
            resolver.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
