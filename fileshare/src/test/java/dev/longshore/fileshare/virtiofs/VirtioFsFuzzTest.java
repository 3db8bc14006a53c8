package dev.longshore.fileshare.virtiofs;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.linux.Linux;
import dev.longshore.virtio.memory.GuestMemory;
import dev.longshore.virtio.vhostuser.TestLoop;
import dev.longshore.virtio.virtqueue.DriverRing;
import dev.longshore.virtio.virtqueue.GuestRam;
import dev.longshore.virtio.virtqueue.QueueSignals;
import dev.longshore.virtio.virtqueue.Virtqueue;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/**
 * A guest that writes anything into its request ring, its chains and its requests, while workers are slow or quick and the queue
 * stops and starts. No exception, and every exchange comes back. How to search: {@code ./longshore fuzz}.
 */
class VirtioFsFuzzTest {
    private static final int SIZE = 8;
    private static final int RAM_BYTES = 1 << 14;
    private static final int MOST_STEPS = 1000;
    private static final long FEATURES = Virtqueue.FEATURE_EVENT_IDX | Virtqueue.FEATURE_INDIRECT;

    /** Input: steps, each a byte that says what, and what it needs. */
    @FuzzTest(maxDuration = "2m")
    void requestRing(byte[] input) {
        Linux linux = new Linux();
        try (GuestRam ram = GuestRam.ofUml(linux, RAM_BYTES);
                TestLoop loop = new TestLoop()) {
            new Play(ram, loop).play(Unpooled.wrappedBuffer(input));
        }
    }

    private static final class Play implements QueueSignals {
        private final GuestRam ram;
        private final TestLoop loop;
        private final EchoHandler handler = new EchoHandler();
        private final ManualWorkers workers = new ManualWorkers();
        private final VirtioFsDevice device;
        private final Virtqueue queue = new Virtqueue(1, this);
        private final DriverRing ring;
        private GuestMemory memory;
        private int availIdx;
        private long bugs;

        Play(GuestRam ram, TestLoop loop) {
            this.ram = ram;
            this.loop = loop;
            device = new VirtioFsDevice(loop.loop(), new VirtioFsConfig("host", true, 1), handler, workers.asWorkers());
            ring = DriverRing.of(ram, SIZE, FEATURES, 0);
            memory = ram.mapAsBackend();
            handler.failing = e -> bugs++;
            start();
        }

        private void start() {
            queue.start(
                    memory,
                    user(ring.descAddress(), Virtqueue.descBytes(SIZE)),
                    user(ring.availAddress(), Virtqueue.availBytes(SIZE, FEATURES)),
                    user(ring.usedAddress(), Virtqueue.usedBytes(SIZE, FEATURES)),
                    SIZE,
                    0,
                    FEATURES);
            device.onQueueReady(queue);
            device.onKick(queue);
        }

        private MemorySegment user(long guestAddress, long bytes) {
            return Objects.requireNonNull(memory.atUserAddress(ram.userAddress(guestAddress), bytes));
        }

        void play(ByteBuf in) {
            for (int steps = 0; in.isReadable() && steps < MOST_STEPS; steps++) {
                step(in.readUnsignedByte(), in);
                loop.settle();
            }
            leave();
            workers.runAll();
            loop.settle();
            var idle = device.whenIdle();
            loop.settle();
            assertThat(idle.isSuccess()).isTrue();
            assertThat(handler.resets.get()).isPositive();
            assertThat(bugs).isZero();
        }

        private void step(int what, ByteBuf in) {
            switch (what % 9) {
                case 0 -> poke(ring.desc(), in);
                case 1 -> poke(ring.avail(), in);
                case 2 -> poke(ram.at(ram.guestBase(), RAM_BYTES), in);
                case 3 -> descriptor(in);
                case 4 -> request(in);
                case 5 -> available(in);
                case 6 -> device.onKick(queue);
                case 7 -> workers.runAll();
                default -> {
                    leave();
                    memory = ram.mapAsBackend();
                    start();
                }
            }
        }

        private void leave() {
            device.onLeaving();
            device.onQueueStopped(queue);
            queue.stop();
            memory.close();
            device.onDisconnected();
        }

        private static void poke(MemorySegment memory, ByteBuf in) {
            if (in.readableBytes() >= 3) {
                int at = in.readUnsignedShort() % (int) memory.byteSize();
                memory.set(ValueLayout.JAVA_BYTE, at, in.readByte());
            }
        }

        private void descriptor(ByteBuf in) {
            if (in.readableBytes() >= 7) {
                int at = in.readUnsignedByte() % SIZE;
                long address = ram.guestBase() + in.readUnsignedShort() % RAM_BYTES;
                ring.putDescriptor(
                        at, address, in.readUnsignedShort(), in.readUnsignedByte() & 7, in.readUnsignedByte());
            }
        }

        /** A header that may lie, in the middle of the memory. */
        private void request(ByteBuf in) {
            if (in.readableBytes() >= 2) {
                ram.write(
                        ram.guestBase() + RAM_BYTES / 2,
                        Fuse.request(in.readUnsignedByte() % 50, in.readUnsignedByte(), new byte[8]));
            }
        }

        private void available(ByteBuf in) {
            if (in.isReadable()) {
                int head = in.readUnsignedByte() % (SIZE + 1);
                ring.avail().set(ValueLayout.JAVA_SHORT_UNALIGNED, 4 + 2L * (availIdx % SIZE), (short) head);
                availIdx++;
                ring.setAvailIndex(availIdx);
            }
        }

        @Override
        public void call(Virtqueue q) {
            // nobody listens
        }

        @Override
        public void kickAgain(Virtqueue q) {
            loop.loop().execute(() -> {
                if (queue.isRunning()) {
                    device.onKick(queue);
                }
            });
        }

        @Override
        public void broken(Virtqueue q) {
            // stays so until the next start
        }
    }
}
