package dev.longshore.cli;

import dev.longshore.proto.control.v1.CaptureReply;
import dev.longshore.proto.control.v1.CaptureRequest;
import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * The replies of one capture, as many at a time as were asked for: what is not taken makes the daemon drop frames instead
 * of this process grow. Thread-safe: gRPC's thread puts, the command's thread takes, any thread ends.
 */
final class CaptureStream implements ClientResponseObserver<CaptureRequest, CaptureReply> {
    private static final int ON_THE_WAY = 8;

    private final BlockingQueue<Object> replies = new LinkedBlockingQueue<>();
    private final AtomicBoolean ended = new AtomicBoolean();
    private volatile @Nullable ClientCallStreamObserver<CaptureRequest> call;

    /** The queue's last element. */
    private enum Done {
        DONE
    }

    @Override
    public void beforeStart(ClientCallStreamObserver<CaptureRequest> requests) {
        requests.disableAutoRequestWithInitial(ON_THE_WAY);
        call = requests;
    }

    @Override
    public void onNext(CaptureReply reply) {
        replies.add(reply);
    }

    @Override
    public void onError(Throwable error) {
        replies.add(Status.fromThrowable(error).asRuntimeException());
    }

    @Override
    public void onCompleted() {
        replies.add(Done.DONE);
    }

    /** Throws why there is no capture, if there is none. */
    void awaitStart() throws InterruptedException {
        CaptureReply first = next();
        if (first == null || !first.hasStarted()) {
            throw new CliException("the daemon's first reply is not the beginning of a capture");
        }
    }

    /** Null at the end. Throws the failure of the call. */
    @Nullable
    CaptureReply next() throws InterruptedException {
        Object next = replies.take();
        ClientCallStreamObserver<CaptureRequest> requests = call;
        return switch (next) {
            case CaptureReply reply -> {
                if (requests != null) {
                    requests.request(1);
                }
                yield reply;
            }
            case RuntimeException e -> throw e;
            default -> null;
        };
    }

    /** Asks for the end: what is left follows, then the last reply. Idempotent. */
    void end() {
        ClientCallStreamObserver<CaptureRequest> requests = call;
        if (requests != null && ended.compareAndSet(false, true)) {
            requests.onCompleted();
        }
    }
}
