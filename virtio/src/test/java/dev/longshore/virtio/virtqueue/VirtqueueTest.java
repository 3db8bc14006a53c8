package dev.longshore.virtio.virtqueue;

import static dev.longshore.virtio.virtqueue.DriverRing.readable;
import static dev.longshore.virtio.virtqueue.DriverRing.writable;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.linux.Linux;
import dev.longshore.virtio.memory.GuestMemory;
import dev.longshore.virtio.virtqueue.DriverRing.Used;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Virtio 1.2, 2.7: the device's side of a split ring against a driver's side. */
class VirtqueueTest {
    private static final int SIZE = 8;
    private static final long ALL = Virtqueue.FEATURE_EVENT_IDX | Virtqueue.FEATURE_INDIRECT;

    private final Linux linux = new Linux();
    private final GuestRam ram = GuestRam.ofQemu(linux, 1 << 20);
    private final GuestMemory memory = ram.mapAsBackend();
    private final SignalLog signals = new SignalLog();
    private final Virtqueue queue = new Virtqueue(0, signals);
    private final Chain chain = new Chain();
    private final ByteBuf buffer = Unpooled.directBuffer(1 << 16);

    @AfterEach
    void release() {
        queue.stop();
        buffer.release();
        memory.close();
        ram.close();
    }

    private DriverRing start(int size, long features, int firstIndex) {
        DriverRing ring = new DriverRing(ram, size, (features & Virtqueue.FEATURE_EVENT_IDX) != 0, firstIndex);
        queue.start(
                memory,
                user(ring.descAddress(), Virtqueue.descBytes(size)),
                user(ring.availAddress(), Virtqueue.availBytes(size, 0)),
                user(ring.usedAddress(), Virtqueue.usedBytes(size, 0)),
                size,
                firstIndex,
                features);
        return ring;
    }

    private MemorySegment user(long guestAddress, long bytes) {
        return Objects.requireNonNull(memory.atUserAddress(ram.userAddress(guestAddress), bytes));
    }

    private DriverRing start() {
        return start(SIZE, ALL, 0);
    }

    private long text(String s) {
        return ram.allocate(s.getBytes(StandardCharsets.UTF_8));
    }

    private String readAll() {
        buffer.clear();
        chain.read(buffer, Integer.MAX_VALUE);
        return buffer.toString(StandardCharsets.UTF_8);
    }

    @Test
    void emptyRing_pop_findsNothing() {
        start();

        assertThat(queue.pop(chain)).isFalse();
        assertThat(queue.fault()).isEqualTo(QueueFault.NONE);
    }

    @Test
    void chainOfThreeReadable_pop_readsThemInOrder() {
        DriverRing ring = start();
        int head = ring.add(readable(text("one "), 4), readable(text("two "), 4), readable(text("three"), 5));
        ring.expose();

        assertThat(queue.pop(chain)).isTrue();

        assertThat(chain.head()).isEqualTo(head);
        assertThat(chain.readableBytes()).isEqualTo(13);
        assertThat(chain.writableBytes()).isZero();
        assertThat(readAll()).isEqualTo("one two three");
        assertThat(queue.pop(chain)).isFalse();
    }

    @Test
    void notExposed_pop_findsNothing() {
        DriverRing ring = start();
        ring.add(readable(text("x"), 1));

        assertThat(queue.pop(chain)).isFalse();
        ring.expose();
        assertThat(queue.pop(chain)).isTrue();
    }

    @Test
    void readInParts_skipAndRead_goOnWhereTheyWere() {
        DriverRing ring = start();
        ring.add(readable(text("abcde"), 5), readable(text("fgh"), 3));
        ring.expose();
        queue.pop(chain);

        assertThat(chain.read(buffer, 2)).isEqualTo(2);
        assertThat(chain.skip(2)).isEqualTo(2);
        assertThat(chain.unreadBytes()).isEqualTo(4);
        assertThat(chain.read(buffer, 100)).isEqualTo(4);
        assertThat(chain.read(buffer, 1)).isZero();
        assertThat(chain.skip(1)).isZero();
        assertThat(buffer.toString(StandardCharsets.UTF_8)).isEqualTo("abefgh");
    }

