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
        Terminal terminal = context.terminal();
        Thread ifKilled = new Thread(() -> terminal.say(
                "The start goes on without this command: longshore status shows it, longshore down ends it."));
        Runtime.getRuntime().addShutdownHook(ifKilled);
        boolean already;
        try {
            already = new Upping(context.home(), context.launcher(), terminal).up();
        } finally {
            forget(ifKilled);
        }
        offerContext(context);
        terminal.say(already ? "Already running." : "The Engine answers. Use it with:");
        terminal.result("export DOCKER_HOST=" + quoted(context.home().dockerHost()));
    }

    /** {@code docker --context longshore} leads here from now on. That it may not, is no failure of the start. */
    static void offerContext(Context context) {
        String problem = context.dockerContext().create();
        if (problem != null) {
            context.terminal().say(problem);
        }
    }

    private static void forget(Thread hook) {
        try {
            boolean _ = Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // Ctrl-C came just now: it has run.
        }
    }

    /** For a POSIX shell; as it is where the shell would take it so. */
    static String quoted(String word) {
        return word.matches("[A-Za-z0-9_@%+=:,./-]+") ? word : "'" + word.replace("'", "'\\''") + "'";
    }
}
