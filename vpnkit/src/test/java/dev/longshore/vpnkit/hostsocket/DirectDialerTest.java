package dev.longshore.vpnkit.hostsocket;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(20)
class DirectDialerTest {
    private static final IpAddress HOST = IpAddress.parse("192.168.65.254");
    private static final OwnAddresses OWN = new OwnAddresses(
            Set.of(HOST),
            Set.of("host.docker.internal"),
            List.of(
                    new OwnAddresses.Subnet(IpAddress.parse("192.168.65.0"), 24),
                    new OwnAddresses.Subnet(IpAddress.parse("fdc4:f303:9324::"), 64)));

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, HalfCloseEpoll.newFactory());
    private final EventLoop loop = group.next();
    private final DirectDialer dialer = dialer(name -> {
        throw new UnknownHostException(name);
    });

    @AfterEach
    void stop() {
        dialer.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private static DirectDialer dialer(NameLookup lookup) {
        return new DirectDialer(OWN, lookup, Duration.ofSeconds(5));
    }

    private DialResult dial(Dialer with, Destination to) throws Exception {
        return with.dial(to, loop).get();
    }

    private static ServerSocket listener() throws IOException {
        return new ServerSocket(0, 10, InetAddress.getByAddress(new byte[] {127, 0, 0, 1}));
    }

    @Test
    void hostAlias_reachesLoopback() throws Exception {
        try (ServerSocket server = listener()) {
            DialResult result = dial(dialer, Destination.of(HOST, server.getLocalPort()));

            assertThat(result).isInstanceOfSatisfying(DialResult.Connected.class, c -> {
                assertThat(c.channel().isActive()).isTrue();
                assertThat(c.channel().config().isAutoRead()).isFalse();
                assertThat(c.channel().config().getOption(ChannelOption.ALLOW_HALF_CLOSURE))
                        .isTrue();
                assertThat(c.channel().eventLoop()).isEqualTo(loop);
                c.channel().close();
            });
        }
    }

    @Test
    void hostName_reachesLoopbackWithoutLookup() throws Exception {
        try (ServerSocket server = listener()) {
            DialResult result = dial(dialer, Destination.named("Host.Docker.Internal", server.getLocalPort()));
            assertThat(result).isInstanceOf(DialResult.Connected.class);
        }
    }

    @Test
    void closedPort_isRefused() throws Exception {
        int port;
        try (ServerSocket server = listener()) {
            port = server.getLocalPort();
        }
        assertThat(dial(dialer, Destination.of(HOST, port))).isEqualTo(new DialResult.Refused());
    }

    @ParameterizedTest
    @ValueSource(strings = {"192.168.65.1", "192.168.65.3", "192.168.65.7", "fdc4:f303:9324::7"})
    void ownAddressWithoutService_isRefused(String address) throws Exception {
        assertThat(dial(dialer, Destination.of(IpAddress.parse(address), 80))).isEqualTo(new DialResult.Refused());
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.0.0.0", "127.0.0.1", "127.1.2.3", "::", "::1", "224.0.0.1", "ff02::1"})
    void addressThatMeansTheHostItself_isDenied(String address) throws Exception {
        assertThat(dial(dialer, Destination.of(IpAddress.parse(address), 80))).isInstanceOf(DialResult.Denied.class);
    }

    @Test
    void unroutableAddress_isUnreachable() throws Exception {
        // 240.0.0.0/4 is reserved, RFC 1112 §4: the kernel has no route to it or refuses it.
        DialResult result = dial(dialer, Destination.of(IpAddress.parse("255.255.255.255"), 80));
        assertThat(result).isInstanceOfAny(DialResult.Unreachable.class, DialResult.Denied.class);
    }

    @Test
    void unknownName_isSaid() throws Exception {
        assertThat(dial(dialer, Destination.named("no.such.name", 80)))
                .isEqualTo(new DialResult.UnknownHost("no address for no.such.name"));
    }

    @Test
    void nameWithSeveralAddresses_nextIsTriedAfterRefusal() throws Exception {
        InetAddress deaf = Inet6Address.getByAddress(new byte[] {127, 9, 9, 9});
        try (ServerSocket server = listener();
                DirectDialer two = dialer(name -> List.of(deaf, server.getInetAddress()))) {
            DialResult result = dial(two, Destination.named("two.example", server.getLocalPort()));
            assertThat(result).isInstanceOf(DialResult.Connected.class);
        }
    }

    /** Whoever answers a name's question decides how many addresses it has. */
    @Test
    void nameWithThousandsOfAddresses_isTriedToItsEnd() throws Exception {
        InetAddress deaf = InetAddress.getByAddress(new byte[] {127, 9, 9, 9});
        try (ServerSocket server = listener()) {
            List<InetAddress> all = new ArrayList<>(Collections.nCopies(5000, deaf));
            try (DirectDialer many = dialer(name -> all)) {
                assertThat(dial(many, Destination.named("many.example", server.getLocalPort())))
                        .isEqualTo(new DialResult.Refused());
                all.add(server.getInetAddress());
                assertThat(dial(many, Destination.named("many.example", server.getLocalPort())))
                        .isInstanceOf(DialResult.Connected.class);
            }
        }
    }

    @Test
    void cancelDuringLookup_opensNothing() throws Exception {
        CountDownLatch asked = new CountDownLatch(1);
        CountDownLatch answer = new CountDownLatch(1);
        try (ServerSocket server = listener();
                DirectDialer slow = dialer(name -> {
                    asked.countDown();
                    awaitQuietly(answer);
                    return List.of(server.getInetAddress());
                })) {
            Future<DialResult> dial = slow.dial(Destination.named("slow.example", server.getLocalPort()), loop);
            asked.await();
            dial.cancel(false);
            answer.countDown();
            loop.submit(() -> {}).get();
            server.setSoTimeout(200);
            assertThat(dial.isCancelled()).isTrue();
            org.assertj.core.api.Assertions.assertThatThrownBy(server::accept)
                    .isInstanceOf(java.net.SocketTimeoutException.class);
        }
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void subnet_containsByPrefix() {
        OwnAddresses.Subnet v6 = new OwnAddresses.Subnet(IpAddress.parse("fdc4:f303:9324::"), 64);
        assertThat(v6.contains(IpAddress.parse("fdc4:f303:9324::1:2"))).isTrue();
        assertThat(v6.contains(IpAddress.parse("fdc4:f303:9324:1::"))).isFalse();
        OwnAddresses.Subnet all = new OwnAddresses.Subnet(IpAddress.parse("0.0.0.0"), 0);
        assertThat(all.contains(IpAddress.parse("8.8.8.8"))).isTrue();
        assertThat(all.contains(IpAddress.parse("::1"))).isFalse();
        OwnAddresses.Subnet v4 = new OwnAddresses.Subnet(IpAddress.parse("10.0.0.0"), 9);
        assertThat(v4.contains(IpAddress.parse("10.127.0.1"))).isTrue();
        assertThat(v4.contains(IpAddress.parse("10.128.0.1"))).isFalse();
    }
}
