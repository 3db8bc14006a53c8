package dev.longshore.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "stop",
        mixinStandardHelpOptions = true,
        description = "Stops containers, Engine, guest and daemon; images and volumes stay.",
        footer = "%nExit status: 0 nothing runs, 1 failed, 124 time is up.")
final class DesktopStop implements Callable<Integer> {
    private final Context context;

    @Option(
            names = {"-d", "--detach"},
            description = "Don't wait until it has stopped.")
    private boolean detach;

    @Option(names = "--force", description = "Don't wait for the guest: as if its power were cut.")
    private boolean force;

    @Option(
            names = "--timeout",
            paramLabel = "SECONDS",
            description = "How long to wait; 0 or -1 for ever (default: ${DEFAULT-VALUE}).")
    private long timeout;

    DesktopStop(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws Exception {
        return TimeLimit.run(timeout, "the stop", this::stop);
    }

    private int stop() throws InterruptedException {
        Downing downing = new Downing(context);
        boolean ran;
        if (force) {
            ran = downing.kill();
        } else if (detach) {
            ran = downing.begin();
        } else {
            ran = downing.down();
        }
        context.terminal().say(text(ran));
        return ExitCode.OK;
    }

    private String text(boolean ran) {
        if (!ran) {
            return "Longshore is not running.";
        }
        return detach && !force ? "Stopping." : "Longshore has stopped.";
    }
}
