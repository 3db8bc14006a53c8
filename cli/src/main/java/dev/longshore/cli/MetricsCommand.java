package dev.longshore.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

@Command(
        name = "metrics",
        mixinStandardHelpOptions = true,
        description = "All counters and gauges of the daemon, in Prometheus text format.")
final class MetricsCommand implements Callable<Integer> {
    private final Context context;

    MetricsCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        try (ControlClient client = ControlClient.require(context.home())) {
            context.terminal().out().print(client.metrics());
            context.terminal().out().flush();
        }
        return ExitCode.OK;
    }
}
