package dev.longshore.proxy.message;

/** The versions that share RFC 9112's message format. */
public enum HttpVersion {
    HTTP_1_0("HTTP/1.0"),
    HTTP_1_1("HTTP/1.1");

    private final String text;

    HttpVersion(String text) {
        this.text = text;
    }

    /** As in a start line; 505 for another version of HTTP, 400 for something else. */
    public static HttpVersion parse(String text) throws BadMessage {
        for (HttpVersion v : values()) {
            if (v.text.equals(text)) {
                return v;
            }
        }
        if (text.matches("HTTP/[0-9]\\.[0-9]")) {
            throw new BadMessage(505, "only versions 1.0 and 1.1 are spoken here");
        }
        throw BadMessage.badRequest("not an HTTP version");
    }

    @Override
    public String toString() {
        return text;
    }
}
