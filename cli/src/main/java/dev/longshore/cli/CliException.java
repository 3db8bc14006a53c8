package dev.longshore.cli;

import java.io.Serial;

/** Ends a command with exit status 1 and its message, which is for the user. */
final class CliException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    CliException(String message) {
        super(message);
    }
}
