package dev.longshore.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "start",
        mixinStandardHelpOptions = true,
        description = "Starts Longshore, and returns when the Engine answers.",
        footer = "%nExit status: 0 it runs, 1 failed, 124 time is up.")
final class DesktopStart implements Callable<Integer> {
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

    DesktopStart(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws Exception {
        return TimeLimit.run(timeout, "the start", () -> start(context, detach));
    }

    static int start(Context context, boolean detach) throws InterruptedException {
        Terminal terminal = context.terminal();
        Upping upping = new Upping(context.home(), context.launcher(), terminal);
        if (detach) {
            upping.begin();
            terminal.say("Starting; longshore status shows how far it is.");
        } else {
            boolean already = upping.up();
            UpCommand.offerContext(context);
            terminal.say(already ? "Longshore is already running." : "Longshore is running.");
        }
        return ExitCode.OK;
    }
}
