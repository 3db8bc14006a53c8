package dev.longshore.proxy.pac;

import dev.longshore.proxy.route.Hop;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyUrl;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a script returns: ways to try one after the other, separated by semicolons, as in {@code PROXY a:8080; SOCKS5 b:1080; DIRECT}.
 * {@code PROXY} and {@code HTTP} are HTTP proxies, {@code HTTPS} those that are spoken to by TLS, {@code SOCKS5}
 * SOCKS 5, {@code SOCKS4} SOCKS 4, and {@code SOCKS}, which browsers read in different ways, SOCKS 5 and then 4. A proxy at {@code reject.docker.internal} is Docker Desktop's way to say: blocked. What is not
 * understood is left out, as browsers do.
 */
final class PacReply {
    static final String REJECT = "reject.docker.internal";

    /** Ways that are looked at; more are nobody's intention. */
    private static final int MAX_HOPS = 32;

    private static final int MAX_SHOWN = 200;
    private static final Pattern BLANKS = Pattern.compile("\\s+");
    private static final Pattern USER_INFO = Pattern.compile("[^\\s;@]*@");

    private PacReply() {}

    /** Empty if nothing is understood. */
    static List<Hop> parse(String text) {
        List<Hop> hops = new ArrayList<>();
        for (String part : text.split(";", MAX_HOPS + 1)) {
            Hop hop = hops.size() < MAX_HOPS ? hop(part.strip()) : null;
            if (hop instanceof Hop.Blocked) {
                hops.add(hop);
                return hops; // behind it nothing is tried
            }
            if (hop != null) {
                hops.add(hop);
            }
            if (hop instanceof Hop.Through t && isAnySocks(part) && hops.size() < MAX_HOPS) {
                ProxyAddress p = t.proxy();
                hops.add(
                        new Hop.Through(new ProxyAddress(ProxyAddress.Protocol.SOCKS4, p.host(), p.port(), p.login())));
            }
        }
        return hops;
    }

    private static @Nullable Hop hop(String part) {
        String[] words = BLANKS.split(part, 3);
        String kind = words[0].toUpperCase(Locale.ROOT);
        if (kind.equals("DIRECT")) {
            return new Hop.Direct();
        }
        ProxyAddress.Protocol protocol = protocol(kind);
        if (protocol == null || words.length != 2) {
            return null;
        }
        try {
            ProxyAddress proxy = ProxyUrl.address(protocol, words[1], null);
            return isNobody(proxy.host())
                    ? new Hop.Blocked("the proxy script says " + proxy.host())
                    : new Hop.Through(proxy);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    /** Docker Desktop's word for "blocked", and what scripts made for others have for it: names that never are (RFC 6761 §6.4). */
    private static boolean isNobody(String host) {
        return host.equals(REJECT) || host.endsWith(".invalid");
    }

    private static boolean isAnySocks(String part) {
        return BLANKS.split(part.strip(), 2)[0].equalsIgnoreCase("SOCKS");
    }

    private static ProxyAddress.@Nullable Protocol protocol(String kind) {
        return switch (kind) {
            case "PROXY", "HTTP" -> ProxyAddress.Protocol.HTTP;
            case "HTTPS" -> ProxyAddress.Protocol.HTTPS;
            case "SOCKS", "SOCKS5" -> ProxyAddress.Protocol.SOCKS5;
            case "SOCKS4" -> ProxyAddress.Protocol.SOCKS4;
            default -> null;
        };
    }

    /** For people and logs: one line, not long, without user names. */
    static String shown(String text) {
        StringBuilder line = new StringBuilder();
        text.codePoints()
                .limit(MAX_SHOWN)
                .map(c -> Character.isISOControl(c) || Character.getType(c) == Character.FORMAT ? ' ' : c)
                .forEach(line::appendCodePoint);
        String shown = USER_INFO.matcher(line.toString().strip()).replaceAll("xxxxx@");
        return text.codePointCount(0, text.length()) > MAX_SHOWN ? shown + "…" : shown;
    }
}
