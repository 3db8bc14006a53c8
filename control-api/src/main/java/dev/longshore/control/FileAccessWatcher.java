package dev.longshore.control;

import com.google.protobuf.Timestamp;
import dev.longshore.proto.control.v1.FileAccess;
import dev.longshore.proto.control.v1.WatchFileAccessesReply;
import io.grpc.stub.ServerCallStreamObserver;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * One caller of WatchFileAccesses. It takes what waits only while gRPC is ready to send, so what is on its way is bounded, and what waits
 * is bounded by the watch. Thread-safe: {@link #wake} comes from any thread, {@link #pump} is synchronized.
 */
final class FileAccessWatcher {
    private static final int ACCESSES_A_REPLY = 256;

    private final ServerCallStreamObserver<WatchFileAccessesReply> out;
    private final Executor calls;
    private final AtomicBoolean woken = new AtomicBoolean();
    private FilesControl.@Nullable Watch watch;
    private boolean done;

    FileAccessWatcher(ServerCallStreamObserver<WatchFileAccessesReply> out, Executor calls) {
        this.out = out;
        this.calls = calls;
    }

    synchronized void start(FilesControl.Watch begun) {
        watch = begun;
        out.setOnReadyHandler(this::pump);
        out.setOnCancelHandler(this::stop);
        out.setOnCloseHandler(this::stop);
        pump();
    }

    /** There may be something to tell. */
    void wake() {
        if (woken.compareAndSet(false, true)) {
            try {
                calls.execute(this::pump);
            } catch (RejectedExecutionException e) {
                // The server is closing, and ends the call itself.
            }
        }
    }

    private synchronized void stop() {
        done = true;
        if (watch != null) {
            watch.end();
        }
    }

    private synchronized void pump() {
        if (!out.isReady() && !done) {
            woken.set(true); // until gRPC is ready, and calls: nobody need wake us before
            return;
        }
        woken.set(false); // first: what comes from now on wakes again
        FilesControl.Watch w = watch;
        while (w != null && !done && out.isReady()) {
            boolean last = w.ended(); // before what is drained
            List<FilesControl.Access> batch = w.drain(ACCESSES_A_REPLY);
            long lost = w.takeLost();
            if (!batch.isEmpty() || lost > 0) {
                WatchFileAccessesReply.Builder reply =
                        WatchFileAccessesReply.newBuilder().setLost(lost);
                batch.forEach(a -> reply.addAccesses(access(a)));
                out.onNext(reply.build());
            } else {
                if (last) {
                    done = true;
                    out.onCompleted();
                }
                return;
            }
        }
    }

    private static FileAccess access(FilesControl.Access a) {
        return FileAccess.newBuilder()
                .setTime(Timestamp.newBuilder()
                        .setSeconds(Math.floorDiv(a.epochMillis(), 1000L))
                        .setNanos((int) Math.floorMod(a.epochMillis(), 1000L) * 1_000_000))
                .setKind(a.kind())
                .setPath(a.path())
                .setTo(a.to())
                .setUid(a.uid())
                .setGid(a.gid())
                .setPid(a.pid())
                .setErrno(a.errno())
                .setError(a.error())
                .setBytesRead(a.bytesRead())
                .setBytesWritten(a.bytesWritten())
                .build();
    }
}
