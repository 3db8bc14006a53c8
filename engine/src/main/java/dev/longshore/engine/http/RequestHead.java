package dev.longshore.engine.http;

import java.util.function.Predicate;

/**
 * A request's head as it came; its syntax is checked. Immutable.
 *
 * @param method case counts
 * @param target as on the wire: no blank, no control character
 * @param minor of HTTP/1.minor: 0 or 1
 */
public record RequestHead(String method, String target, int minor, Fields fields) {
    private static final int MAX_METHOD = 64;

    /** request-line = method SP request-target SP HTTP-version, one SP each (RFC 9112 §3). */
    static RequestHead parse(String line, Fields fields) throws BadMessage {
        int first = line.indexOf(' ');
        int second = line.indexOf(' ', first + 1);
        if (first <= 0 || second < 0 || line.indexOf(' ', second + 1) >= 0) {
            throw bad("malformed request line");
        }
        String method = line.substring(0, first);
        if (!Chars.isToken(method) || method.length() > MAX_METHOD) {
            throw bad("malformed method");
        }
        String target = line.substring(first + 1, second);
        if (target.isEmpty() || target.indexOf('\t') >= 0) {
            throw bad("malformed request target");
        }
        return new RequestHead(method, target, minor(line.substring(second + 1)), fields);
    }

    private static int minor(String version) throws BadMessage {
        return switch (version) {
            case "HTTP/1.1" -> 1;
            case "HTTP/1.0" -> 0;
            default ->
                throw version.matches("HTTP/\\d+\\.\\d+")
                        ? new BadMessage(505, "only HTTP/1.1 is spoken here, not " + version)
                        : bad("malformed HTTP version");
        };
    }

    private static BadMessage bad(String text) {
        return new BadMessage(400, text);
    }

    /** True if the caller does not want to send another request on this connection (RFC 9112 §9.3). */
    public boolean closes() {
        return fields.hasToken("Connection", "close") || (minor == 0 && !fields.hasToken("Connection", "keep-alive"));
    }

    /** True if the caller asks to change protocols after this request (RFC 9110 §7.8). */
    public boolean upgrades() {
        return fields.has("Upgrade");
    }

    /** True if the caller waits for 100 before it sends the body (RFC 9110 §10.1.1). */
    public boolean expectsContinue() {
        return fields.hasToken("Expect", "100-continue");
    }

    /** This head for a body of so many bytes in place of the one it announced, which has been read: nothing is waited for. */
    public String forBody(int bytes) {
        return text(f -> !(f.is("Content-Length") || f.is("Transfer-Encoding") || f.is("Trailer") || f.is("Expect")))
                + "Content-Length: " + bytes + "\r\n\r\n";
    }

    /** This head for a body that has been read already. */
    public String withoutExpectation() {
        return text(f -> !f.is("Expect")) + "\r\n";
    }

    private String text(Predicate<Fields.Field> kept) {
        return method + " " + target + " HTTP/1." + minor + "\r\n" + fields.text(kept);
    }
}
