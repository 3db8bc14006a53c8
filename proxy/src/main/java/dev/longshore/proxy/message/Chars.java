package dev.longshore.proxy.message;

/** The character classes of RFC 9110 §5.6 over ISO-8859-1 strings. */
public final class Chars {
    private static final String TOKEN_MARKS = "!#$%&'*+-.^_`|~";

    /** tchar, RFC 9110 §5.6.2. */
    public static boolean isTokenChar(int c) {
        return isAlphanumeric(c) || (c > 0 && TOKEN_MARKS.indexOf(c) >= 0);
    }

    public static boolean isToken(String s) {
        return !s.isEmpty() && s.chars().allMatch(Chars::isTokenChar);
    }

    public static boolean isAlphanumeric(int c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || isDigit(c);
    }

    public static boolean isDigit(int c) {
        return c >= '0' && c <= '9';
    }

    public static boolean isDigits(String s) {
        return !s.isEmpty() && s.chars().allMatch(Chars::isDigit);
    }

    /** The value of a hexadecimal digit, or -1. */
    public static int hexValue(int c) {
        return c < 128 ? Character.digit(c, 16) : -1;
    }

    /** Neither control character nor blank; bytes from 0x80 up are let through as they are. */
    public static boolean isTargetChar(int c) {
        return c > ' ' && c != 0x7F;
    }

    /** SP, HTAB and everything that a field value may hold: field-vchar, obs-text (RFC 9110 §5.5). */
    public static boolean isFieldChar(int c) {
        return c == '\t' || (c >= ' ' && c != 0x7F);
    }

    /** OWS removed on both sides. */
    public static String trim(String s) {
        int from = 0;
        int to = s.length();
        while (from < to && isBlank(s.charAt(from))) {
            from++;
        }
        while (to > from && isBlank(s.charAt(to - 1))) {
            to--;
        }
        return s.substring(from, to);
    }

    public static boolean isBlank(int c) {
        return c == ' ' || c == '\t';
    }

    private Chars() {}
}
