package dev.longshore.cli;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;

/** The only place where what went wrong becomes a text and an exit status. */
final class Failures {
    private Failures() {}

    static int report(Exception e, Terminal terminal) {
        terminal.say("longshore: " + text(e));
        return e instanceof CliException c ? c.exitCode() : ExitCode.FAILED;
    }

    private static String text(Exception e) {
        return switch (e) {
            case CliException c -> String.valueOf(c.getMessage());
            case StatusRuntimeException s
            when ControlClient.isGone(s) && s.getStatus().getCause() != null -> "the daemon went away";
            case StatusRuntimeException s -> text(s.getStatus());
            case InterruptedException i -> "interrupted";
            default -> e.toString();
        };
    }

    private static String text(Status status) {
        String description = status.getDescription();
        return description == null ? "the daemon answered " + status.getCode() : description;
    }
}
