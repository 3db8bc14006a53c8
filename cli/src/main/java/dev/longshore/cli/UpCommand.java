package dev.longshore.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "up",
        mixinStandardHelpOptions = true,
        description = "Starts everything and returns when the Engine answers. Does nothing if it runs already.")
final class UpCommand implements Callable<Integer> {
    private final Context context;

    /** The launcher runs the daemon itself in its place; so this is only reached without it. */
    @Option(
            names = {"-f", "--foreground"},
            description = "Stay in the foreground; Ctrl-C stops everything.")
    private boolean foreground;

    UpCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws InterruptedException {
        if (foreground) {
            throw new CliException("up --foreground works through the launcher only: ./longshore up --foreground");
        }
        up(context);
        return ExitCode.OK;
    }

    static void up(Context context) throws InterruptedException {
        boolean already = new Upping(context.home(), context.launcher(), context.terminal()).up();
        Terminal terminal = context.terminal();
        terminal.say(already ? "Already running." : "The Engine answers. Use it with:");
        terminal.result("export DOCKER_HOST=" + context.home().dockerHost());
    }
}