    @Test
    void writableBuffers_write_fillsThemInOrderAndReportsTheLength() {
        DriverRing ring = start();
        long first = ram.allocate(4, 1);
        long second = ram.allocate(6, 1);
        int head = ring.add(readable(text("q"), 1), writable(first, 4), writable(second, 6));
        ring.expose();
        queue.pop(chain);
        ByteBuf src = Unpooled.copiedBuffer("0123456789ABC", StandardCharsets.UTF_8);

        assertThat(chain.writableBytes()).isEqualTo(10);
        assertThat(chain.write(src, 1, 3)).isEqualTo(3);
        assertThat(chain.write(src, 4, 4)).isEqualTo(4);
        assertThat(chain.writtenBytes()).isEqualTo(7);
        queue.push(chain);
        queue.flush();

        assertThat(ring.poll()).isEqualTo(new Used(head, 7));
        assertThat(ram.read(first, 4)).isEqualTo("1234".getBytes(StandardCharsets.UTF_8));
        assertThat(ram.read(second, 6)).isEqualTo("567\0\0\0".getBytes(StandardCharsets.UTF_8));
        src.release();
    }

    @Test
    void fullWritablePart_write_copiesOnlyWhatFits() {
        DriverRing ring = start();
        ring.add(writable(ram.allocate(4, 1), 4));
        ring.expose();
        queue.pop(chain);
        ByteBuf src = Unpooled.directBuffer().writeZero(9);

        assertThat(chain.write(src, 0, 9)).isEqualTo(4);
        assertThat(chain.write(src, 4, 5)).isZero();
        src.release();
    }

    @Test
    void emptyDescriptors_pop_passesOverThem() {
        DriverRing ring = start();
        ring.add(readable(text("a"), 1), readable(0, 0), readable(text("b"), 1), writable(0, 0));
        ring.expose();

        assertThat(queue.pop(chain)).isTrue();
        assertThat(readAll()).isEqualTo("ab");
        assertThat(chain.pieces()).isEqualTo(2);
    }

    @Test
    void chainsGivenBackInAnotherOrder_push_namesTheirHeads() {
        DriverRing ring = start();
        int a = ring.add(readable(text("a"), 1));
        int b = ring.add(readable(text("b"), 1));
        ring.expose();
        queue.pop(chain);
        queue.pop(chain);

        queue.push(b, 0);
        queue.push(a, 0);
        assertThat(ring.poll()).as("not before the flush").isNull();
        queue.flush();

        assertThat(ring.poll()).isEqualTo(new Used(b, 0));
        assertThat(ring.poll()).isEqualTo(new Used(a, 0));
    }

    @Test
    void unpop_pop_findsTheSameChainAgain() {
        DriverRing ring = start();
        ring.add(readable(text("a"), 1));
        ring.add(readable(text("b"), 1));
        ring.expose();
        Chain second = new Chain();
        queue.pop(chain);
        queue.pop(second);

        queue.unpop(second);
        queue.unpop(chain);

        assertThat(queue.pop(chain)).isTrue();
        assertThat(readAll()).isEqualTo("a");
        assertThat(queue.pop(chain)).isTrue();
        assertThat(readAll()).isEqualTo("b");
    }

    /** Lesson of a peer: chains above some length were lost, and streams stalled for ever. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 17, 200, 256})
    void chainAsLongAsTheQueue_pop_readsAll(int descriptors) {
        DriverRing ring = start(256, ALL, 0);
        DriverRing.Buffer[] buffers = new DriverRing.Buffer[descriptors];
        StringBuilder expected = new StringBuilder();
        for (int i = 0; i < descriptors; i++) {
            String s = "<" + i + ">";
            expected.append(s);
            buffers[i] = readable(text(s), s.length());
        }
        ring.add(buffers);
        ring.expose();

        assertThat(queue.pop(chain)).isTrue();
        assertThat(readAll()).isEqualTo(expected.toString());
    }

    /** Linux makes indirect tables longer than the queue. */
    @ParameterizedTest
    @ValueSource(ints = {1, 8, 9, 1023})
    void indirectTableLongerThanTheQueue_pop_readsAll(int descriptors) {
        DriverRing ring = start();
        DriverRing.Buffer[] buffers = new DriverRing.Buffer[descriptors];
        Arrays.setAll(buffers, i -> readable(text("ab"), 2));
        ring.addIndirect(buffers);
        ring.expose();

        assertThat(queue.pop(chain)).isTrue();
        assertThat(chain.readableBytes()).isEqualTo(2 * descriptors);
        assertThat(readAll()).hasSize(2 * descriptors).doesNotContain("\0");
    }

