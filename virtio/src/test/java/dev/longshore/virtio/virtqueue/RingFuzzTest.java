package dev.longshore.virtio.virtqueue;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.linux.Linux;
import dev.longshore.virtio.memory.GuestMemory;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Objects;

/**
 * A guest that writes anything into its rings, between whatever the device does. No exception, chains within the guest's
 * memory, not more of them than a queue has room for, one fault a life. How to search: {@code ./longshore fuzz}.
 */
class RingFuzzTest {
    private static final int SIZE = 8;
    private static final int RAM_BYTES = 1 << 14;
    private static final int MOST_STEPS = 2000;

    @FuzzTest(maxDuration = "2m")
    void splitRing(byte[] input) {
        run(input, 0);
    }

    @FuzzTest(maxDuration = "2m")
    void packedRing(byte[] input) {
        run(input, Virtqueue.FEATURE_PACKED);
    }

    private static void run(byte[] input, long kind) {
        Linux linux = new Linux();
        try (GuestRam ram = GuestRam.ofUml(linux, RAM_BYTES);
                GuestMemory memory = ram.mapAsBackend()) {
            ByteBuf in = Unpooled.wrappedBuffer(input);
            int options = in.isReadable() ? in.readByte() : 0;
            long features = kind
                    | ((options & 1) != 0 ? Virtqueue.FEATURE_EVENT_IDX : 0)
                    | ((options & 2) != 0 ? Virtqueue.FEATURE_INDIRECT : 0);
            new Play(ram, memory, features, (options & 4) != 0).play(in);
        }
    }

    /** One life of one queue, as the input says. */
    private static final class Play {
        private final GuestRam ram;
        private final GuestMemory memory;
        private final long features;
        private final DriverRing ring;
        private final SignalLog signals = new SignalLog();
        private final Virtqueue queue = new Virtqueue(0, signals);
        private final Chain chain = new Chain();
        private final Deque<Integer> held = new ArrayDeque<>();
        private final ByteBuf buffer = Unpooled.directBuffer(1 << 16);
        private int faults;
        private int availIdx;

        Play(GuestRam ram, GuestMemory memory, long features, boolean nearWrap) {
            this.ram = ram;
            this.memory = memory;
            this.features = features;
            boolean packed = (features & Virtqueue.FEATURE_PACKED) != 0;
            int base = packed ? nearWrap ? SIZE - 1 : 0x8000 : nearWrap ? 0xFFFE : 0;
            ring = DriverRing.of(ram, SIZE, features, base);
            availIdx = base;
            start(packed ? base << 16 | base : base);
        }

        private void start(int base) {
            queue.start(
                    memory,
                    user(ring.descAddress(), Virtqueue.descBytes(SIZE)),
                    user(ring.availAddress(), Virtqueue.availBytes(SIZE, features)),
                    user(ring.usedAddress(), Virtqueue.usedBytes(SIZE, features)),
                    SIZE,
                    base,
                    features);
        }

        private MemorySegment user(long guestAddress, long bytes) {
            return Objects.requireNonNull(memory.atUserAddress(ram.userAddress(guestAddress), bytes));
        }

        void play(ByteBuf in) {
            for (int steps = 0; in.isReadable() && steps < MOST_STEPS; steps++) {
                step(in.readUnsignedByte(), in);
                checkFault();
            }
            popAll();
            queue.flush();
            checkFault();
            queue.stop();
            buffer.release();
        }

        private void step(int what, ByteBuf in) {
            switch (what % 14) {
                case 0 -> poke(ring.desc(), in);
                case 1 -> poke(ring.avail(), in);
                case 2 -> poke(ring.used(), in);
                case 3 -> poke(ram.at(ram.guestBase(), RAM_BYTES), in);
                case 4 -> descriptor(in);
                case 5 -> available(in);
                case 6 -> popAll();
                case 7 -> popAndHold();
                case 8 -> queue.publish();
                case 9 -> queue.flush();
                case 10 -> {
                    queue.disableNotifications();
                    queue.enableNotifications();
                }
                case 11 -> queue.notifyWhenMore();
                case 12 -> {
                    if (!held.isEmpty()) {
                        queue.push(held.remove(), 1);
                    }
                }
                default -> restart();
            }
        }

