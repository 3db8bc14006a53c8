package dev.longshore.cli;

import dev.longshore.config.Version;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;

@Command(
        name = "version",
        mixinStandardHelpOptions = true,
        description = "The versions of this command, of the daemon and of the Engine, as far as they run.")
final class VersionCommand implements Callable<Integer> {
    private final Context context;

    VersionCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        Terminal terminal = context.terminal();
        terminal.result("longshore  " + Version.current());
        terminal.result("java       " + Runtime.version());
        try (ControlClient client = ControlClient.connect(context.home())) {
            if (client == null) {
                terminal.result("daemon     not running");
            } else {
                var status = client.status();
                terminal.result("daemon     " + status.getDaemon().getVersion());
                terminal.result("engine     "
                        + (status.getEngine().getReady() ? status.getEngine().getVersion() : "does not answer"));
            }
        }
        return ExitCode.OK;
    }

    /** For {@code --version}. */
    static final class Provider implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"longshore " + Version.current()};
        }
    }
}
