package dev.longshore.control;

import dev.longshore.proto.control.v1.DaemonServiceGrpc;
import dev.longshore.proto.control.v1.GetMetricsReply;
import dev.longshore.proto.control.v1.GetMetricsRequest;
import dev.longshore.proto.control.v1.GetStatusReply;
import dev.longshore.proto.control.v1.GetStatusRequest;
import dev.longshore.proto.control.v1.ShutdownReply;
import dev.longshore.proto.control.v1.ShutdownRequest;
import dev.longshore.proto.control.v1.StartGuestReply;
import dev.longshore.proto.control.v1.StartGuestRequest;
import dev.longshore.proto.control.v1.StopGuestReply;
import dev.longshore.proto.control.v1.StopGuestRequest;
import io.grpc.stub.StreamObserver;

/** DaemonService of {@code daemon.proto}. Thread-safe: holds nothing but the daemon. */
final class DaemonEndpoint extends DaemonServiceGrpc.DaemonServiceImplBase {
    private final Daemon daemon;

    DaemonEndpoint(Daemon daemon) {
        this.daemon = daemon;
    }

    @Override
    public void getStatus(GetStatusRequest request, StreamObserver<GetStatusReply> observer) {
        Answer.with(observer, () -> Replies.status(daemon.status()));
    }

    @Override
    public void startGuest(StartGuestRequest request, StreamObserver<StartGuestReply> observer) {
        Answer.when(daemon.startGuest(), observer, host -> StartGuestReply.newBuilder()
                .setDockerHost(host)
                .build());
    }

    @Override
    public void stopGuest(StopGuestRequest request, StreamObserver<StopGuestReply> observer) {
        Answer.when(daemon.stopGuest(), observer, done -> StopGuestReply.getDefaultInstance());
    }

    @Override
    public void shutdown(ShutdownRequest request, StreamObserver<ShutdownReply> observer) {
        Answer.with(observer, () -> {
            daemon.shutdown();
            return ShutdownReply.getDefaultInstance();
        });
    }

    @Override
    public void getMetrics(GetMetricsRequest request, StreamObserver<GetMetricsReply> observer) {
        Answer.with(
                observer,
                () -> GetMetricsReply.newBuilder().setText(daemon.metrics()).build());
    }
}
