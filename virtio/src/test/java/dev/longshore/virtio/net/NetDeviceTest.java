package dev.longshore.virtio.net;

import static dev.longshore.packet.link.FrameSink.CHECKSUM_PARTIAL;
import static dev.longshore.packet.link.FrameSink.LARGE_SEGMENT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Virtio 1.2, 5.1: the card against a driver on a scripted front end. */
class NetDeviceTest {
    private static final long ALL = -1L;
    private static final long NO_MRG = ~NetFeatures.MRG_RXBUF;
    private static final long NO_TSO = ~(NetFeatures.GUEST_TSO4
            | NetFeatures.GUEST_TSO6
            | NetFeatures.HOST_TSO4
            | NetFeatures.HOST_TSO6
            | NetFeatures.HOST_ECN);
    private static final long NO_RING_FEATURES = ~(Virtqueue.FEATURE_EVENT_IDX | Virtqueue.FEATURE_INDIRECT);

    @TempDir
    Path dir;

    private final Linux linux = new Linux();
    private final TestLoop loop = new TestLoop();
    private final GuestRam ram = GuestRam.ofUml(linux, 64 << 20);
    private final RecordingSink sink = new RecordingSink();
    private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
    private final NetDevice device = new NetDevice(loop.loop(), new NetConfig(0x024c53000003L, 1500, true), allocator);
    private final OutFrame out = new OutFrame(Unpooled.directBuffer(256));
    private @Nullable VhostUserBackend backend;
    private @Nullable FrontEnd front;
    private @Nullable NetGuest guest;

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
        if (backend != null) {
            backend.close();
        }
        device.close();
        loop.close();
        out.release();
        sink.release();
        ram.close();
        assertThat(allocator.metric().usedDirectMemory()).as("direct memory").isZero();
    }

    private NetGuest boot(int queueSize, long wanted) {
        front = new FrontEnd(linux, loop::settle, ram, dir.resolve("s"), 2);
        front.bootAsUml(queueSize, wanted);
        loop.settle();
        guest = new NetGuest(front, ram);
        return guest;
    }

    private static byte[] frame(int bytes, int seed) {
        byte[] b = new byte[bytes];
        new Random(seed).nextBytes(b);
        return b;
    }

    private OutFrame outFrame(byte[] content) {
        out.clear();
        out.head().writeBytes(content);
        return out;
    }

    // ---- negotiation

    @Test
    void config_hasMacStatusAndMtu() {
        ByteBuf b = Unpooled.buffer();
        device.readConfig(b);
        assertThat(Arrays.copyOf(b.array(), b.writerIndex()))
                .containsExactly(0x02, 0x4c, 0x53, 0, 0, 3, 1, 0, 1, 0, 0xDC, 5);
    }

    @Test
    void config_impossibleValues_areRefused() {
        assertThatThrownBy(() -> new NetConfig(1L << 48, 1500, true)).hasMessageContaining("mac");
        assertThatThrownBy(() -> new NetConfig(0x01_0000_0000_00L, 1500, true)).hasMessageContaining("mac");
        assertThatThrownBy(() -> new NetConfig(0, 575, true)).hasMessageContaining("mtu");
        assertThatThrownBy(() -> new NetConfig(0, 65_536, true)).hasMessageContaining("mtu");
    }

    @Test
    void allFeatures_linkOffersLargeSegments() {
        boot(256, ALL);
        assertThat(device.tso4ToGuest()).isTrue();
        assertThat(device.tso6ToGuest()).isTrue();
        assertThat(device.checksumOffloadToGuest()).isTrue();
        assertThat(device.maxFrameBytes()).isEqualTo(65_550);
        assertThat(device.isWritable()).isTrue();
        assertThat(sink.linkStates).containsExactly(true);
    }

    @Test
    void noOffloads_linkOffersTheMtuOnly() {
        boot(256, NO_TSO & ~NetFeatures.GUEST_CSUM);
        assertThat(device.tso4ToGuest()).isFalse();
        assertThat(device.checksumOffloadToGuest()).isFalse();
        assertThat(device.maxFrameBytes()).isEqualTo(1514);
    }

    @Test
    void frontEndLeaves_linkGoesDown_andUpWithTheNext() {
        boot(256, ALL);
        if (front != null) {
            front.close();
        }
        assertThat(device.isWritable()).isFalse();
        assertThat(device.send(outFrame(frame(60, 1)))).isFalse();
        NetGuest next = boot(256, ALL);
        next.post(1, 2000);
        assertThat(sink.linkStates).containsExactly(true, false, true);
        assertThat(sink.writable).as("the send that failed while down").isEqualTo(1);
        assertThat(device.send(outFrame(frame(60, 1)))).isTrue();
    }

    @Test
    void memoryMovedUnderRunningRings_linkStaysUp() {
        NetGuest g = boot(256, ALL);
        if (front != null) {
            front.send(5, FrontEnd.NEED_REPLY, FrontEnd.memoryTable(72, ram.region()), ram.fd());
        }
        loop.settle();
        g.send(frame(60, 1));
        g.kickTransmitq();
        assertThat(sink.linkStates).containsExactly(true);
        assertThat(sink.frames).hasSize(1);
    }

    @Test
    void openedLate_getsWhatWaited() {
        NetDevice late = new NetDevice(loop.loop(), new NetConfig(2, 1500, true), allocator);
        RecordingSink lateSink = new RecordingSink();
        VhostUserBackend lateBackend = new VhostUserBackend(loop.loop(), late, dir.resolve("late"));
        lateBackend.open();
        try (FrontEnd f = new FrontEnd(linux, loop::settle, ram, dir.resolve("late"), 2)) {
            f.bootAsUml(16, ALL);
            NetGuest g = new NetGuest(f, ram);
            g.send(frame(64, 1));
            g.kickTransmitq();
            late.open(lateSink);
            loop.settle();
            assertThat(lateSink.frames).hasSize(1);
            assertThat(lateSink.linkStates).containsExactly(true);
            assertThatThrownBy(() -> late.open(lateSink)).isInstanceOf(IllegalStateException.class);
        }
        lateBackend.close();
        late.close();
    }

    // ---- from the guest

    @ParameterizedTest
    @CsvSource({"14,14,false", "60,60,true", "1514,1514,false", "1514,100,true", "65550,4096,false", "65550,300,true"})
    void frame_isDeliveredByteForByte(int bytes, int piece, boolean indirect) {
        NetGuest g = boot(256, ALL);
        byte[] sent = frame(bytes, bytes);
        g.send(NetGuest.header().array(), sent, piece, indirect);
        g.kickTransmitq();

        assertThat(sink.frames).hasSize(1).first().isEqualTo(sent);
        assertThat(sink.offloads).containsExactly(0);
        assertThat(sink.batches).isEqualTo(1);
        assertThat(device.counters().framesFromGuest()).isEqualTo(1);
        assertThat(device.counters().bytesFromGuest()).isEqualTo(bytes);
        if (front != null) {
            assertThat(front.ring(1).poll())
                    .satisfies(u -> assertThat(u.written()).isZero());
        }
    }

    @Test
    void headerAndFrameInOneDescriptor_isDelivered() {
        boot(256, ALL);
        byte[] sent = frame(100, 1);
        byte[] all = new byte[112];
        System.arraycopy(sent, 0, all, 12, 100);
        if (front != null) {
            front.ring(1).add(DriverRing.readable(ram.allocate(all), all.length));
            front.exposeAndKick(1);
        }
        assertThat(sink.frames).hasSize(1).first().isEqualTo(sent);
    }

    @Test
    void headerCutInBytes_isDelivered() {
        NetGuest g = boot(256, ALL);
        byte[] header = NetGuest.header(1, 0, 0, 0, 34, 16);
        byte[] sent = frame(60, 1);
        DriverRing.Buffer[] buffers = new DriverRing.Buffer[72];
        for (int i = 0; i < 72; i++) {
            buffers[i] = DriverRing.readable(ram.allocate(new byte[] {i < 12 ? header[i] : sent[i - 12]}), 1);
        }
        if (front != null) {
            front.ring(1).add(buffers);
        }
        g.kickTransmitq();
        assertThat(sink.frames).hasSize(1).first().isEqualTo(sent);
        assertThat(sink.offloads).containsExactly(CHECKSUM_PARTIAL);
    }

    @Test
    void largeSegments_areMarked() {
        NetGuest g = boot(256, ALL);
        g.send(NetGuest.header(1, 1, 54, 1460, 34, 16), frame(40_000, 1), 4096, true);
        g.send(NetGuest.header(1, 4, 74, 1440, 54, 16), frame(40_000, 2), 4096, true);
        g.send(NetGuest.header(1, 0x81, 54, 1460, 34, 16), frame(3000, 3), 4096, true); // with ECN
        g.send(NetGuest.header(1, 0, 0, 0, 34, 16), frame(1000, 4), 4096, true);
        g.kickTransmitq();

        int large = CHECKSUM_PARTIAL | LARGE_SEGMENT;
        assertThat(sink.offloads).containsExactly(large, large, large, CHECKSUM_PARTIAL);
    }

    @ParameterizedTest
    @CsvSource({
        "1,3,42,1400,34,6", // UFO
        "1,5,42,1400,34,6", // USO
        "1,7,0,1400,34,6", // nothing
        "1,1,54,0,34,16", // no size
        "0,1,54,1460,34,16" // without a checksum to complete
    })
    void badSegmentation_isDroppedAndCounted(int flags, int gso, int headers, int size, int start, int offset) {
        NetGuest g = boot(256, ALL);
        g.send(NetGuest.header(flags, gso, headers, size, start, offset), frame(3000, 1), 4096, false);
        g.kickTransmitq();

        assertThat(sink.frames).isEmpty();
        assertThat(device.counters().drops(NetDrop.BAD_SEGMENTATION)).isEqualTo(1);
        if (front != null) {
            assertThat(front.ring(1).poll()).as("given back").isNotNull();
        }
    }

    @Test
    void segmentationNotNegotiated_isDropped() {
        NetGuest g = boot(256, NO_TSO);
        g.send(NetGuest.header(1, 1, 54, 1460, 34, 16), frame(3000, 1), 4096, false);
        g.kickTransmitq();
        assertThat(device.counters().drops(NetDrop.BAD_SEGMENTATION)).isEqualTo(1);
    }

    @ParameterizedTest
    @CsvSource({"13,0", "0,0", "59,0", "58,1", "65535,65535", "34,25"})
    void checksumFieldOutsideTheFrame_isDropped(int start, int offset) {
        NetGuest g = boot(256, ALL);
        g.send(NetGuest.header(1, 0, 0, 0, start, offset), frame(60, 1), 4096, false);
        g.kickTransmitq();
        assertThat(sink.frames).isEmpty();
        assertThat(device.counters().drops(NetDrop.BAD_CHECKSUM_FIELD)).isEqualTo(1);
    }

    @Test
    void checksumFieldAtTheVeryEnd_isDelivered() {
        NetGuest g = boot(256, ALL);
        g.send(NetGuest.header(1, 0, 0, 0, 34, 24), frame(60, 1), 4096, false);
        g.kickTransmitq();
        assertThat(sink.frames).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 11, 12, 13, 25})
    void runt_isDropped(int bytes) {
        boot(256, ALL);
        if (front != null) {
            front.ring(1).add(DriverRing.readable(ram.allocate(new byte[bytes]), bytes));
            front.exposeAndKick(1);
        }
        assertThat(sink.frames).isEmpty();
        assertThat(sink.batches).isEqualTo(1);
        assertThat(device.counters().drops(NetDrop.RUNT)).isEqualTo(1);
    }

    @Test
    void oversize_isDropped() {
        NetGuest g = boot(256, ALL);
        g.send(NetGuest.header().array(), frame(65_551, 1), 65_551, false);
        g.kickTransmitq();
        assertThat(sink.frames).isEmpty();
        assertThat(device.counters().drops(NetDrop.OVERSIZE)).isEqualTo(1);
    }

    @Test
    void writableBuffersInTheTransmitq_areNeverWritten() {
        boot(256, ALL);
        if (front != null) {
            front.ring(1).add(DriverRing.writable(ram.allocate(100, 8), 100));
            front.exposeAndKick(1);
            assertThat(front.ring(1).poll())
                    .satisfies(u -> assertThat(u.written()).isZero());
        }
        assertThat(device.counters().drops(NetDrop.RUNT)).isEqualTo(1);
    }

    @Test
    void sinkKeepsFrames_theyStayAsTheyWere() {
        sink.keep = true;
        NetGuest g = boot(256, ALL);
        for (int i = 0; i < 30; i++) {
            g.send(NetGuest.header().array(), frame(i % 3 == 0 ? 30_000 : 60 + i, i), 30_000, false);
        }
        g.kickTransmitq();
        assertThat(sink.kept).hasSize(30);
        for (int i = 0; i < 30; i++) {
            byte[] now = new byte[sink.kept.get(i).readableBytes()];
            sink.kept.get(i).getBytes(0, now);
            assertThat(now).isEqualTo(frame(i % 3 == 0 ? 30_000 : 60 + i, i));
        }
    }

    @Test
    void sinkFails_frameIsCounted_othersGoOn() {
        NetGuest g = boot(256, ALL);
        sink.fail = true;
        g.send(frame(60, 1));
        g.kickTransmitq();
        sink.fail = false;
        g.send(frame(60, 2));
        g.kickTransmitq();
        assertThat(sink.frames).hasSize(1);
        assertThat(device.counters().drops(NetDrop.SINK_FAILED)).isEqualTo(1);
    }

    @Test
    void sinkClosesTheLink_deliveryStops() {
        NetGuest g = boot(256, ALL);
        sink.onFrame = device::close;
        for (int i = 0; i < 5; i++) {
            g.send(frame(60, i));
        }
        g.kickTransmitq();
        assertThat(sink.frames).hasSize(1);
        assertThat(device.send(outFrame(frame(60, 1)))).isFalse();
    }

    /** One wake-up takes a bounded batch; what is left is taken in the next rounds of the loop without another kick. */
    @Test
    void manyFrames_comeInBoundedBatches() {
        NetGuest g = boot(1024, ALL);
        for (int i = 0; i < 500; i++) {
            g.send(frame(60, i));
        }
        g.kickTransmitq();
        assertThat(sink.frames).hasSize(500);
        assertThat(sink.batches).isEqualTo(4);
        if (backend != null) {
            assertThat(backend.queue(1).counters().kicks()).isEqualTo(1);
        }
    }

    @Test
    void largeFrames_areBoundedByBytes() {
        NetGuest g = boot(1024, ALL);
        for (int i = 0; i < 40; i++) {
            g.send(NetGuest.header().array(), frame(60_000, i), 60_000, false);
        }
        g.kickTransmitq();
        assertThat(sink.frames).hasSize(40);
        assertThat(sink.batches).isEqualTo(3);
    }

    // ---- to the guest

    @ParameterizedTest
    @CsvSource({"14,2000", "1514,1526", "1515,1526", "65550,1526", "65550,65600", "300,20"})
    void frameToGuest_mergeable_takesAsManyBuffersAsItNeeds(int bytes, int bufferBytes) {
        NetGuest g = boot(256, ALL);
        g.post(64, bufferBytes);
        byte[] sent = frame(bytes, 5);
        ByteBuf payload = Unpooled.directBuffer().writeBytes(sent, 14, bytes - 14);
        out.clear();
        out.head().writeBytes(sent, 0, 14);
        out.addPayload(payload, 0, (bytes - 14) / 2);
        out.addPayload(payload, (bytes - 14) / 2, bytes - 14 - (bytes - 14) / 2);

        assertThat(device.send(out)).isTrue();
        assertThat(g.receive()).as("not before the flush").isNull();
        device.flush();

        assertThat(g.receive())
                .satisfies(r -> assertThat(r.frame).isEqualTo(sent))
                .satisfies(r -> assertThat(r.buffers()).isEqualTo((bytes + 12 + bufferBytes - 1) / bufferBytes));
        assertThat(g.receive()).isNull();
        assertThat(device.counters().framesToGuest()).isEqualTo(1);
        assertThat(device.counters().bytesToGuest()).isEqualTo(bytes);
        payload.release();
    }

    @Test
    void frameToGuest_heapPayload_arrivesToo() {
        NetGuest g = boot(256, ALL);
        g.post(4, 1526);
        byte[] sent = frame(1000, 1);
        out.clear();
        out.head().writeBytes(sent, 0, 54);
        out.addPayload(Unpooled.wrappedBuffer(sent), 54, 946);
        device.send(out);
        device.flush();
        assertThat(g.receive()).satisfies(r -> assertThat(r.frame).isEqualTo(sent));
    }

    @Test
    void segmentToGuest_headerSaysHowToCutIt() {
        NetGuest g = boot(256, ALL);
        g.post(64, 1526);
        outFrame(frame(66, 1)).gsoTcp4(1448, 66);
        out.needsChecksum(34, 16);
        ByteBuf payload = Unpooled.directBuffer().writeZero(50_000);
        out.addPayload(payload, 0, 50_000);
        assertThat(device.send(out)).isTrue();
        device.flush();

        assertThat(g.receive()).satisfies(r -> {
            assertThat(r.header.get(0)).isEqualTo((byte) 1);
            assertThat(r.header.get(1)).isEqualTo((byte) 1);
            assertThat(r.header.getShort(2)).isEqualTo((short) 66);
            assertThat(r.header.getShort(4)).isEqualTo((short) 1448);
            assertThat(r.header.getShort(6)).isEqualTo((short) 34);
            assertThat(r.header.getShort(8)).isEqualTo((short) 16);
            assertThat(r.frame).hasSize(50_066);
        });
        payload.release();
    }

    /** Lesson of a peer: control packets carry complete checksums and no flags. */
    @Test
    void plainFrameToGuest_headerIsZero() {
        NetGuest g = boot(256, ALL);
        g.post(1, 1526);
        device.send(outFrame(frame(60, 1)));
        device.flush();
        assertThat(g.receive()).satisfies(r -> {
            for (int i = 0; i < 10; i++) {
                assertThat(r.header.get(i)).isZero();
            }
        });
    }

    @Test
    void offloadNotNegotiated_isDroppedAndReportedAsSent() {
        NetGuest g = boot(256, NO_TSO & ~NetFeatures.GUEST_CSUM);
        g.post(4, 1526);
        outFrame(frame(100, 1)).needsChecksum(34, 16);
        assertThat(device.send(out)).isTrue();
        outFrame(frame(100, 1)).gsoTcp4(50, 54);
        assertThat(device.send(out)).isTrue();
        outFrame(frame(100, 1)).gsoTcp6(50, 54);
        assertThat(device.send(out)).isTrue();
        device.flush();
        assertThat(g.receive()).isNull();
        assertThat(device.counters().drops(NetDrop.OFFLOAD_NOT_NEGOTIATED)).isEqualTo(3);
    }

    @Test
    void tooLarge_isDroppedAndReportedAsSent() {
        NetGuest g = boot(256, NO_TSO);
        g.post(4, 4000);
        out.clear();
        ByteBuf payload = Unpooled.directBuffer().writeZero(1501);
        out.head().writeZero(14);
        out.addPayload(payload, 0, 1501);
        assertThat(device.send(out)).isTrue();
        assertThat(device.counters().drops(NetDrop.TOO_LARGE_FOR_GUEST)).isEqualTo(1);
        assertThat(g.receive()).isNull();
        payload.release();
    }

    @Test
    void withoutMergeable_oneBufferForEachFrame() {
        NetGuest g = boot(256, NO_MRG & NO_TSO);
        g.post(2, 1526);
        byte[] sent = frame(1514, 1);
        out.clear();
        ByteBuf payload = Unpooled.directBuffer().writeBytes(sent);
        out.addPayload(payload, 0, 1514);
        assertThat(device.send(out)).isTrue();
        device.flush();
        assertThat(g.receive())
                .satisfies(r -> assertThat(r.frame).isEqualTo(sent))
                .satisfies(r -> assertThat(r.buffers()).isEqualTo(1));
        payload.release();
    }

    @Test
    void withoutMergeable_bufferTooSmall_isDroppedAndTheBufferKept() {
        NetGuest g = boot(256, NO_MRG & NO_TSO);
        g.post(1, 100);
        assertThat(device.send(outFrame(frame(200, 1)))).isTrue();
        assertThat(device.counters().drops(NetDrop.GUEST_BUFFERS_TOO_SMALL)).isEqualTo(1);
        assertThat(device.send(outFrame(frame(80, 1)))).isTrue();
        device.flush();
        assertThat(g.receive()).satisfies(r -> assertThat(r.frame).hasSize(80));
    }

    @Test
    void mergeable_wholeQueueTooSmall_isDropped() {
        NetGuest g = boot(16, ALL);
        g.post(16, 5); // one descriptor each
        assertThat(device.send(outFrame(frame(200, 1)))).isTrue();
        assertThat(device.counters().drops(NetDrop.GUEST_BUFFERS_TOO_SMALL)).isEqualTo(1);
    }

    @Test
    void legacyGuest_headerHasTenBytes() {
        boot(16, NO_MRG & NO_TSO & ~NetFeatures.VERSION_1);
        long at = ram.allocate(100, 8);
        if (front != null) {
            front.ring(0).add(DriverRing.writable(at, 100));
            front.exposeAndKick(0);
            byte[] sent = frame(60, 1);
            device.send(outFrame(sent));
            device.flush();
            assertThat(front.ring(0).poll())
                    .satisfies(u -> assertThat(u.written()).isEqualTo(70));
            assertThat(ram.read(at + 10, 60)).isEqualTo(sent);

            byte[] all = new byte[70];
            front.ring(1).add(DriverRing.readable(ram.allocate(all), all.length));
            front.exposeAndKick(1);
            assertThat(sink.frames).hasSize(1).first().isEqualTo(new byte[60]);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {ALL, NO_RING_FEATURES})
    void noRoom_sendIsFalse_andWritableComesWithTheNextBuffer(long features) {
        NetGuest g = boot(64, features);
        g.post(2, 1526);
        byte[] sent = frame(200, 1);
        assertThat(device.send(outFrame(sent))).isTrue();
        assertThat(device.send(outFrame(sent))).isTrue();
        assertThat(device.send(outFrame(sent))).isFalse();
        assertThat(device.isWritable()).isFalse();
        assertThat(device.send(outFrame(sent))).isFalse();
        device.flush();

        assertThat(g.post(1, 1526)).as("a kick is wanted").isTrue();

        assertThat(sink.writable).isEqualTo(1);
        assertThat(device.isWritable()).isTrue();
        assertThat(device.send(outFrame(sent))).isTrue();
        device.flush();
        for (int i = 0; i < 3; i++) {
            assertThat(g.receive()).satisfies(r -> assertThat(r.frame).isEqualTo(sent));
        }
        assertThat(g.receive()).isNull();
        assertThat(device.counters().blocked()).isEqualTo(2);
        assertThat(g.post(1, 1526)).as("and none any more").isFalse();
    }

    /** Two of five buffers were there: they are put back, and used once the others came. */
    @ParameterizedTest
    @ValueSource(longs = {ALL, NO_RING_FEATURES})
    void tooFewBuffers_nothingIsTaken_untilEnoughCame(long features) {
        NetGuest g = boot(64, features);
        byte[] sent = frame(5 * 1000 - 12, 3);
        ByteBuf payload = Unpooled.directBuffer().writeBytes(sent);
        out.clear();
        out.addPayload(payload, 0, sent.length);
        Deque<Integer> attempts = new ArrayDeque<>();
        sink.onWritable = () -> attempts.add(device.send(out) ? 1 : 0);
        g.post(2, 1000);
        assertThat(device.send(out)).isFalse();
        device.flush();
        assertThat(g.receive()).isNull();

        assertThat(g.post(2, 1000)).isTrue();
        assertThat(g.post(2, 1000)).isTrue();

        assertThat(attempts).containsExactly(0, 1);
        device.flush();
        assertThat(g.receive())
                .satisfies(r -> assertThat(r.frame).isEqualTo(sent))
                .satisfies(r -> assertThat(r.buffers()).isEqualTo(5));
        payload.release();
    }

    @Test
    void manyFrames_flush_callsOnce() {
        NetGuest g = boot(64, ALL);
        g.post(20, 1526);
        if (front != null) {
            front.takeCalls(0);
        }
        for (int i = 0; i < 20; i++) {
            device.send(outFrame(frame(60, i)));
        }
        device.flush();
        if (backend != null) {
            assertThat(backend.queue(0).counters().calls()).isEqualTo(1);
        }
    }

    /** Receiving never waits for sending: the receiveq is empty and blocked, and frames still come in. */
    @Test
    void blockedToGuest_fromGuestGoesOn() {
        NetGuest g = boot(256, ALL);
        sink.onFrame = () -> device.send(outFrame(frame(60, 1)));
        for (int i = 0; i < 1000; i++) {
            g.send(frame(60, i));
            g.kickTransmitq();
            if (front != null) {
                front.ring(1).pollAll();
            }
        }
        assertThat(sink.frames).hasSize(1000);
        assertThat(device.isWritable()).isFalse();
    }

    /** Both directions at once over wrapping indices, with random sizes, checked byte for byte. */
    @ParameterizedTest
    @CsvSource({"1,-1,256", "2,-1,64", "3,-268435457,128", "4,-536870913,32", "5,-805306369,256"})
    void randomTraffic_isExact(long seed, long features, int queueSize) {
        NetGuest g = boot(queueSize, features);
        Random random = new Random(seed);
        Deque<byte[]> expected = new ArrayDeque<>();
        long base = ram.allocate(0, 8);
        int posted = 0;
        for (int round = 0; round < 1500; round++) {
            int room = (queueSize / 2 - posted) / 2;
            if (room > 0 && random.nextInt(3) == 0) {
                posted += room;
                g.post(room, 1526);
                base = Math.max(base, ram.allocate(0, 8));
            }
            byte[] sent = frame(14 + random.nextInt(random.nextInt(8) == 0 ? 9000 : 1500), round);
            ByteBuf payload = Unpooled.directBuffer().writeBytes(sent);
            out.clear();
            out.addPayload(payload, 0, sent.length);
            if (device.send(out)) {
                expected.add(sent);
            }
            payload.release();
            if (random.nextInt(4) == 0) {
                device.flush();
                posted -= receiveExpected(g, expected, seed);
            }
            ram.freeTo(base);
            byte[] up = frame(14 + random.nextInt(3000), round);
            g.send(NetGuest.header().array(), up, 1 + up.length / 3, random.nextBoolean() && features == ALL);
            g.kickTransmitq();
            assertThat(sink.frames).as("seed " + seed + " round " + round).hasSize(1);
            assertThat(sink.frames.removeFirst()).isEqualTo(up);
            if (front != null) {
                front.ring(1).pollAll();
            }
        }
        device.flush();
        receiveExpected(g, expected, seed);
        assertThat(expected).isEmpty();
        assertThat(device.counters().framesToGuest()).isGreaterThan(200);
    }

    private static int receiveExpected(NetGuest g, Deque<byte[]> expected, long seed) {
        int buffers = 0;
        for (NetGuest.Received r = g.receive(); r != null; r = g.receive()) {
            assertThat(r.frame).as("seed " + seed).isEqualTo(expected.remove());
            buffers += r.buffers();
        }
        return buffers;
    }

    /** A driver that writes anything into its rings while frames go both ways: nothing throws, the loop comes to rest. */
    @ParameterizedTest
    @ValueSource(longs = {11, 12, 13})
    void randomCorruption_neitherThrowsNorHangs(long seed) {
        Random random = new Random(seed);
        int faults = 0;
        for (int round = 0; round < 80; round++) {
            ram.freeTo(ram.guestBase());
            NetGuest g = boot(32, random.nextBoolean() ? ALL : NO_RING_FEATURES);
            FrontEnd f = front;
            if (f == null || backend == null) {
                throw new AssertionError();
            }
            g.post(4, 300);
            for (int i = 0; i < 10; i++) {
                if (f.ring(1).freeDescriptors() > 4) {
                    g.send(NetGuest.header().array(), frame(100, i), 50, false);
                }
                corrupt(random, f.ring(random.nextInt(2)));
                f.ring(1).expose();
                f.kick(1);
                f.kick(0);
                device.send(outFrame(frame(100, i)));
                device.flush();
                loop.settle();
            }
            faults += backend.queue(0).isRunning() && backend.queue(1).isRunning() ? 0 : 1;
            f.close();
        }
        assertThat(faults).as("seed " + seed).isBetween(4, 80);
    }

    private static void corrupt(Random random, DriverRing ring) {
        var target =
                switch (random.nextInt(3)) {
                    case 0 -> ring.avail();
                    case 1 -> ring.used();
                    default -> ring.desc();
                };
        target.set(ValueLayout.JAVA_BYTE, random.nextLong(target.byteSize()), (byte) random.nextInt());
    }
}
