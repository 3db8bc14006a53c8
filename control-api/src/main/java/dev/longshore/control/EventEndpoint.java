package dev.longshore.control;

import dev.longshore.proto.control.v1.Event;
import dev.longshore.proto.control.v1.EventServiceGrpc;
import dev.longshore.proto.control.v1.WatchEventsRequest;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.List;

/** EventService of {@code events.proto}. Thread-safe: holds nothing but the events. */
final class EventEndpoint extends EventServiceGrpc.EventServiceImplBase {
    private final Events events;

    EventEndpoint(Events events) {
        this.events = events;
    }

    @Override
    public void watchEvents(WatchEventsRequest request, StreamObserver<Event> observer) {
        new Watcher((ServerCallStreamObserver<Event>) observer, request.getAfter()).start();
    }

    /**
     * One caller: it holds a place in the log and no queue, so a caller that does not read costs nothing but the events it
     * misses. Thread-safe: {@link #pump} is synchronized, for the log and gRPC wake it from different threads.
     */
    private final class Watcher {
        private static final int BATCH = 64;

        private final ServerCallStreamObserver<Event> out;
        private long sent;
        private boolean ended;

        Watcher(ServerCallStreamObserver<Event> out, long after) {
            this.out = out;
            sent = after;
        }

        void start() {
            Events.Subscription subscription = events.onNew(this::pump);
            out.setOnReadyHandler(this::pump);
            out.setOnCancelHandler(subscription::close);
            out.setOnCloseHandler(subscription::close);
            pump();
        }

        private synchronized void pump() {
            while (out.isReady() && !ended && !out.isCancelled()) {
                boolean last = events.ended(); // read first: what was added before it is in the batch
                List<Events.Event> batch = events.after(sent, BATCH);
                for (Events.Event event : batch) {
                    out.onNext(Replies.event(event));
                    sent = event.sequence();
                }
                if (batch.isEmpty()) {
                    if (last) {
                        ended = true;
                        out.onCompleted();
                    }
                    return;
                }
            }
        }
    }
}
