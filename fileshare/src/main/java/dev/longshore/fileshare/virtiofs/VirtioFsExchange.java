package dev.longshore.fileshare.virtiofs;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import dev.longshore.fileshare.fuse.FuseExchange;
import dev.longshore.fileshare.os.IoVector;
import dev.longshore.virtio.memory.GuestMemory;
import dev.longshore.virtio.virtqueue.Chain;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A descriptor chain as a FUSE exchange: its readable part is the request, its writable part the room for the reply. Made once and
 * used for chain after chain.
 *
 * <p>Belongs to one thread at a time: the device's loop, then perhaps a worker until {@link #complete}, then the loop again.
 */
final class VirtioFsExchange implements FuseExchange, Runnable {
    /** struct fuse_out_header, Linux include/uapi/linux/fuse.h: len, error, unique; and where a request has unique. */
    private static final int OUT_HEADER_BYTES = 16;

    private static final int OUT_ERROR_AT = 4;
    private static final int OUT_UNIQUE_AT = 8;
    private static final int IN_UNIQUE_AT = 8;
    private static final int EIO = 5;
    private static final ValueLayout.OfInt LE32 = JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    final Chain chain = new Chain();
    private final VirtioFsDevice device;

    /** The use it is in, counted from 1; negated when completed. So nobody completes a use that is over. */
    private final AtomicInteger use = new AtomicInteger(-1);

    // Where the chain is from; of the loop.
    int queue;
    int epoch;
    long session;
    /** Retained while a worker has the exchange; null if none has. */
    @Nullable
    GuestMemory retained;

    /** As it was when the device looked: the guest may have changed it since. */
    int opcode;

    /** The negated errno of the reply, or 0. */
    int error;

    int replyBytes;
    /** The one below it on the stack of those completed by workers. */
    @Nullable
    VirtioFsExchange below;

    VirtioFsExchange(VirtioFsDevice device) {
        this.device = device;
    }

    /** A chain was popped into it. On the loop. */
    void begin(int queueIndex, int queueEpoch, long sessionNumber) {
        queue = queueIndex;
        epoch = queueEpoch;
        session = sessionNumber;
        retained = null;
        opcode = 0;
        error = 0;
        replyBytes = 0;
        below = null;
        int last = -use.get();
        use.set(last == Integer.MAX_VALUE ? 1 : last + 1);
    }

    /** The use, for {@link #failIfOpen}. */
    int use() {
        return use.get();
    }

    @Override
    public void run() {
        device.handle(this);
    }

    @Override
    public int requestBytes() {
        return chain.readableBytes();
    }

    @Override
    public int replyRoom() {
        return chain.writableBytes();
    }

    @Override
    public void copyRequest(int from, MemorySegment dst, int n) {
        Objects.checkFromIndexSize(from, n, requestBytes());
        int at = from;
        int done = 0;
        for (int i = 0; done < n; i++) {
            int bytes = chain.pieceBytes(i);
            if (at < bytes) {
                int part = Math.min(bytes - at, n - done);
                MemorySegment.copy(chain.pieceMemory(i), chain.pieceOffset(i) + at, dst, done, part);
                done += part;
                at = 0;
            } else {
                at -= bytes;
            }
        }
    }

    @Override
    public void copyReply(int at, MemorySegment src, int n) {
        Objects.checkFromIndexSize(at, n, replyRoom());
        if (at == 0 && n >= OUT_HEADER_BYTES) {
            error = src.get(LE32, OUT_ERROR_AT);
        }
        int to = at;
        int done = 0;
        for (int i = chain.readablePieces(); done < n; i++) {
            int bytes = chain.pieceBytes(i);
            if (to < bytes) {
                int part = Math.min(bytes - to, n - done);
                MemorySegment.copy(src, done, chain.pieceMemory(i), chain.pieceOffset(i) + to, part);
                done += part;
                to = 0;
            } else {
                to -= bytes;
            }
        }
    }

    @Override
    public int requestPieces(int from, int n, IoVector vector) {
        Objects.checkFromIndexSize(from, n, requestBytes());
        return pieces(0, from, n, vector);
    }

    @Override
    public int replyPieces(int at, int n, IoVector vector) {
        Objects.checkFromIndexSize(at, n, replyRoom());
        return pieces(chain.readablePieces(), at, n, vector);
    }

    private int pieces(int first, int from, int n, IoVector vector) {
        int at = from;
        int done = 0;
        for (int i = first; done < n; i++) {
            int bytes = chain.pieceBytes(i);
            if (at < bytes) {
                int part = Math.min(bytes - at, n - done);
                if (!vector.add(chain.pieceMemory(i), chain.pieceOffset(i) + at, part)) {
                    return done;
                }
                done += part;
                at = 0;
            } else {
                at -= bytes;
            }
        }
        return done;
    }

    @Override
    public void complete(int bytes) {
        Objects.checkIndex(bytes, replyRoom() + 1);
        int current = use.get();
        if (current < 0 || !use.compareAndSet(current, -current)) {
            throw new IllegalStateException("completed twice");
        }
        replyBytes = bytes;
        device.onCompleted(this);
    }

    /** Answers EIO if that use is not completed yet: after a bug, when nobody knows. */
    void failIfOpen(int expectedUse) {
        if (use.compareAndSet(expectedUse, -expectedUse)) {
            replyBytes = writeError() ? OUT_HEADER_BYTES : 0;
            device.onCompleted(this);
        }
    }

    /** False if there is no room for it, or no memory any more. */
    private boolean writeError() {
        if (replyRoom() < OUT_HEADER_BYTES) {
            return false;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment reply = arena.allocate(OUT_HEADER_BYTES, 8);
            copyRequest(IN_UNIQUE_AT, reply.asSlice(OUT_UNIQUE_AT), Long.BYTES);
            reply.set(LE32, 0, OUT_HEADER_BYTES);
            reply.set(LE32, OUT_ERROR_AT, -EIO);
            copyReply(0, reply, OUT_HEADER_BYTES);
            return true;
        } catch (RuntimeException | InternalError e) { // InternalError: SIGBUS
            return false;
        }
    }
}
