package dev.longshore.config;

import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A text that may hold a password: a proxy's URL, or a script. Immutable. {@link #toString} is for people and has the
 * password replaced; only {@link #reveal} has it.
 */
public final class Secret {
    static final String MASK = "***";

    /** User and password of a URL; and its query, which in PAC URLs may be a token. */
    private static final Pattern USER_INFO =
            Pattern.compile("^([a-zA-Z][a-zA-Z0-9+.-]*://)?(?:([^/?#]*)@)?([^?#]*)(.*)$");

    public static final Secret EMPTY = new Secret("", false);

    private final String value;
    private final boolean script;

    private Secret(String value, boolean script) {
        this.value = value;
        this.script = script;
    }

    static Secret url(String value) {
        return value.isEmpty() ? EMPTY : new Secret(value, false);
    }

    /** Of which nothing is shown but its length. */
    static Secret script(String value) {
        return value.isEmpty() ? EMPTY : new Secret(value, true);
    }

    /** The whole of it: not for logs, listings or error texts. */
    public String reveal() {
        return value;
    }

    public boolean isEmpty() {
        return value.isEmpty();
    }

    @Override
    public String toString() {
        if (value.isEmpty()) {
            return "";
        }
        if (script) {
            return MASK + " (" + value.length() + " characters)";
        }
        Matcher m = USER_INFO.matcher(value);
        if (!m.matches()) {
            return MASK;
        }
        String scheme = Objects.requireNonNullElse(m.group(1), "");
        String user = m.group(2) == null ? "" : maskedUser(m.group(2)) + "@";
        return scheme + user + m.group(3) + (m.group(4).isEmpty() ? "" : "?" + MASK);
    }

    /** A name in front of a colon is shown; what is alone may be a token. */
    private static String maskedUser(String userInfo) {
        int colon = userInfo.indexOf(':');
        return colon < 0 ? MASK : userInfo.substring(0, colon) + ":" + MASK;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Secret s && s.value.equals(value) && s.script == script;
    }

    @Override
    public int hashCode() {
        return value.hashCode();
    }
}
