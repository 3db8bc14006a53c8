package dev.longshore.cli;

import com.google.protobuf.Timestamp;
import dev.longshore.proto.control.v1.Endpoint;
import dev.longshore.proto.control.v1.Flow;
import dev.longshore.proto.control.v1.FlowChange;
import dev.longshore.proto.control.v1.FlowOpener;
import dev.longshore.proto.control.v1.FlowProtocol;
import dev.longshore.proto.control.v1.WatchFlowsReply;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Flows that are watched: on a terminal a table that is drawn anew in its place, elsewhere a line for each change. Confined
 * to the command's thread.
 */
final class FlowScreen {
    private static final int ROWS = 30;

    private final Terminal terminal;
    private final boolean inPlace;
    private final LongSupplier nanoTime;
    private final Map<Key, Flow> flows = new LinkedHashMap<>();
    private final Map<Key, Flow> before = new LinkedHashMap<>();
    private long intervalBegan;
    private int drawn;

    private record Key(FlowProtocol protocol, Endpoint guest, Endpoint remote, Timestamp opened) {
        static Key of(Flow f) {
            return new Key(f.getProtocol(), f.getGuest(), f.getRemote(), f.getOpened());
        }
    }

    /** {@code inPlace}: standard output is a terminal on which lines can be overwritten. */
    FlowScreen(Terminal terminal, boolean inPlace, LongSupplier nanoTime) {
        this.terminal = terminal;
        this.inPlace = inPlace;
        this.nanoTime = nanoTime;
        intervalBegan = nanoTime.getAsLong();
    }

    void show(WatchFlowsReply reply) {
        for (FlowChange change : reply.getChangesList()) {
            if (change.getKind() == FlowChange.Kind.KIND_ENDED) {
                flows.remove(Key.of(change.getFlow()));
            } else {
                flows.put(Key.of(change.getFlow()), change.getFlow());
            }
            if (!inPlace) {
                terminal.result(line(change));
            }
        }
        if (reply.getComplete() && inPlace) {
            draw();
        }
    }

    private static String line(FlowChange change) {
        Flow f = change.getFlow();
        return String.format(
                Locale.ROOT,
                "%-7s %s %s %s %s %s %s, sent %d, received %d",
                FlowTableText.word(change.getKind()),
                FlowTableText.word(f.getProtocol()),
                FlowTableText.owner(f),
                PortSpec.text(f.getGuest()),
                f.getOpener() == FlowOpener.FLOW_OPENER_HOST ? "<" : ">",
                PortSpec.text(f.getRemote()),
                f.getState().toLowerCase(Locale.ROOT),
                f.getBytesFromGuest(),
                f.getBytesToGuest());
    }

    private void draw() {
        long now = nanoTime.getAsLong();
        double seconds = Math.max(0.001, (now - intervalBegan) / 1e9);
        intervalBegan = now;
        FlowTableText table = new FlowTableText(Instant.now());
        flows.forEach((key, flow) -> {
            Flow old = before.get(key);
            table.add(new FlowTableText.Row(
                    flow,
                    rate(flow.getBytesFromGuest(), old == null ? null : old.getBytesFromGuest(), seconds),
                    rate(flow.getBytesToGuest(), old == null ? null : old.getBytesToGuest(), seconds)));
        });
        before.clear();
        before.putAll(flows);
        List<String> lines = table.lines(ROWS);
        StringBuilder text = new StringBuilder();
        if (drawn > 0) {
            text.append("\u001b[").append(drawn).append('A');
        }
        text.append('\r');
        lines.forEach(l -> text.append(l).append("\u001b[K\n"));
        text.append("\u001b[J");
        terminal.out().print(text);
        terminal.out().flush();
        drawn = lines.size();
    }

    private static double rate(long bytes, @Nullable Long old, double seconds) {
        return old == null ? 0 : (bytes - old) / seconds;
    }
}
