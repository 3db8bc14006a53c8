package dev.longshore.proxy.pac;

/** A script that can't be had, or failed; the message is for the user and is one line. */
final class PacException extends Exception {
    private static final long serialVersionUID = 1L;

    PacException(String message) {
        super(PacReply.shown(message));
    }
}
