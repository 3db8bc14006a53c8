package dev.longshore.link;

import dev.longshore.packet.link.FrameSink;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Frames on their way from a carrier to the sink: buffers that the sink may keep, and a net under its mistakes. Confined to
 * the link's event loop.
 *
 * <p>A carrier reads to {@link #room} and delivers from there. A frame that needs most of that buffer is delivered in it; a
 * smaller one is copied to a smaller buffer first, since a sink that keeps 1,500 bytes shall not keep 64 KiB with them.
 */
public final class Inbox {
    /** Ethernet header and a 64 KiB IP packet: what segmentation can make. */
    public static final int MAX_FRAME_BYTES = 65_550;

    /** An Ethernet header. */
    public static final int MIN_FRAME_BYTES = 14;

    private static final Logger LOG = LoggerFactory.getLogger(Inbox.class);
    private static final int BUGS_LOGGED = 10;
    private static final int[] CAPACITY = {2048, 16_384};

    private final ByteBufAllocator allocator;
    private final LinkCounters counters;
    private final int roomBytes;
    private final @Nullable ByteBuf[] small = new @Nullable ByteBuf[CAPACITY.length];
    private @Nullable ByteBuf room;
    private boolean released;
    private int bugs;

    /** @param headerBytes what the carrier reads in front of each frame */
    public Inbox(ByteBufAllocator allocator, LinkCounters counters, int headerBytes) {
        this.allocator = allocator;
        this.counters = counters;
        this.roomBytes = headerBytes + MAX_FRAME_BYTES;
    }

    /**
     * The buffer to read one frame to, from index 0, with room for the carrier's header and the largest frame. Ours.
     *
     * @return null if the sink keeps so many frames that there is no memory for more
     */
    public @Nullable ByteBuf room() {
        ByteBuf b = room;
        if (b == null && !released) {
            b = allocate(roomBytes);
            room = b;
        }
        return b;
    }

    /** Delivers {@code bytes} bytes of {@link #room} at index {@code at}, {@link #MIN_FRAME_BYTES} to {@link #MAX_FRAME_BYTES}. */
    public void deliver(FrameSink sink, int at, int bytes, int offload) {
        ByteBuf read = room;
        if (read == null) {
            throw new IllegalStateException("nothing was read");
        }
        int size = sizeClass(bytes);
        if (size < CAPACITY.length) {
            deliverSmall(sink, size, read, at, bytes, offload);
        } else {
            read.setIndex(at, at + bytes);
            deliverLarge(sink, read, offload);
        }
    }

    /** As {@link #deliver}, a copy from a buffer of the carrier's own (borrows). */
    public void deliverCopy(FrameSink sink, ByteBuf from, int at, int bytes, int offload) {
        int size = sizeClass(bytes);
        if (size < CAPACITY.length) {
            deliverSmall(sink, size, from, at, bytes, offload);
            return;
        }
        ByteBuf large = room();
        if (large == null) {
            counters.count(LinkCounter.DROPPED_NO_MEMORY);
        } else {
            large.clear().writeBytes(from, at, bytes);
            deliverLarge(sink, large, offload);
        }
    }

    private static int sizeClass(int bytes) {
        int i = 0;
        while (i < CAPACITY.length && CAPACITY[i] < bytes) {
            i++;
        }
        return i;
    }

    private void deliverSmall(FrameSink sink, int size, ByteBuf from, int at, int bytes, int offload) {
        ByteBuf frame = small[size];
        if (frame == null) {
            frame = allocate(CAPACITY[size]);
            small[size] = frame;
        }
        if (frame == null) {
            counters.count(LinkCounter.DROPPED_NO_MEMORY);
            return;
        }
        frame.clear().writeBytes(from, at, bytes);
        call(sink, frame, offload);
        if (!released && frame.refCnt() > 1) {
            small[size] = null; // the sink keeps it
            frame.release();
        }
    }

    /** In the {@link #room} itself. */
    private void deliverLarge(FrameSink sink, ByteBuf frame, int offload) {
        call(sink, frame, offload);
        if (!released && frame.refCnt() > 1) {
            room = null; // the sink keeps it
            frame.release();
        }
    }

    private @Nullable ByteBuf allocate(int bytes) {
        try {
            return allocator.directBuffer(bytes, bytes);
        } catch (OutOfMemoryError e) { // the allocator's limit, not the heap's: others will give back what they hold
            return null;
        }
    }

    private void call(FrameSink sink, ByteBuf frame, int offload) {
        counters.count(LinkCounter.FRAMES_FROM_GUEST);
        counters.add(LinkCounter.BYTES_FROM_GUEST, frame.readableBytes());
        try {
            sink.onFrame(frame, offload);
        } catch (RuntimeException e) {
            onBug(e);
        } catch (OutOfMemoryError e) {
            counters.count(LinkCounter.DROPPED_NO_MEMORY);
        }
    }

    /** The frames of one wake-up have all been delivered. */
    public void endBatch(FrameSink sink) {
        try {
            sink.onBatchEnd();
        } catch (RuntimeException e) {
            onBug(e);
        } catch (OutOfMemoryError e) {
            counters.count(LinkCounter.DROPPED_NO_MEMORY);
        }
    }

    private void onBug(RuntimeException e) {
        counters.count(LinkCounter.DROPPED_SINK_FAILED);
        if (bugs++ < BUGS_LOGGED) { // a guest may be able to repeat it: the log must not grow with it
            LOG.error("bug: the network stack failed on a frame from the guest", e);
        }
    }

    /** Idempotent; also from within a delivery. */
    public void release() {
        if (released) {
            return;
        }
        released = true;
        if (room != null) {
            room.release();
        }
        for (ByteBuf frame : small) {
            if (frame != null) {
                frame.release();
            }
        }
    }
}
