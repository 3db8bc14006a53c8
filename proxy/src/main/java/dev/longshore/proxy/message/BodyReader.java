package dev.longshore.proxy.message;

import io.netty.buffer.ByteBuf;

/**
 * Cuts one message's body out of a stream, chunk framing and chunk extensions removed (RFC 9112 §7.1).
 * Confined to the connection's event loop.
 */
public final class BodyReader {
    /** Receives the body in the order of the stream. */
    public interface Sink {
        /** Takes ownership of {@code data}, never empty. */
        void onData(ByteBuf data);
    }

    /** A chunk-size line with its extensions, which nobody uses. */
    private static final int MAX_CHUNK_LINE = 4096;

    private enum State {
        PLAIN,
        CHUNK_SIZE,
        CHUNK_DATA,
        CHUNK_END,
        TRAILERS,
        DONE
    }

    private final boolean lenient;
    private final boolean untilClose;
    private final HeadReader trailers;
    private State state;
    private long left; // of the body or of the chunk
    private int lineBytes;
    private int sizeDigits;
    private boolean sizeOver; // behind the digits, in blanks or an extension
    private boolean endsInSemicolon; // the size line, so far
    private boolean lastWasCr;

    public BodyReader(BodyFraming framing, boolean lenient) {
        this.lenient = lenient;
        this.untilClose = framing instanceof BodyFraming.UntilClose;
        this.trailers = HeadReader.trailers(lenient);
        this.left = switch (framing) {
            case BodyFraming.None _, BodyFraming.Chunked _ -> 0;
            case BodyFraming.Length l -> l.bytes();
            case BodyFraming.UntilClose _ -> Long.MAX_VALUE;
        };
        this.state = framing instanceof BodyFraming.Chunked ? State.CHUNK_SIZE : left == 0 ? State.DONE : State.PLAIN;
    }

    public boolean isDone() {
        return state == State.DONE;
    }

    /** True if the end of the stream is this body's proper end. */
    public boolean endsWithStream() {
        return untilClose;
    }

    /** Empty unless the body was chunked and is done. */
    public Fields trailers() {
        return trailers.fields();
    }

    /** Takes what belongs to the body from {@code in}; stops behind its last byte. */
    public void read(ByteBuf in, Sink sink) throws BadMessage {
        while (in.isReadable() && state != State.DONE) {
            switch (state) {
                case PLAIN -> {
                    takeData(in, sink);
                    if (left == 0) {
                        state = State.DONE;
                    }
                }
                case CHUNK_SIZE -> takeSizeLine(in);
                case CHUNK_DATA -> {
                    takeData(in, sink);
                    if (left == 0) {
                        state = State.CHUNK_END;
                    }
                }
                case CHUNK_END -> takeChunkEnd(in);
                case TRAILERS -> {
                    if (!trailers.read(in)) {
                        return;
                    }
                    state = State.DONE;
                }
                case DONE -> throw new IllegalStateException();
            }
        }
    }

    private void takeData(ByteBuf in, Sink sink) {
        int n = (int) Math.min(left, in.readableBytes());
        if (!untilClose) {
            left -= n;
        }
        sink.onData(in.readRetainedSlice(n));
    }

    /** chunk-size [ chunk-ext ] CRLF, byte by byte: it can arrive in any pieces. */
    private void takeSizeLine(ByteBuf in) throws BadMessage {
        while (in.isReadable()) {
            int c = in.readUnsignedByte();
            if (++lineBytes > MAX_CHUNK_LINE) {
                throw bad("chunk size line too long");
            }
            if (c == '\n') {
                endSizeLine();
                return;
            }
            if (lastWasCr) {
                throw bad("bare CR in a chunk size line");
            }
            lastWasCr = c == '\r';
            if (!lastWasCr) {
                takeSizeChar(c);
            }
        }
    }

    private void takeSizeChar(int c) throws BadMessage {
        int digit = Chars.hexValue(c);
        if (!sizeOver && digit >= 0) {
            if (++sizeDigits > 15) { // 60 bits
                throw bad("chunk too large");
            }
            left = left << 4 | digit;
        } else if (sizeDigits > 0 && (sizeOver ? Chars.isFieldChar(c) : c == ';' || (lenient && Chars.isBlank(c)))) {
            sizeOver = true;
            endsInSemicolon = c == ';';
        } else {
            throw bad("malformed chunk size");
        }
    }

    private void endSizeLine() throws BadMessage {
        if (sizeDigits == 0 || ((!lastWasCr || endsInSemicolon) && !lenient)) {
            throw bad("malformed chunk size line");
        }
        state = left == 0 ? State.TRAILERS : State.CHUNK_DATA;
        lineBytes = 0;
        sizeDigits = 0;
        sizeOver = false;
        endsInSemicolon = false;
        lastWasCr = false;
    }

    private void takeChunkEnd(ByteBuf in) throws BadMessage {
        int c = in.readUnsignedByte();
        if (c == '\r' && !lastWasCr) {
            lastWasCr = true;
        } else if (c == '\n' && (lastWasCr || lenient)) {
            lastWasCr = false;
            state = State.CHUNK_SIZE;
        } else {
            throw bad("chunk data not followed by CRLF");
        }
    }

    private BadMessage bad(String text) {
        return new BadMessage(lenient ? 502 : 400, text);
    }
}
