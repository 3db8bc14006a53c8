package dev.longshore.virtio.virtqueue;

import static dev.longshore.virtio.virtqueue.DriverRing.readable;
import static dev.longshore.virtio.virtqueue.DriverRing.writable;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.longshore.linux.Linux;
import dev.longshore.virtio.memory.GuestMemory;
import dev.longshore.virtio.virtqueue.DriverRing.Used;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Virtio 1.2, 2.8: the device's side of a packed ring against a driver's side. */
class PackedRingTest {
    private static final int SIZE = 8;
    private static final long PACKED = Virtqueue.FEATURE_PACKED;
    private static final long ALL = PACKED | Virtqueue.FEATURE_EVENT_IDX | Virtqueue.FEATURE_INDIRECT;
    private static final int AVAIL = PackedRing.DESC_AVAIL;
    private static final int USED = PackedRing.DESC_USED;
    private static final int START = Virtqueue.firstBase(PACKED);

    private final Linux linux = new Linux();
    private final GuestRam ram = GuestRam.ofQemu(linux, 4 << 20);
    private final GuestMemory memory = ram.mapAsBackend();
    private final SignalLog signals = new SignalLog();
    private final Virtqueue queue = new Virtqueue(0, signals);
    private final Chain chain = new Chain();
    // without leak detection, whose records are allocations of their own
    private final ByteBuf buffer = new UnpooledByteBufAllocator(true, true).directBuffer(1 << 16);

    @AfterEach
    void release() {
        queue.stop();
        buffer.release();
        memory.close();
        ram.close();
    }

    private DriverRing start(int size, long features, int base) {
        DriverRing ring = DriverRing.of(ram, size, features, base);
        start(ring, base, features);
        return ring;
    }

    private DriverRing start() {
        return start(SIZE, ALL, START);
    }

    private void start(DriverRing ring, int base, long features) {
        assertThat(Virtqueue.isBase(base, ring.size(), features)).isTrue();
        queue.start(
                memory,
                user(ring.descAddress(), Virtqueue.descBytes(ring.size())),
                user(ring.availAddress(), Virtqueue.availBytes(ring.size(), features)),
                user(ring.usedAddress(), Virtqueue.usedBytes(ring.size(), features)),
                ring.size(),
                base,
                features);
    }

    private MemorySegment user(long guestAddress, long bytes) {
        return Objects.requireNonNull(memory.atUserAddress(ram.userAddress(guestAddress), bytes));
    }

    private long text(String s) {
        return ram.allocate(s.getBytes(StandardCharsets.UTF_8));
    }

    private String readAll() {
        buffer.clear();
        chain.read(buffer, Integer.MAX_VALUE);
        return buffer.toString(StandardCharsets.UTF_8);
    }

    /** Both places, in the same lap. */
    private static int base(int slot, boolean wrap) {
        int place = slot | (wrap ? 0x8000 : 0);
        return place | place << 16;
    }

    private void serveOne(DriverRing ring) {
        ring.add(readable(text("x"), 1));
        ring.expose();
        assertThat(queue.pop(chain)).isTrue();
        queue.push(chain);
        queue.flush();
    }

    // ---- chains

    @Test
    void emptyRing_pop_findsNothing() {
        start();

        assertThat(queue.pop(chain)).isFalse();
        assertThat(queue.hasAvailable()).isFalse();
        assertThat(queue.fault()).isEqualTo(QueueFault.NONE);
        assertThat(queue.base()).isEqualTo(START);
    }

