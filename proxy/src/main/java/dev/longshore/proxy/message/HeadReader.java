package dev.longshore.proxy.message;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Reads one head (start line and header section, RFC 9112 §2.1) or one trailer section out of a stream, line by line.
 * Confined to the connection's event loop.
 * <p>Requests are read strictly, since a request that two parsers read differently is how requests are smuggled (RFC 9112
 * §11.2): CRLF only, no continuation lines, no blank before a colon, no control character. Responses are read as servers
 * really send them: a bare LF, a blank before the colon and continuation lines are repaired.
 */
public final class HeadReader {
    /** RFC 9112 §3 recommends at least 8000 bytes. */
    public static final int MAX_START_LINE = 16 * 1024;

    /** All lines together: a Kerberos token alone can have 48,000 bytes. */
    public static final int MAX_SECTION = 64 * 1024;

    public static final int MAX_FIELDS = 256;

    /** RFC 9112 §2.2 lets a server ignore empty lines before a request; clients of old send one after a POST. */
    private static final int MAX_EMPTY_LINES = 4;

    private final boolean lenient;
    private final Fields fields = new Fields();
    private @Nullable String startLine;
    private int sectionBytes;
    private int scanned; // bytes behind readerIndex that are known to hold no LF
    private int emptyLines;

    private HeadReader(boolean lenient, @Nullable String startLine) {
        this.lenient = lenient;
        this.startLine = startLine;
    }

    public static HeadReader request() {
        return new HeadReader(false, null);
    }

    public static HeadReader response() {
        return new HeadReader(true, null);
    }

    public static HeadReader trailers(boolean lenient) {
        return new HeadReader(lenient, "");
    }

    /** True once the first byte of a start line has been taken or seen. */
    public boolean hasBegun() {
        return startLine != null || scanned > 0;
    }

    /** Bytes of the whole lines that have been taken. */
    public int bytes() {
        return sectionBytes;
    }

    /**
     * Takes whole lines from {@code in}, which must show the bytes of an unfinished line again at the next call.
     *
     * @return true when the section is complete; the reader is used up then
     */
    public boolean read(ByteBuf in) throws BadMessage {
        while (true) {
            String line = nextLine(in);
            if (line == null) {
                return false;
            }
            if (startLine == null) {
                takeStartLine(line);
            } else if (line.isEmpty()) {
                return true;
            } else {
                takeFieldLine(line);
            }
        }
    }

    /** "" for a trailer section. Only after {@link #read} returned true. */
    public String startLine() {
        return startLine == null ? "" : startLine;
    }

    public Fields fields() {
        return fields;
    }

    private @Nullable String nextLine(ByteBuf in) throws BadMessage {
        int start = in.readerIndex();
        int available = in.readableBytes();
        for (int i = scanned; i < available; i++) {
            int c = in.getByte(start + i) & 0xFF;
            if (c == '\n') {
                return takeLine(in, i);
            }
            if (c == '\r' ? i + 1 < available && in.getByte(start + i + 1) != '\n' : !Chars.isFieldChar(c)) {
                throw bad("control character in the header");
            }
            checkLimits(i + 1);
        }
        scanned = Math.max(0, available - 1); // a CR at the end is looked at again, with its LF
        return null;
    }

    private String takeLine(ByteBuf in, int length) throws BadMessage {
        boolean crlf = length > 0 && in.getByte(in.readerIndex() + length - 1) == '\r';
        if (!crlf && !lenient) {
            throw bad("line ends with a bare LF");
        }
        String line = in.toString(in.readerIndex(), crlf ? length - 1 : length, StandardCharsets.ISO_8859_1);
        in.skipBytes(length + 1);
        scanned = 0;
        sectionBytes += length + 1;
        return line;
    }

    private void checkLimits(int lineBytes) throws BadMessage {
        if (startLine == null && lineBytes > MAX_START_LINE) {
            throw new BadMessage(lenient ? 502 : 414, "start line longer than " + MAX_START_LINE + " bytes");
        }
        if (sectionBytes + lineBytes > MAX_SECTION) {
            throw new BadMessage(lenient ? 502 : 431, "header longer than " + MAX_SECTION + " bytes");
        }
    }

    private void takeStartLine(String line) throws BadMessage {
        if (!line.isEmpty()) {
            startLine = line;
        } else if (++emptyLines > MAX_EMPTY_LINES) {
            throw bad("empty lines instead of a message");
        }
    }

    private void takeFieldLine(String line) throws BadMessage {
        if (Chars.isBlank(line.charAt(0))) {
            if (!lenient || fields.isEmpty()) {
                throw bad("header line begins with a blank");
            }
            fields.unfold(Chars.trim(line));
            return;
        }
        int colon = line.indexOf(':');
        if (colon < 0) {
            throw bad("header line without a colon");
        }
        String name = line.substring(0, colon);
        if (lenient) {
            name = Chars.trim(name);
        }
        if (!Chars.isToken(name)) {
            throw bad("invalid header field name");
        }
        if (fields.size() == MAX_FIELDS) {
            throw new BadMessage(lenient ? 502 : 431, "more than " + MAX_FIELDS + " header fields");
        }
        fields.add(name, Chars.trim(line.substring(colon + 1)));
    }

    private BadMessage bad(String text) {
        return new BadMessage(lenient ? 502 : 400, text);
    }
}
