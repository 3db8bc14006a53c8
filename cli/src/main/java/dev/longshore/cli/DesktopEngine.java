package dev.longshore.cli;

import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.json.JsonMapper;

/** There is one kind of containers: scripts that ask for it, or switch to it, work. */
@Command(
        name = "engine",
        mixinStandardHelpOptions = true,
        description = "The kinds of containers; without a subcommand, lists them.")
final class DesktopEngine implements Callable<Integer> {
    private static final String LINUX = "linux";

    private final Context context;

    private DesktopEngine(Context context) {
        this.context = context;
    }

    static CommandLine commandLine(Context context) {
        return new CommandLine(new DesktopEngine(context))
                .addSubcommand(new Ls(context))
                .addSubcommand(new Use(context));
    }

    @Override
    public Integer call() {
        return new Ls(context).call();
    }

    @Command(name = "ls", aliases = "list", mixinStandardHelpOptions = true, description = "Lists the engines.")
    static final class Ls implements Callable<Integer> {
        private final Context context;

        @Option(names = "--format", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
        private DesktopFormat format = DesktopFormat.pretty;

        Ls(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() {
            context.terminal()
                    .result(
                            switch (format) {
                                case pretty -> "NAME     CURRENT\n" + LINUX + "    *";
                                case json ->
                                    new JsonMapper()
                                            .writeValueAsString(List.of(Map.of("Name", LINUX, "Current", true)));
                            });
            return ExitCode.OK;
        }
    }

    @Command(name = "use", mixinStandardHelpOptions = true, description = "Switches to an engine.")
    static final class Use implements Callable<Integer> {
        private final Context context;

        @Parameters(paramLabel = "NAME", description = "linux")
        private String name = LINUX;

        Use(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() {
            if (!name.equals(LINUX)) {
                throw CliException.wrongArguments("there is no engine '" + name + "': Longshore runs Linux containers");
            }
            context.terminal().say("Linux containers are in use.");
            return ExitCode.OK;
        }
    }
}
