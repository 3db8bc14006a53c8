package dev.longshore.virtio.net;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.OffloadRequest;
import dev.longshore.packet.wire.VirtioNetHeader;
import dev.longshore.virtio.virtqueue.Chain;
import dev.longshore.virtio.virtqueue.Virtqueue;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The transmitq's side: copies frames out of the guest, checks their offload fields, hands them to the sink. Confined to
 * the link's event loop.
 */
final class FrameReceiver {
    private static final Logger LOG = LoggerFactory.getLogger(FrameReceiver.class);

    /** Frames and bytes in one wake-up; then the loop's other descriptors have their turn. */
    private static final int BATCH_FRAMES = 128;

    private static final int BATCH_BYTES = 1 << 20;

    private static final int MIN_FRAME_BYTES = 14;
    private static final int BUGS_LOGGED = 10;

    /** Capacities of the buffers that frames are copied to: a sink that keeps a small frame shall not keep 64 KiB with it. */
    private static final int[] CAPACITY = {2048, 16_384, NetDevice.MAX_FRAME_BYTES};

    private final ByteBufAllocator allocator;
    private final NetCounters counters;
    private final Chain chain = new Chain();
    private final ByteBuf header;
    private final @Nullable ByteBuf[] frames = new @Nullable ByteBuf[CAPACITY.length];
    private @Nullable ReceiveSteering steering;
    private int pair;
    private int headerBytes = VirtioNetHeader.BYTES;
    private boolean tso4;
    private boolean tso6;
    private boolean released;
    private int bugs;

    FrameReceiver(ByteBufAllocator allocator, NetCounters counters) {
        this.allocator = allocator;
        this.counters = counters;
        this.header = allocator.directBuffer(VirtioNetHeader.BYTES, VirtioNetHeader.BYTES);
    }

    /** Tells {@code newSteering} which pair each flow's frames come on; null if there is only one. */
    void steer(@Nullable ReceiveSteering newSteering) {
        steering = newSteering;
    }

    void configure(int newHeaderBytes, boolean tso4FromGuest, boolean tso6FromGuest) {
        headerBytes = newHeaderBytes;
        tso4 = tso4FromGuest;
        tso6 = tso6FromGuest;
    }

    /** Delivers what the guest has sent, up to one batch; asks to be called again if there is more. */
    void drain(Virtqueue queue, FrameSink sink, int fromPair) {
        pair = fromPair;
        int count = 0;
        int bytes = 0;
        boolean more = true;
        queue.disableNotifications();
        while (more) {
            while (count < BATCH_FRAMES && bytes < BATCH_BYTES && !released && queue.pop(chain)) {
                count++;
                bytes += chain.readableBytes();
                deliver(sink);
                queue.push(chain.head(), 0);
            }
            boolean full = count >= BATCH_FRAMES || bytes >= BATCH_BYTES || released;
            more = !full && queue.enableNotifications();
            if (full) {
                queue.kickAgain();
            }
        }
        queue.flush();
        if (count > 0 && !released) {
            endBatch(sink);
        }
    }

    private void deliver(FrameSink sink) {
        int frameBytes = chain.readableBytes() - headerBytes;
        if (frameBytes < MIN_FRAME_BYTES) {
            counters.drop(NetDrop.RUNT);
            return;
        }
        if (frameBytes > NetDevice.MAX_FRAME_BYTES) {
            counters.drop(NetDrop.OVERSIZE);
            return;
        }
        header.clear();
        chain.read(header, headerBytes);
        int size = sizeClass(frameBytes);
        ByteBuf frame = frame(size);
        if (frame == null) {
            counters.drop(NetDrop.NO_MEMORY);
            return;
        }
        chain.read(frame, frameBytes);
        int offload = offload(frameBytes);
        if (offload >= 0) {
            counters.framesFromGuest.increment();
            counters.bytesFromGuest.add(frameBytes);
            if (steering != null) {
                steering.fromGuest(frame, pair);
            }
            callSink(sink, frame, offload);
            if (!released && frame.refCnt() > 1) {
                frames[size] = null; // the sink keeps it
                frame.release();
            }
        }
    }

    private static int sizeClass(int bytes) {
        int i = 0;
        while (CAPACITY[i] < bytes) {
            i++;
        }
        return i;
    }

    /** An empty buffer, ours until the sink keeps it; null if the sink keeps so much that there is no memory. */
    private @Nullable ByteBuf frame(int size) {
        ByteBuf frame = frames[size];
        if (frame != null) {
            return frame.clear();
        }
        try {
            frame = allocator.directBuffer(CAPACITY[size], CAPACITY[size]);
            frames[size] = frame;
            return frame;
        } catch (OutOfMemoryError e) { // the allocator's limit, not the heap's: others will give back what they hold
            return null;
        }
    }

    /** The offload flags for the sink from the header, or -1 if the frame is to be dropped (and was counted). */
    private int offload(int frameBytes) {
        int offload = OffloadRequest.check(header, frameBytes, tso4, tso6);
        if (offload >= 0) {
            return offload;
        }
        counters.drop(
                offload == OffloadRequest.BAD_CHECKSUM_FIELD ? NetDrop.BAD_CHECKSUM_FIELD : NetDrop.BAD_SEGMENTATION);
        return -1;
    }

    private void callSink(FrameSink sink, ByteBuf frame, int offload) {
        try {
            sink.onFrame(frame, offload);
        } catch (RuntimeException e) {
            onBug(e);
        } catch (OutOfMemoryError e) {
            counters.drop(NetDrop.NO_MEMORY);
        }
    }

    private void endBatch(FrameSink sink) {
        try {
            sink.onBatchEnd();
        } catch (RuntimeException e) {
            onBug(e);
        } catch (OutOfMemoryError e) {
            counters.drop(NetDrop.NO_MEMORY);
        }
    }

    private void onBug(RuntimeException e) {
        counters.drop(NetDrop.SINK_FAILED);
        if (bugs++ < BUGS_LOGGED) { // a guest may be able to repeat it: the log must not grow with it
            LOG.error("bug: the network stack failed on a frame from the guest", e);
        }
    }

    void release() {
        if (!released) {
            released = true;
            header.release();
            for (ByteBuf frame : frames) {
                if (frame != null) {
                    frame.release();
                }
            }
        }
    }
}
