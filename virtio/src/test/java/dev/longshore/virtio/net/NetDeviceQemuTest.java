package dev.longshore.virtio.net;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.linux.Linux;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.virtio.vhostuser.FrontEnd;
import dev.longshore.virtio.vhostuser.TestLoop;
import dev.longshore.virtio.vhostuser.VhostUserBackend;
import dev.longshore.virtio.virtqueue.DriverRing;
import dev.longshore.virtio.virtqueue.GuestRam;
import dev.longshore.virtio.virtqueue.Virtqueue;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What only QEMU's front end has: packed rings, several queue pairs, a front end or a back end that comes again. */
class NetDeviceQemuTest {
    private static final long ALL = -1L;
    private static final int PAIRS = 3;

    @TempDir
    Path dir;

    private final Linux linux = new Linux();
    private final TestLoop loop = new TestLoop();
    private final GuestRam ram = GuestRam.ofQemu(linux, 64 << 20);
    private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
    private final OutFrame out = new OutFrame(Unpooled.directBuffer(256));
    private RecordingSink sink = new RecordingSink();
    private NetDevice device = device();
    private @Nullable VhostUserBackend backend;
    private @Nullable FrontEnd front;

    private NetDevice device() {
        return new NetDevice(loop.loop(), new NetConfig(0x024c53000003L, 1500, false, PAIRS), allocator);
    }

    @BeforeEach
    void listen() {
        backend = new VhostUserBackend(loop.loop(), device, dir.resolve("s"));
        assertThat(backend.open().isSuccess()).isTrue();
        device.open(sink);
    }

    @AfterEach
    void release() {
        if (front != null) {
            front.close();
        }
        closeBackend();
        loop.close();
        out.release();
        ram.close();
        assertThat(allocator.metric().usedDirectMemory()).as("direct memory").isZero();
    }

    private void closeBackend() {
        backend().close();
        device.close();
        sink.release();
        loop.settle();
    }

    private VhostUserBackend backend() {
        return Objects.requireNonNull(backend);
    }

    private FrontEnd boot(int pairs, int queueSize, long wanted) {
        FrontEnd made = new FrontEnd(linux, loop::settle, ram, dir.resolve("s"), 2 * pairs);
        made.bootAsQemu(queueSize, wanted, 0);
        front = made;
        loop.settle();
        return made;
    }

    private static byte[] bytes(int count, int seed) {
        byte[] b = new byte[count];
        new Random(seed).nextBytes(b);
        return b;
    }

    /** A UDP datagram over IPv4 between the guest's {@code guestPort} and a remote's port 53, in one direction or the other. */
    private static byte[] udp(int guestPort, boolean fromGuest) {
        ByteBuffer b = ByteBuffer.allocate(60);
        b.putShort(12, (short) 0x0800).put(14, (byte) 0x45).put(23, (byte) 17);
        b.putInt(fromGuest ? 26 : 30, 0xC0A84103).putInt(fromGuest ? 30 : 26, 0x08080808);
        b.putShort(fromGuest ? 34 : 36, (short) guestPort).putShort(fromGuest ? 36 : 34, (short) 53);
        return b.array();
    }

    private static byte[] udp6(int guestPort, boolean fromGuest) {
        ByteBuffer b = ByteBuffer.allocate(80);
        b.putShort(12, (short) 0x86DD).put(14, (byte) 0x60).put(20, (byte) 17);
        b.putLong(fromGuest ? 22 : 38, 0xFDC4F30393240000L).putLong(fromGuest ? 30 : 46, 3);
        b.putLong(fromGuest ? 38 : 22, 0x2001486048600000L).putLong(fromGuest ? 46 : 30, 0x8888);
        b.putShort(fromGuest ? 54 : 56, (short) guestPort).putShort(fromGuest ? 56 : 54, (short) 53);
        return b.array();
    }

    private OutFrame outFrame(byte[] content) {
        out.clear();
        out.head().writeBytes(content);
        return out;
    }

    // ---- several queue pairs

