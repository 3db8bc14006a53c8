package dev.longshore.fileshare.devfuse;

import dev.longshore.fileshare.fuse.FuseExchange;
import dev.longshore.fileshare.os.FileData;
import dev.longshore.fileshare.os.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The requests of one thread, one after the other, in two buffers. Confined to that thread. */
final class DevFuseExchange implements FuseExchange {
    private final int fd;
    private final FileData data;
    private final MemorySegment request;
    private final MemorySegment reply;
    private int requestBytes;

    DevFuseExchange(int fd, FileData data, int bytes) {
        this.fd = fd;
        this.data = data;
        request = Arena.ofAuto().allocate(bytes, 4096);
        reply = Arena.ofAuto().allocate(bytes, 4096);
    }

    /** Waits for the next request: its bytes, or a negated errno. */
    long receive() {
        long n = data.read(fd, request, request.byteSize());
        requestBytes = (int) Math.max(n, 0);
        return n;
    }

    @Override
    public int requestBytes() {
        return requestBytes;
    }

    @Override
    public void copyRequest(int from, MemorySegment dst, int n) {
        MemorySegment.copy(request, from, dst, 0, n);
    }

    @Override
    public int requestPieces(int from, int n, IoVector vector) {
        return vector.add(request, from, n) ? n : 0;
    }

    @Override
    public int replyRoom() {
        return (int) reply.byteSize();
    }

    @Override
    public void copyReply(int at, MemorySegment src, int n) {
        MemorySegment.copy(src, 0, reply, at, n);
    }

    @Override
    public int replyPieces(int at, int n, IoVector vector) {
        return vector.add(reply, at, n) ? n : 0;
    }

    /** That the kernel refuses a reply (the request was given up) is nobody's business. */
    @Override
    public void complete(int bytes) {
        if (bytes > 0) {
            data.write(fd, reply, bytes);
        }
    }
}
