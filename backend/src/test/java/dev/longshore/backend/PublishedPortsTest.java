package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.PortBinding;
import dev.longshore.control.Outcome;
import dev.longshore.control.Ports;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.portforward.BindPolicy;
import dev.longshore.portforward.Forward;
import dev.longshore.portforward.HostEndpoint;
import dev.longshore.portforward.Owner;
import dev.longshore.portforward.PortTable;
import dev.longshore.portforward.PortWatcher;
import dev.longshore.portforward.UdpLimits;
import dev.longshore.vpnkit.flow.GuestConnector;
import dev.longshore.vpnkit.hostsocket.DialResult;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What the control socket says of ports, with real listeners on the loopback and no guest behind them. */
class PublishedPortsTest {
    private static final IpAddress GUEST = IpAddress.parse("192.168.65.3");

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final PortTable table = new PortTable(
            new NoGuest(group.next()),
            BindPolicy.of(PortBinding.DEFAULT_LOCAL_PORT_BINDING),
            1000,
            UdpLimits.DEFAULT,
            PortWatcher.NONE);
    private final PublishedPorts ports = new PublishedPorts(table, GUEST);

    @AfterEach
    void stop() {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private static <T> T get(CompletionStage<T> stage) throws Exception {
        return stage.toCompletableFuture().get(10, TimeUnit.SECONDS);
    }

    private Ports.Port exposed(String host, int port) throws Exception {
        Outcome<Ports.Port> outcome = get(ports.expose(Ports.Protocol.TCP, host, port, "", 80));
        assertThat(outcome).isInstanceOf(Outcome.Done.class);
        return ((Outcome.Done<Ports.Port>) outcome).value();
    }

    private static Outcome.Reason reason(Outcome<?> outcome) {
        return ((Outcome.Failed<?>) outcome).reason();
    }

    @Test
    void expose_withoutAddresses_isWhatTheSettingsSayAndLeadsToTheGuest() throws Exception {
        Ports.Port p = exposed("", 0);
        assertThat(p.hostAddress()).isEqualTo("127.0.0.1");
        assertThat(p.hostPort()).isPositive();
        assertThat(p.guestAddress()).isEqualTo("192.168.65.3");
        assertThat(p.owner()).isEqualTo("control");
        assertThat(ports.list()).containsExactly(p);
    }

    @Test
    void expose_taken_isToldSo() throws Exception {
        Ports.Port p = exposed("127.0.0.1", 0);
        Outcome<Ports.Port> again = get(ports.expose(Ports.Protocol.TCP, "127.0.0.1", p.hostPort(), "172.17.0.2", 80));
        assertThat(reason(again)).isEqualTo(Outcome.Reason.TAKEN);
        assertThat(((Outcome.Failed<?>) again).text()).endsWith("bind: address already in use");
    }

    @Test
    void unexpose_releasesOnceAndNeverAContainersPort() throws Exception {
        Ports.Port p = exposed("127.0.0.1", 0);
        assertThat(get(ports.unexpose(Ports.Protocol.TCP, "127.0.0.1", p.hostPort())))
                .isInstanceOf(Outcome.Done.class);
        assertThat(reason(get(ports.unexpose(Ports.Protocol.TCP, "127.0.0.1", p.hostPort()))))
                .isEqualTo(Outcome.Reason.NOT_FOUND);
        HostEndpoint.Port host = HostEndpoint.tcp(IpAddress.parse("127.0.0.1"), p.hostPort());
        get(table.expose(new Forward(host, GUEST, 80), Owner.container(1)));
        assertThat(reason(get(ports.unexpose(Ports.Protocol.TCP, "127.0.0.1", p.hostPort()))))
                .isEqualTo(Outcome.Reason.WRONG_STATE);
        assertThat(ports.list())
                .hasSize(1)
                .first()
                .extracting(Ports.Port::owner)
                .isEqualTo("container");
    }

    @Test
    void nonsense_isInvalid() throws Exception {
        assertThat(reason(get(ports.expose(Ports.Protocol.TCP, "localhost", 0, "", 80))))
                .isEqualTo(Outcome.Reason.INVALID);
        assertThat(reason(get(ports.expose(Ports.Protocol.UDP, "", 0, "nowhere", 80))))
                .isEqualTo(Outcome.Reason.INVALID);
        assertThat(reason(get(ports.unexpose(Ports.Protocol.UDP, "1.2.3", 1)))).isEqualTo(Outcome.Reason.INVALID);
    }

    private record NoGuest(EventLoop loop) implements GuestConnector {
        @Override
        public void forwardTcp(DuplexChannel host, IpAddress guest, int guestPort, IpAddress source, int sourcePort) {
            host.close();
        }

        @Override
        public Future<DialResult> connectTcp(IpAddress guest, int guestPort) {
            return loop.newSucceededFuture(new DialResult.Refused());
        }

        @Override
        public UdpFlow openUdp(IpAddress guest, int guestPort, IpAddress source, int sourcePort, UdpReplies replies) {
            return new UdpFlow() {
                @Override
                public void sendToGuest(ByteBuf b, int at, int len) {}

                @Override
                public void close() {}
            };
        }
    }
}
