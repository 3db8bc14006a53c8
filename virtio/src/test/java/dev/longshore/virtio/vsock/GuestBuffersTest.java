package dev.longshore.virtio.vsock;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.linux.Linux;
import dev.longshore.virtio.memory.GuestMemory;
import dev.longshore.virtio.virtqueue.DriverRing;
import dev.longshore.virtio.virtqueue.GuestRam;
import dev.longshore.virtio.virtqueue.QueueSignals;
import dev.longshore.virtio.virtqueue.Virtqueue;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

class GuestBuffersTest {
    private static final int SIZE = 256;

    /** A guest whose other processor offers useless buffers as fast as they go back must not keep the loop for itself. */
    @Test
    void uselessBuffersWithoutEnd_endTheSearch() {
        Linux linux = new Linux();
        GuestRam ram = GuestRam.ofUml(linux, 1 << 20);
        GuestMemory memory = ram.mapAsBackend();
        AtomicBoolean again = new AtomicBoolean();
        Virtqueue queue = new Virtqueue(0, new QueueSignals() {
            @Override
            public void call(Virtqueue q) {}

            @Override
            public void kickAgain(Virtqueue q) {
                again.set(true);
            }

            @Override
            public void broken(Virtqueue q) {}
        });
        DriverRing ring = new DriverRing(ram, SIZE, false, 0);
        ring.putDescriptor(0, ram.allocate(64, 16), 8, 2, 0); // all entries of the available ring name this one
        queue.start(
                memory,
                user(ram, memory, ring.descAddress(), Virtqueue.descBytes(SIZE)),
                user(ram, memory, ring.availAddress(), Virtqueue.availBytes(SIZE, 0)),
                user(ram, memory, ring.usedAddress(), Virtqueue.usedBytes(SIZE, 0)),
                SIZE,
                0,
                0);
        GuestBuffers buffers = new GuestBuffers(new VsockCounters());
        buffers.onReady(queue);
        ring.setAvailIndex(SIZE);
        assertThat(buffers.room()).isNegative();
        assertThat(again).as("looks on after the loop's other work").isTrue();
        assertThat(ring.usedIndex()).isEqualTo(SIZE);
        ring.setAvailIndex(SIZE + 1);
        again.set(false);
        assertThat(buffers.room()).isNegative();
        assertThat(again).isFalse();
        queue.stop();
        memory.close();
        ram.close();
    }

    private static MemorySegment user(GuestRam ram, GuestMemory memory, long guestAddress, long bytes) {
        return Objects.requireNonNull(memory.atUserAddress(ram.userAddress(guestAddress), bytes));
    }
}
