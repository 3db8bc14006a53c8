package dev.longshore.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "restart",
        mixinStandardHelpOptions = true,
        description = "Stops Longshore and starts it again, with the settings as they are now.",
        footer = "%nExit status: 0 it runs, 1 failed, 124 time is up.")
final class DesktopRestart implements Callable<Integer> {
    private final Context context;

    @Option(
            names = {"-d", "--detach"},
            description = "Don't wait until it has started.")
    private boolean detach;

    @Option(
            names = "--timeout",
            paramLabel = "SECONDS",
            description = "How long to wait; 0 or -1 for ever (default: ${DEFAULT-VALUE}).")
    private long timeout;

    DesktopRestart(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws Exception {
        return TimeLimit.run(timeout, "the restart", () -> {
            boolean _ = new Downing(context).down();
            return DesktopStart.start(context, detach);
        });
    }
}
