package dev.longshore.engine.http;

/** A message that is not HTTP/1.1, or not without doubt. Its text is for the user. */
public final class BadMessage extends Exception {
    private static final long serialVersionUID = 1;

    private final int status;

    /** @param status to answer with, 400..599 */
    public BadMessage(int status, String text) {
        super(text, null, false, false); // a value, not a place in the code
        this.status = status;
    }

    public int status() {
        return status;
    }

    /** Never null, unlike {@link #getMessage} in the eyes of a checker. */
    public String text() {
        return String.valueOf(getMessage());
    }
}
