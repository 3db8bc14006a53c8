package dev.longshore.link.tap;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.longshore.link.DatagramPair;
import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.VirtioNetHeader;
import dev.longshore.testkit.VirtualLoop;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A frame in either direction costs no allocation: the least of many rounds is 0 bytes, system calls included. */
class TapLinkAllocationTest {
    private static final int ROUNDS = 3000;
    private static final int FRAMES = 5;

    @TempDir
    Path dir;

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean(); // asking for it allocates

    private long allocated() {
        return threads.getCurrentThreadAllocatedBytes();
    }

    @Test
    void framesInBothDirections_allocateNothing() throws IOException {
        VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
        UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true, true);
        DatagramPair pair = DatagramPair.in(dir);
        FileDescriptor guest = pair.guest();
        TapLink link = new TapLink(loop, pair.link().intValue(), "tap-test", allocator, () -> {});
        CountingSink sink = new CountingSink();
        link.open(sink);
        loop.runUntil(link::isWritable, "link up");
        OutFrame out = new OutFrame(allocator.directBuffer(256));
        ByteBuf payload = allocator.directBuffer(20_000).writeZero(20_000);
        ByteBuf fromGuest = allocator.directBuffer(20_000).writeZero(20_000);
        long out0 = Long.MAX_VALUE;
        long in0 = Long.MAX_VALUE;
        for (int round = 0; round < ROUNDS; round++) {
            long before = allocated();
            for (int i = 0; i < FRAMES; i++) {
                out.clear().head().writeZero(66);
                out.addPayload(payload, 0, 1448 * (i + 1));
                out.needsChecksum(34, 16);
                assert link.send(out);
            }
            link.flush();
            out0 = Math.min(out0, allocated() - before);
            for (int i = 0; i < FRAMES; i++) {
                int n = guest.readAddress(fromGuest.memoryAddress(), 0, 20_000);
                assertThat(n).isEqualTo(VirtioNetHeader.BYTES + 66 + 1448 * (i + 1));
                fromGuest.setZero(0, VirtioNetHeader.BYTES);
                assertThat(guest.writeAddress(fromGuest.memoryAddress(), 0, n)).isEqualTo(n);
            }
            before = allocated();
            loop.run(1_000_000);
            in0 = Math.min(in0, allocated() - before);
            loop.runUntil(() -> sink.frames % FRAMES == 0, "all frames");
        }
        assertThat(sink.frames).isEqualTo(ROUNDS * FRAMES);
        assertThat(out0)
                .as("bytes allocated for %d frames to the guest", FRAMES)
                .isZero();
        assertThat(in0)
                .as("bytes allocated for %d frames from the guest", FRAMES)
                .isZero();
        link.close();
        out.release();
        payload.release();
        fromGuest.release();
        guest.close();
        loop.close();
    }

    private static final class CountingSink implements FrameSink {
        int frames;

        @Override
        public void onFrame(ByteBuf frame, int offload) {
            frames++;
        }

        @Override
        public void onBatchEnd() {}

        @Override
        public void onWritable() {}

        @Override
        public void onLinkState(boolean up) {}
    }
}