    @Test
    void severalPairs_areOffered_andUmlHasOne() {
        assertThat(device.features() & NetFeatures.MQ).isNotZero();
        try (FrontEnd f = new FrontEnd(linux, loop::settle, ram, dir.resolve("s"), 2)) {
            assertThat(f.askU64(15) & 1).as("protocol feature MQ").isEqualTo(1);
            assertThat(f.askU64(17)).as("queue pairs").isEqualTo(PAIRS);
        }
        NetDevice uml = new NetDevice(loop.loop(), new NetConfig(2, 1500, true), allocator);
        assertThat(uml.features() & NetFeatures.MQ).isZero();
        assertThat(uml.queueCount()).isEqualTo(2);
        assertThat(uml.offersPackedRings())
                .as("UML would start them at the wrong place")
                .isFalse();
        uml.close();
    }

    /** Virtio 1.2, 5.1.6.5.6. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void framesToGuest_goToThePairTheirFlowCameOn(boolean ipv6) {
        FrontEnd f = boot(PAIRS, 64, ALL);
        List<NetGuest> guests = new ArrayList<>();
        for (int i = 0; i < PAIRS; i++) {
            guests.add(new NetGuest(f, ram, i));
            guests.get(i).post(4, 1526);
        }
        for (int i = 0; i < PAIRS; i++) {
            guests.get(i).send(ipv6 ? udp6(1000 + i, true) : udp(1000 + i, true));
            guests.get(i).kickTransmitq();
        }
        assertThat(sink.frames).hasSize(PAIRS);
        for (int i = 0; i < PAIRS; i++) {
            assertThat(device.send(outFrame(ipv6 ? udp6(1000 + i, false) : udp(1000 + i, false))))
                    .isTrue();
        }
        device.flush();
        for (int i = 0; i < PAIRS; i++) {
            assertThat(Objects.requireNonNull(guests.get(i).receive()).frame)
                    .isEqualTo(ipv6 ? udp6(1000 + i, false) : udp(1000 + i, false));
            assertThat(guests.get(i).receive()).isNull();
        }
        guests.get(2).send(ipv6 ? udp6(1000, true) : udp(1000, true)); // the guest's scheduler moved it
        guests.get(2).kickTransmitq();
        device.send(outFrame(ipv6 ? udp6(1000, false) : udp(1000, false)));
        device.send(outFrame(bytes(60, 1))); // of no flow: first pair
        device.flush();
        assertThat(guests.get(2).receive()).isNotNull();
        assertThat(guests.get(0).receive()).isNotNull();
    }

    @Test
    void pairNotUsedByTheGuest_itsFlowsGoToTheFirst() {
        FrontEnd f = boot(2, 64, ALL);
        NetGuest first = new NetGuest(f, ram, 0);
        NetGuest second = new NetGuest(f, ram, 1);
        first.post(4, 1526);
        second.send(udp(1, true));
        second.kickTransmitq();
        f.send(18, FrontEnd.PLAIN, FrontEnd.state(2, 0)); // as after ethtool -L
        f.send(18, FrontEnd.PLAIN, FrontEnd.state(3, 0));
        assertThat(device.isWritable()).isTrue();
        assertThat(device.send(outFrame(udp(1, false)))).isTrue();
        device.flush();
        assertThat(first.receive()).isNotNull();
        assertThat(sink.linkStates).containsExactly(true);
    }

    @Test
    void pairBlockedThenStopped_whoWaitsIsTold() {
        FrontEnd f = boot(2, 64, ALL);
        NetGuest first = new NetGuest(f, ram, 0);
        first.post(4, 1526);
        NetGuest second = new NetGuest(f, ram, 1);
        second.send(udp(1, true));
        second.kickTransmitq();
        assertThat(device.send(outFrame(udp(1, false)))).isFalse();
        assertThat(device.isWritable()).isFalse();
        assertThat(device.send(outFrame(udp(2, false)))).as("other flows go on").isTrue();
        f.send(18, FrontEnd.PLAIN, FrontEnd.state(2, 0));
        loop.settle();
        assertThat(sink.writable).isEqualTo(1);
        assertThat(device.isWritable()).isTrue();
        assertThat(device.send(outFrame(udp(1, false)))).isTrue();
    }

    @Test
    void pairBlocked_writableComesWithItsBuffers() {
        FrontEnd f = boot(2, 64, ALL);
        NetGuest second = new NetGuest(f, ram, 1);
        second.send(udp(1, true));
        second.kickTransmitq();
        assertThat(device.send(outFrame(udp(1, false)))).isFalse();
        assertThat(device.send(outFrame(udp(2, false)))).isFalse();
        assertThat(second.post(2, 1526)).as("a kick is wanted").isTrue();
        assertThat(sink.writable).as("the first pair still has no room").isZero();
        assertThat(new NetGuest(f, ram, 0).post(2, 1526)).isTrue();
        assertThat(sink.writable).isEqualTo(1);
    }

    // ---- packed rings

    /** Both directions at once over many laps, with random sizes, checked byte for byte. */
    @ParameterizedTest
    @CsvSource({
        "1,-1,256,false",
        "2,-1,64,true",
        "3,-268435457,128,false", // without INDIRECT
        "4,-536870913,100,true", // without EVENT_IDX
        "5,-805306369,256,false",
        "6,-32769,90,false" // without MRG_RXBUF
    })
    void packed_randomTraffic_isExact(long seed, long features, int queueSize, boolean kicks) {
        FrontEnd f = boot(1, queueSize, features);
        NetGuest g = new NetGuest(f, ram);
        Random random = new Random(seed);
        Deque<byte[]> expected = new ArrayDeque<>();
        long base = ram.allocate(0, 8);
        int posted = 0;
        for (int round = 0; round < 1500; round++) {
            String where = "seed " + seed + " round " + round;
            int room = (queueSize / 2 - posted) / 2;
            if (room > 0 && random.nextInt(3) == 0) {
                posted += room;
                g.post(room, 1526);
                base = Math.max(base, ram.allocate(0, 8));
            }
            byte[] down = bytes(14 + random.nextInt(1500), round);
            if (device.send(outFrame(down))) {
                expected.add(down);
            }
            if (random.nextInt(4) == 0) {
                device.flush();
                posted -= receiveExpected(g, expected, where);
            }
            ram.freeTo(base);
            byte[] up = bytes(14 + random.nextInt(3000), round);
            g.send(
                    NetGuest.header().array(),
                    up,
                    1 + up.length / 3,
                    random.nextBoolean() && (features & 1L << 28) != 0);
            if (kicks && !f.ring(1).expose()) {
                f.kick(1); // one that is not needed does no harm
                loop.settle();
            } else if (kicks) {
                f.kick(1);
                loop.settle();
            } else {
                g.kickTransmitq();
            }
            assertThat(sink.frames).as(where).hasSize(1);
            assertThat(sink.frames.removeFirst()).as(where).isEqualTo(up);
            f.ring(1).pollAll();
        }
        device.flush();
        receiveExpected(g, expected, "seed " + seed);
        assertThat(expected).isEmpty();
        assertThat(device.counters().framesToGuest()).isGreaterThan(200);
        assertThat(backend().queue(0).fault().name() + backend().queue(1).fault())
                .isEqualTo("NONENONE");
    }

