package dev.longshore.cli;

import dev.longshore.config.HomeLock;
import dev.longshore.proto.control.v1.GetStatusReply;
import dev.longshore.proto.control.v1.State;
import java.time.Instant;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "status",
        mixinStandardHelpOptions = true,
        description = "What runs.",
        footer = "%nExit status: 0 running, 1 failed, 3 stopped, 4 starting or stopping.")
final class StatusCommand implements Callable<Integer> {
    private final Context context;

    @Option(names = "--format", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
    private Format format = Format.text;

    StatusCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        GetStatusReply status = status(context);
        context.terminal()
                .result(
                        switch (format) {
                            case text -> StatusText.text(status, Instant.now()).stripTrailing();
                            case json -> StatusText.json(status);
                        });
        return StatusText.exitCode(status.getState());
    }

    /** Of the daemon, or of the home if none answers. */
    static GetStatusReply status(Context context) {
        try (ControlClient client = ControlClient.connect(context.home())) {
            if (client != null) {
                return client.status();
            }
        }
        long pid = HomeLock.holder(context.home());
        GetStatusReply stopped = StatusText.stopped(context.home());
        return pid == 0
                ? stopped
                : stopped.toBuilder()
                        .setState(State.STATE_STARTING)
                        .setMessage("the daemon (pid " + pid + ") does not answer yet, or any more")
                        .build();
    }
}
