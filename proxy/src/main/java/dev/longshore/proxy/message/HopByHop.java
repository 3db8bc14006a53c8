package dev.longshore.proxy.message;

import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** Which fields end at us and which go on: RFC 9110 §7.6.1. */
public final class HopByHop {
    /** Always removed; framing, Upgrade, TE and Connection are written again where they are ours to write. */
    private static final Set<String> ENDS_HERE = Set.of(
            "connection",
            "keep-alive",
            "proxy-connection",
            "te",
            "transfer-encoding",
            "content-length",
            "upgrade",
            "http2-settings",
            "proxy-authenticate",
            "proxy-authentication-info",
            "proxy-authorization");

    /** Connection cannot name these away: an attacker would remove what the origin relies on. */
    private static final Set<String> END_TO_END = Set.of(
            "host",
            "accept",
            "accept-encoding",
            "age",
            "authorization",
            "cookie",
            "set-cookie",
            "content-type",
            "content-encoding",
            "content-language",
            "content-range",
            "cache-control",
            "date",
            "etag",
            "expect",
            "expires",
            "forwarded",
            "if-match",
            "if-none-match",
            "if-modified-since",
            "if-unmodified-since",
            "if-range",
            "last-modified",
            "location",
            "max-forwards",
            "origin",
            "range",
            "referer",
            "trailer",
            "user-agent",
            "vary",
            "via",
            "www-authenticate",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-real-ip");

    /** What TRACE does not show to those who can read its response: RFC 9110 §9.3.8. */
    private static final Set<String> SECRET = Set.of("authorization", "cookie", "proxy-authorization");

    /**
     * What has no place behind a body. Whoever receives a trailer may join it to the header section (RFC 9110 §6.5.1), so nothing passes
     * that is decided upon before the body is read: RFC 7230 §4.1.2's classes, each complete, and what was defined since. It is no list of
     * what may pass, since gRPC's and others' metadata has any name; what a name means that is not known here, a recipient that knows
     * it had to define for trailers. Digests (RFC 9530), Authentication-Info (RFC 7615 §3) and Server-Timing may be there, and pass.
     */
    private static final Set<String> NOT_IN_TRAILERS = Set.of(
            // routing
            "host",
            "forwarded",
            "via",
            "x-host",
            "x-real-ip",
            "x-original-url",
            "x-original-host",
            "x-rewrite-url",
            "x-http-method",
            "x-http-method-override",
            "x-method-override",
            "true-client-ip",
            // requests' controls and conditions
            "cache-control",
            "expect",
            "max-forwards",
            "pragma",
            "range",
            "if",
            "if-match",
            "if-none-match",
            "if-modified-since",
            "if-unmodified-since",
            "if-range",
            "if-schedule-tag-match",
            "depth",
            "destination",
            "overwrite",
            "prefer",
            "early-data",
            "priority",
            "upgrade-insecure-requests",
            // who somebody is
            "authorization",
            "www-authenticate",
            "cookie",
            "cookie2",
            "set-cookie",
            "set-cookie2",
            "from",
            "origin",
            "referer",
            "client-cert",
            "client-cert-chain",
            // responses' control data
            "age",
            "expires",
            "date",
            "location",
            "retry-after",
            "vary",
            "warning",
            "allow",
            "alt-svc",
            "alt-used",
            "refresh",
            "clear-site-data",
            "strict-transport-security",
            "x-frame-options",
            "x-content-type-options",
            "x-xss-protection",
            "permissions-policy",
            "referrer-policy",
            "timing-allow-origin",
            // how to read the body
            "trailer",
            "content-type",
            "content-encoding",
            "content-range",
            "content-language",
            "content-location",
            "content-disposition",
            "content-security-policy",
            "content-security-policy-report-only");

    private static final List<String> FAMILIES_NOT_IN_TRAILERS =
            List.of("access-control-", "cross-origin-", "sec-", "x-forwarded-");

    /** What goes on of a header section, in its order. */
    public static Fields forwardable(Fields received) {
        Set<String> named = new HashSet<>(received.tokens("Connection"));
        named.addAll(received.tokens("Proxy-Connection"));
        named.removeAll(END_TO_END);
        Fields forwarded = received.copy();
        forwarded.removeIf(f -> {
            String name = f.name().toLowerCase(Locale.ROOT);
            return ENDS_HERE.contains(name) || named.contains(name);
        });
        return forwarded;
    }

    /** What a request is reflected with. */
    public static Fields reflectable(Fields received) {
        Fields reflected = received.copy();
        reflected.removeIf(f -> SECRET.contains(f.name().toLowerCase(Locale.ROOT)));
        return reflected;
    }

    /** What goes on of a trailer section. */
    public static Fields forwardableTrailers(Fields received) {
        Fields forwarded = received.copy();
        forwarded.removeIf(f -> {
            String name = f.name().toLowerCase(Locale.ROOT);
            return ENDS_HERE.contains(name)
                    || NOT_IN_TRAILERS.contains(name)
                    || FAMILIES_NOT_IN_TRAILERS.stream().anyMatch(name::startsWith);
        });
        return forwarded;
    }

    /** True if the sender will close or wants the connection closed behind this message. */
    public static boolean closes(HttpVersion version, Fields fields) {
        List<String> options = fields.tokens("Connection");
        return options.contains("close")
                || fields.tokens("Proxy-Connection").contains("close")
                || (version == HttpVersion.HTTP_1_0 && !options.contains("keep-alive"));
    }

    /** True if the message offers or performs a change of protocol: RFC 9110 §7.8. */
    public static boolean upgrades(Fields fields) {
        return fields.has("Upgrade") && fields.tokens("Connection").contains("upgrade");
    }

    private HopByHop() {}
}
