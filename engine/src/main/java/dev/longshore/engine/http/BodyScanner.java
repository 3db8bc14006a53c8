package dev.longshore.engine.http;

import io.netty.buffer.ByteBuf;

/**
 * Finds the end of one message's body in bytes that pass by, and the bytes that are its content (RFC 9112 §7.1). Chunk framing
 * is checked as strictly as heads are. Confined to the connection's event loop.
 */
public final class BodyScanner {
    /** Gets to know the content, without chunk framing, in the order of the stream. */
    public interface Content {
        /** Borrows {@code b} for this call. {@code length} is at least 1. */
        void bytes(ByteBuf b, int index, int length);
    }

    /** For who only wants to know where the body ends. */
    public static final Content IGNORED = (b, index, length) -> {};

    /** A chunk-size line with its extensions, without CRLF: what Go reads of one, net/http/internal maxLineLength. */
    private static final int MAX_SIZE_LINE = 4096;

    /** All trailer lines together. */
    private static final int MAX_TRAILERS = 64 * 1024;

    private static final int MAX_SIZE_DIGITS = 15; // 60 bits

    private enum State {
        PLAIN,
        SIZE,
        EXTENSION,
        SIZE_LF,
        DATA,
        DATA_CR,
        DATA_LF,
        TRAILER_START,
        TRAILER_NAME,
        TRAILER_VALUE,
        TRAILER_LF,
        LAST_LF,
        DONE
    }

    private final Content content;
    private final int badStatus;
    private final boolean untilClose;
    private State state;
    private long left; // of the body or of the chunk
    private int digits;
    private int lineBytes; // of the chunk-size line, of all trailers

    private BodyScanner(Framing framing, int badStatus, Content content) {
        this.content = content;
        this.badStatus = badStatus;
        this.untilClose = framing instanceof Framing.UntilClose;
        this.left = switch (framing) {
            case Framing.None _, Framing.Chunked _ -> 0;
            case Framing.Length l -> l.bytes();
            case Framing.UntilClose _ -> Long.MAX_VALUE;
        };
        this.state = framing instanceof Framing.Chunked ? State.SIZE : left == 0 ? State.DONE : State.PLAIN;
    }

    public static BodyScanner ofRequest(Framing framing, Content content) {
        return new BodyScanner(framing, 400, content);
    }

    public static BodyScanner ofResponse(Framing framing, Content content) {
        return new BodyScanner(framing, 502, content);
    }

    /** True behind the body's last byte. Never for a body that ends with the stream. */
    public boolean isDone() {
        return state == State.DONE;
    }

    /** True if the end of the stream is this body's proper end. */
    public boolean endsWithStream() {
        return untilClose;
    }

    /**
     * Looks at the next {@code length} bytes of the stream, which stand at {@code index}.
     *
     * @return how many of them belong to this body: all, or those up to its end
     */
    public int scan(ByteBuf b, int index, int length) throws BadMessage {
        int at = 0;
        while (at < length && state != State.DONE) {
            if (state == State.PLAIN || state == State.DATA) {
                int n = (int) Math.min(left, length - at);
                content.bytes(b, index + at, n);
                at += n;
                if (!untilClose) {
                    left -= n;
                }
                if (left == 0) {
                    state = state == State.PLAIN ? State.DONE : State.DATA_CR;
                }
            } else {
                state = next(b.getByte(index + at) & 0xFF);
                at++;
            }
        }
        return at;
    }

    /** The chunk framing as a machine over single bytes, since it can arrive in any pieces. */
    private State next(int c) throws BadMessage {
        return switch (state) {
            case SIZE -> inSize(c);
            case EXTENSION -> inExtension(c);
            case SIZE_LF -> endSizeLine(c);
            case DATA_CR -> expect(c, '\r', State.DATA_LF, "chunk data is not followed by CRLF");
            case DATA_LF -> expect(c, '\n', State.SIZE, "chunk data is not followed by CRLF");
            case TRAILER_START -> c == '\r' ? State.LAST_LF : inTrailerName(c, true);
            case TRAILER_NAME -> inTrailerName(c, false);
            case TRAILER_VALUE -> inTrailerValue(c);
            case TRAILER_LF -> expect(c, '\n', State.TRAILER_START, "bare CR in a trailer");
            case LAST_LF -> expect(c, '\n', State.DONE, "bare CR in a trailer");
            case PLAIN, DATA, DONE -> throw new IllegalStateException(state.name());
        };
    }

    private State inSize(int c) throws BadMessage {
        int digit = Chars.hexValue(c);
        if (digit >= 0) {
            if (++digits > MAX_SIZE_DIGITS) {
                throw bad("chunk too large");
            }
            left = left << 4 | digit;
            return State.SIZE;
        }
        if (digits > 0 && c == '\r') {
            return State.SIZE_LF;
        }
        if (digits > 0 && c == ';') {
            lineBytes = digits + 1;
            return State.EXTENSION;
        }
        throw bad("malformed chunk size");
    }

    private State inExtension(int c) throws BadMessage {
        if (c == '\r') {
            return State.SIZE_LF;
        }
        if (!Chars.isLineChar(c) || ++lineBytes > MAX_SIZE_LINE) {
            throw bad("malformed chunk extension");
        }
        return State.EXTENSION;
    }

    private State endSizeLine(int c) throws BadMessage {
        digits = 0;
        lineBytes = 0;
        return expect(c, '\n', left == 0 ? State.TRAILER_START : State.DATA, "bare CR in a chunk size line");
    }

    private State inTrailerName(int c, boolean first) throws BadMessage {
        countTrailer();
        if (c == ':' && !first) {
            return State.TRAILER_VALUE;
        }
        if (!Chars.isTokenChar(c)) {
            throw bad("malformed trailer");
        }
        return State.TRAILER_NAME;
    }

    private State inTrailerValue(int c) throws BadMessage {
        countTrailer();
        if (c == '\r') {
            return State.TRAILER_LF;
        }
        if (!Chars.isLineChar(c)) {
            throw bad("malformed trailer");
        }
        return State.TRAILER_VALUE;
    }

    private void countTrailer() throws BadMessage {
        if (++lineBytes > MAX_TRAILERS) {
            throw bad("trailers are longer than " + MAX_TRAILERS + " bytes");
        }
    }

    private State expect(int c, char wanted, State then, String otherwise) throws BadMessage {
        if (c != wanted) {
            throw bad(otherwise);
        }
        return then;
    }

    private BadMessage bad(String text) {
        return new BadMessage(badStatus, text);
    }
}
