package dev.longshore.policy;

/** Patterns with {@code *} for any characters and {@code ?} for one. */
final class Glob {
    private Glob() {}

    /** In time of the product of both lengths at most; makes no object. */
    static boolean fits(String pattern, String text) {
        int p = 0;
        int t = 0;
        int star = -1;
        int starText = 0;
        while (t < text.length()) {
            char c = p < pattern.length() ? pattern.charAt(p) : 0;
            if (c == '*') {
                star = p++;
                starText = t;
            } else if (p < pattern.length() && (c == '?' || c == text.charAt(t))) {
                p++;
                t++;
            } else if (star >= 0) {
                p = star + 1;
                t = ++starText;
            } else {
                return false;
            }
        }
        while (p < pattern.length() && pattern.charAt(p) == '*') {
            p++;
        }
        return p == pattern.length();
    }

    /** True for the whole text and, where the pattern names neither tag nor digest, for the image of any tag. */
    static boolean fitsImage(String pattern, String image) {
        if (fits(pattern, image)) {
            return true;
        }
        int name = image.lastIndexOf('/') + 1;
        int at = image.indexOf('@', name);
        String untagged = at < 0 ? image : image.substring(0, at);
        int colon = untagged.indexOf(':', name);
        return (at >= 0 || colon >= 0) && fits(pattern, colon < 0 ? untagged : untagged.substring(0, colon));
    }
}
