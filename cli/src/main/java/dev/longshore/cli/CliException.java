package dev.longshore.cli;

import java.io.Serial;

/** Ends a command with an exit status and its message, which is for the user. */
final class CliException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final int exitCode;

    /** What was asked for could not be done. */
    CliException(String message) {
        this(message, ExitCode.FAILED);
    }

    CliException(String message, int exitCode) {
        super(message);
        this.exitCode = exitCode;
    }

    /** What was asked for makes no sense. */
    static CliException wrongArguments(String message) {
        return new CliException(message, ExitCode.USAGE);
    }

    int exitCode() {
        return exitCode;
    }
}
