package dev.longshore.proxy.system;

import dev.longshore.proxy.route.ExclusionList;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Protocol;
import dev.longshore.proxy.route.ProxyConfig;
import dev.longshore.proxy.route.ProxyUrl;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Windows' proxies of the user: the values of {@code Software\Microsoft\Windows\CurrentVersion\Internet Settings} as
 * {@code reg query} prints them, which are what {@code WinHttpGetIEProxyConfigForCurrentUser} gives. Tried only with texts made after its documents.
 */
final class Windows {
    static final String NAME = "Windows' settings";

    private static final Pattern VALUE = Pattern.compile("\\s+(\\S+)\\s+REG_(SZ|DWORD)\\s*(.*)");

    private Windows() {}

    /** Null if they name no proxy. */
    static @Nullable ProxyConfig read(String query) {
        Map<String, String> values = new HashMap<>();
        query.lines().forEach(line -> {
            Matcher m = VALUE.matcher(line);
            if (m.matches()) {
                values.put(m.group(1), m.group(3).strip());
            }
        });
        String script = values.getOrDefault("AutoConfigURL", "");
        if (!script.isEmpty()) {
            return new ProxyConfig.Script(NAME, Locations.of(script), ProxyConfig.Closed.OPEN);
        }
        boolean on = values.getOrDefault("ProxyEnable", "0x0").equalsIgnoreCase("0x1");
        String server = values.getOrDefault("ProxyServer", "");
        if (!on || server.isEmpty() || server.equalsIgnoreCase("none") || server.equalsIgnoreCase("http://none")) {
            return null;
        }
        return fixed(server, values.getOrDefault("ProxyOverride", ""));
    }

    /** {@code proxy:8080} for all, or {@code http=a:1;https=b:2;socks=c:3}. */
    private static @Nullable ProxyConfig fixed(String server, String override) {
        Map<String, String> byScheme = new HashMap<>();
        for (String part : server.split("[;\\s]+", -1)) {
            int equals = part.indexOf('=');
            if (!part.isEmpty()) {
                byScheme.put(
                        equals < 0 ? "" : part.substring(0, equals).toLowerCase(Locale.ROOT),
                        part.substring(equals + 1));
            }
        }
        try {
            ProxyAddress all = proxy(byScheme, "", Protocol.HTTP);
            ProxyAddress socks = proxy(byScheme, "socks", Protocol.SOCKS4);
            ProxyAddress other = all == null ? socks : all;
            ProxyAddress http = proxy(byScheme, "http", Protocol.HTTP);
            ProxyAddress https = proxy(byScheme, "https", Protocol.HTTP);
            ProxyAddress plain = http == null ? other : http;
            ProxyAddress tunnel = https == null ? other : https;
            return plain == null && tunnel == null
                    ? null
                    : new ProxyConfig.Fixed(
                            NAME,
                            plain,
                            tunnel,
                            ExclusionList.parse(override.replace(';', ',')),
                            false,
                            "ProxyOverride",
                            null);
        } catch (IllegalArgumentException e) {
            return new ProxyConfig.Unusable(NAME, "of " + NAME + ", ProxyServer " + e.getMessage());
        }
    }

    private static @Nullable ProxyAddress proxy(Map<String, String> servers, String scheme, Protocol usual) {
        String text = servers.getOrDefault(scheme, "");
        if (text.isEmpty()) {
            return null;
        }
        return text.contains("://") ? ProxyUrl.parse(text) : ProxyUrl.address(usual, text, null);
    }
}
