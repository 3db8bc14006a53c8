package dev.longshore.link;

import dev.longshore.packet.link.FrameSink;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A stack that writes down what it hears. Confined to the test's thread. */
public final class RecordingSink implements FrameSink {
    public final List<byte[]> frames = new ArrayList<>();
    public final List<Integer> offloads = new ArrayList<>();
    public final List<ByteBuf> kept = new ArrayList<>();
    public final List<Boolean> states = new ArrayList<>();
    public int batches;
    public int writables;
    public boolean keeps;
    public @Nullable Runnable onFrame;

    @Override
    public void onFrame(ByteBuf frame, int offload) {
        frames.add(ByteBufUtil.getBytes(frame));
        offloads.add(offload);
        if (keeps) {
            kept.add(frame.retainedSlice());
        }
        if (onFrame != null) {
            onFrame.run();
        }
    }

    @Override
    public void onBatchEnd() {
        batches++;
    }

    @Override
    public void onWritable() {
        writables++;
    }

    @Override
    public void onLinkState(boolean up) {
        states.add(up);
    }

    /** Gives back what was kept. */
    public void release() {
        kept.forEach(ByteBuf::release);
        kept.clear();
    }
}
