package dev.longshore.cli;

import com.google.protobuf.Duration;
import dev.longshore.proto.control.v1.Flow;
import dev.longshore.proto.control.v1.FlowChange;
import dev.longshore.proto.control.v1.FlowFilter;
import dev.longshore.proto.control.v1.ListFlowsReply;
import dev.longshore.proto.control.v1.ListFlowsRequest;
import dev.longshore.proto.control.v1.WatchFlowsReply;
import dev.longshore.proto.control.v1.WatchFlowsRequest;
import java.time.Instant;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "flows",
        mixinStandardHelpOptions = true,
        description = "What the guest talks to now: connections, UDP flows and pings.",
        footer = {
            "%nWords of a filter, all of which must fit:",
            "  tcp, udp, icmp      only these protocols",
            "  host ADDRESS[/BITS] the guest's or the remote's address",
            "  port NUMBER         the guest's or the remote's port",
            "  state STATE         as shown: established, fin_wait_2, asking …",
            "  by guest|host       who dialled",
            "%nExamples:",
            "  longshore flows tcp port 443",
            "  longshore flows --container web     of one container, or of a Compose project",
            "  longshore flows --watch by host     who uses published ports, with rates"
        })
final class FlowsCommand implements Callable<Integer> {
    private final Context context;

    @Option(names = "--watch", description = "Go on, once a second, until interrupted.")
    private boolean watch;

    @Option(
            names = "--format",
            description = "${COMPLETION-CANDIDATES}: json is one object a line (default: ${DEFAULT-VALUE}).")
    private Format format = Format.text;

    @Option(
            names = "--container",
            paramLabel = "NAME",
            description =
                    "Only of this container: its name, its id as docker ps shows it, or the Compose project it is of.")
    private String container = "";

    @Parameters(paramLabel = "FILTER", arity = "0..*")
    private List<String> filter = List.of();

    FlowsCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        FlowFilter wanted =
                FlowWords.parse(filter).toBuilder().setContainer(container).build();
        try (ControlClient client = ControlClient.require(context.home())) {
            if (watch) {
                watch(client, wanted);
            } else {
                list(client, wanted);
            }
        }
        return ExitCode.OK;
    }

    private void list(ControlClient client, FlowFilter wanted) {
        FlowTableText table = new FlowTableText(Instant.now());
        String token = "";
        do {
            ListFlowsReply page = client.flows()
                    .listFlows(ListFlowsRequest.newBuilder()
                            .setFilter(wanted)
                            .setPageToken(token)
                            .build());
            for (Flow flow : page.getFlowsList()) {
                if (format == Format.json) {
                    context.terminal().result(FlowTableText.json("", flow));
                } else {
                    table.add(flow);
                }
            }
            token = page.getNextPageToken();
        } while (!token.isEmpty());
        if (format == Format.text) {
            table.lines(Integer.MAX_VALUE).forEach(context.terminal()::result);
        }
    }

    private void watch(ControlClient client, FlowFilter wanted) {
        Iterator<WatchFlowsReply> replies = client.watchFlows(WatchFlowsRequest.newBuilder()
                .setFilter(wanted)
                .setInterval(Duration.newBuilder().setSeconds(1))
                .build());
        FlowScreen screen =
                new FlowScreen(context.terminal(), Boolean.getBoolean("longshore.screen"), System::nanoTime);
        while (replies.hasNext()) {
            WatchFlowsReply reply = replies.next();
            if (format == Format.json) {
                for (FlowChange change : reply.getChangesList()) {
                    context.terminal()
                            .result(FlowTableText.json(FlowTableText.word(change.getKind()), change.getFlow()));
                }
            } else {
                screen.show(reply);
            }
        }
        context.terminal().say("The guest's network has ended.");
    }
}