    private static int receiveExpected(NetGuest g, Deque<byte[]> expected, String where) {
        int buffers = 0;
        for (NetGuest.Received r = g.receive(); r != null; r = g.receive()) {
            assertThat(r.frame).as(where).isEqualTo(expected.remove());
            buffers += r.buffers();
        }
        return buffers;
    }

    @Test
    void packed_frameOverSeveralBuffers_comesWhole() {
        FrontEnd f = boot(1, 64, ALL);
        NetGuest g = new NetGuest(f, ram);
        g.post(20, 600);
        byte[] sent = bytes(200, 5);
        ByteBuf payload = Unpooled.directBuffer().writeBytes(bytes(4000, 6));
        outFrame(sent).addPayload(payload, 0, 4000);
        assertThat(device.send(out)).isTrue();
        assertThat(g.receive()).as("before the flush").isNull();
        device.flush();
        NetGuest.Received r = Objects.requireNonNull(g.receive());
        assertThat(r.buffers()).isEqualTo(8);
        assertThat(Arrays.copyOf(r.frame, 200)).isEqualTo(sent);
        assertThat(Arrays.copyOfRange(r.frame, 200, 4200)).isEqualTo(bytes(4000, 6));
        out.clear();
        payload.release();
    }

    @ParameterizedTest
    @ValueSource(longs = {21, 22, 23})
    void packed_randomCorruption_neitherThrowsNorHangs(long seed) {
        Random random = new Random(seed);
        int faults = 0;
        for (int round = 0; round < 80; round++) {
            ram.freeTo(ram.guestBase());
            FrontEnd f = boot(1, 32, random.nextBoolean() ? ALL : ~Virtqueue.FEATURE_EVENT_IDX);
            NetGuest g = new NetGuest(f, ram);
            g.post(4, 300);
            for (int i = 0; i < 10; i++) {
                if (f.ring(1).freeDescriptors() > 4) {
                    g.send(NetGuest.header().array(), bytes(100, i), 50, false);
                }
                corrupt(random, f.ring(random.nextInt(2)));
                f.ring(1).expose();
                f.kick(1);
                f.kick(0);
                device.send(outFrame(bytes(100, i)));
                device.flush();
                loop.settle();
            }
            faults += backend().queue(0).isRunning() && backend().queue(1).isRunning() ? 0 : 1;
            f.close();
        }
        assertThat(faults).as("seed " + seed).isBetween(1, 80);
    }

