package dev.longshore.backend;

import java.io.Serial;

/** A part could not start; the message tells the user why and, where possible, what to do. */
public final class PartException extends Exception {
    @Serial
    private static final long serialVersionUID = 1L;

    public PartException(String message) {
        super(message);
    }

    public PartException(String message, Throwable cause) {
        super(message, cause);
    }
}
