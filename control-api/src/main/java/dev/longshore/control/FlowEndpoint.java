package dev.longshore.control;

import com.google.protobuf.Duration;
import dev.longshore.proto.control.v1.FlowServiceGrpc;
import dev.longshore.proto.control.v1.ListFlowsReply;
import dev.longshore.proto.control.v1.ListFlowsRequest;
import dev.longshore.proto.control.v1.WatchFlowsReply;
import dev.longshore.proto.control.v1.WatchFlowsRequest;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.atomic.AtomicInteger;

/** FlowService of {@code flows.proto}. Thread-safe. */
final class FlowEndpoint extends FlowServiceGrpc.FlowServiceImplBase {
    private static final int USUAL_PAGE = 1000;
    private static final int MAX_PAGE = 5000;
    private static final int MAX_WATCHERS = 16;
    private static final long USUAL_MILLIS = 1000;
    private static final long MIN_MILLIS = 100;
    private static final long MAX_MILLIS = 60_000;

    /** By age; the token of a page is the text of its last flow's place in this order. */
    private static final Comparator<Flows.Flow> BY_AGE =
            Comparator.comparing(Flows.Flow::opened).thenComparing(FlowEndpoint::place);

    private final Flows flows;
    private final Executor calls;
    private final ScheduledExecutorService timers;
    private final AtomicInteger watchers = new AtomicInteger();

    /** {@code calls} does the work, {@code timers} only keeps time. */
    FlowEndpoint(Flows flows, Executor calls, ScheduledExecutorService timers) {
        this.flows = flows;
        this.calls = calls;
        this.timers = timers;
    }

    @Override
    public void listFlows(ListFlowsRequest request, StreamObserver<ListFlowsReply> observer) {
        FlowQuery query;
        int size = request.getPageSize() == 0 ? USUAL_PAGE : request.getPageSize();
        try {
            query = FlowQuery.of(request.getFilter());
            checkPage(size, request.getPageToken());
        } catch (IllegalArgumentException e) {
            Answer.refuse(observer, Outcome.Reason.INVALID, String.valueOf(e.getMessage()));
            return;
        }
        Answer.when(flows.look(), observer, all -> page(all, query, size, request.getPageToken()));
    }

    private static void checkPage(int size, String token) {
        if (size < 1 || size > MAX_PAGE) {
            throw new IllegalArgumentException("page_size is 1 to " + MAX_PAGE);
        }
        if (!token.isEmpty() && !token.matches("[0-9]{20}\\.[0-9]{9} .{1,200}")) {
            throw new IllegalArgumentException("page_token is not one of ours");
        }
    }

    private static ListFlowsReply page(List<Flows.Flow> all, FlowQuery query, int size, String after) {
        List<Flows.Flow> rest = all.stream()
                .filter(query::matches)
                .filter(f -> after.isEmpty() || place(f).compareTo(after) > 0)
                .sorted(BY_AGE)
                .limit(size + 1L)
                .toList();
        ListFlowsReply.Builder reply = ListFlowsReply.newBuilder();
        rest.stream().limit(size).forEach(f -> reply.addFlows(Replies.flow(f)));
        return rest.size() > size
                ? reply.setNextPageToken(place(rest.get(size - 1))).build()
                : reply.build();
    }

    /** Texts in the order of age; different for different flows. */
    private static String place(Flows.Flow f) {
        Instant opened = f.opened();
        return String.format(
                Locale.ROOT,
                "%020d.%09d %s %s %d %s %d",
                opened.getEpochSecond(),
                opened.getNano(),
                f.protocol(),
                f.guest().address(),
                f.guest().port(),
                f.remote().address(),
                f.remote().port());
    }

    @Override
    public void watchFlows(WatchFlowsRequest request, StreamObserver<WatchFlowsReply> observer) {
        FlowQuery query;
        long millis;
        try {
            query = FlowQuery.of(request.getFilter());
            millis = request.hasInterval() ? millis(request.getInterval()) : USUAL_MILLIS;
        } catch (IllegalArgumentException e) {
            Answer.refuse(observer, Outcome.Reason.INVALID, String.valueOf(e.getMessage()));
            return;
        }
        if (watchers.incrementAndGet() > MAX_WATCHERS) {
            watchers.decrementAndGet();
            Answer.refuse(observer, Outcome.Reason.LIMIT, MAX_WATCHERS + " callers watch flows already");
            return;
        }
        new FlowWatcher(
                        flows,
                        query,
                        millis,
                        calls,
                        timers,
                        (ServerCallStreamObserver<WatchFlowsReply>) observer,
                        watchers::decrementAndGet)
                .start();
    }

    private static long millis(Duration interval) {
        long millis = interval.getSeconds() > MAX_MILLIS
                ? Long.MAX_VALUE
                : interval.getSeconds() * 1000 + interval.getNanos() / 1_000_000;
        if (millis < MIN_MILLIS || millis > MAX_MILLIS) {
            throw new IllegalArgumentException("interval is 0.1 s to 60 s");
        }
        return millis;
    }
}
