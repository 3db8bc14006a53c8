package dev.longshore.engine.http;

import java.util.List;

/** How a message's body ends: RFC 9112 §6.3. Immutable. */
public sealed interface Framing {
    record None() implements Framing {}

    /** From Content-Length; 0 or more. */
    record Length(long bytes) implements Framing {}

    record Chunked() implements Framing {}

    /** Responses only. */
    record UntilClose() implements Framing {}

    static Framing ofRequest(RequestHead head) throws BadMessage {
        Framing framing = of(head.fields(), 400);
        if (framing instanceof Chunked && head.minor() == 0) {
            throw new BadMessage(400, "Transfer-Encoding in HTTP/1.0");
        }
        return framing instanceof UntilClose ? new None() : framing;
    }

    /**
     * How an answer ends.
     *
     * @param toHead whether the request's method was HEAD
     */
    static Framing ofResponse(ResponseHead head, boolean toHead) throws BadMessage {
        if (toHead || head.status() < 200 || head.status() == 204 || head.status() == 304) {
            return new None();
        }
        return of(head.fields(), 502);
    }

    /** {@link UntilClose} if the fields say nothing. */
    private static Framing of(Fields fields, int badStatus) throws BadMessage {
        List<String> codings = fields.all("Transfer-Encoding");
        List<String> lengths = fields.all("Content-Length");
        if (codings.isEmpty()) {
            return lengths.isEmpty() ? new UntilClose() : new Length(onlyLength(lengths, badStatus));
        }
        if (!lengths.isEmpty()) {
            throw new BadMessage(badStatus, "both Content-Length and Transfer-Encoding");
        }
        if (codings.size() != 1 || !codings.getFirst().equalsIgnoreCase("chunked")) {
            throw new BadMessage(badStatus == 400 ? 501 : badStatus, "only the transfer coding 'chunked' is known");
        }
        return new Chunked();
    }

    private static long onlyLength(List<String> lengths, int badStatus) throws BadMessage {
        String length = lengths.getFirst();
        if (lengths.size() != 1) {
            throw new BadMessage(badStatus, "more than one Content-Length");
        }
        if (length.isEmpty() || length.length() > 18 || !length.chars().allMatch(Chars::isDigit)) { // 18 fit in a long
            throw new BadMessage(badStatus, "invalid Content-Length");
        }
        return Long.parseLong(length);
    }
}
