package dev.longshore.cli;

import dev.longshore.config.Home;
import java.io.File;
import java.io.IOException;

/** Starts the daemon as a process of its own session, so that it outlives the terminal. */
final class DaemonLauncher {
    private final Home home;

    /** The path of the launcher script, which knows how to run the daemon. */
    private final String script;

    DaemonLauncher(Home home, String script) {
        this.home = home;
        this.script = script;
    }

    /** The daemon's own process: the script and setsid replace themselves by it. */
    Process start() {
        if (script.isEmpty()) {
            throw new CliException("the daemon can only be started through the launcher: ./longshore up");
        }
        try {
            home.create();
        } catch (IOException e) {
            throw new CliException("the directories of " + home.state() + " can't be used: " + e);
        }
        try {
            return new ProcessBuilder("setsid", script, "daemon")
                    .directory(new File("/"))
                    .redirectInput(new File("/dev/null"))
                    .redirectOutput(home.outputLog().toFile())
                    .redirectErrorStream(true)
                    .start();
        } catch (IOException e) {
            throw new CliException("the daemon could not be started: " + e.getMessage());
        }
    }
}
