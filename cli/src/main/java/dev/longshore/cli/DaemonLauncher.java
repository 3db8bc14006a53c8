package dev.longshore.cli;

import dev.longshore.config.Home;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;

/** Starts the daemon as a process of its own session, so that it outlives the terminal. */
final class DaemonLauncher {
    /** What docker tells a plugin about the command that it is part of, which the daemon is not. */
    private static final String OF_A_PLUGIN = "DOCKER_CLI_PLUGIN_";

    private final Home home;

    /** The path of the launcher script, which knows how to run the daemon. */
    private final String script;

    DaemonLauncher(Home home, String script) {
        this.home = home;
        this.script = script;
    }

    /** The launcher script. */
    Path requireScript() {
        if (script.isEmpty()) {
            throw new CliException("this works through the launcher only: ./longshore");
        }
        return Path.of(script);
    }

    /** Where the launcher is: the root of what was installed. */
    Path root() {
        return requireScript().toAbsolutePath().resolveSibling("");
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
            ProcessBuilder daemon = new ProcessBuilder("setsid", script, "daemon")
                    .directory(new File("/"))
                    .redirectInput(new File("/dev/null"))
                    .redirectOutput(home.outputLog().toFile())
                    .redirectErrorStream(true);
            daemon.environment().keySet().removeIf(name -> name.startsWith(OF_A_PLUGIN));
            return daemon.start();
        } catch (IOException e) {
            throw new CliException("the daemon could not be started: " + e.getMessage());
        }
    }
}
