package dev.longshore.control;

import dev.longshore.proto.control.v1.FlowChange;
import dev.longshore.proto.control.v1.WatchFlowsReply;
import io.grpc.stub.ServerCallStreamObserver;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One caller of WatchFlows. It remembers what it has told the caller, and once an interval tells the difference: so a
 * caller that does not read costs no more memory than the flows there are, and misses nothing but what came and went.
 *
 * <p>Thread-safe: looks complete on the link's loop, timers run on another; all work is done on the executor of the calls,
 * one step at a time, and the synchronized methods order the steps.
 */
final class FlowWatcher {
    private static final int CHANGES_A_REPLY = 500;

    private final Flows flows;
    private final FlowQuery query;
    private final long millis;
    private final Executor calls;
    private final ScheduledExecutorService timers;
    private final ServerCallStreamObserver<WatchFlowsReply> out;
    private final Runnable onEnd;
    private Map<Flows.Flow.Key, Flows.Flow> told = new HashMap<>();
    private boolean first = true;
    private boolean waitsForReader;
    private boolean ended;

    FlowWatcher(
            Flows flows,
            FlowQuery query,
            long millis,
            Executor calls,
            ScheduledExecutorService timers,
            ServerCallStreamObserver<WatchFlowsReply> out,
            Runnable onEnd) {
        this.flows = flows;
        this.query = query;
        this.millis = millis;
        this.calls = calls;
        this.timers = timers;
        this.out = out;
        this.onEnd = onEnd;
    }

    void start() {
        out.setOnCancelHandler(this::end);
        out.setOnCloseHandler(this::end);
        out.setOnReadyHandler(this::onReady);
        look();
    }

    private synchronized void onReady() {
        if (waitsForReader) {
            waitsForReader = false;
            look();
        }
    }

    private synchronized void look() {
        if (ended) {
            return;
        }
        if (!out.isReady() && !first) {
            waitsForReader = true;
            return;
        }
        flows.look().whenComplete((outcome, error) -> inCalls(() -> onLook(outcome, error)));
    }

    private void inCalls(Runnable step) {
        try {
            calls.execute(step);
        } catch (RejectedExecutionException e) {
            end(); // the server is closing, and ends the call itself
        }
    }

    private synchronized void onLook(@Nullable Outcome<List<Flows.Flow>> outcome, @Nullable Throwable error) {
        if (ended || out.isCancelled()) {
            return;
        }
        switch (outcome) {
            case Outcome.Done<List<Flows.Flow>> d -> {
                tell(d.value());
                first = false;
                timers.schedule(() -> inCalls(this::look), millis, TimeUnit.MILLISECONDS);
            }
            case Outcome.Failed<List<Flows.Flow>> f
            when first -> {
                end();
                Answer.refuse(out, f.reason(), f.text());
            }
            case Outcome.Failed<List<Flows.Flow>> _ -> complete();
            case null -> {
                if (first && error != null) {
                    end();
                    Answer.bug(out, error);
                } else {
                    complete(); // the loop has ended with the guest
                }
            }
        }
    }

    private void complete() {
        end();
        out.onCompleted();
    }

    private void tell(List<Flows.Flow> all) {
        Map<Flows.Flow.Key, Flows.Flow> now = new HashMap<>();
        Sender sender = new Sender();
        for (Flows.Flow flow : all) {
            if (query.matches(flow)) {
                now.put(flow.key(), flow);
                Flows.Flow before = told.get(flow.key());
                if (before == null) {
                    sender.add(FlowChange.Kind.KIND_OPENED, flow);
                } else if (!before.equals(flow)) {
                    sender.add(FlowChange.Kind.KIND_CHANGED, flow);
                }
            }
        }
        told.forEach((key, flow) -> {
            if (!now.containsKey(key)) {
                sender.add(FlowChange.Kind.KIND_ENDED, flow);
            }
        });
        told = now;
        sender.complete();
    }

    /** Idempotent. */
    private synchronized void end() {
        if (!ended) {
            ended = true;
            told = Map.of();
            onEnd.run();
        }
    }

    /** Cuts an interval's changes into replies. */
    private final class Sender {
        private WatchFlowsReply.Builder reply = WatchFlowsReply.newBuilder();

        void add(FlowChange.Kind kind, Flows.Flow flow) {
            reply.addChanges(FlowChange.newBuilder().setKind(kind).setFlow(Replies.flow(flow)));
            if (reply.getChangesCount() == CHANGES_A_REPLY) {
                out.onNext(reply.build());
                reply = WatchFlowsReply.newBuilder();
            }
        }

        /** An empty reply too: the caller's sign of life, and of time. */
        void complete() {
            out.onNext(reply.setComplete(true).build());
        }
    }
}