    private static void corrupt(Random random, DriverRing ring) {
        var target =
                switch (random.nextInt(4)) {
                    case 0 -> ring.avail();
                    case 1 -> ring.used();
                    default -> ring.desc();
                };
        target.set(ValueLayout.JAVA_BYTE, random.nextLong(target.byteSize()), (byte) random.nextInt());
    }

    // ---- who died comes again

    /**
     * Lessons 30 and 35: the daemon is killed under a running guest; the next one is told the used index (what QEMU does when
     * it cannot ask any more). Nothing the guest has posted or sent is lost, and it is called and kicks again.
     */
    @Test
    void backendDiesAndComesAgain_ringsGoOn_noBufferIsLost() {
        long split = ~Virtqueue.FEATURE_PACKED;
        FrontEnd f = boot(1, 64, split);
        NetGuest g = new NetGuest(f, ram);
        g.post(6, 1526);
        assertThat(device.send(outFrame(bytes(100, 1)))).isTrue();
        device.flush();
        assertThat(g.receive()).isNotNull();
        assertThat(device.send(outFrame(bytes(100, 2)))).isTrue(); // never flushed: the daemon dies with it
        g.send(bytes(60, 3));
        f.ring(1).expose(); // never kicked
        DriverRing receiveq = f.ring(0);
        DriverRing transmitq = f.ring(1);
        closeBackendAsIfKilled();

        sink = new RecordingSink();
        device = device();
        listen();
        try (FrontEnd again = new FrontEnd(linux, loop::settle, ram, dir.resolve("s"), 2)) {
            again.bootAsQemu(64, split, 0); // negotiation; the rings made here are replaced
            again.adoptRing(0, receiveq, receiveq.usedIndex());
            again.adoptRing(1, transmitq, transmitq.usedIndex());
            NetGuest same = g.on(again);
            loop.settle();
            assertThat(sink.frames).as("what waited").hasSize(1);
            for (int i = 0; i < 5; i++) {
                assertThat(device.send(outFrame(bytes(100, i))))
                        .as("buffer " + i)
                        .isTrue();
            }
            device.flush();
            assertThat(again.takeCalls(0)).isTrue();
            for (int i = 0; i < 5; i++) {
                assertThat(Objects.requireNonNull(same.receive()).frame).isEqualTo(bytes(100, i));
            }
            assertThat(device.send(outFrame(bytes(100, 9)))).as("all are used").isFalse();
            assertThat(same.post(1, 1526)).as("a kick is wanted").isTrue();
            assertThat(sink.writable).isEqualTo(1);
        }
        front = null;
    }

    /** Nothing is flushed and no queue is stopped in the guest's memory. */
    private void closeBackendAsIfKilled() {
        FrontEnd f = Objects.requireNonNull(front);
        backend().queue(0).stop();
        backend().queue(1).stop();
        closeBackend();
        f.close();
        front = null;
    }

    @Test
    void frontEndDies_nextOneIsServedAtOnce() {
        for (int i = 0; i < 5; i++) {
            FrontEnd f = boot(PAIRS, 64, ALL);
            NetGuest g = new NetGuest(f, ram);
            g.send(bytes(60, i));
            g.kickTransmitq();
            assertThat(sink.frames).hasSize(i + 1);
            f.close();
            loop.settle();
        }
        assertThat(sink.linkStates).containsExactly(true, false, true, false, true, false, true, false, true, false);
    }
}
