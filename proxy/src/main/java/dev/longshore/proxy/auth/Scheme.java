package dev.longshore.proxy.auth;

/** The schemes that are spoken, as the user sees them. */
public enum Scheme {
    NEGOTIATE("Negotiate"),
    DIGEST("Digest"),
    NTLM("NTLM"),
    BASIC("Basic");

    private final String text;

    Scheme(String text) {
        this.text = text;
    }

    /** True if a whole connection is authenticated and not each request. */
    boolean bindsConnection() {
        return this == NEGOTIATE || this == NTLM;
    }

    @Override
    public String toString() {
        return text;
    }
}
