package dev.longshore.cli;

import com.google.common.util.concurrent.ListenableFuture;
import dev.longshore.config.Home;
import dev.longshore.proto.control.v1.CaptureRequest;
import dev.longshore.proto.control.v1.CaptureServiceGrpc;
import dev.longshore.proto.control.v1.DaemonServiceGrpc;
import dev.longshore.proto.control.v1.DnsServiceGrpc;
import dev.longshore.proto.control.v1.Event;
import dev.longshore.proto.control.v1.EventServiceGrpc;
import dev.longshore.proto.control.v1.FileServiceGrpc;
import dev.longshore.proto.control.v1.FlowServiceGrpc;
import dev.longshore.proto.control.v1.GetMetricsRequest;
import dev.longshore.proto.control.v1.GetStatusReply;
import dev.longshore.proto.control.v1.GetStatusRequest;
import dev.longshore.proto.control.v1.PolicyServiceGrpc;
import dev.longshore.proto.control.v1.PortServiceGrpc;
import dev.longshore.proto.control.v1.ProxyServiceGrpc;
import dev.longshore.proto.control.v1.SettingsServiceGrpc;
import dev.longshore.proto.control.v1.ShutdownRequest;
import dev.longshore.proto.control.v1.StartGuestReply;
import dev.longshore.proto.control.v1.StartGuestRequest;
import dev.longshore.proto.control.v1.WatchEventsRequest;
import dev.longshore.proto.control.v1.WatchFileAccessesReply;
import dev.longshore.proto.control.v1.WatchFileAccessesRequest;
import dev.longshore.proto.control.v1.WatchFlowsReply;
import dev.longshore.proto.control.v1.WatchFlowsRequest;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.nio.file.Files;
import java.util.Iterator;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A connection to a daemon's control socket. Confined to the command's thread. */
final class ControlClient implements AutoCloseable {
    private static final long CALL_SECONDS = 10;

    /** A proxy script may have to be fetched and begun first, and has its own time then. */
    private static final long SCRIPT_SECONDS = 60;

    private final ManagedChannel channel;
    private final EventLoopGroup loops;

    private ControlClient(ManagedChannel channel, EventLoopGroup loops) {
        this.channel = channel;
        this.loops = loops;
    }

    /** Null if no daemon answers on the home's socket. */
    static @Nullable ControlClient connect(Home home) {
        if (!Files.exists(home.controlSocket())) {
            return null;
        }
        EventLoopGroup loops = new MultiThreadIoEventLoopGroup(
                1, new DefaultThreadFactory("control", true), EpollIoHandler.newFactory());
        ManagedChannel channel = NettyChannelBuilder.forAddress(
                        new DomainSocketAddress(home.controlSocket().toFile()))
                .channelType(EpollDomainSocketChannel.class)
                .eventLoopGroup(loops)
                .overrideAuthority("longshore")
                .directExecutor()
                .usePlaintext()
                .build();
        ControlClient client = new ControlClient(channel, loops);
        try {
            client.status();
            return client;
        } catch (StatusRuntimeException e) {
            client.close();
            if (isGone(e)) {
                return null;
            }
            throw e;
        }
    }

    /** As {@link #connect}, for commands that make no sense without a daemon. */
    static ControlClient require(Home home) {
        ControlClient client = connect(home);
        if (client == null) {
            throw new CliException("not running; start it with: longshore up");
        }
        return client;
    }

    /** True if the daemon is not, or no longer, there. */
    static boolean isGone(StatusRuntimeException e) {
        return e.getStatus().getCode() == Code.UNAVAILABLE;
    }

    GetStatusReply status() {
        return DaemonServiceGrpc.newBlockingStub(channel)
                .withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS)
                .getStatus(GetStatusRequest.getDefaultInstance());
    }

    ListenableFuture<StartGuestReply> startGuest() {
        return DaemonServiceGrpc.newFutureStub(channel).startGuest(StartGuestRequest.getDefaultInstance());
    }

    void shutdown() {
        DaemonServiceGrpc.newBlockingStub(channel)
                .withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS)
                .shutdown(ShutdownRequest.getDefaultInstance());
    }

    String metrics() {
        return DaemonServiceGrpc.newBlockingStub(channel)
                .withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS)
                .getMetrics(GetMetricsRequest.getDefaultInstance())
                .getText();
    }

    /** Past events after a sequence, then new ones as they come. */
    Iterator<Event> events(long after) {
        return EventServiceGrpc.newBlockingStub(channel)
                .watchEvents(WatchEventsRequest.newBuilder().setAfter(after).build());
    }

    FlowServiceGrpc.FlowServiceBlockingStub flows() {
        return FlowServiceGrpc.newBlockingStub(channel).withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS);
    }

    /** Without end, but for the guest's. */
    Iterator<WatchFlowsReply> watchFlows(WatchFlowsRequest request) {
        return FlowServiceGrpc.newBlockingStub(channel).watchFlows(request);
    }

    /** Without end, but for the guest's. */
    Iterator<WatchFileAccessesReply> watchFiles(WatchFileAccessesRequest request) {
        return FileServiceGrpc.newBlockingStub(channel).watchFileAccesses(request);
    }

    /** Begins a capture, whose replies go to {@code stream}. */
    void capture(CaptureRequest request, CaptureStream stream) {
        CaptureServiceGrpc.newStub(channel).capture(stream).onNext(request);
    }

    SettingsServiceGrpc.SettingsServiceBlockingStub settings() {
        return SettingsServiceGrpc.newBlockingStub(channel).withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS);
    }

    FileServiceGrpc.FileServiceBlockingStub files() {
        return FileServiceGrpc.newBlockingStub(channel).withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS);
    }

    DnsServiceGrpc.DnsServiceBlockingStub dns() {
        return DnsServiceGrpc.newBlockingStub(channel).withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS);
    }

    PolicyServiceGrpc.PolicyServiceBlockingStub policy() {
        return PolicyServiceGrpc.newBlockingStub(channel).withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS);
    }

    ProxyServiceGrpc.ProxyServiceBlockingStub proxies() {
        return ProxyServiceGrpc.newBlockingStub(channel).withDeadlineAfter(SCRIPT_SECONDS, TimeUnit.SECONDS);
    }

    PortServiceGrpc.PortServiceBlockingStub ports() {
        return PortServiceGrpc.newBlockingStub(channel).withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS);
    }

    @Override
    public void close() {
        channel.shutdownNow();
        loops.shutdownGracefully(0, 0, TimeUnit.SECONDS);
    }
}
