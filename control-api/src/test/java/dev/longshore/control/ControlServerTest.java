package dev.longshore.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.proto.control.v1.DaemonServiceGrpc;
import dev.longshore.proto.control.v1.Endpoint;
import dev.longshore.proto.control.v1.Event;
import dev.longshore.proto.control.v1.EventServiceGrpc;
import dev.longshore.proto.control.v1.ExposePortReply;
import dev.longshore.proto.control.v1.ExposePortRequest;
import dev.longshore.proto.control.v1.GetMetricsRequest;
import dev.longshore.proto.control.v1.GetStatusReply;
import dev.longshore.proto.control.v1.GetStatusRequest;
import dev.longshore.proto.control.v1.ListPortsRequest;
import dev.longshore.proto.control.v1.PortServiceGrpc;
import dev.longshore.proto.control.v1.Protocol;
import dev.longshore.proto.control.v1.ShutdownRequest;
import dev.longshore.proto.control.v1.StartGuestReply;
import dev.longshore.proto.control.v1.StartGuestRequest;
import dev.longshore.proto.control.v1.State;
import dev.longshore.proto.control.v1.StopGuestRequest;
import dev.longshore.proto.control.v1.UnexposePortRequest;
import dev.longshore.proto.control.v1.VersionRequest;
import dev.longshore.proto.control.v1.VersionServiceGrpc;
import dev.longshore.proto.control.v1.WatchEventsRequest;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The whole server over a real socket, in front of a daemon that answers what the test says. */
@Timeout(30)
class ControlServerTest {
    private final FakeDaemon daemon = new FakeDaemon();
    private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());

    @TempDir
    private Path directory;

    private Path socket;
    private ControlServer server;
    private ManagedChannel channel;

    @BeforeEach
    void start() throws Exception {
        socket = directory.resolve("control.sock");
        Files.writeString(socket, "left behind");
        server = ControlServer.start(
                socket,
                daemon,
                daemon,
                daemon,
                daemon,
                daemon,
                daemon,
                daemon.policy(),
                daemon.dns(),
                daemon.proxies(),
                daemon.files);
        channel = NettyChannelBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                .channelType(EpollDomainSocketChannel.class)
                .eventLoopGroup(loops)
                .usePlaintext()
                .build();
    }

    @AfterEach
    void stop() {
        channel.shutdownNow();
        server.close();
        loops.shutdownGracefully(0, 0, TimeUnit.SECONDS);
    }

    @Test
    void socket_bound_isOnlyForItsUser() throws Exception {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
                .isEqualTo("rw-------");
    }

    @Test
    void server_closed_leavesNoSocket() {
        server.close();

        assertThat(socket).doesNotExist();
    }

    @Test
    void status_asked_hasEveryField() {
        GetStatusReply reply =
                DaemonServiceGrpc.newBlockingStub(channel).getStatus(GetStatusRequest.getDefaultInstance());

        assertThat(reply.getState()).isEqualTo(State.STATE_RUNNING);
        assertThat(reply.getDockerHost()).isEqualTo("unix:///h/run/docker.sock");
        assertThat(reply.getDaemon().getPid()).isEqualTo(42);
        assertThat(reply.getDaemon().getStarted().getSeconds()).isEqualTo(1000);
        assertThat(reply.getGuest().getKind()).isEqualTo("uml");
        assertThat(reply.getGuest().getStarted().getSeconds()).isEqualTo(1001);
        assertThat(reply.getGuest().getAgentReady()).isTrue();
        assertThat(reply.getEngine().getApiVersion()).isEqualTo("1.45");
        assertThat(reply.getNetwork().getMoved()).isTrue();
        assertThat(reply.getNetwork().getHost()).isEqualTo("192.168.65.254");
    }

    @Test
    void start_repliesOnlyWhenTheEngineAnswered() throws Exception {
        Future<StartGuestReply> reply =
                DaemonServiceGrpc.newFutureStub(channel).startGuest(StartGuestRequest.getDefaultInstance());
        DaemonServiceGrpc.newBlockingStub(channel).getStatus(GetStatusRequest.getDefaultInstance());
        assertThat(reply.isDone()).isFalse();

        daemon.started.complete(new Outcome.Done<>("unix:///x"));

        assertThat(reply.get(10, TimeUnit.SECONDS).getDockerHost()).isEqualTo("unix:///x");
    }

    @Test
    void failures_ofEachReason_haveTheirStatusCode() {
        Map<Outcome.Reason, Code> codes = Map.of(
                Outcome.Reason.INVALID, Code.INVALID_ARGUMENT,
                Outcome.Reason.NOT_FOUND, Code.NOT_FOUND,
                Outcome.Reason.TAKEN, Code.ALREADY_EXISTS,
                Outcome.Reason.FORBIDDEN, Code.PERMISSION_DENIED,
                Outcome.Reason.WRONG_STATE, Code.FAILED_PRECONDITION,
                Outcome.Reason.LIMIT, Code.RESOURCE_EXHAUSTED,
                Outcome.Reason.FAILED, Code.UNAVAILABLE,
                Outcome.Reason.CANCELLED, Code.ABORTED);
        for (Outcome.Reason reason : Outcome.Reason.values()) {
            assertThat(StatusCodes.of(reason, "text").getStatus().getCode()).isEqualTo(codes.get(reason));
        }
    }

    @Test
    void failure_replied_carriesItsText() {
        daemon.exposed.complete(new Outcome.Failed<>(Outcome.Reason.TAKEN, "ports are not available: …"));

        assertThatThrownBy(() -> PortServiceGrpc.newBlockingStub(channel).exposePort(exposeRequest(8080)))
                .isInstanceOfSatisfying(StatusRuntimeException.class, e -> {
                    assertThat(e.getStatus().getCode()).isEqualTo(Code.ALREADY_EXISTS);
                    assertThat(e.getStatus().getDescription()).isEqualTo("ports are not available: …");
                });
    }

    @Test
    void bug_inTheDaemon_isInternalAndTellsNoDetail() {
        assertThatThrownBy(() ->
                        DaemonServiceGrpc.newBlockingStub(channel).stopGuest(StopGuestRequest.getDefaultInstance()))
                .isInstanceOfSatisfying(StatusRuntimeException.class, e -> {
                    assertThat(e.getStatus().getCode()).isEqualTo(Code.INTERNAL);
                    assertThat(e.getStatus().getDescription()).doesNotContain("0x1234");
                });
    }

    @Test
    void ports_exposedAndListed_areTranslatedBothWays() {
        daemon.exposed.complete(new Outcome.Done<>(new Ports.Port(
                Ports.Protocol.TCP, "0.0.0.0", 8080, "192.168.65.3", 80, "control", 0, "", Ports.ProxyProtocol.NONE)));

        ExposePortReply reply = PortServiceGrpc.newBlockingStub(channel).exposePort(exposeRequest(8080));

        assertThat(daemon.calls).containsExactly("expose TCP 127.0.0.1 8080  80");
        assertThat(reply.getPort().getHost().getAddress()).isEqualTo("0.0.0.0");
        assertThat(PortServiceGrpc.newBlockingStub(channel)
                        .listPorts(ListPortsRequest.getDefaultInstance())
                        .getPorts(0)
                        .getProtocol())
                .isEqualTo(Protocol.PROTOCOL_UDP);
    }

    @Test
    void ports_outOfRangeOrWithoutProtocol_neverReachTheDaemon() {
        PortServiceGrpc.PortServiceBlockingStub ports = PortServiceGrpc.newBlockingStub(channel);

        assertThatThrownBy(() -> ports.exposePort(exposeRequest(65_536))).hasMessageContaining("INVALID_ARGUMENT");
        assertThatThrownBy(() -> ports.exposePort(exposeRequest(-1))).hasMessageContaining("INVALID_ARGUMENT");
        assertThatThrownBy(() -> ports.unexposePort(UnexposePortRequest.getDefaultInstance()))
                .hasMessageContaining("INVALID_ARGUMENT");
        assertThat(daemon.calls).isEmpty();
    }

    @Test
    void unexpose_unknownPort_isNotFound() {
        assertThatThrownBy(() -> PortServiceGrpc.newBlockingStub(channel)
                        .unexposePort(UnexposePortRequest.newBuilder()
                                .setProtocol(Protocol.PROTOCOL_TCP)
                                .setHost(Endpoint.newBuilder().setPort(1))
                                .build()))
                .hasMessageContaining("NOT_FOUND: no such port");
    }

    @Test
    void events_watched_comeFromThePastThenLiveUntilTheEnd() {
        daemon.happens(new Events.Notice("one"));
        daemon.happens(new Events.Step("guest", Events.Phase.DONE, "booted", Duration.ofMillis(1500)));

        Iterator<Event> events = EventServiceGrpc.newBlockingStub(channel)
                .watchEvents(WatchEventsRequest.newBuilder().setAfter(1).build());

        Event step = events.next();
        assertThat(step.getSequence()).isEqualTo(2);
        assertThat(step.getStep().getElapsed())
                .isEqualTo(com.google.protobuf.Duration.newBuilder()
                        .setSeconds(1)
                        .setNanos(500_000_000)
                        .build());
        for (int i = 0; i < 500; i++) {
            daemon.happens(new Events.PortChanged(true, "port " + i));
        }
        daemon.happens(new Events.StateChanged(Status.State.FAILED, "gone"));
        for (int i = 0; i < 500; i++) {
            assertThat(events.next().getPort().getText()).isEqualTo("port " + i);
        }
        assertThat(events.next().getState().getState()).isEqualTo(State.STATE_FAILED);
        daemon.end();
        assertThat(events.hasNext()).isFalse();
    }

    @Test
    void shutdown_metricsAndVersion_areAnswered() {
        DaemonServiceGrpc.DaemonServiceBlockingStub stub = DaemonServiceGrpc.newBlockingStub(channel);

        stub.shutdown(ShutdownRequest.getDefaultInstance());

        assertThat(daemon.calls).containsExactly("shutdown");
        assertThat(stub.getMetrics(GetMetricsRequest.getDefaultInstance()).getText())
                .isEqualTo("longshore_up 1\n");
        assertThat(VersionServiceGrpc.newBlockingStub(channel)
                        .getVersion(VersionRequest.getDefaultInstance())
                        .getVersion())
                .isNotEmpty();
    }

    @Test
    void health_asked_followsTheEngine() {
        HealthGrpc.HealthBlockingStub health = HealthGrpc.newBlockingStub(channel);
        server.serving(false);
        assertThat(health.check(HealthCheckRequest.getDefaultInstance()).getStatus())
                .isEqualTo(ServingStatus.NOT_SERVING);

        server.serving(true);

        assertThat(health.check(HealthCheckRequest.getDefaultInstance()).getStatus())
                .isEqualTo(ServingStatus.SERVING);
    }

    private static ExposePortRequest exposeRequest(int hostPort) {
        return ExposePortRequest.newBuilder()
                .setProtocol(Protocol.PROTOCOL_TCP)
                .setHost(Endpoint.newBuilder().setAddress("127.0.0.1").setPort(hostPort))
                .setGuest(Endpoint.newBuilder().setPort(80))
                .build();
    }
}
