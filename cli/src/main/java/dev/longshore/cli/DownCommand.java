package dev.longshore.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

@Command(
        name = "down",
        mixinStandardHelpOptions = true,
        description = "Stops the guest cleanly and ends the daemon; images and volumes stay on the data disk.")
final class DownCommand implements Callable<Integer> {
    private final Context context;

    DownCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws InterruptedException {
        boolean ran = new Downing(context).down();
        context.terminal().say(ran ? "Stopped." : "Not running.");
        return ExitCode.OK;
    }
}
