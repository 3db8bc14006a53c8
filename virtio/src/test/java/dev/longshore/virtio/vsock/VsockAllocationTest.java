package dev.longshore.virtio.vsock;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.ManualIoEventLoop;
import io.netty.channel.local.LocalIoHandler;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

/** What was written becomes packets, and credit is answered, without allocation: the least of many rounds is 0 bytes. */
class VsockAllocationTest {
    private static final int ROUNDS = 4000;
    private static final int PACKETS = 30;
    private static final int ROOM = 4052;

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean(); // asking for it allocates
    private final ManualIoEventLoop loop = new ManualIoEventLoop(Thread.currentThread(), LocalIoHandler.newFactory());
    private final VsockHost host = new VsockHost(loop, 3, VsockLimits.DEFAULT);
    private final CountingGuest guest = new CountingGuest();
    private final ByteBuf header = Unpooled.buffer(VsockHeader.BYTES).writerIndex(VsockHeader.BYTES);

    @Test
    void packetsToGuest_allocateNothing() {
        host.onDeviceUp(guest);
        guest.offered = 1;
        Future<DuplexChannel> connecting = host.connect(9);
        receive(VsockHeader.OP_RESPONSE, 0);
        DuplexChannel channel = connecting.getNow();
        channel.pipeline().addLast(new Recorder());
        // without leak detection, whose records are allocations of their own
        ByteBuf bytes = new UnpooledByteBufAllocator(true, true).directBuffer(PACKETS * ROOM);
        bytes.writerIndex(PACKETS * ROOM);
        long least = Long.MAX_VALUE;
        int sent = 0;
        for (int round = 0; round < ROUNDS; round++) {
            channel.writeAndFlush(bytes.resetReaderIndex().retain(), channel.voidPromise());
            sent += PACKETS * ROOM;
            guest.offered = PACKETS + 1;
            long before = threads.getCurrentThreadAllocatedBytes();
            host.onRoom();
            receive(VsockHeader.OP_CREDIT_REQUEST, sent);
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
            assertThat(guest.offered).isZero();
        }
        assertThat(guest.bytes).isEqualTo((long) ROUNDS * PACKETS * ROOM);
        assertThat(least)
                .as("bytes for " + PACKETS + " packets and a credit update")
                .isZero();
        bytes.release();
        host.onDeviceDown();
    }

    private void receive(int op, int fwdCnt) {
        VsockHeader.write(header, 0, 3, 9, 2, VsockHost.FIRST_PORT, VsockHeader.TYPE_STREAM, op);
        VsockHeader.setCredit(header, 0, 1 << 20, fwdCnt);
        host.onBatchStart();
        host.onPacket(header, VsockHeader.BYTES, guest);
        host.onBatchEnd();
    }

    private static final class CountingGuest implements PacketsToGuest, PayloadFromGuest {
        int offered;
        long bytes;

        @Override
        public int room() {
            return offered > 0 ? ROOM : -1;
        }

        @Override
        public void begin(ByteBuf header) {
            offered--;
        }

        @Override
        public void append(ByteBuf b, int at, int len) {
            bytes += len;
        }

        @Override
        public void commit() {}

        @Override
        public void flush() {}

        @Override
        public void readTo(ByteBuf dst, int bytes) {}
    }
}
