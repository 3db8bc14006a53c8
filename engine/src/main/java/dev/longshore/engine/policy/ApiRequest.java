package dev.longshore.engine.policy;

import dev.longshore.engine.http.BadMessage;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a request asks for, as the Engine's router sees it. Immutable.
 *
 * @param method as sent; case counts
 * @param version of the API, {@code 1.45}, or "" where the path has none
 * @param path without the version, percent-decoded and without empty or dot segments; begins with a slash, never ends with
 *     one but for {@code /} itself. The router redirects paths that are not clean, so that a clean one matches more, not less
 * @param query undecoded, without the question mark; "" if there is none
 */
public record ApiRequest(String method, String version, String path, String query) {
    /** Go's url.Parse takes other targets apart in ways of its own. */
    private static final Pattern ABSOLUTE = Pattern.compile("[A-Za-z][A-Za-z0-9+.-]*://[^/]*(/.*)?");

    /** The router's {@code /v{version:[0-9.]+}}. */
    private static final Pattern VERSIONED = Pattern.compile("/v([0-9.]+)(/.*)");

    /**
     * Takes a request line apart as far as policies need it.
     *
     * @param target of the request line: origin form, absolute form, or {@code *} (RFC 9112 §3.2)
     */
    public static ApiRequest of(String method, String target) throws BadMessage {
        int mark = target.indexOf('?');
        String query = mark < 0 ? "" : target.substring(mark + 1);
        String path = GoPath.clean(decoded(originPath(mark < 0 ? target : target.substring(0, mark))));
        Matcher versioned = VERSIONED.matcher(path);
        return versioned.matches()
                ? new ApiRequest(method, versioned.group(1), versioned.group(2), query)
                : new ApiRequest(method, "", path, query);
    }

    private static String originPath(String target) throws BadMessage {
        if (target.startsWith("/") || target.equals("*")) {
            return target;
        }
        Matcher absolute = ABSOLUTE.matcher(target);
        if (!absolute.matches()) {
            throw new BadMessage(400, "malformed request target");
        }
        String path = absolute.group(1);
        return path == null ? "/" : path;
    }

    private static String decoded(String path) throws BadMessage {
        if (path.indexOf('%') < 0) {
            return path;
        }
        byte[] bytes = new byte[path.length()];
        int n = 0;
        for (int i = 0; i < path.length(); i++) {
            char c = path.charAt(i);
            if (c == '%') {
                int high = i + 2 < path.length() ? Character.digit(path.charAt(i + 1), 16) : -1;
                int low = i + 2 < path.length() ? Character.digit(path.charAt(i + 2), 16) : -1;
                if (high < 0 || low < 0) {
                    throw new BadMessage(400, "malformed percent-encoding in the request target");
                }
                bytes[n++] = (byte) (high << 4 | low);
                i += 2;
            } else {
                bytes[n++] = (byte) c;
            }
        }
        return new String(bytes, 0, n, StandardCharsets.UTF_8);
    }

    /** True for a POST to exactly this path. */
    public boolean posts(String route) {
        return method.equals("POST") && path.equals(route);
    }

    /** True for a POST to {@code prefix}, at least one more character, {@code suffix}: the router's {@code {name:.*}}. */
    public boolean posts(String prefix, String suffix) {
        return method.equals("POST")
                && path.length() > prefix.length() + suffix.length()
                && path.startsWith(prefix)
                && path.endsWith(suffix);
    }

    /** For the user and the log: without the query, which may hold anything. */
    public String text() {
        return method + " " + path;
    }
}
