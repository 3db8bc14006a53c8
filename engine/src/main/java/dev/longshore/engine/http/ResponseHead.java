package dev.longshore.engine.http;

/**
 * A response's head as it came. Immutable.
 *
 * @param minor of HTTP/1.minor: 0 or 1
 * @param status 100..999
 * @param reason "" if there is none
 */
public record ResponseHead(int minor, int status, String reason, Fields fields) {
    /** status-line = HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 §4; the last SP is often missing). */
    static ResponseHead parse(String line, Fields fields) throws BadMessage {
        boolean known = line.startsWith("HTTP/1.0 ") || line.startsWith("HTTP/1.1 ");
        boolean shaped = line.length() == 12 || (line.length() > 12 && line.charAt(12) == ' ');
        if (!known
                || !shaped
                || line.charAt(9) == '0'
                || !line.substring(9, 12).chars().allMatch(Chars::isDigit)) {
            throw new BadMessage(502, "the Docker Engine's answer is not HTTP/1.1");
        }
        String reason = line.length() > 13 ? line.substring(13) : "";
        return new ResponseHead(line.charAt(7) - '0', Integer.parseInt(line, 9, 12, 10), reason, fields);
    }

    /** 1xx but 101: another response follows (RFC 9110 §15.2). */
    public boolean isInterim() {
        return status < 200 && status != 101;
    }

    /** True if no other response follows on this connection. */
    public boolean closes() {
        return fields.hasToken("Connection", "close") || (minor == 0 && !fields.hasToken("Connection", "keep-alive"));
    }

    /** This head for a body of so many bytes in place of the one it announced. */
    public String forBody(int bytes) {
        return "HTTP/1." + minor + " " + status + " " + reason + "\r\n"
                + fields.text(f -> !(f.is("Content-Length") || f.is("Transfer-Encoding") || f.is("Trailer")))
                + "Content-Length: " + bytes + "\r\n\r\n";
    }
}
