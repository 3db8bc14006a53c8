package dev.longshore.proxy.system;

import dev.longshore.proxy.route.ExclusionList;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Login;
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
 * GNOME's settings, and those of the desktops that share them, as {@code gsettings list-recursively org.gnome.system.proxy} prints
 * them: {@code schema key value} a line, the value as GVariant's text format has it. {@code use-same-proxy} and
 * {@code http enabled} are not looked at, as their descriptions demand.
 */
final class Gnome {
    static final String NAME = "GNOME's settings";
    static final String SCHEMA = "org.gnome.system.proxy";

    private static final Pattern LINE = Pattern.compile("(\\S+)\\s+(\\S+)\\s+(.*)");

    /** Possessive, as a long text would take a piece of the stack for each character otherwise. */
    private static final Pattern TEXT = Pattern.compile("'((?:[^'\\\\]|\\\\.)*+)'|\"((?:[^\"\\\\]|\\\\.)*+)\"");

    private Gnome() {}

    /** Null if they name no proxy. */
    static @Nullable ProxyConfig read(String listing) {
        Map<String, String> values = new HashMap<>();
        listing.lines().forEach(line -> {
            Matcher m = LINE.matcher(line);
            if (m.matches()) {
                values.put(m.group(1) + "/" + m.group(2), m.group(3).strip());
            }
        });
        return switch (text(values, "", "mode")) {
            case "manual" -> manual(values);
            case "auto" -> automatic(text(values, "", "autoconfig-url"));
            default -> null;
        };
    }

    private static ProxyConfig automatic(String url) {
        return url.isEmpty()
                ? new ProxyConfig.Script(NAME, ProxyConfig.Location.WPAD, ProxyConfig.Closed.OPEN)
                : new ProxyConfig.Script(NAME, Locations.of(url), ProxyConfig.Closed.OPEN);
    }

    private static @Nullable ProxyConfig manual(Map<String, String> values) {
        try {
            ProxyAddress http = proxy(values, ".http", Protocol.HTTP);
            ProxyAddress https = proxy(values, ".https", Protocol.HTTP);
            ProxyAddress socks = proxy(values, ".socks", Protocol.SOCKS5);
            ProxyAddress plain = http == null ? socks : http;
            ProxyAddress tunnel = https == null ? socks : https;
            if (plain == null && tunnel == null) {
                return null;
            }
            return new ProxyConfig.Fixed(
                    NAME,
                    plain,
                    tunnel,
                    ExclusionList.parse(texts(values.getOrDefault(SCHEMA + "/ignore-hosts", ""))),
                    false,
                    "ignore-hosts",
                    null);
        } catch (IllegalArgumentException e) {
            return new ProxyConfig.Unusable(NAME, "of " + NAME + ", " + e.getMessage());
        }
    }

    private static @Nullable ProxyAddress proxy(Map<String, String> values, String part, Protocol protocol) {
        String host = text(values, part, "host");
        String port = values.getOrDefault(SCHEMA + part + "/port", "0");
        if (host.isBlank() || port.equals("0")) {
            return null;
        }
        try {
            if (host.contains("://")) { // as people put it there
                ProxyAddress url = ProxyUrl.parse(host);
                return ProxyUrl.address(url.protocol(), bracketed(url.host()) + ":" + port, url.login());
            }
            Login login = null;
            if (values.getOrDefault(SCHEMA + part + "/use-authentication", "").equals("true")) {
                login = new Login(
                        text(values, part, "authentication-user"), text(values, part, "authentication-password"));
            }
            return ProxyUrl.address(protocol, bracketed(host.strip()) + ":" + port, login);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(part.substring(1) + " " + e.getMessage(), e);
        }
    }

    private static String bracketed(String host) {
        return host.indexOf(':') >= 0 && !host.startsWith("[") ? "[" + host + "]" : host;
    }

    private static String text(Map<String, String> values, String part, String key) {
        List<String> all = texts(values.getOrDefault(SCHEMA + part + "/" + key, ""));
        return all.isEmpty() ? "" : all.getFirst();
    }

    /** All texts in quotes, of a value that is one or a list. */
    private static List<String> texts(String value) {
        List<String> all = new ArrayList<>();
        Matcher m = TEXT.matcher(value);
        while (m.find()) {
            String raw = m.group(1) == null ? m.group(2) : m.group(1);
            all.add(raw.replaceAll("\\\\(.)", "$1"));
        }
        return all;
    }
}
