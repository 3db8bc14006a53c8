package dev.longshore.proxy.system;

import dev.longshore.proxy.route.ProxyConfig;
import java.util.regex.Pattern;

/** Scripts' places as the system gives them. */
final class Locations {
    private static final Pattern SECRETS = Pattern.compile("//[^/?#]*@|\\?.*");

    private Locations() {}

    /** Of a URL, or a bare path. */
    static ProxyConfig.Location of(String text) {
        String url = text.strip();
        if (url.startsWith("/")) {
            url = java.nio.file.Path.of(url).toUri().toString();
        }
        boolean data = url.regionMatches(true, 0, "data:", 0, 5);
        String shown = data
                ? "data: of " + url.length() + " characters"
                : SECRETS.matcher(url).replaceAll(m -> m.group().startsWith("?") ? "?***" : "//***@");
        return new ProxyConfig.Location(url, "", shown);
    }
}
