package dev.longshore.proxy.message;

/** A response's head as it came. */
public record ResponseHead(HttpVersion version, int status, String reason, Fields fields) {
    /** status-line = HTTP-version SP status-code [ SP reason-phrase ] (RFC 9112 §4; the last SP is often missing). */
    public static ResponseHead parse(String line, Fields fields) throws BadMessage {
        boolean known = line.startsWith("HTTP/1.0 ") || line.startsWith("HTTP/1.1 ");
        boolean shaped = line.length() == 12 || (line.length() > 12 && line.charAt(12) == ' ');
        if (!known || !shaped || !Chars.isDigits(line.substring(9, 12)) || line.charAt(9) == '0') {
            throw new BadMessage(502, "the server's answer is not HTTP/1.x");
        }
        HttpVersion version = HttpVersion.parse(line.substring(0, 8));
        int status = Integer.parseInt(line, 9, 12, 10);
        return new ResponseHead(version, status, line.length() > 13 ? line.substring(13) : "", fields);
    }

    /** 1xx, RFC 9110 §15.2: another response follows, except after 101. */
    public boolean isInterim() {
        return status < 200 && status != 101;
    }
}
