package dev.longshore.virtio.net;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.linux.Linux;
import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.wire.VirtioNetHeader;
import dev.longshore.virtio.memory.GuestMemory;
import dev.longshore.virtio.virtqueue.DriverRing;
import dev.longshore.virtio.virtqueue.GuestRam;
import dev.longshore.virtio.virtqueue.QueueSignals;
import dev.longshore.virtio.virtqueue.Virtqueue;
import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class FrameReceiverTest {
    private static final int SIZE = 8;

    private final GuestRam ram = GuestRam.ofUml(new Linux(), 1 << 20);
    private final GuestMemory memory = ram.mapAsBackend();

    /** The stack keeps frames for slow hosts; at the allocator's limit, frames are lost, and nothing else. */
    @Test
    void noMemoryForAFrame_isALossAndNotTheEndOfTheDevice() {
        Poor allocator = new Poor();
        NetCounters counters = new NetCounters();
        FrameReceiver receiver = new FrameReceiver(allocator, counters);
        Keeper keeper = new Keeper();
        Virtqueue queue = new Virtqueue(1, new NoSignals());
        DriverRing ring = new DriverRing(ram, SIZE, false, 0);
        queue.start(
                memory,
                user(ring.descAddress(), Virtqueue.descBytes(SIZE)),
                user(ring.availAddress(), Virtqueue.availBytes(SIZE, 0)),
                user(ring.usedAddress(), Virtqueue.usedBytes(SIZE, 0)),
                SIZE,
                0,
                0);
        for (boolean exhausted : new boolean[] {false, true, true, false}) {
            allocator.exhausted = exhausted;
            byte[] packet = new byte[VirtioNetHeader.BYTES + 60];
            ring.add(DriverRing.readable(ram.allocate(packet), packet.length));
            ring.expose();
            receiver.drain(queue, keeper, 0);
            assertThat(ring.pollAll()).hasSize(1);
        }
        assertThat(keeper.kept).hasSize(2);
        assertThat(counters.drops(NetDrop.NO_MEMORY)).isEqualTo(2);
        keeper.kept.forEach(ByteBuf::release);
        receiver.release();
        queue.stop();
        memory.close();
        ram.close();
    }

    private MemorySegment user(long guestAddress, long bytes) {
        return Objects.requireNonNull(memory.atUserAddress(ram.userAddress(guestAddress), bytes));
    }

    private static final class Poor extends AbstractByteBufAllocator {
        boolean exhausted;

        @Override
        protected ByteBuf newHeapBuffer(int initialCapacity, int maxCapacity) {
            return UnpooledByteBufAllocator.DEFAULT.heapBuffer(initialCapacity, maxCapacity);
        }

        @Override
        protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
            if (exhausted) {
                throw new OutOfMemoryError("as Netty's OutOfDirectMemoryError");
            }
            return UnpooledByteBufAllocator.DEFAULT.directBuffer(initialCapacity, maxCapacity);
        }

        @Override
        public boolean isDirectBufferPooled() {
            return false;
        }
    }

    /** A stack that keeps every frame. */
    private static final class Keeper implements FrameSink {
        final List<ByteBuf> kept = new ArrayList<>();

        @Override
        public void onFrame(ByteBuf frame, int offload) {
            kept.add(frame.retain());
        }

        @Override
        public void onBatchEnd() {}

        @Override
        public void onWritable() {}

        @Override
        public void onLinkState(boolean up) {}
    }

    private static final class NoSignals implements QueueSignals {
        @Override
        public void call(Virtqueue queue) {}

        @Override
        public void kickAgain(Virtqueue queue) {}

        @Override
        public void broken(Virtqueue queue) {}
    }
}
