package dev.longshore.cli;

import dev.longshore.cli.docker.DockerDirectory;
import dev.longshore.config.Home;
import dev.longshore.config.SettingsFiles;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;

/** {@code longshore}. The launcher passes its own path in the system property {@code longshore.launcher}. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        // Libraries have nothing to say to the user of a command.
        Logger.getLogger("").setLevel(Level.OFF);
        System.setProperty("slf4j.internal.verbosity", "ERROR");
        Home home = Home.locate(System.getenv(), Path.of(System.getProperty("user.home", "/")));
        Terminal terminal = new Terminal(
                new PrintWriter(System.out, false, StandardCharsets.UTF_8),
                new PrintWriter(System.err, true, StandardCharsets.UTF_8),
                "true".equals(System.getProperty("longshore.live")));
        DaemonLauncher launcher = new DaemonLauncher(home, System.getProperty("longshore.launcher", ""));
        DockerDirectory docker = DockerDirectory.locate(System.getenv(), Path.of(System.getProperty("user.home", "/")));
        Context context = new Context(home, SettingsFiles.of(home), docker, terminal, launcher);
        int status = LongshoreCommand.execute(context, List.of(arguments));
        terminal.out().flush();
        System.exit(status);
    }
}
