package dev.longshore.engine.http;

/** The character classes of RFC 9110 §5.6 over ISO-8859-1. */
final class Chars {
    private static final String TOKEN_MARKS = "!#$%&'*+-.^_`|~";

    private Chars() {}

    /** tchar, RFC 9110 §5.6.2. */
    static boolean isTokenChar(int c) {
        return isLetter(c) || isDigit(c) || (c > ' ' && TOKEN_MARKS.indexOf(c) >= 0);
    }

    static boolean isToken(String s) {
        return !s.isEmpty() && s.chars().allMatch(Chars::isTokenChar);
    }

    static boolean isLetter(int c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }

    static boolean isDigit(int c) {
        return c >= '0' && c <= '9';
    }

    /** The value of a hexadecimal digit, or -1. */
    static int hexValue(int c) {
        return c < 128 ? Character.digit(c, 16) : -1;
    }

    /** field-vchar, obs-text, SP and HTAB (RFC 9110 §5.5): all that may stand in a line. */
    static boolean isLineChar(int c) {
        return c == '\t' || (c >= ' ' && c != 0x7F);
    }

    static boolean isBlank(int c) {
        return c == ' ' || c == '\t';
    }

    /** OWS removed on both sides. */
    static String trim(String s) {
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
}
