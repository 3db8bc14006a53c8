package dev.longshore.engine.http;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Finds the end of a head (start line, field lines, empty line: RFC 9112 §2.1) in a buffer that grows, and takes it apart.
 * Lines end with CRLF, have no control characters and do not continue a line before. Confined to the connection's event loop.
 */
public final class HeadScanner {
    /** What Go's net/http reads of a head, DefaultMaxHeaderBytes: credentials of many registries travel in one field. */
    public static final int MAX_BYTES = 1 << 20;

    /** RFC 9112 §2.2 lets a server skip empty lines before a request; old clients send one behind a body. */
    private static final int MAX_EMPTY_LINES = 2;

    private final int badStatus;
    private int scanned; // bytes behind readerIndex that were looked at
    private int lineStart; // of the line that is being looked at, behind readerIndex
    private int emptyLines;

    private HeadScanner(int badStatus) {
        this.badStatus = badStatus;
    }

    public static HeadScanner ofRequests() {
        return new HeadScanner(400);
    }

    public static HeadScanner ofResponses() {
        return new HeadScanner(502);
    }

    /**
     * Looks on where it stopped at the last call; {@code in} must show the bytes of an unfinished head again. Empty lines
     * before a request are taken out of {@code in}. Once a length was given, the scanner is ready for the next head.
     *
     * @return the length of the head at the readerIndex, its empty line included, or 0 if it is not complete
     */
    public int scan(ByteBuf in) throws BadMessage {
        while (scanned < in.readableBytes()) {
            int c = in.getByte(in.readerIndex() + scanned) & 0xFF;
            if (c == '\n') {
                throw bad("a line of the head ends with a bare LF");
            }
            if (c != '\r') {
                if (!Chars.isLineChar(c)) {
                    throw bad("control character in the head");
                }
                if (scanned == lineStart && lineStart > 0 && Chars.isBlank(c)) {
                    throw bad("a line of the head begins with a blank");
                }
                scanned++;
            } else if (scanned + 1 == in.readableBytes()) {
                break; // its LF is still to come
            } else if (in.getByte(in.readerIndex() + scanned + 1) != '\n') {
                throw bad("bare CR in the head");
            } else if (endLine(in)) {
                int length = scanned;
                reset();
                return length;
            }
            if (scanned > MAX_BYTES) {
                throw new BadMessage(
                        badStatus == 400 ? 431 : badStatus, "the head is longer than " + MAX_BYTES + " bytes");
            }
        }
        return 0;
    }

    /** True if the line that ends here is the empty one behind a head. */
    private boolean endLine(ByteBuf in) throws BadMessage {
        boolean empty = scanned == lineStart;
        scanned += 2;
        lineStart = scanned;
        if (empty && scanned == 2) {
            if (badStatus != 400 || ++emptyLines > MAX_EMPTY_LINES) {
                throw bad("an empty line instead of a message");
            }
            in.skipBytes(2);
            scanned = 0;
            lineStart = 0;
            return false;
        }
        return empty;
    }

    private void reset() {
        scanned = 0;
        lineStart = 0;
        emptyLines = 0;
    }

    /** Takes apart what {@link #scan} measured; reads nothing else of {@code in} and moves nothing. */
    public RequestHead request(ByteBuf in, int length) throws BadMessage {
        List<String> lines = lines(in, length);
        return RequestHead.parse(lines.getFirst(), fields(lines));
    }

    /** As {@link #request}. */
    public ResponseHead response(ByteBuf in, int length) throws BadMessage {
        List<String> lines = lines(in, length);
        return ResponseHead.parse(lines.getFirst(), fields(lines));
    }

    private static List<String> lines(ByteBuf in, int length) {
        String text = in.toString(in.readerIndex(), length - 4, StandardCharsets.ISO_8859_1);
        return List.of(text.split("\r\n", -1));
    }

    private Fields fields(List<String> lines) throws BadMessage {
        List<Fields.Field> fields = new ArrayList<>(lines.size() - 1);
        for (String line : lines.subList(1, lines.size())) {
            int colon = line.indexOf(':');
            if (colon < 0 || !Chars.isToken(line.substring(0, colon))) {
                throw bad(
                        colon > 0 && Chars.isBlank(line.charAt(colon - 1))
                                ? "blank before the colon of a header field"
                                : "malformed header field");
            }
            fields.add(new Fields.Field(line.substring(0, colon), Chars.trim(line.substring(colon + 1))));
        }
        return new Fields(fields);
    }

    private BadMessage bad(String text) {
        return new BadMessage(badStatus, text);
    }
}
