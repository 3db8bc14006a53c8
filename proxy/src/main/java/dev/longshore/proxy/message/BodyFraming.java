package dev.longshore.proxy.message;

import java.util.List;

/** How a message's body ends: RFC 9112 §6.3. Immutable. */
public sealed interface BodyFraming {
    record None() implements BodyFraming {}

    /** From Content-Length. */
    record Length(long bytes) implements BodyFraming {}

    record Chunked() implements BodyFraming {}

    /** Responses only. */
    record UntilClose() implements BodyFraming {}

    /** Strict: anything that two parsers could read differently is refused (RFC 9112 §11.2). */
    static BodyFraming ofRequest(RequestHead head) throws BadMessage {
        List<String> codings = head.fields().all("Transfer-Encoding");
        List<String> lengths = head.fields().all("Content-Length");
        if (head.fields().has("Transfer_Encoding") || head.fields().has("Content_Length")) {
            throw BadMessage.badRequest(
                    "a framing field with an underscore"); // the same name to many servers' programs: RFC 3875 §4.1.18
        }
        if (codings.isEmpty()) {
            return lengths.isEmpty() ? new None() : new Length(onlyLength(lengths));
        }
        if (!lengths.isEmpty()) {
            throw BadMessage.badRequest("both Content-Length and Transfer-Encoding");
        }
        if (head.version() == HttpVersion.HTTP_1_0) {
            throw BadMessage.badRequest("Transfer-Encoding in HTTP/1.0");
        }
        if (codings.size() != 1 || !codings.getFirst().equalsIgnoreCase("chunked")) {
            throw new BadMessage(501, "only the transfer coding 'chunked' is supported");
        }
        return new Chunked();
    }

    private static long onlyLength(List<String> lengths) throws BadMessage {
        if (lengths.size() != 1) {
            throw BadMessage.badRequest("more than one Content-Length");
        }
        return parseLength(lengths.getFirst());
    }

    /** As servers really answer: Transfer-Encoding wins over Content-Length, equal lengths count as one. */
    static BodyFraming ofResponse(ResponseHead head, String requestMethod) throws BadMessage {
        if (requestMethod.equals("HEAD") || head.status() < 200 || head.status() == 204 || head.status() == 304) {
            return new None();
        }
        List<String> codings = head.fields().tokens("Transfer-Encoding");
        if (!codings.isEmpty()) {
            if (codings.size() != 1 || !codings.getFirst().equals("chunked")) {
                throw new BadMessage(502, "the server's answer has an unknown transfer coding");
            }
            return new Chunked();
        }
        if (!head.fields().has("Content-Length")) {
            return new UntilClose();
        }
        List<String> lengths =
                head.fields().tokens("Content-Length").stream().distinct().toList();
        if (lengths.size() > 1) {
            throw new BadMessage(502, "the server's answer has different Content-Lengths");
        }
        return responseLength(lengths.isEmpty() ? "" : lengths.getFirst());
    }

    private static BodyFraming responseLength(String length) throws BadMessage {
        try {
            return new Length(parseLength(length));
        } catch (BadMessage e) {
            throw new BadMessage(502, "the server's answer has an invalid Content-Length");
        }
    }

    private static long parseLength(String length) throws BadMessage {
        if (!Chars.isDigits(length) || length.length() > 18) { // 18 digits fit in a long
            throw BadMessage.badRequest("invalid Content-Length");
        }
        return Long.parseLong(length);
    }
}
