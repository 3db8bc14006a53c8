package dev.longshore.cli;

import dev.longshore.proto.control.v1.DaemonStatus;
import dev.longshore.proto.control.v1.GetStatusReply;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "status",
        mixinStandardHelpOptions = true,
        description = "Whether Longshore runs: running, starting, stopping, stopped or failed.",
        footer = "%nExit status: 0 running, 1 failed, 3 stopped, 4 starting or stopping.")
final class DesktopStatus implements Callable<Integer> {
    private final Context context;

    @Option(names = "--format", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
    private DesktopFormat format = DesktopFormat.pretty;

    DesktopStatus(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        GetStatusReply status = StatusCommand.status(context);
        String word = StatusText.word(status.getState());
        String session = session(status.getDaemon());
        Map<String, String> rows = new LinkedHashMap<>();
        switch (format) {
            case pretty -> {
                rows.put("Status", word);
                if (!session.isEmpty()) {
                    rows.put("Session ID", session);
                }
                context.terminal().result(DesktopFormat.pretty(rows));
            }
            case json -> {
                rows.put("Status", word);
                rows.put("SessionID", session);
                context.terminal().result(DesktopFormat.json(rows));
            }
        }
        return StatusText.exitCode(status.getState());
    }

    /** The same as long as the daemon lives, another for the next; empty if there is none. */
    private static String session(DaemonStatus daemon) {
        if (daemon.getPid() == 0) {
            return "";
        }
        String life = daemon.getHome() + " " + daemon.getPid() + " "
                + daemon.getStarted().getSeconds() + " " + daemon.getStarted().getNanos();
        return UUID.nameUUIDFromBytes(life.getBytes(StandardCharsets.UTF_8)).toString();
    }
}
