package dev.longshore.proxy.message;

/**
 * A message that breaks the rules, with the answer it gets. A checked exception without a stack trace, so that no parser
 * can forget it and none pays for it; who owns the connection catches it. Immutable.
 */
public final class BadMessage extends Exception {
    private static final long serialVersionUID = 1;

    private final int status;

    /** The answer: its status, 400..599, and a line for the user without a full stop. */
    public BadMessage(int status, String text) {
        super(text, null, false, false);
        this.status = status;
    }

    public static BadMessage badRequest(String text) {
        return new BadMessage(400, text);
    }

    public int status() {
        return status;
    }

    public String text() {
        return String.valueOf(getMessage());
    }
}
