package dev.longshore.proxy;

import dev.longshore.proxy.message.Chars;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What may be the name of a host in a request. */
public final class HostNames {
    private static final int MAX_NAME = 253; // RFC 1035 §2.3.4, as text

    /** In small letters and without a trailing dot; null for what is no name: addresses in any spelling, empty labels, odd characters. */
    public static @Nullable String plain(String text) {
        String name = stripDot(text).toLowerCase(Locale.ROOT);
        boolean valid = !name.isEmpty()
                && name.length() <= MAX_NAME
                && !name.startsWith(".")
                && !name.endsWith(".")
                && !name.contains("..")
                && name.chars().allMatch(c -> Chars.isAlphanumeric(c) || c == '.' || c == '-' || c == '_');
        return valid && !endsInNumber(name) ? name : null;
    }

    /** Resolvers read 127.1, 0x7f.1 and 2130706433 as addresses. */
    static boolean endsInNumber(String host) {
        String h = stripDot(host);
        String last = h.substring(h.lastIndexOf('.') + 1);
        return Chars.isDigits(last) || last.regionMatches(true, 0, "0x", 0, 2);
    }

    static String stripDot(String host) {
        return host.endsWith(".") ? host.substring(0, host.length() - 1) : host;
    }

    private HostNames() {}
}
