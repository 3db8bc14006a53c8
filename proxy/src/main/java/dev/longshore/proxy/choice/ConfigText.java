package dev.longshore.proxy.choice;

import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyConfig;
import java.util.ArrayList;
import java.util.List;

/** Configurations in words, without passwords. */
public final class ConfigText {
    private ConfigText() {}

    /** On one line: what it comes to, and where it is from. */
    public static String line(ProxyConfig config) {
        return what(config) + " (" + config.source() + ")";
    }

    private static String what(ProxyConfig config) {
        return switch (config) {
            case ProxyConfig.None _ -> "direct";
            case ProxyConfig.Unusable u -> "blocked, as " + u.reason();
            case ProxyConfig.Script s -> "as the script " + s.location() + " says";
            case ProxyConfig.Fixed f -> fixed(f);
        };
    }

    private static String fixed(ProxyConfig.Fixed f) {
        List<String> parts = new ArrayList<>();
        ProxyAddress plain = f.plain();
        if (plain != null && plain.equals(f.tunnel())) {
            parts.add(plain.toString());
        } else {
            String none = f.missing() == null ? "direct" : "blocked";
            parts.add("http " + (plain == null ? none : plain) + ", https " + (f.tunnel() == null ? none : f.tunnel()));
        }
        if (!f.exclude().isEmpty()) {
            parts.add((f.only() ? "only for " : "not for ") + f.exclude());
        }
        return String.join(", ", parts);
    }
}
