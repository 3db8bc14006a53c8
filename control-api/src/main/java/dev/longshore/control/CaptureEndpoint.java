package dev.longshore.control;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import dev.longshore.proto.control.v1.CaptureEnd;
import dev.longshore.proto.control.v1.CaptureReply;
import dev.longshore.proto.control.v1.CaptureRequest;
import dev.longshore.proto.control.v1.CaptureServiceGrpc;
import dev.longshore.proto.control.v1.CaptureStarted;
import dev.longshore.proto.control.v1.CapturedFrame;
import dev.longshore.proto.control.v1.CapturedFrames;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.nio.ByteBuffer;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/** CaptureService of {@code capture.proto}. Thread-safe: holds nothing but the captures. */
final class CaptureEndpoint extends CaptureServiceGrpc.CaptureServiceImplBase {
    private static final int MAX_SNAP_LENGTH = 262_144;

    private final Captures captures;
    private final Executor calls;

    /** {@code calls} does the work of all captures. */
    CaptureEndpoint(Captures captures, Executor calls) {
        this.captures = captures;
        this.calls = calls;
    }

    @Override
    public StreamObserver<CaptureRequest> capture(StreamObserver<CaptureReply> observer) {
        return new Call((ServerCallStreamObserver<CaptureReply>) observer);
    }

    /**
     * One caller. Thread-safe: gRPC calls it one at a time; the link's loop wakes it; {@link #pump} is synchronized. What
     * is on its way is bounded: it drains only while gRPC is ready to send, and a drain is bounded by the capture.
     */
    private final class Call implements StreamObserver<CaptureRequest> {
        private final ServerCallStreamObserver<CaptureReply> out;
        private Captures.@Nullable Session session;
        private long sent;
        private boolean done;

        Call(ServerCallStreamObserver<CaptureReply> out) {
            this.out = out;
            out.setOnReadyHandler(this::pump);
            out.setOnCancelHandler(this::stop);
            out.setOnCloseHandler(this::stop);
        }

        @Override
        public synchronized void onNext(CaptureRequest request) {
            if (done) {
                return;
            }
            if (session != null) {
                refuse(Outcome.Reason.INVALID, "a capture begins with one message, and no other follows");
                return;
            }
            int snapLength = request.getSnapLength() == 0 ? MAX_SNAP_LENGTH : request.getSnapLength();
            if (snapLength < 0 || snapLength > MAX_SNAP_LENGTH || request.getCount() < 0) {
                refuse(Outcome.Reason.INVALID, "snap_length is at most " + MAX_SNAP_LENGTH);
                return;
            }
            switch (captures.begin(request.getFilter(), snapLength, request.getCount(), this::wake)) {
                case Outcome.Failed<Captures.Session> f -> refuse(f.reason(), f.text());
                case Outcome.Done<Captures.Session> d -> {
                    session = d.value();
                    out.onNext(CaptureReply.newBuilder()
                            .setStarted(CaptureStarted.getDefaultInstance())
                            .build());
                }
            }
        }

        private void refuse(Outcome.Reason reason, String text) {
            stop();
            Answer.refuse(out, reason, text);
        }

        /** The caller wants no more. */
        @Override
        public synchronized void onCompleted() {
            Captures.Session begun = session;
            if (begun != null) {
                begun.end();
                pump();
            } else if (!done) {
                refuse(Outcome.Reason.INVALID, "the first message is missing");
            }
        }

        @Override
        public void onError(Throwable cancelled) {
            stop();
        }

        private synchronized void stop() {
            done = true;
            Captures.Session begun = session;
            if (begun != null) {
                begun.end();
            }
        }

        private void wake() {
            try {
                calls.execute(this::pump);
            } catch (RejectedExecutionException e) {
                // The server is closing, and ends the call itself.
            }
        }

        private synchronized void pump() {
            Captures.Session begun = session;
            if (begun == null || done || !out.isReady()) {
                return;
            }
            boolean last = begun.ended(); // first: what was added before is drained now
            FrameSender sender = new FrameSender();
            begun.drain(sender);
            sender.flush();
            if (last) {
                done = true;
                out.onNext(CaptureReply.newBuilder()
                        .setEnd(CaptureEnd.newBuilder().setCaptured(sent).setDropped(begun.dropped()))
                        .build());
                out.onCompleted();
            }
        }

        /** Cuts what was drained into messages well below gRPC's limit of 4 MiB. */
        private final class FrameSender implements Captures.Reader {
            private static final int BYTES_A_REPLY = 256 << 10;

            private CapturedFrames.Builder frames = CapturedFrames.newBuilder();
            private int bytes;

            @Override
            public void frame(long epochNanos, boolean fromGuest, int frameBytes, ByteBuffer data) {
                byte[] copy = new byte[data.remaining()];
                data.get(copy);
                ByteString content = UnsafeByteOperations.unsafeWrap(copy); // nobody else has the copy
                frames.addFrames(CapturedFrame.newBuilder()
                        .setTimeNanos(epochNanos)
                        .setFromGuest(fromGuest)
                        .setLength(frameBytes)
                        .setData(content));
                bytes += copy.length + 32;
                sent++;
                if (bytes >= BYTES_A_REPLY) {
                    flush();
                }
            }

            void flush() {
                if (bytes > 0) {
                    out.onNext(CaptureReply.newBuilder().setFrames(frames).build());
                    frames = CapturedFrames.newBuilder();
                    bytes = 0;
                }
            }
        }
    }
}
