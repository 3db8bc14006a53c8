package dev.longshore.vpnkit.flow;

import io.netty.channel.EventLoop;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;

/**
 * One look at all flows, taken on the link's loop in pieces, so that frames are served in between: a list of 16,384 flows
 * is 64 tasks. Only the references are collected at once. A flow that ends while the others are looked at is left out.
 *
 * <p>{@link #take} may be called from any thread; the rest is confined to the loop.
 */
public final class FlowSnapshots {
    /** Flows in one task of the loop: some tens of microseconds. */
    private static final int PIECE = 256;

    private final EventLoop loop;
    private final List<SeenFlow> flows = new ArrayList<>();
    private final List<FlowSnapshot> taken = new ArrayList<>();
    private final CompletableFuture<List<FlowSnapshot>> result = new CompletableFuture<>();
    private int next;

    private FlowSnapshots(EventLoop loop) {
        this.loop = loop;
    }

    /**
     * The flows of all sources, in no order. Fails if the loop has ended.
     *
     * @param sources called once, on the loop: adds the flows to the list it is given
     */
    public static CompletableFuture<List<FlowSnapshot>> take(EventLoop loop, Consumer<List<SeenFlow>> sources) {
        FlowSnapshots look = new FlowSnapshots(loop);
        look.submit(() -> {
            sources.accept(look.flows);
            look.piece();
        });
        return look.result;
    }

    private void submit(Runnable task) {
        try {
            loop.execute(() -> {
                try {
                    task.run();
                } catch (RuntimeException e) {
                    result.completeExceptionally(e);
                }
            });
        } catch (RejectedExecutionException e) {
            result.completeExceptionally(e);
        }
    }

    private void piece() {
        int end = Math.min(flows.size(), next + PIECE);
        for (; next < end; next++) {
            SeenFlow flow = flows.get(next);
            if (flow.isLive()) {
                taken.add(flow.snapshot());
            }
        }
        if (next < flows.size()) {
            submit(this::piece);
        } else {
            result.complete(List.copyOf(taken));
        }
    }
}
