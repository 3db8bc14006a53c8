package dev.longshore.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Docker Desktop's optional parts, of which Longshore has none: enabling one fails, disabling one is done already. */
final class DesktopFeature {
    private static final String MODEL_RUNNER = "model-runner";

    private DesktopFeature() {}

    /** Docker Desktop's --tcp, --no-tcp and --cors are taken, and mean nothing. */
    static CommandLine enable() {
        return new CommandLine(new Enable()).setUnmatchedArgumentsAllowed(true);
    }

    static CommandLine disable() {
        return new CommandLine(new Disable());
    }

    private static void check(String name) {
        if (!name.equals(MODEL_RUNNER)) {
            throw CliException.wrongArguments("there is no feature '" + name + "'");
        }
    }

    @Command(name = "enable", mixinStandardHelpOptions = true, description = "Enables a feature.")
    private static final class Enable implements Callable<Integer> {
        @Parameters(paramLabel = "FEATURE", description = MODEL_RUNNER)
        private String name = "";

        @Override
        public Integer call() {
            check(name);
            throw new CliException("Longshore has no model runner; run one in a container, as in:"
                    + " docker run -d -p 11434:11434 ollama/ollama");
        }
    }

    @Command(name = "disable", mixinStandardHelpOptions = true, description = "Disables a feature.")
    private static final class Disable implements Callable<Integer> {
        @Parameters(paramLabel = "FEATURE", description = MODEL_RUNNER)
        private String name = "";

        @Override
        public Integer call() {
            check(name);
            return ExitCode.OK;
        }
    }
}
