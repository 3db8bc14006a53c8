package dev.longshore.proxy;

/**
 * A message that breaks the rules, with the answer it gets. A checked exception without a stack trace, so that no parser
 * can forget it and none pays for it; {@link GuestConnection} and {@link OriginConnection} catch it. Immutable.
 */
final class BadMessage extends Exception {
    private static final long serialVersionUID = 1;

    private final int status;

    /** The answer: its status, 400..599, and a line for the user without a full stop. */
    BadMessage(int status, String text) {
        super(text, null, false, false);
        this.status = status;
    }

    static BadMessage badRequest(String text) {
        return new BadMessage(400, text);
    }

    int status() {
        return status;
    }

    String text() {
        return String.valueOf(getMessage());
    }
}
