package dev.longshore.cli;

import dev.longshore.cli.docker.DockerPlugin;
import dev.longshore.config.Version;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;

@Command(
        name = "plugin",
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND",
        description = "The command 'docker desktop', as a plugin of the docker command.")
final class PluginCommand {
    private PluginCommand() {}

    static CommandLine commandLine(Context context) {
        return new CommandLine(new PluginCommand())
                .addSubcommand(new Install(context))
                .addSubcommand(new Uninstall(context));
    }

    @Command(
            name = "install",
            mixinStandardHelpOptions = true,
            description = {
                "Writes docker-desktop into docker's directory of plugins ($DOCKER_CONFIG or ~/.docker).",
                "With LONGSHORE_HOME set, the plugin is for that instance."
            })
    private static final class Install implements Callable<Integer> {
        private final Context context;

        Install(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() throws IOException {
            DockerPlugin plugin = new DockerPlugin(context.docker());
            if (plugin.isTaken()) {
                throw new CliException(
                        plugin.file() + " is there already, and not Longshore's: move it away, then do this again");
            }
            String chosen = System.getenv().getOrDefault("LONGSHORE_HOME", "");
            plugin.install(
                    context.launcher().requireScript(),
                    chosen.isEmpty() ? "" : context.home().state().toString(),
                    Version.current());
            context.terminal().say("Installed: " + plugin.file() + "; try: docker desktop status");
            return ExitCode.OK;
        }
    }

    @Command(name = "uninstall", mixinStandardHelpOptions = true, description = "Removes it.")
    private static final class Uninstall implements Callable<Integer> {
        private final Context context;

        Uninstall(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() throws IOException {
            DockerPlugin plugin = new DockerPlugin(context.docker());
            if (plugin.isTaken()) {
                throw new CliException(plugin.file() + " is not Longshore's, and stays");
            }
            boolean installed = plugin.isInstalled();
            plugin.uninstall();
            context.terminal().say(installed ? "Removed." : "Not installed.");
            return ExitCode.OK;
        }
    }
}
