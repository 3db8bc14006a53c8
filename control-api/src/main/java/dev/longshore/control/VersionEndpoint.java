package dev.longshore.control;

import dev.longshore.config.Version;
import dev.longshore.proto.control.v1.VersionReply;
import dev.longshore.proto.control.v1.VersionRequest;
import dev.longshore.proto.control.v1.VersionServiceGrpc;
import io.grpc.stub.StreamObserver;

/** VersionService of {@code version.proto}. Immutable. */
final class VersionEndpoint extends VersionServiceGrpc.VersionServiceImplBase {
    @Override
    public void getVersion(VersionRequest request, StreamObserver<VersionReply> observer) {
        Answer.with(
                observer,
                () -> VersionReply.newBuilder().setVersion(Version.current()).build());
    }
}