    @Test
    void directThenIndirect_pop_readsBoth() {
        DriverRing ring = start();
        long table = ram.allocate(32, 16);
        ram.at(table, 32).set(ValueLayout.JAVA_LONG, 0, text("world"));
        ram.at(table, 32).set(ValueLayout.JAVA_INT, 8, 5);
        ring.putDescriptor(0, text("hello "), 6, Ring.DESC_NEXT, 1);
        ring.putDescriptor(1, table, 32, Ring.DESC_INDIRECT | Ring.DESC_WRITE, 0); // WRITE is ignored there
        ring.makeHeadAvailable(0);
        ring.expose();

        assertThat(queue.pop(chain)).isTrue();
        assertThat(readAll()).isEqualTo("hello world");
    }

    /** Both 16-bit indices cross 65535 several times, with and without EVENT_IDX, in batches of every size. */
    @ParameterizedTest
    @ValueSource(longs = {0, ALL})
    void indicesWrap_manyRounds_nothingIsLost(long features) {
        DriverRing ring = start(SIZE, features, 65_530);
        long payload = ram.allocate(4, 4);
        Random random = new Random(7);
        int sent = 0;
        int received = 0;
        while (received < 200_000) {
            int batch = 1 + random.nextInt(SIZE);
            for (int i = 0; i < batch; i++) {
                ring.add(readable(payload, 4));
                sent++;
            }
            ring.expose();
            while (queue.pop(chain)) {
                queue.push(chain);
                received++;
            }
            queue.flush();
            ring.pollAll();
        }
        assertThat(received).isEqualTo(sent);
        assertThat(ring.freeDescriptors()).isEqualTo(SIZE);
        assertThat(queue.fault()).isEqualTo(QueueFault.NONE);
    }

    // ---- notifications

    @Test
    void firstFlushAfterStart_alwaysCalls() {
        DriverRing ring = start();
        ring.wantCallAt(30_000); // left over from an earlier life

        serveOne(ring);

        assertThat(signals.calls).isEqualTo(1);
    }

    @Test
    void eventIdxNotReached_flush_doesNotCallUntilItIsPassed() {
        DriverRing ring = start();
        serveOne(ring);
        signals.calls = 0;
        ring.wantCallAt(3); // when entry 3, the fourth, is used

        serveOne(ring);
        serveOne(ring);
        assertThat(signals.calls).isZero();
        serveOne(ring);
        assertThat(signals.calls).isEqualTo(1);
        serveOne(ring);
        assertThat(signals.calls).isEqualTo(1);
        assertThat(queue.counters().callsSuppressed()).isEqualTo(3);
    }

    @Test
    void eventIdxPassedWithinABatch_flush_callsOnce() {
        DriverRing ring = start();
        serveOne(ring);
        signals.calls = 0;
        ring.wantCallAt(2);
        for (int i = 0; i < 5; i++) {
            ring.add(readable(text("x"), 1));
        }
        ring.expose();

        while (queue.pop(chain)) {
            queue.push(chain);
        }
        queue.flush();
        queue.flush();

        assertThat(signals.calls).isEqualTo(1);
    }

    @Test
    void eventIdxAcrossTheWrap_flush_calls() {
        DriverRing ring = start(SIZE, ALL, 65_534);
        serveOne(ring);
        signals.calls = 0;
        ring.wantCallAt(0);
        serveOne(ring); // entry 65535
        assertThat(signals.calls).isZero();
        serveOne(ring); // entry 0
        assertThat(signals.calls).isEqualTo(1);
    }

    @Test
    void withoutEventIdx_flush_asksTheFlag() {
        DriverRing ring = start(SIZE, 0, 0);
        serveOne(ring);
        ring.wantNoCalls();
        serveOne(ring);
        assertThat(signals.calls).isEqualTo(1);
        ring.wantCallAtNext();
        serveOne(ring);
        assertThat(signals.calls).isEqualTo(2);
    }

