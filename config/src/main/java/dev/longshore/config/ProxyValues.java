package dev.longshore.config;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.regex.Pattern;

/** What the settings of proxies may be. No text for the user quotes a value: it may hold a password. */
final class ProxyValues {
    private static final int MAX_PORT = 65_535;
    private static final Pattern SCHEME = Pattern.compile("^[a-zA-Z][a-zA-Z0-9+.-]*://.*");
    private static final String PROXY_URL = "must be a proxy's URL such as http://user:password@host:3128 (http, https,"
            + " socks5, socks5h, socks4 or socks4a; special characters of user and password are written as %XX), or empty";

    private ProxyValues() {}

    /** A URL of http, https or SOCKS without a path, or {@code host:port}; or empty. */
    static Secret proxyUrl(String text) {
        if (text.isEmpty()) {
            return Secret.EMPTY;
        }
        refuseMasked(text);
        URI uri = uri(SCHEME.matcher(text).matches() ? text : "http://" + text, PROXY_URL);
        boolean scheme = isOneOf(uri.getScheme(), "http", "https", "socks5", "socks5h", "socks4", "socks4a");
        boolean path = uri.getRawPath() != null
                && !uri.getRawPath().isEmpty()
                && !uri.getRawPath().equals("/");
        boolean more = path || uri.getRawQuery() != null || uri.getRawFragment() != null;
        if (!scheme || uri.getHost() == null || more || uri.getPort() == 0 || uri.getPort() > MAX_PORT) {
            throw new IllegalArgumentException(PROXY_URL);
        }
        return Secret.url(text);
    }

    /** {@code PRINCIPAL=FILE}, of which only the principal can't have an equals sign. */
    static String keytab(String text) {
        int file = text.indexOf('=') + 1;
        boolean good = file > 1 && text.startsWith("/", file) && text.indexOf(' ') < 0;
        if (!text.isEmpty() && !good) {
            throw new IllegalArgumentException(
                    "must be PRINCIPAL=FILE with an absolute path, as in svc@EXAMPLE.COM=/home/me/svc.keytab, or"
                            + " empty");
        }
        return text;
    }

    static Secret pacUrl(String text) {
        if (text.isEmpty()) {
            return Secret.EMPTY;
        }
        refuseMasked(text);
        String must = "must be the URL of a script (http, https, file or data), or empty";
        if (text.regionMatches(true, 0, "data:", 0, 5)) {
            if (text.indexOf(',') < 0) {
                throw new IllegalArgumentException(must);
            }
            return Secret.script(text);
        }
        URI uri = uri(text, must);
        boolean file = isOneOf(uri.getScheme(), "file");
        boolean web = isOneOf(uri.getScheme(), "http", "https") && uri.getHost() != null;
        if (!web && !(file && uri.getRawPath() != null && uri.getRawPath().startsWith("/"))) {
            throw new IllegalArgumentException(must);
        }
        return Secret.url(text);
    }

    static Secret script(String text) {
        if (text.isEmpty()) {
            return Secret.script("");
        }
        refuseMasked(text);
        if (!text.contains("FindProxyForURL")) {
            throw new IllegalArgumentException("must be a script with a function FindProxyForURL, or empty");
        }
        return Secret.script(text);
    }

    static String excluded(String text) {
        if (text.isEmpty() || text.chars().anyMatch(Character::isWhitespace)) {
            throw new IllegalArgumentException("must be a list of host names, *.domains and networks");
        }
        return text;
    }

    static String transparentPorts(String text) {
        String stripped = text.replace(" ", "");
        if (stripped.isEmpty() || stripped.equals("*")) {
            return stripped;
        }
        for (String port : stripped.split(",", -1)) {
            if (!port.matches("[0-9]{1,5}") || Integer.parseInt(port) < 1 || Integer.parseInt(port) > MAX_PORT) {
                throw new IllegalArgumentException("must be ports such as 80,443, or * for all, or empty for none");
            }
        }
        return stripped;
    }

    private static URI uri(String text, String must) {
        try {
            return new URI(text);
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException(must); // without the cause: its message has the text
        }
    }

    private static boolean isOneOf(String scheme, String... allowed) {
        for (String a : allowed) {
            if (a.equalsIgnoreCase(scheme)) {
                return true;
            }
        }
        return false;
    }

    /** What a listing showed, typed again. */
    private static void refuseMasked(String text) {
        if (text.contains(Secret.MASK)) {
            throw new IllegalArgumentException(
                    "is what a listing shows in place of a secret (" + Secret.MASK + "); give the secret itself");
        }
    }
}
