package dev.longshore.proxy.message;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.nio.charset.StandardCharsets;

/** Heads, chunks and trailers as bytes. Nothing here can hold a CR or LF of a peer: {@link HeadReader} let none in. */
public final class HeadWriter {
    private static final byte[] CRLF = {'\r', '\n'};

    /** The caller owns the buffer. */
    public static ByteBuf head(ByteBufAllocator alloc, String startLine, Fields fields) {
        ByteBuf out = alloc.buffer(512);
        line(out, startLine);
        section(out, fields);
        return out;
    }

    /** chunk-size CRLF, for {@code bytes} &gt; 0. */
    public static ByteBuf chunkStart(ByteBufAllocator alloc, int bytes) {
        ByteBuf out = alloc.buffer(10);
        line(out, Integer.toHexString(bytes));
        return out;
    }

    public static ByteBuf chunkEnd(ByteBufAllocator alloc) {
        return alloc.buffer(2).writeBytes(CRLF);
    }

    /** last-chunk, trailers, CRLF. */
    public static ByteBuf lastChunk(ByteBufAllocator alloc, Fields trailers) {
        ByteBuf out = alloc.buffer(64);
        line(out, "0");
        section(out, trailers);
        return out;
    }

    private static void section(ByteBuf out, Fields fields) {
        for (Fields.Field f : fields) {
            line(out, f.name() + ": " + f.value());
        }
        out.writeBytes(CRLF);
    }

    private static void line(ByteBuf out, String text) {
        out.writeCharSequence(text, StandardCharsets.ISO_8859_1);
        out.writeBytes(CRLF);
    }

    private HeadWriter() {}
}
