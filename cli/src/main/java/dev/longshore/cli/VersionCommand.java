package dev.longshore.cli;

import dev.longshore.config.Version;
import dev.longshore.proto.control.v1.GetStatusReply;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Option;

@Command(
        name = "version",
        mixinStandardHelpOptions = true,
        description = "The versions of this command, of the daemon and of the Engine, as far as they run.")
final class VersionCommand implements Callable<Integer> {
    private final Context context;

    @Option(names = "--format", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
    private Format format = Format.text;

    VersionCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        Map<String, String> rows = new LinkedHashMap<>();
        rows.put("longshore", Version.current());
        rows.put("java", Runtime.version().toString());
        try (ControlClient client = ControlClient.connect(context.home())) {
            var status = client == null ? GetStatusReply.getDefaultInstance() : client.status();
            rows.put("daemon", status.getDaemon().getVersion());
            rows.put("engine", status.getEngine().getVersion());
        }
        context.terminal()
                .result(
                        switch (format) {
                            case text -> text(rows);
                            case json -> DesktopFormat.json(rows);
                        });
        return ExitCode.OK;
    }

    /** What has no version does not run. */
    private static String text(Map<String, String> rows) {
        return rows.entrySet().stream()
                .map(e -> String.format("%-11s%s", e.getKey(), e.getValue().isEmpty() ? "not running" : e.getValue()))
                .collect(Collectors.joining("\n"));
    }

    /** For {@code --version}. */
    static final class Provider implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"longshore " + Version.current()};
        }
    }
}
