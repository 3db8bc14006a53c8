package dev.longshore.proxy.auth;

/** A scheme cannot be used with this proxy or these credentials; another one may. The text is for the user and holds no secret. */
final class AuthFailure extends Exception {
    private static final long serialVersionUID = 1;

    private final boolean wrong;

    AuthFailure(String text) {
        this(text, false);
    }

    /** {@code wrong}: the credentials were refused, so that they must not be tried in another way. */
    AuthFailure(String text, boolean wrong) {
        super(text, null, false, false);
        this.wrong = wrong;
    }

    boolean wrong() {
        return wrong;
    }

    String text() {
        return String.valueOf(getMessage());
    }
}