        /** Any bytes anywhere: two for the place, one for how many. */
        private static void poke(MemorySegment at, ByteBuf in) {
            if (in.readableBytes() < 3) {
                return;
            }
            long offset = in.readUnsignedShort() % at.byteSize();
            int bytes = Math.min(in.readUnsignedByte(), in.readableBytes());
            for (int i = 0; i < bytes; i++) {
                byte value = in.readByte();
                if (offset + i < at.byteSize()) {
                    at.set(ValueLayout.JAVA_BYTE, offset + i, value);
                }
            }
        }

        /** A descriptor that is nearly right: slot, address in memory or a little beyond, length, flags, next or id. */
        private void descriptor(ByteBuf in) {
            if (in.readableBytes() >= 9) {
                int slot = in.readUnsignedByte() % SIZE;
                long address = ram.guestBase() + in.readShort();
                int bytes = in.readUnsignedShort();
                int third = in.readUnsignedShort();
                ring.putDescriptor(slot, address, bytes, third, in.readUnsignedShort());
            }
        }

        /** One more entry of a split ring. */
        private void available(ByteBuf in) {
            if (in.isReadable() && (features & Virtqueue.FEATURE_PACKED) == 0) {
                ValueLayout.OfShort s = ValueLayout.JAVA_SHORT_UNALIGNED;
                ring.avail().set(s, 4 + 2L * (availIdx & (SIZE - 1)), (short) (in.readUnsignedByte() % (SIZE + 1)));
                availIdx = (availIdx + 1) & 0xFFFF;
                ring.avail().set(s, 2, (short) availIdx);
            }
        }

        private void popAll() {
            int popped = 0;
            while (queue.pop(chain)) {
                assertThat(++popped).as("chains of one look").isLessThanOrEqualTo(2 * SIZE);
                checkChain();
                use();
                queue.push(chain);
            }
        }

        private void popAndHold() {
            if (held.size() < SIZE && queue.pop(chain)) {
                checkChain();
                held.add(chain.head());
            }
        }

        private void checkChain() {
            long readable = 0;
            long writable = 0;
            for (int i = 0; i < chain.pieces(); i++) {
                assertThat(chain.pieceBytes(i)).isPositive();
                assertThat(chain.pieceOffset(i)).isNotNegative();
                assertThat(chain.pieceOffset(i) + chain.pieceBytes(i))
                        .isLessThanOrEqualTo(chain.pieceMemory(i).byteSize());
                if (i < chain.readablePieces()) {
                    readable += chain.pieceBytes(i);
                } else {
                    writable += chain.pieceBytes(i);
                }
            }
            assertThat(chain.readableBytes()).isEqualTo((int) readable);
            assertThat(chain.writableBytes()).isEqualTo((int) writable);
        }

        private void use() {
            buffer.clear();
            int bytes = chain.read(buffer, 1 << 15);
            assertThat(bytes).isEqualTo(Math.min(1 << 15, chain.readableBytes()));
            chain.skip(Integer.MAX_VALUE);
            assertThat(chain.unreadBytes()).isZero();
            int written = chain.write(buffer, 0, Math.min(100, bytes)); // may be rings, too: the guest wants it so
            assertThat(written).isEqualTo(Math.min(Math.min(100, bytes), chain.writableBytes()));
            assertThat(chain.writtenBytes()).isEqualTo(written);
        }

        private void restart() {
            queue.stop();
            held.clear();
            int base = queue.base();
            assertThat(Virtqueue.isBase(base, SIZE, features))
                    .as("where it stood, it can stand")
                    .isTrue();
            faults = 0;
            signals.broken = 0;
            start(base);
        }

        private void checkFault() {
            faults = queue.fault() == QueueFault.NONE ? 0 : 1;
            assertThat(signals.broken).isEqualTo(faults);
            assertThat(queue.isRunning()).isEqualTo(faults == 0);
        }
    }
}