    @Test
    void chainOfThreeSlots_isReadFilledAndUsedAsOne() {
        DriverRing ring = start();
        long answer = ram.allocate(5, 1);
        int id = ring.add(readable(text("hello "), 6), readable(text("world"), 5), writable(answer, 5));
        int next = ring.add(readable(text("next"), 4));
        assertThat(queue.pop(chain)).as("before the guest exposes it").isFalse();
        ring.expose();

        assertThat(queue.pop(chain)).isTrue();
        assertThat(chain.pieces()).isEqualTo(3);
        assertThat(readAll()).isEqualTo("hello world");
        assertThat(chain.write(buffer, 0, 5)).isEqualTo(5);
        queue.push(chain);
        assertThat(ring.poll()).as("before it is published").isNull();
        queue.flush();

        assertThat(ring.poll()).isEqualTo(new Used(id, 5));
        assertThat(ram.read(answer, 5)).isEqualTo("hello".getBytes(StandardCharsets.UTF_8));
        assertThat(queue.pop(chain)).isTrue();
        assertThat(readAll()).isEqualTo("next");
        queue.push(chain);
        queue.flush();
        assertThat(ring.poll()).isEqualTo(new Used(next, 0));
        assertThat(ring.freeDescriptors()).isEqualTo(SIZE);
    }

    /** 2.8.7: the table's descriptors are in a row, and no flag but WRITE means anything. */
    @Test
    void indirectTable_isReadInItsOrder() {
        DriverRing ring = start();
        long answer = ram.allocate(3, 1);
        int id = ring.addIndirect(readable(text("in"), 2), readable(text("direct"), 6), writable(answer, 3));
        ring.expose();

        assertThat(queue.pop(chain)).isTrue();
        assertThat(readAll()).isEqualTo("indirect");
        assertThat(chain.writableBytes()).isEqualTo(3);
        queue.push(chain);
        queue.flush();
        assertThat(ring.poll()).isEqualTo(new Used(id, 0));
    }

    @Test
    void chainsGivenBackInAnotherOrder_areKnownByTheirIds() {
        DriverRing ring = start();
        int a = ring.add(readable(text("a"), 1), readable(text("a"), 1));
        int b = ring.add(readable(text("b"), 1));
        ring.expose();
        queue.pop(chain);
        int headOfA = chain.head();
        queue.pop(chain);
        queue.push(chain);
        queue.push(headOfA, 0);
        queue.flush();

        assertThat(ring.pollAll()).containsExactly(new Used(b, 0), new Used(a, 0));
        assertThat(ring.freeDescriptors()).isEqualTo(SIZE);
    }

    @Test
    void unpop_pop_findsTheSameChainsAgain() {
        DriverRing ring = start(SIZE, ALL, base(6, true));
        ring.add(readable(text("a"), 1), readable(text("A"), 1), readable(text("!"), 1)); // over the end of the ring
        ring.add(readable(text("b"), 1));
        ring.expose();
        int before = queue.base();
        Chain second = new Chain();
        queue.pop(chain);
        queue.pop(second);

        queue.unpop(second);
        queue.unpop(chain);

        assertThat(queue.base()).isEqualTo(before);
        assertThat(queue.pop(chain)).isTrue();
        assertThat(readAll()).isEqualTo("aA!");
        assertThat(queue.pop(chain)).isTrue();
        assertThat(readAll()).isEqualTo("b");
    }

