package dev.longshore.virtio.net;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.longshore.linux.Linux;
import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.virtio.vhostuser.FrontEnd;
import dev.longshore.virtio.vhostuser.TestLoop;
import dev.longshore.virtio.vhostuser.VhostUserBackend;
import dev.longshore.virtio.virtqueue.GuestRam;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A frame in either direction costs no allocation: the least of many rounds is 0 bytes, the interrupts included. */
class HotPathAllocationTest {
    private static final int ROUNDS = 4000;
    private static final int FRAMES = 30;

    @TempDir
    Path dir;

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean(); // asking for it allocates
    private final Linux linux = new Linux();
    private final TestLoop loop = new TestLoop();
    private final GuestRam ram = GuestRam.ofUml(linux, 16 << 20);
    // without leak detection, whose records are allocations of their own
    private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true, true);

    private long allocated() {
        return threads.getCurrentThreadAllocatedBytes();
    }

    /** In UML a split ring, in QEMU a packed one and a card with several queue pairs, so that frames are steered. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void framesInBothDirections_allocateNothing(boolean uml) {
        NetDevice device = new NetDevice(loop.loop(), new NetConfig(0x024c53000003L, 1500, uml), allocator);
        VhostUserBackend backend = new VhostUserBackend(loop.loop(), device, dir.resolve("s"));
        backend.open();
        CountingSink sink = new CountingSink();
        device.open(sink);
        OutFrame out = new OutFrame(allocator.directBuffer(256));
        ByteBuf payload = allocator.directBuffer(8000).writeZero(8000);
        long fromGuest = Long.MAX_VALUE;
        long toGuest = Long.MAX_VALUE;
        try (FrontEnd front = new FrontEnd(linux, loop::settle, ram, dir.resolve("s"), 2)) {
            if (uml) {
                front.bootAsUml(256, -1L);
            } else {
                front.bootAsQemu(256, -1L, 0);
            }
            NetGuest guest = new NetGuest(front, ram);
            guest.post(120, 1526);
            long base = ram.allocate(0, 8);
            for (int round = 0; round < ROUNDS; round++) {
                for (int i = 0; i < FRAMES; i++) {
                    guest.send(NetGuest.header(1, 1, 54, 1460, 34, 16), new byte[3000], 1000, i % 2 == 0);
                }
                front.ring(1).expose();
                front.ring(1).wantCallAtNext();
                long before = allocated();
                device.onKick(backend.queue(1));
                fromGuest = Math.min(fromGuest, allocated() - before);
                front.ring(1).pollAll();

                before = allocated();
                sendToGuest(device, out, payload);
                toGuest = Math.min(toGuest, allocated() - before);
                int got = 0;
                while (guest.receive() != null) {
                    got++;
                }
                assertThat(got).isEqualTo(FRAMES / 3);
                guest.post(FRAMES / 3 * 3, 1526);
                front.ring(0).wantCallAtNext();
                ram.freeTo(base);
            }
        }
        assertThat(sink.frames).isEqualTo((long) ROUNDS * FRAMES);
        assertThat(backend.queue(0).counters().calls()).as("calls to the guest").isGreaterThan(ROUNDS / 2);
        assertThat(fromGuest)
                .as("bytes for " + FRAMES + " frames from the guest")
                .isZero();
        assertThat(toGuest)
                .as("bytes for " + FRAMES / 3 + " frames to the guest")
                .isZero();
        backend.close();
        device.close();
        loop.close();
        out.release();
        payload.release();
        ram.close();
    }

    private static void sendToGuest(NetDevice device, OutFrame out, ByteBuf payload) {
        for (int i = 0; i < FRAMES / 3; i++) {
            out.clear();
            out.head().writeZero(54);
            out.gsoTcp4(1460, 54);
            out.needsChecksum(34, 16);
            out.addPayload(payload, 0, 2000);
            out.addPayload(payload, 2000, 2000);
            if (!device.send(out)) {
                throw new AssertionError("no room");
            }
        }
        device.flush();
    }

    private static final class CountingSink implements FrameSink {
        long frames;

        @Override
        public void onFrame(ByteBuf frame, int offload) {
            frames += frame.readableBytes() == 3000 && offload == (CHECKSUM_PARTIAL | LARGE_SEGMENT) ? 1 : 0;
        }

        @Override
        public void onBatchEnd() {}

        @Override
        public void onWritable() {}

        @Override
        public void onLinkState(boolean up) {}
    }
}
