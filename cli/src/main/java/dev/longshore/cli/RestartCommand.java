package dev.longshore.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

@Command(
        name = "restart",
        mixinStandardHelpOptions = true,
        description = "Stops everything and starts it again, with the settings as they are now.")
final class RestartCommand implements Callable<Integer> {
    private final Context context;

    RestartCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws InterruptedException {
        boolean _ = new Downing(context).down();
        UpCommand.up(context);
        return ExitCode.OK;
    }
}
