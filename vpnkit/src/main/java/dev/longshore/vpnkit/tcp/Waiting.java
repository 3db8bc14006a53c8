package dev.longshore.vpnkit.tcp;

import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * The flows that are in one state, the oldest first, so that it can make room. A flow that has left the state is forgotten
 * later: leaving costs nothing.
 *
 * <p>Confined to the link's event loop.
 */
final class Waiting {
    private static final int SLACK = 64;

    private final TcpState state;
    private final ArrayDeque<TcpFlow> flows = new ArrayDeque<>();

    Waiting(TcpState state) {
        this.state = state;
    }

    /** {@code flow} has come into the state, of {@code all} flows there are. */
    void add(TcpFlow flow, int all) {
        flows.add(flow);
        if (flows.size() > 2 * all + SLACK) { // behind one that stays for ever
            flows.removeIf(f -> f.state() != state);
        }
    }

    /** The flow that is in the state for the longest time, or null. */
    @Nullable
    TcpFlow oldest() {
        while (!flows.isEmpty() && flows.element().state() != state) {
            flows.remove();
        }
        return flows.peek();
    }

    /** For tests: those forgotten later included. */
    int size() {
        return flows.size();
    }
}