    /** A frame over several receive buffers: the guest sees the first of them only when it can see all. */
    @Test
    void severalPushed_firstBecomesVisibleLast() {
        DriverRing ring = start();
        for (int i = 0; i < 3; i++) {
            ring.add(writable(ram.allocate(4, 1), 4));
        }
        ring.expose();
        for (int i = 0; i < 3; i++) {
            queue.pop(chain);
            queue.push(chain);
        }
        assertThat(ring.poll()).isNull();
        queue.publish();
        assertThat(ring.pollAll()).hasSize(3);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 7, 200, 256})
    void anySize_manyLaps_nothingIsLost(int size) {
        DriverRing ring = start(size, ALL, START);
        long at = ram.allocate(8, 8);
        for (int i = 0; i < 5 * size + 3; i++) {
            ram.write(at, new byte[] {(byte) i});
            int id = ring.add(readable(at, 1));
            ring.expose();
            assertThat(queue.pop(chain)).isTrue();
            buffer.clear();
            chain.read(buffer, 1);
            assertThat(buffer.readByte()).isEqualTo((byte) i);
            queue.push(chain);
            queue.flush();
            assertThat(ring.poll()).isEqualTo(new Used(id, 0));
        }
    }

    /** Lesson of a peer: chains above some length were lost, and streams stalled for ever. */
    @Test
    void chainAsLongAsTheRing_isReadWhole() {
        DriverRing ring = start(200, ALL, base(150, false));
        DriverRing.Buffer[] buffers = new DriverRing.Buffer[200];
        StringBuilder expected = new StringBuilder();
        for (int i = 0; i < 200; i++) {
            buffers[i] = readable(text("piece " + i), ("piece " + i).length());
            expected.append("piece ").append(i);
        }
        int id = ring.add(buffers);
        ring.expose();
        assertThat(queue.pop(chain)).isTrue();
        assertThat(readAll()).isEqualTo(expected.toString());
        assertThat(queue.pop(new Chain())).isFalse();
        queue.push(chain);
        queue.flush();
        assertThat(ring.poll()).isEqualTo(new Used(id, 0));
    }

    // ---- kicks and calls

    @ParameterizedTest
    @ValueSource(longs = {ALL, PACKED})
    void notificationsEnabled_nextChainKicks_andAgainOnlyAfterEnabling(long features) {
        DriverRing ring = start(SIZE, features, START);
        queue.disableNotifications();
        if (features == PACKED) {
            ring.add(readable(text("a"), 1));
            assertThat(ring.expose()).isFalse();
            assertThat(queue.enableNotifications()).as("it came before").isTrue();
            queue.pop(chain);
            queue.push(chain);
        }
        assertThat(queue.enableNotifications()).isFalse();
        ring.add(readable(text("b"), 1));
        assertThat(ring.expose()).isTrue();
        if (features == ALL) {
            ring.add(readable(text("c"), 1));
            assertThat(ring.expose()).as("the event is behind").isFalse();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {ALL, PACKED})
    void chainsPutBack_notifyWhenMore_kicksForTheNextAdded(long features) {
        DriverRing ring = start(SIZE, features, base(7, true));
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
        assertThat(queue.hasAvailable()).isTrue();
    }

    @Test
    void ringFull_notifyWhenMore_isFalse() {
        DriverRing ring = start();
        for (int i = 0; i < SIZE; i++) {
            ring.add(writable(ram.allocate(4, 1), 4));
        }
        ring.expose();
        queue.pop(chain);
        queue.unpop(chain);
        assertThat(queue.notifyWhenMore()).isFalse();
    }

    /** Lesson 30, firecracker: with an event place left over from before, nobody called and nobody kicked. */
    @Test
    void restarted_firstFlushCalls_whateverTheEventSays() {
        DriverRing ring = start();
        serveOne(ring);
        assertThat(signals.calls).isEqualTo(1);
        ring.poll();
        ring.wantCallAt(5); // nothing near
        serveOne(ring);
        assertThat(signals.calls).isEqualTo(1);
        ring.poll();
        int base = queue.base();
        queue.stop();
        ring.used().set(ValueLayout.JAVA_INT, 0, 0x0001_0000); // as a device that wants no kicks would leave it
        start(ring, base, ALL);

        ring.add(readable(text("kick"), 4));
        assertThat(ring.expose()).as("kick").isTrue();
        queue.pop(chain);
        queue.push(chain);
        queue.flush();
        assertThat(signals.calls).as("call").isEqualTo(2);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 3, 6})
    void eventIdx_callComesExactlyWhenTheWantedSlotIsPassed(int first) {
        DriverRing ring = start(SIZE, ALL, base(first, true));
        serveOne(ring); // the first call is unconditional
        ring.poll();
        for (int lap = 0; lap < 40; lap++) {
            int wanted = 2; // the third from now
            int slot = (first + 1 + lap * 4 + wanted) % SIZE;
            boolean wrap = (first + 1 + lap * 4 + wanted) / SIZE % 2 == 0;
            ring.wantCallAt(slot | (wrap ? 0x8000 : 0));
            for (int i = 0; i < 4; i++) {
                int before = signals.calls;
                serveOne(ring);
                ring.poll();
                assertThat(signals.calls - before)
                        .as("lap " + lap + " chain " + i)
                        .isEqualTo(i == wanted ? 1 : 0);
            }
        }
    }

    @Test
    void noCallsWanted_flush_isSilent() {
        DriverRing ring = start();
        ring.wantNoCalls();
        serveOne(ring);
        assertThat(signals.calls).isZero();
        assertThat(queue.counters().callsSuppressed()).isEqualTo(1);
    }

    // ---- places

    @Test
    void stoppedAndStarted_goesOnWhereItWas() {
        DriverRing ring = start(SIZE, ALL, base(7, false));
        serveOne(ring);
        assertThat(queue.base()).isEqualTo(base(0, true));
        ring.add(readable(text("next"), 4));
        ring.expose();
        queue.stop();
        assertThat(queue.base()).as("kept").isEqualTo(base(0, true));
        start(ring, queue.base(), ALL);
        assertThat(queue.pop(chain)).isTrue();
        assertThat(readAll()).isEqualTo("next");
    }

    @Test
    void chainsLostAtAStop_leaveThePlacesApart() {
        DriverRing ring = start(SIZE, ALL, base(7, true));
        ring.add(readable(text("a"), 1), readable(text("b"), 1));
        ring.expose();
        queue.pop(chain);
        int base = queue.base();
        assertThat(base).isEqualTo(1 | (7 | 0x8000) << 16);
        queue.stop();
        start(ring, base, ALL);
        assertThat(queue.base()).isEqualTo(base);
    }

    @ParameterizedTest
    @CsvSource({
        "80008000,8,true", // as made by the driver
        "00000000,8,true",
        "00000007,8,true", // seven taken and not used
        "80008000,0,false",
        "00000008,8,false", // no such slot
        "00088000,8,false",
        "00070000,8,false", // used before it was taken
        "80000001,8,false", // more than one lap apart
        "80008001,8,true"
    })
    void place_isCheckedAgainstTheSize(String hex, int size, boolean possible) {
        int base = Integer.parseUnsignedInt(hex, 16);
        assertThat(Virtqueue.isBase(base, size, PACKED)).isEqualTo(possible);
    }

    /** Lesson 35: the daemon was killed, and the front end tells the next one where the ring was when it was made. */
    @ParameterizedTest
    @CsvSource({"1,1", "2,2", "3,3", "4,8", "5,64", "6,255"})
    void deviceKilled_placeIsFoundByTheSlots(long seed, int size) {
        Random random = new Random(seed);
        DriverRing ring = start(size, ALL, START);
        long base = ram.allocate(0, 8);
        Deque<Integer> unused = new ArrayDeque<>();
        for (int round = 0; round < 3000; round++) {
            if (unused.isEmpty()) {
                ram.freeTo(base);
            }
            for (int left = random.nextInt(size + 1); left > 0 && ring.freeDescriptors() > 0; left--) {
                long at = ram.allocate(8, 8);
                unused.add(
                        random.nextBoolean()
                                ? ring.addIndirect(readable(at, 8), writable(at, 8))
                                : ring.add(writable(at, 8)));
            }
            ring.expose();
            for (int left = random.nextInt(size + 1); left > 0 && queue.pop(chain); left--) {
                queue.push(chain);
            }
            queue.flush();
            int expected = queue.base();
            if (random.nextInt(3) == 0) {
                queue.pop(chain); // taken, and lost with the device
            }
            queue.stop();
            MemorySegment desc = user(ring.descAddress(), Virtqueue.descBytes(size));
            int place = Virtqueue.placeLeft(desc, size, START, ALL);
            assertThat(Integer.toHexString(place))
                    .as("seed " + seed + " round " + round)
                    .isEqualTo(Integer.toHexString(expected));
            start(ring, place, ALL);
            for (Used used : ring.pollAll()) {
                assertThat(used.head()).isEqualTo(unused.remove());
            }
        }
    }

    @Test
    void deviceKilled_slotsOfNoSuchRing_placeIsAsTold() {
        DriverRing ring = start();
        MemorySegment desc = user(ring.descAddress(), Virtqueue.descBytes(SIZE));
        for (int slot : new int[] {1, 4}) { // two runs
            ring.putDescriptor(slot, 0, 0, 0, AVAIL);
        }
        assertThat(Virtqueue.placeLeft(desc, SIZE, START, ALL)).isEqualTo(START);
        for (int slot = 0; slot < SIZE; slot++) { // three laps
            ring.putDescriptor(slot, 0, 0, 0, slot % 2 == 0 ? 0 : AVAIL | USED);
        }
        assertThat(Virtqueue.placeLeft(desc, SIZE, START, ALL)).isEqualTo(START);
        assertThat(Virtqueue.placeLeft(desc, SIZE, 77, PACKED))
                .as("longer chains")
                .isEqualTo(77);
    }

    // ---- faults

    private void assertBroken(QueueFault fault) {
        assertThat(queue.pop(chain)).isFalse();
        assertThat(queue.isRunning()).isFalse();
        assertThat(queue.fault()).isEqualTo(fault);
        assertThat(signals.broken).isEqualTo(1);
        queue.push(0, 0);
        queue.flush();
        queue.unpop(chain);
    }

    @Test
    void slotsForEver_areAFault() {
        DriverRing ring = start();
        for (int i = 0; i < SIZE; i++) {
            ring.putDescriptor(i, text("x"), 1, 0, AVAIL | Ring.DESC_NEXT);
        }
        assertBroken(QueueFault.CHAIN_TOO_LONG);
    }

    /** Wrap games: slots that we hold are shown as available in the next lap. */
    @Test
    void slotsInFlightMadeAvailableAgain_areAFault() {
        DriverRing ring = start();
        for (int i = 0; i < SIZE; i++) {
            ring.add(readable(text("x"), 1));
        }
        ring.expose();
        for (int i = 0; i < SIZE; i++) {
            assertThat(queue.pop(chain)).isTrue();
        }
        ring.putDescriptor(0, text("x"), 1, 0, USED); // lap 2
        assertBroken(QueueFault.AVAIL_INDEX_JUMPED);
    }

    @ParameterizedTest
    @CsvSource({"-3,4", "1048576,1", "-65536,16"})
    void bufferOutside_isAFault(long beyondEnd, int bytes) {
        DriverRing ring = start();
        long end = ram.guestBase() + ram.bytes();
        ring.putDescriptor(0, beyondEnd == -65536 ? 0 : end + beyondEnd, bytes, 0, AVAIL);
        assertBroken(QueueFault.ADDRESS_OUTSIDE_MEMORY);
    }

    @Test
    void readableAfterWritable_isAFault() {
        DriverRing ring = start();
        ring.putDescriptor(0, text("x"), 1, 0, AVAIL | Ring.DESC_WRITE | Ring.DESC_NEXT);
        ring.putDescriptor(1, text("x"), 1, 0, AVAIL);
        assertBroken(QueueFault.READABLE_AFTER_WRITABLE);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 8, 17, 16 * 1025})
    void indirectTableOfBadSize_isAFault(int bytes) {
        DriverRing ring = start();
        ring.putDescriptor(0, ram.guestBase(), bytes, 0, AVAIL | Ring.DESC_INDIRECT);
        assertBroken(QueueFault.BAD_INDIRECT_TABLE);
    }

    @Test
    void indirectTableInAChain_isAFault() {
        DriverRing ring = start();
        ring.putDescriptor(0, text("x"), 1, 0, AVAIL | Ring.DESC_NEXT);
        ring.putDescriptor(1, ram.allocate(16, 16), 16, 0, AVAIL | Ring.DESC_INDIRECT);
        assertBroken(QueueFault.BAD_INDIRECT_TABLE);
    }

    @Test
    void indirectTableThatGoesOn_isAFault() {
        DriverRing ring = start();
        ring.putDescriptor(0, ram.allocate(16, 16), 16, 0, AVAIL | Ring.DESC_INDIRECT | Ring.DESC_NEXT);
        assertBroken(QueueFault.BAD_INDIRECT_TABLE);
    }

    @Test
    void indirectNotNegotiated_isAFault() {
        DriverRing ring = start(SIZE, PACKED, START);
        ring.putDescriptor(0, ram.allocate(16, 16), 16, 0, AVAIL | Ring.DESC_INDIRECT);
        assertBroken(QueueFault.BAD_INDIRECT_TABLE);
    }

    @Test
    void indirectTableBeyondTheEnd_isAFault() {
        DriverRing ring = start();
        ring.putDescriptor(0, ram.guestBase() + ram.bytes() - 16, 32, 0, AVAIL | Ring.DESC_INDIRECT);
        assertBroken(QueueFault.ADDRESS_OUTSIDE_MEMORY);
    }

    // ---- random

    private record Expected(String readable, int writableBytes) {}

    /** Chains of all kinds, given back in any order, put back, published whenever: each byte and each length is right. */
    @ParameterizedTest
    @CsvSource({"1,256,true", "2,7,true", "3,64,false", "4,3,false", "5,1,true"})
    void randomTraffic_isExact(long seed, int size, boolean events) {
        Random random = new Random(seed);
        long features = events ? ALL : ALL & ~Virtqueue.FEATURE_EVENT_IDX;
        boolean wrap = random.nextBoolean();
        DriverRing ring = start(size, features, base(random.nextInt(size), wrap));
        Map<Integer, Expected> sent = new HashMap<>();
        Deque<Integer> order = new ArrayDeque<>();
        List<int[]> held = new ArrayList<>();
        Map<Integer, Integer> writtenTo = new HashMap<>();
        long base = ram.allocate(0, 8);
        for (int round = 0; round < 4000; round++) {
            String where = "seed " + seed + " round " + round;
            if (sent.isEmpty()) {
                ram.freeTo(base);
            }
            for (int left = random.nextInt(4); left > 0 && ring.freeDescriptors() > 0; left--) {
                addRandom(random, ring, sent, order);
            }
            if (ring.expose() || random.nextBoolean()) {
                while (random.nextInt(5) > 0 && queue.pop(chain)) {
                    int id = Objects.requireNonNull(order.peekFirst(), where);
                    assertThat(chain.head() & 0xFFFF).as(where).isEqualTo(id);
                    Expected expected = Objects.requireNonNull(sent.get(id));
                    assertThat(readAll()).as(where).isEqualTo(expected.readable);
                    if (random.nextInt(6) == 0) {
                        queue.unpop(chain);
                        break;
                    }
                    order.removeFirst();
                    int written = random.nextInt(expected.writableBytes + 1);
                    buffer.clear().writeZero(written);
                    chain.write(buffer, 0, written);
                    writtenTo.put(id, written);
                    held.add(new int[] {chain.head(), written});
                }
                while (!held.isEmpty() && random.nextInt(4) > 0) {
                    int[] one = held.remove(random.nextInt(held.size()));
                    queue.push(one[0], one[1]);
                }
                queue.flush();
                queue.enableNotifications();
            }
            assertThat(queue.fault()).as(where).isEqualTo(QueueFault.NONE);
            if (random.nextInt(3) == 0) {
                for (Used used : ring.pollAll()) {
                    assertThat(used.written()).as(where).isEqualTo(writtenTo.remove(used.head()));
                    sent.remove(used.head());
                }
                ring.wantCallAtNext();
            }
            if (held.isEmpty() && random.nextInt(50) == 0) {
                int place = queue.base();
                queue.stop();
                start(ring, place, features);
            }
        }
        assertThat(queue.counters().chains()).isGreaterThan(500);
    }

    private void addRandom(Random random, DriverRing ring, Map<Integer, Expected> sent, Deque<Integer> order) {
        int pieces = 1 + random.nextInt(Math.min(3, ring.freeDescriptors()));
        DriverRing.Buffer[] buffers = new DriverRing.Buffer[pieces];
        int readablePieces = random.nextInt(pieces + 1);
        StringBuilder content = new StringBuilder();
        int writableBytes = 0;
        for (int i = 0; i < pieces; i++) {
            String s = Long.toString(random.nextLong(), 36).substring(1);
            if (i < readablePieces) {
                content.append(s);
                buffers[i] = readable(text(s), s.length());
            } else {
                writableBytes += s.length();
                buffers[i] = writable(text(s), s.length());
            }
        }
        int id = random.nextBoolean() ? ring.addIndirect(buffers) : ring.add(buffers);
        sent.put(id, new Expected(content.toString(), writableBytes));
        order.add(id);
    }

    /** A guest that writes anything anywhere into its ring: nothing throws, nothing hangs, nothing outside is touched. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void randomCorruption_device_neitherThrowsNorHangs(long seed) {
        Random random = new Random(seed);
        List<QueueFault> seen = new ArrayList<>();
        for (int round = 0; round < 3000; round++) {
            ram.freeTo(ram.guestBase());
            int size = 1 + random.nextInt(40);
            long features = PACKED | (random.nextBoolean() ? ALL : 0);
            DriverRing ring = start(size, features, base(random.nextInt(size), random.nextBoolean()));
            int chains = random.nextInt(size + 1);
            for (int i = 0; i < chains && ring.freeDescriptors() > 0; i++) {
                DriverRing.Buffer b =
                        new DriverRing.Buffer(ram.allocate(200, 1), random.nextInt(200), random.nextBoolean());
                if ((features & Virtqueue.FEATURE_INDIRECT) != 0 && random.nextInt(3) == 0) {
                    ring.addIndirect(b, b);
                } else {
                    ring.add(b);
                }
            }
            ring.expose();
            for (int i = 0; i < 12 && queue.isRunning(); i++) {
                corrupt(random, ring);
                exercise(random);
            }
            seen.add(queue.fault());
            queue.stop();
        }
        assertThat(seen)
                .as("seed " + seed)
                .contains(
                        QueueFault.NONE,
                        QueueFault.ADDRESS_OUTSIDE_MEMORY,
                        QueueFault.CHAIN_TOO_LONG,
                        QueueFault.BAD_INDIRECT_TABLE,
                        QueueFault.READABLE_AFTER_WRITABLE);
    }

    private static void corrupt(Random random, DriverRing ring) {
        for (int times = random.nextInt(6); times > 0; times--) {
            MemorySegment target =
                    switch (random.nextInt(8)) {
                        case 0 -> ring.avail();
                        case 1 -> ring.used();
                        default -> ring.desc();
                    };
            long at = random.nextLong(target.byteSize());
            if (random.nextBoolean()) { // flags, mostly: a slot that is available in one lap or the other
                at = at / 16 * 16 + Math.min(14, target.byteSize() - 2);
                int lap = random.nextBoolean() ? AVAIL : USED;
                target.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, (short) (lap | random.nextInt(8)));
            } else {
                target.set(ValueLayout.JAVA_BYTE, at, (byte) random.nextInt());
            }
        }
    }

    private void exercise(Random random) {
        for (int i = 0; i < 100 && queue.pop(chain); i++) {
            buffer.clear();
            chain.read(buffer, Math.min(1000, chain.readableBytes()));
            chain.write(buffer, 0, Math.min(buffer.capacity(), random.nextInt(400)));
            if (random.nextInt(8) == 0) {
                queue.unpop(chain);
            } else if (random.nextInt(8) > 0) { // else: kept, as a device that is slow
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

    // ---- the hot path

    @Test
    void popPushFlush_allocateNothing() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        DriverRing ring = start(256, ALL, START);
        long at = ram.allocate(64, 8);
        long least = Long.MAX_VALUE;
        int rounds = 0;
        for (; least > 0 && rounds < 30_000; rounds++) {
            for (int i = 0; i < 30; i++) {
                if (i % 2 == 0) {
                    ring.add(readable(at, 10), readable(at, 20));
                } else {
                    ring.addIndirect(readable(at, 10), readable(at, 20));
                }
            }
            ring.expose();
            ring.wantCallAtNext();
            long before = threads.getCurrentThreadAllocatedBytes();
            int taken = 0;
            while (queue.pop(chain)) {
                buffer.clear();
                chain.read(buffer, 30);
                queue.push(chain);
                taken++;
            }
            queue.enableNotifications();
            queue.flush();
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
            assertThat(taken).isEqualTo(30);
            ring.pollAll();
            ram.freeTo(at + 64);
        }
        assertThat(signals.calls).isEqualTo(rounds);
        assertThat(least).as("bytes for 30 chains").isZero();
    }
}
