package dev.longshore.proxy.message;

/** A request's head as it came: syntax checked, meaning not (the gate does that). */
public record RequestHead(String method, String target, HttpVersion version, Fields fields) {
    private static final int MAX_METHOD = 64;

    /** request-line = method SP request-target SP HTTP-version, with exactly one SP each (RFC 9112 §3). */
    public static RequestHead parse(String line, Fields fields) throws BadMessage {
        int first = line.indexOf(' ');
        int second = line.indexOf(' ', first + 1);
        if (first <= 0 || second < 0 || line.indexOf(' ', second + 1) >= 0) {
            throw BadMessage.badRequest("malformed request line");
        }
        String method = line.substring(0, first);
        String target = line.substring(first + 1, second);
        if (!Chars.isToken(method) || method.length() > MAX_METHOD) {
            throw BadMessage.badRequest("malformed method");
        }
        if (target.isEmpty() || !target.chars().allMatch(Chars::isTargetChar)) {
            throw BadMessage.badRequest("malformed request target");
        }
        return new RequestHead(method, target, HttpVersion.parse(line.substring(second + 1)), fields);
    }

    public boolean isConnect() {
        return method.equals("CONNECT");
    }

    /** Safe to send again when nothing is known about the first try: RFC 9110 §9.2.2, without a body. */
    public boolean isIdempotent() {
        return switch (method) {
            case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE" -> true;
            default -> false;
        };
    }
}
