package dev.longshore.engine;

import dev.longshore.engine.http.BadMessage;
import dev.longshore.engine.http.BodyScanner;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import java.nio.charset.StandardCharsets;
import java.util.function.Function;

/**
 * A message that is kept back until it was looked at: its bytes as they came, and its content. Confined to the connection's
 * event loop. Belongs to who made it, and ends with {@link #release} or one of the methods that give its bytes, whichever comes
 * first.
 */
final class HeldMessage {
    /** Bounds what a connection can keep. A container's configuration has a few KiB, a list of 2000 containers has this. */
    static final int MAX_BODY_BYTES = 4 << 20;

    private final ByteBuf raw; // the head, then the body with its chunk framing
    private final ByteBuf content;
    private final int headBytes;
    private final BodyScanner body;
    private boolean given;

    /**
     * @param head as it came; borrowed
     * @param scanner makes the body's scanner
     */
    HeldMessage(ByteBuf head, Function<BodyScanner.Content, BodyScanner> scanner, ByteBufAllocator alloc) {
        body = scanner.apply(this::keep);
        headBytes = head.readableBytes();
        raw = alloc.buffer(headBytes + 1024).writeBytes(head, head.readerIndex(), headBytes);
        content = alloc.buffer(1024);
    }

    private void keep(ByteBuf b, int index, int length) {
        if (!given) {
            content.writeBytes(b, index, length);
        }
    }

    /**
     * Takes what belongs to this message from {@code in}.
     *
     * @return false if that is too much: what was taken stays here, the rest in {@code in}
     */
    boolean take(ByteBuf in) throws BadMessage {
        int most = Math.min(in.readableBytes(), MAX_BODY_BYTES + headBytes - raw.readableBytes());
        int n = body.scan(in, in.readerIndex(), most);
        raw.writeBytes(in, n);
        return body.isDone() || !in.isReadable();
    }

    boolean isComplete() {
        return body.isDone();
    }

    /** Where the body is, for who goes on without keeping it, behind {@link #asItCame}. */
    BodyScanner body() {
        return body;
    }

    /** The body without chunk framing. */
    byte[] content() {
        return ByteBufUtil.getBytes(content);
    }

    void release() {
        raw.release();
        content.release();
    }

    /** The bytes as they came. */
    ByteBuf asItCame() {
        given = true;
        content.release();
        return raw;
    }

    /** The bytes behind another head. */
    ByteBuf behind(String head) {
        ByteBuf message = withHead(head, raw.readableBytes() - headBytes);
        message.writeBytes(raw, raw.readerIndex() + headBytes, raw.readableBytes() - headBytes);
        release();
        return message;
    }

    /** Another head and another body. */
    ByteBuf replaced(String head, byte[] other) {
        ByteBuf message = withHead(head, other.length).writeBytes(other);
        release();
        return message;
    }

    /** A head's characters are its bytes. */
    private ByteBuf withHead(String head, int more) {
        ByteBuf message = raw.alloc().buffer(head.length() + more);
        message.writeCharSequence(head, StandardCharsets.ISO_8859_1);
        return message;
    }
}
