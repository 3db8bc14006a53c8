package dev.longshore.virtio.net;

import dev.longshore.packet.link.FrameSink;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import java.util.ArrayList;
import java.util.List;

/** Writes down what the link delivers; can keep the frames, or fail on them. */
final class RecordingSink implements FrameSink {
    final List<byte[]> frames = new ArrayList<>();
    final List<Integer> offloads = new ArrayList<>();
    final List<ByteBuf> kept = new ArrayList<>();
    final List<Boolean> linkStates = new ArrayList<>();
    int batches;
    int writable;
    boolean keep;
    boolean fail;
    Runnable onFrame = () -> {};
    Runnable onWritable = () -> {};

    @Override
    public void onFrame(ByteBuf frame, int offload) {
        if (fail) {
            throw new IllegalStateException("a bug, on purpose");
        }
        frames.add(ByteBufUtil.getBytes(frame));
        offloads.add(offload);
        if (keep) {
            kept.add(frame.retainedSlice());
        }
        onFrame.run();
    }

    @Override
    public void onBatchEnd() {
        batches++;
    }

    @Override
    public void onWritable() {
        writable++;
        onWritable.run();
    }

    @Override
    public void onLinkState(boolean up) {
        linkStates.add(up);
    }

    void release() {
        kept.forEach(ByteBuf::release);
        kept.clear();
    }
}
