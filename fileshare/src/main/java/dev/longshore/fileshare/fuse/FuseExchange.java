package dev.longshore.fileshare.fuse;

import dev.longshore.fileshare.os.IoVector;
import java.lang.foreign.MemorySegment;

/**
 * One request of the guest's kernel and the room for its reply, where the transport has them: guest memory or a buffer.
 * Belongs to one thread at a time, from the transport's hand-over until {@link #complete}.
 *
 * <p>The memory may be shared with the guest, which can change it meanwhile: bytes of a request that are looked at are
 * copied out once and looked at there. Payload that is only passed on (WRITE, READ) never is copied: it goes between the file and
 * these pieces.
 */
public interface FuseExchange {
    /** Bytes of the request, its 40-byte header included; what the transport got, not what the header says. */
    int requestBytes();

    /** Copies bytes {@code [from, from + n)} of the request to the start of {@code dst}. */
    void copyRequest(int from, MemorySegment dst, int n);

    /**
     * Appends the pieces of request bytes {@code [from, from + n)} to {@code vector}.
     *
     * @return the bytes appended; less than {@code n} only if the vector is full
     */
    int requestPieces(int from, int n, IoVector vector);

    /** Bytes that a reply may have, its 16-byte header included; 0 if none is expected (FORGET). */
    int replyRoom();

    /** Copies {@code n} bytes of {@code src}, from its start, to the reply's bytes from {@code at}. */
    void copyReply(int at, MemorySegment src, int n);

    /**
     * Appends the pieces of reply bytes {@code [at, at + n)} to {@code vector}.
     *
     * @return the bytes appended; less than {@code n} only if the vector is full
     */
    int replyPieces(int at, int n, IoVector vector);

    /**
     * The reply is there, {@code bytes} long with its header; 0 if there is none. Called exactly once, from any thread; the
     * exchange must not be touched after it.
     */
    void complete(int bytes);
}
