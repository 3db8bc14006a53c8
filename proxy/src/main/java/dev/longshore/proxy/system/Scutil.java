package dev.longshore.proxy.system;

import dev.longshore.proxy.route.ExclusionList;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Protocol;
import dev.longshore.proxy.route.ProxyConfig;
import dev.longshore.proxy.route.ProxyUrl;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * macOS's proxies as {@code scutil --proxy} prints them: the dictionary of {@code SCDynamicStoreCopyProxies}, of which the global
 * service counts. Tried only with texts made after its documents.
 */
final class Scutil {
    static final String NAME = "macOS's settings";

    private static final Pattern MEMBER = Pattern.compile("\\s*(\\S+) : (.*)");

    private Scutil() {}

    /** Null if they name no proxy. */
    static @Nullable ProxyConfig read(String text) {
        Map<String, String> values = new HashMap<>();
        List<String> exceptions = new ArrayList<>();
        int depth = 0;
        boolean inExceptions = false;
        for (String line : text.lines().toList()) {
            Matcher m = MEMBER.matcher(line);
            boolean opens = line.strip().endsWith("{");
            if (m.matches() && inExceptions && depth == 2) {
                exceptions.add(m.group(2).strip());
            } else if (m.matches() && depth == 1 && !opens) {
                values.put(m.group(1), m.group(2).strip());
            }
            if (opens) {
                inExceptions = depth == 1 && m.matches() && m.group(1).equals("ExceptionsList");
                depth++;
            } else if (line.strip().equals("}")) {
                depth--;
                inExceptions = false;
            }
        }
        return config(values, exceptions);
    }

    private static @Nullable ProxyConfig config(Map<String, String> values, List<String> exceptions) {
        String script = values.getOrDefault("ProxyAutoConfigURLString", "");
        if (isOn(values, "ProxyAutoConfigEnable") && !script.isEmpty()) {
            return new ProxyConfig.Script(NAME, Locations.of(script), ProxyConfig.Closed.OPEN);
        }
        if (isOn(values, "ExcludeSimpleHostnames")) {
            exceptions.add("<local>");
        }
        try {
            ProxyAddress http = proxy(values, "HTTP", Protocol.HTTP);
            ProxyAddress https = proxy(values, "HTTPS", Protocol.HTTP);
            ProxyAddress socks = proxy(values, "SOCKS", Protocol.SOCKS5);
            ProxyAddress plain = http == null ? socks : http;
            ProxyAddress tunnel = https == null ? socks : https;
            if (plain != null || tunnel != null) {
                return new ProxyConfig.Fixed(
                        NAME, plain, tunnel, ExclusionList.parse(exceptions), false, "ExceptionsList", null);
            }
        } catch (IllegalArgumentException e) {
            return new ProxyConfig.Unusable(NAME, "of " + NAME + ", " + e.getMessage());
        }
        return isOn(values, "ProxyAutoDiscoveryEnable")
                ? new ProxyConfig.Script(NAME, ProxyConfig.Location.WPAD, ProxyConfig.Closed.OPEN)
                : null;
    }

    private static boolean isOn(Map<String, String> values, String key) {
        return values.getOrDefault(key, "0").equals("1");
    }

    private static @Nullable ProxyAddress proxy(Map<String, String> values, String kind, Protocol protocol) {
        String host = values.getOrDefault(kind + "Proxy", "");
        if (!isOn(values, kind + "Enable") || host.isEmpty()) {
            return null;
        }
        String bracketed = host.indexOf(':') >= 0 ? "[" + host + "]" : host;
        String port = values.getOrDefault(kind + "Port", "");
        try {
            return ProxyUrl.address(protocol, port.isEmpty() ? bracketed : bracketed + ":" + port, null);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(kind + "Proxy " + e.getMessage(), e);
        }
    }
}
