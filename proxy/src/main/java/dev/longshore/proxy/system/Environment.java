package dev.longshore.proxy.system;

import dev.longshore.proxy.route.ExclusionList;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyConfig;
import dev.longshore.proxy.route.ProxyUrl;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The variables {@code http_proxy}, {@code https_proxy}, {@code all_proxy} and {@code no_proxy}, in small letters or capitals; small
 * ones count first, and empty ones are as if unset. As in Go, {@code HTTP_PROXY} in capitals does not count beside
 * {@code REQUEST_METHOD}: in a CGI program it is what a client says ("httpoxy", CVE-2016-5385). As in curl, {@code all_proxy} stands
 * in for the two that are not set.
 */
final class Environment {
    static final String NAME = "environment";

    private Environment() {}

    /** Null if it names no proxy. */
    static @Nullable ProxyConfig read(Map<String, String> variables) {
        Set<String> used = new LinkedHashSet<>();
        try {
            ProxyAddress plain = proxy(variables, "http_proxy", used);
            ProxyAddress tunnel = proxy(variables, "https_proxy", used);
            if (plain == null || tunnel == null) {
                ProxyAddress all = proxy(variables, "all_proxy", used);
                plain = plain == null ? all : plain;
                tunnel = tunnel == null ? all : tunnel;
            }
            if (plain == null && tunnel == null) {
                return null;
            }
            String excludeKey = name(variables, "no_proxy");
            String exclude = excludeKey == null ? "" : variables.getOrDefault(excludeKey, "");
            return new ProxyConfig.Fixed(
                    NAME + " (" + String.join(", ", used) + ")",
                    plain,
                    tunnel,
                    ExclusionList.parse(exclude),
                    false,
                    excludeKey == null ? "no_proxy" : excludeKey,
                    null);
        } catch (IllegalArgumentException e) {
            return new ProxyConfig.Unusable(NAME, "of the environment, " + e.getMessage());
        }
    }

    private static @Nullable ProxyAddress proxy(Map<String, String> variables, String small, Set<String> used) {
        String name = name(variables, small);
        if (name == null) {
            return null;
        }
        used.add(name);
        try {
            return ProxyUrl.parse(variables.getOrDefault(name, ""));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(name + " " + e.getMessage(), e);
        }
    }

    /** Which of the two names counts; null if neither is set. */
    private static @Nullable String name(Map<String, String> variables, String small) {
        if (!variables.getOrDefault(small, "").isBlank()) {
            return small;
        }
        String capitals = small.toUpperCase(java.util.Locale.ROOT);
        boolean cgi = small.equals("http_proxy") && variables.containsKey("REQUEST_METHOD");
        return cgi || variables.getOrDefault(capitals, "").isBlank() ? null : capitals;
    }
}