    @Test
    void nothingPushed_flush_doesNotCall() {
        start();
        queue.flush();
        assertThat(signals.calls).isZero();
    }

    private void serveOne(DriverRing ring) {
        ring.add(readable(text("x"), 1));
        ring.expose();
        assertThat(queue.pop(chain)).isTrue();
        queue.push(chain);
        queue.flush();
        ring.pollAll();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, ALL})
    void notificationsOff_driverExposes_wantsNoKickUntilTheyAreOnAgain(long features) {
        DriverRing ring = start(SIZE, features, 0);
        ring.add(readable(text("x"), 1));
        assertThat(ring.expose()).as("kick wanted after start").isTrue();
        queue.disableNotifications();
        ring.add(readable(text("x"), 1));
        assertThat(ring.expose()).as("kick wanted while off").isFalse();

        assertThat(queue.pop(chain)).isTrue();
        assertThat(queue.enableNotifications()).as("another is there").isTrue();
        assertThat(queue.pop(chain)).isTrue();
        assertThat(queue.enableNotifications()).isFalse();
        ring.add(readable(text("x"), 1));
        assertThat(ring.expose()).as("kick wanted when on again").isTrue();
    }

    /** After chains were put back, the next available entry is an old one: the guest's kick must be for a new one. */
    @ParameterizedTest
    @ValueSource(longs = {0, ALL})
    void chainsPutBack_notifyWhenMore_kicksForTheNextAdded(long features) {
        DriverRing ring = start(SIZE, features, 0);
        ring.add(writable(ram.allocate(4, 1), 4));
        ring.add(writable(ram.allocate(4, 1), 4));
        ring.expose();
        queue.disableNotifications();
        Chain second = new Chain();
        queue.pop(chain);
        queue.pop(second);
        assertThat(queue.pop(new Chain())).isFalse();
        queue.unpop(second);
        queue.unpop(chain);

        assertThat(queue.notifyWhenMore()).isFalse();
        ring.add(writable(ram.allocate(4, 1), 4));
        assertThat(ring.expose()).isTrue();
        assertThat(queue.notifyWhenMore()).as("it came while we asked").isTrue();
    }

    // ---- faults

    private void assertBroken(QueueFault fault) {
        assertThat(queue.pop(chain)).isFalse();
        assertThat(queue.fault()).isEqualTo(fault);
        assertThat(queue.isRunning()).isFalse();
        assertThat(signals.broken).isEqualTo(1);
        assertThat(queue.counters().faults()).isEqualTo(1);
        assertThat(queue.pop(chain)).as("and stays so").isFalse();
        queue.push(0, 0);
        queue.flush();
        assertThat(queue.enableNotifications()).isFalse();
        assertThat(signals.broken).isEqualTo(1);
    }

    @Test
    void availIndexBeyondTheQueue_pop_breaks() {
        DriverRing ring = start();
        ring.setAvailIndex(SIZE + 1);
        assertBroken(QueueFault.AVAIL_INDEX_JUMPED);
    }

    @Test
    void availIndexBackwards_pop_breaks() {
        DriverRing ring = start();
        ring.setAvailIndex(-1);
        assertBroken(QueueFault.AVAIL_INDEX_JUMPED);
    }

    @Test
    void entriesReusedBeforeTheyWereGivenBack_pop_breaks() {
        DriverRing ring = start();
        for (int i = 0; i < SIZE; i++) {
            ring.add(readable(text("x"), 1));
        }
        ring.expose();
        for (int i = 0; i < SIZE; i++) {
            assertThat(queue.pop(chain)).isTrue();
        }
        ring.makeHeadAvailable(0);
        ring.expose();
        assertBroken(QueueFault.AVAIL_INDEX_JUMPED);
    }

    @ParameterizedTest
    @ValueSource(ints = {SIZE, 0xFFFF})
    void headOutsideTheTable_pop_breaks(int head) {
        DriverRing ring = start();
        ring.makeHeadAvailable(head);
        ring.expose();
        assertBroken(QueueFault.HEAD_OUT_OF_RANGE);
    }

    private void exposeDescriptor(DriverRing ring, long address, int bytes, int flags, int next) {
        ring.putDescriptor(0, address, bytes, flags, next);
        ring.makeHeadAvailable(0);
        ring.expose();
    }

    @Test
    void nextOutsideTheTable_pop_breaks() {
        exposeDescriptor(start(), text("x"), 1, Ring.DESC_NEXT, SIZE);
        assertBroken(QueueFault.NEXT_OUT_OF_RANGE);
    }

    @Test
    void descriptorLoop_pop_breaks() {
        exposeDescriptor(start(), text("x"), 1, Ring.DESC_NEXT, 0);
        assertBroken(QueueFault.CHAIN_TOO_LONG);
    }

    @Test
    void loopOfEmptyDescriptors_pop_breaks() {
        exposeDescriptor(start(), 0, 0, Ring.DESC_NEXT, 0);
        assertBroken(QueueFault.CHAIN_TOO_LONG);
    }

    @Test
    void addressBelowMemory_pop_breaks() {
        exposeDescriptor(start(), ram.guestBase() - 1, 1, 0, 0);
        assertBroken(QueueFault.ADDRESS_OUTSIDE_MEMORY);
    }

    @Test
    void bufferAcrossTheEndOfMemory_pop_breaks() {
        exposeDescriptor(start(), ram.guestBase() + ram.bytes() - 3, 4, Ring.DESC_WRITE, 0);
        assertBroken(QueueFault.ADDRESS_OUTSIDE_MEMORY);
    }

    @Test
    void addressThatWraps_pop_breaks() {
        exposeDescriptor(start(), -1L, 2, 0, 0);
        assertBroken(QueueFault.ADDRESS_OUTSIDE_MEMORY);
    }

    @Test
    void hugeLength_pop_breaks() {
        exposeDescriptor(start(), ram.guestBase(), -1, 0, 0);
        assertBroken(QueueFault.ADDRESS_OUTSIDE_MEMORY);
    }

    @Test
    void readableAfterWritable_pop_breaks() {
        DriverRing ring = start();
        ring.add(writable(ram.allocate(4, 1), 4), readable(text("x"), 1));
        ring.expose();
        assertBroken(QueueFault.READABLE_AFTER_WRITABLE);
    }

    /** One MiB again and again: the sum of the lengths must not overflow. */
    @ParameterizedTest
    @ValueSource(ints = {2047, 2048, 4096})
    void sameBigBufferManyTimes_pop_breaksAtTwoGiB(int descriptors) {
        DriverRing ring = start(4096, ALL, 0);
        DriverRing.Buffer[] buffers = new DriverRing.Buffer[descriptors];
        Arrays.fill(buffers, readable(ram.guestBase(), 1 << 20));
        ring.addIndirect(buffers);
        ring.expose();

        if (descriptors < 2048) {
            assertThat(queue.pop(chain)).isTrue();
            assertThat(chain.readableBytes()).isEqualTo(descriptors << 20);
        } else {
            assertBroken(QueueFault.CHAIN_TOO_LARGE);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 15, 17, 16 * 1025})
    void indirectTableOfBadLength_pop_breaks(int bytes) {
        exposeDescriptor(start(), ram.guestBase(), bytes, Ring.DESC_INDIRECT, 0);
        assertBroken(QueueFault.BAD_INDIRECT_TABLE);
    }

    @Test
    void indirectTableOutsideMemory_pop_breaks() {
        exposeDescriptor(start(), ram.guestBase() + ram.bytes() - 16, 32, Ring.DESC_INDIRECT, 0);
        assertBroken(QueueFault.ADDRESS_OUTSIDE_MEMORY);
    }

    @Test
    void indirectFollowedByNext_pop_breaks() {
        exposeDescriptor(start(), ram.allocate(16, 16), 16, Ring.DESC_INDIRECT | Ring.DESC_NEXT, 1);
        assertBroken(QueueFault.BAD_INDIRECT_TABLE);
    }

    @Test
    void nestedIndirect_pop_breaks() {
        DriverRing ring = start();
        long inner = ram.allocate(16, 16);
        ram.at(inner, 16).set(ValueLayout.JAVA_LONG, 0, inner);
        ram.at(inner, 16).set(ValueLayout.JAVA_INT, 8, 16);
        ram.at(inner, 16).set(ValueLayout.JAVA_SHORT, 12, (short) Ring.DESC_INDIRECT);
        exposeDescriptor(ring, inner, 16, Ring.DESC_INDIRECT, 0);
        assertBroken(QueueFault.BAD_INDIRECT_TABLE);
    }

    @Test
    void indirectNotNegotiated_pop_breaks() {
        exposeDescriptor(start(SIZE, 0, 0), ram.allocate(16, 16), 16, Ring.DESC_INDIRECT, 0);
        assertBroken(QueueFault.BAD_INDIRECT_TABLE);
    }

    @Test
    void stopped_everyCall_doesNothing() {
        DriverRing ring = start();
        ring.add(readable(text("x"), 1));
        ring.expose();
        queue.stop();

        assertThat(queue.pop(chain)).isFalse();
        assertThat(queue.hasAvailable()).isFalse();
        assertThat(queue.enableNotifications()).isFalse();
        assertThat(queue.notifyWhenMore()).isFalse();
        queue.disableNotifications();
        queue.push(0, 0);
        queue.flush();
        queue.kickAgain();
        queue.stop();
        assertThat(signals.again).isZero();
        assertThat(ring.usedIndex()).isZero();
    }

    @Test
    void restarted_goesOnWhereItWas() {
        DriverRing ring = start();
        serveOne(ring);
        ring.add(readable(text("next"), 4));
        ring.expose();
        int base = queue.base();
        queue.stop();

        queue.start(
                memory,
                user(ring.descAddress(), Virtqueue.descBytes(SIZE)),
                user(ring.availAddress(), Virtqueue.availBytes(SIZE, 0)),
                user(ring.usedAddress(), Virtqueue.usedBytes(SIZE, 0)),
                SIZE,
                base,
                ALL);

        assertThat(queue.pop(chain)).isTrue();
        assertThat(readAll()).isEqualTo("next");
        queue.push(chain);
        queue.flush();
        assertThat(ring.usedIndex()).isEqualTo(2);
    }

    /** A guest that writes anything anywhere into its rings: nothing throws, nothing hangs, nothing outside is touched. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void randomCorruption_device_neitherThrowsNorHangs(long seed) {
        Random random = new Random(seed);
        List<QueueFault> seen = new ArrayList<>();
        for (int round = 0; round < 3000; round++) {
            ram.freeTo(ram.guestBase());
            int first = random.nextInt(65_536);
            DriverRing ring = start(1 << random.nextInt(6), random.nextBoolean() ? ALL : 0, first);
            int chains = random.nextInt(ring.size() + 1);
            for (int i = 0; i < chains && ring.freeDescriptors() > 0; i++) {
                ring.add(randomBuffer(random));
            }
            ring.expose();
            corrupt(random, ring);
            exercise(random);
            seen.add(queue.fault());
            queue.stop();
        }
        assertThat(seen).as("seed " + seed).contains(QueueFault.NONE, QueueFault.ADDRESS_OUTSIDE_MEMORY);
    }

    private DriverRing.Buffer randomBuffer(Random random) {
        int bytes = random.nextInt(300);
        return new DriverRing.Buffer(ram.allocate(bytes, 1), bytes, random.nextBoolean());
    }

    private void corrupt(Random random, DriverRing ring) {
        int times = random.nextInt(4);
        for (int i = 0; i < times; i++) {
            MemorySegment target =
                    switch (random.nextInt(4)) {
                        case 0 -> ring.avail();
                        case 1 -> ring.used();
                        default -> ring.desc();
                    };
            long at = random.nextLong(target.byteSize());
            target.set(ValueLayout.JAVA_BYTE, at, (byte) random.nextInt());
        }
    }

    private void exercise(Random random) {
        for (int i = 0; i < 100 && queue.pop(chain); i++) {
            buffer.clear();
            chain.read(buffer, Math.min(1000, chain.readableBytes()));
            chain.write(buffer, 0, Math.min(buffer.capacity(), random.nextInt(400)));
            if (random.nextInt(8) == 0) {
                queue.unpop(chain);
            } else {
                queue.push(chain);
            }
            if (random.nextInt(4) == 0) {
                queue.flush();
                queue.enableNotifications();
            }
        }
        queue.flush();
        queue.notifyWhenMore();
    }
}
