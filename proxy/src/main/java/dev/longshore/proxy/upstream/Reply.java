package dev.longshore.proxy.upstream;

import dev.longshore.proxy.message.BadMessage;
import dev.longshore.proxy.message.Fields;
import dev.longshore.proxy.message.HeadWriter;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.vpnkit.hostsocket.DialResult;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * An answer of our own: a short text, and for errors a Proxy-Status (RFC 9209). Immutable.
 *
 * @param error the Proxy-Status error type, or null if nothing went wrong
 */
public record Reply(int status, @Nullable String error, String text) {
    public static Reply ok(String text) {
        return new Reply(200, null, text);
    }

    public static Reply of(BadMessage bad) {
        return new Reply(bad.status(), errorOf(bad.status()), bad.text());
    }

    private static String errorOf(int status) {
        return switch (status) {
            case 403 -> "http_request_denied";
            case 408 -> "http_request_timeout";
            case 502 -> "http_protocol_error";
            case 508 -> "proxy_loop_detected";
            default -> "http_request_error";
        };
    }

    /** For every way a dial can go wrong: the error types are those of RFC 9209 §2.3. */
    public static Reply of(DialResult failed) {
        return switch (failed) {
            case DialResult.Refused _ -> new Reply(502, "connection_refused", "connection refused");
            case DialResult.Unreachable u -> new Reply(502, "destination_ip_unroutable", "unreachable: " + u.reason());
            case DialResult.TimedOut _ -> new Reply(504, "connection_timeout", "connection timed out");
            case DialResult.Denied d -> new Reply(403, "destination_ip_prohibited", d.reason());
            case DialResult.UnknownHost u -> new Reply(502, "dns_error", u.reason());
            case DialResult.Failed f -> new Reply(502, "proxy_internal_error", f.reason());
            case DialResult.Connected _, DialResult.InProcess _ -> throw new IllegalArgumentException("not a failure");
        };
    }

    /** True if a client that had gone there without a proxy would have seen its connection fail, and no answer. */
    public boolean isOfTheConnection() {
        return switch (error) {
            case "connection_refused",
                    "connection_timeout",
                    "connection_terminated",
                    "destination_ip_prohibited",
                    "destination_ip_unroutable",
                    "destination_unavailable",
                    "dns_error",
                    "http_request_denied",
                    "proxy_internal_error" -> true;
            case null, default -> false;
        };
    }

    /** The same, of an upstream proxy. */
    public Reply by(ProxyAddress proxy) {
        String prefix = "the upstream proxy " + proxy;
        return text.startsWith(prefix) ? this : new Reply(status, error, prefix + ": " + text);
    }

    /** The caller owns the buffer. */
    public ByteBuf encode(ByteBufAllocator alloc, String pseudonym, boolean withBody, boolean closes) {
        byte[] body = (text + "\n").getBytes(StandardCharsets.UTF_8);
        Fields fields = new Fields().add("Content-Type", "text/plain; charset=utf-8");
        fields.add("Content-Length", String.valueOf(body.length)).add("Cache-Control", "no-store");
        if (error != null) {
            fields.add("Proxy-Status", pseudonym + "; error=" + error + "; details=" + quoted(text));
        }
        if (closes) {
            fields.add("Connection", "close");
        }
        ByteBuf out = HeadWriter.head(alloc, "HTTP/1.1 " + status + " " + reason(), fields);
        return withBody ? out.writeBytes(body) : out;
    }

    /** sf-string, RFC 8941 §3.3.3: printable ASCII. */
    private static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        text.chars().limit(200).map(c -> c < ' ' || c > '~' ? '?' : c).forEach(c -> {
            if (c == '"' || c == '\\') {
                quoted.append('\\');
            }
            quoted.append((char) c);
        });
        return quoted.append('"').toString();
    }

    private String reason() {
        return switch (status) {
            case 200 -> "OK";
            case 400 -> "Bad Request";
            case 403 -> "Forbidden";
            case 404 -> "Not Found";
            case 405 -> "Method Not Allowed";
            case 408 -> "Request Timeout";
            case 414 -> "URI Too Long";
            case 431 -> "Request Header Fields Too Large";
            case 501 -> "Not Implemented";
            case 502 -> "Bad Gateway";
            case 503 -> "Service Unavailable";
            case 504 -> "Gateway Timeout";
            case 505 -> "HTTP Version Not Supported";
            case 508 -> "Loop Detected";
            default -> "Error";
        };
    }
}
