package dev.longshore.cli;

import dev.longshore.config.Version;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "version", mixinStandardHelpOptions = true, description = "The version of this command.")
final class DesktopVersion implements Callable<Integer> {
    private final Context context;

    @Option(
            names = {"-f", "--format"},
            description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
    private DesktopFormat format = DesktopFormat.pretty;

    @Option(names = "--short", description = "Only the number.")
    private boolean brief;

    DesktopVersion(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        Map<String, String> rows = new LinkedHashMap<>();
        rows.put("Name", "Longshore");
        rows.put("Version", Version.current());
        context.terminal().result(brief ? Version.current() : text(rows));
        return ExitCode.OK;
    }

    private String text(Map<String, String> rows) {
        return switch (format) {
            case pretty -> "Longshore " + rows.get("Version");
            case json -> DesktopFormat.json(rows);
        };
    }
}
