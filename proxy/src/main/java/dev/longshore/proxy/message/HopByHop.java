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

    /** Framing, routing and authentication have no place behind a body: RFC 9110 §6.5.1. */
    private static final Set<String> NOT_IN_TRAILERS = Set.of(
            "host",
            "trailer",
            "authorization",
            "www-authenticate",
            "cookie",
            "set-cookie",
            "content-type",
            "content-encoding",
            "content-range",
            "cache-control",
            "if-match",
            "if-none-match",
            "if-modified-since",
            "if-unmodified-since",
            "if-range",
            "warning",
            "expect",
            "max-forwards",
            "pragma",
            "range",
            "age",
            "expires",
            "date",
            "location",
            "retry-after",
            "vary",
            "via",
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-real-ip");

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
            return ENDS_HERE.contains(name) || NOT_IN_TRAILERS.contains(name);
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
