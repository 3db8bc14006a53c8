package dev.longshore.proxy.system;

import dev.longshore.proxy.route.ExclusionList;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Protocol;
import dev.longshore.proxy.route.ProxyConfig;
import dev.longshore.proxy.route.ProxyUrl;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * KDE's {@code kioslaverc}, group {@code [Proxy Settings]}. {@code ProxyType} is 0 none, 1 these proxies, 2 a script, 3 a script that
 * the network names (WPAD), 4 variables of the environment that the values name. Host and port of a proxy are separated by a blank;
 * a script may be a path; {@code ReversedException} turns the list of exceptions into that of all that is proxied.
 */
final class Kde {
    static final String NAME = "KDE's settings";

    private static final Pattern BLANK = Pattern.compile("\\s+");

    private Kde() {}

    /**
     * Null if it names no proxy.
     *
     * @param environment for type 4
     */
    static @Nullable ProxyConfig read(String file, Map<String, String> environment) {
        Map<String, String> values = group(file);
        return switch (values.getOrDefault("ProxyType", "0")) {
            case "1" -> fixed(values, values.getOrDefault("NoProxyFor", ""), NAME);
            case "2" -> {
                String script = values.getOrDefault("Proxy Config Script", "");
                yield script.isEmpty()
                        ? null
                        : new ProxyConfig.Script(NAME, Locations.of(script), ProxyConfig.Closed.OPEN);
            }
            case "3" -> new ProxyConfig.Script(NAME, ProxyConfig.Location.WPAD, ProxyConfig.Closed.OPEN);
            case "4" -> fromVariables(values, environment);
            default -> null;
        };
    }

    /** The last value of a key counts; a key's {@code [$e]} and the like do not matter. */
    private static Map<String, String> group(String file) {
        Map<String, String> values = new HashMap<>();
        boolean ours = false;
        for (String raw : file.lines().toList()) {
            String line = raw.strip();
            if (line.startsWith("[")) {
                ours = line.equals("[Proxy Settings]") || line.equals("[Proxy Settings][$i]");
            } else if (ours && !line.startsWith("#") && line.indexOf('=') > 0) {
                String key = line.substring(0, line.indexOf('=')).strip();
                int flag = key.indexOf("[$");
                values.put(
                        flag < 0 ? key : key.substring(0, flag).strip(),
                        line.substring(line.indexOf('=') + 1).strip());
            }
        }
        return values;
    }

    private static @Nullable ProxyConfig fromVariables(Map<String, String> names, Map<String, String> environment) {
        Map<String, String> values = new HashMap<>();
        for (String key : new String[] {"httpProxy", "httpsProxy", "socksProxy"}) {
            values.put(key, environment.getOrDefault(names.getOrDefault(key, ""), ""));
        }
        values.put("ReversedException", names.getOrDefault("ReversedException", ""));
        String exclude = environment.getOrDefault(names.getOrDefault("NoProxyFor", ""), "");
        return fixed(values, exclude, NAME + ": environment");
    }

    private static @Nullable ProxyConfig fixed(Map<String, String> values, String exclude, String source) {
        try {
            ProxyAddress http = proxy(values, "httpProxy", Protocol.HTTP);
            ProxyAddress https = proxy(values, "httpsProxy", Protocol.HTTP);
            ProxyAddress socks = proxy(values, "socksProxy", Protocol.SOCKS5);
            ProxyAddress plain = http == null ? socks : http;
            ProxyAddress tunnel = https == null ? socks : https;
            if (plain == null && tunnel == null) {
                return null;
            }
            String reversed = values.getOrDefault("ReversedException", "");
            return new ProxyConfig.Fixed(
                    source,
                    plain,
                    tunnel,
                    ExclusionList.parse(exclude),
                    reversed.equalsIgnoreCase("true") || reversed.equals("1"),
                    "NoProxyFor",
                    null);
        } catch (IllegalArgumentException e) {
            return new ProxyConfig.Unusable(source, "of " + NAME + ", " + e.getMessage());
        }
    }

    /** {@code http://proxy 8080}, {@code http://proxy:8080} or {@code proxy}. */
    private static @Nullable ProxyAddress proxy(Map<String, String> values, String key, Protocol usual) {
        String[] words = BLANK.split(values.getOrDefault(key, "").strip(), 3);
        if (words[0].isEmpty()) {
            return null;
        }
        if (words[0].endsWith("://")) {
            return null; // what the dialog leaves of an empty field
        }
        String url = words[0].endsWith("/") ? words[0].substring(0, words[0].length() - 1) : words[0];
        String whole = words.length > 1 ? url + ":" + words[1] : url;
        try {
            if (words.length > 2) {
                throw new IllegalArgumentException("has more than a host and a port");
            }
            return whole.contains("://") ? ProxyUrl.parse(whole) : ProxyUrl.address(usual, whole, null);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(key + " " + e.getMessage(), e);
        }
    }
}
