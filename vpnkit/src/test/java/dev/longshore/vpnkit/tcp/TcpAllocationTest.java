package dev.longshore.vpnkit.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.packet.wire.TcpOptions;
import dev.longshore.testkit.VirtualLoop;
import dev.longshore.vpnkit.flow.HostSide;
import dev.longshore.vpnkit.flow.Services;
import dev.longshore.vpnkit.hostsocket.Dialer;
import dev.longshore.vpnkit.ip.IpOutput;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.ResourceLeakDetector;
import io.netty.util.concurrent.FastThreadLocalThread;
import java.lang.management.ManagementFactory;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Segments of an established flow cost no heap memory. */
class TcpAllocationTest {
    private static final int SEGMENTS = 5_000;
    private static final IpAddress GUEST = IpAddress.parse("192.168.65.3");
    private static final IpAddress REMOTE = IpAddress.parse("203.0.113.9");

    private static final ResourceLeakDetector.Level LEVEL = ResourceLeakDetector.getLevel();

    @BeforeAll
    static void trackNoBuffers() {
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED); // its records are heap memory too
    }

    @AfterAll
    static void trackBuffersAgain() {
        ResourceLeakDetector.setLevel(LEVEL);
    }

    private static Dialer noDialer() {
        return (destination, on) -> on.newPromise();
    }

    /** A link that takes everything and keeps nothing. */
    private static final class CountingOutput implements IpOutput {
        final OutFrame frame = new OutFrame(PooledByteBufAllocator.DEFAULT.directBuffer(200));
        int seq;
        long payload;

        @Override
        public OutFrame begin(long sHi, long sLo, long dHi, long dLo, int protocol) {
            frame.clear().head().writeZero(34);
            return frame;
        }

        @Override
        public boolean end(OutFrame f) {
            seq = TcpHeader.seq(f.head(), 34);
            payload += f.payloadBytes();
            f.clear();
            return true;
        }

        @Override
        public void flush() {}

        @Override
        public boolean isWritable() {
            return true;
        }

        @Override
        public int mtu() {
            return 1500;
        }

        @Override
        public int maxGsoPayload(boolean v4) {
            return 65_000;
        }

        @Override
        public boolean checksumOffload() {
            return true;
        }
    }

    private static final class Sink implements HostSide {
        long bytes;

        @Override
        public void deliver(ByteBuf data) {
            bytes += data.readableBytes();
            data.release();
        }

        @Override
        public void flush() {}

        @Override
        public void guestFinished() {}

        @Override
        public int room() {
            return 1 << 20;
        }

        @Override
        public int held() {
            return 0;
        }

        @Override
        public void wantMore(boolean wanted) {}

        @Override
        public void abort() {}
    }

    @ParameterizedTest(name = "timestamps and SACK {0}")
    @ValueSource(booleans = {false, true})
    void establishedFlow_bothWays_allocatesNothing(boolean modern) throws Exception {
        FutureTask<Long> run = new FutureTask<>(() -> new Run(modern).leastOfSomeRounds());
        new FastThreadLocalThread(run).start(); // as an event loop's: Netty recycles the slices of buffers on these
        assertThat(run.get()).isZero();
    }

    private static final class Run {
        private final boolean modern;
        private final VirtualLoop loop = new VirtualLoop();
        private final CountingOutput output = new CountingOutput();
        private final TcpStack stack = new TcpStack(
                output,
                loop,
                noDialer(),
                new Services(),
                (p, c, gh, gl, gp, rh, rl, rp, s) -> {},
                TcpLimits.defaults(),
                0,
                loop.clock()::nanos,
                new Random(1));
        private final ByteBuf segment = PooledByteBufAllocator.DEFAULT.directBuffer(2000);
        private final ByteBuf ackSegment = PooledByteBufAllocator.DEFAULT.directBuffer(100);
        private final ByteBuf chunk =
                PooledByteBufAllocator.DEFAULT.directBuffer(4000).writeZero(4000);

        Run(boolean modern) {
            this.modern = modern;
        }

        private void header(ByteBuf b, int seq, int ack, int flags) {
            b.clear();
            TcpHeader.write(b, 80, 999, seq, ack, flags, 0xFFFF);
            if (modern) {
                TcpOptions.writeTimestamps(b, 7, 7);
            }
            if ((flags & TcpHeader.SYN) != 0) {
                TcpOptions.writeWindowScale(b, 8);
                if (modern) {
                    TcpOptions.writeSackPermitted(b);
                }
            }
            TcpHeader.finishHeader(b, 0);
        }

        long leastOfSomeRounds() {
            TcpFlow flow = Objects.requireNonNull(stack.newFlowIntoGuest(GUEST, 80, REMOTE, 999));
            Sink sink = new Sink();
            flow.openIntoGuest(null);
            flow.attach(sink);
            loop.runDue();
            int iss = output.seq;
            header(segment, 0, iss + 1, TcpHeader.SYN | TcpHeader.ACK);
            arrives(segment);
            assertThat(flow.state()).isEqualTo(TcpState.ESTABLISHED);

            long least = Long.MAX_VALUE;
            int seq = 1;
            for (int round = 0; round < 8; round++) {
                long before = allocated();
                seq = transfer(flow, seq);
                least = Math.min(least, allocated() - before);
            }
            assertThat(sink.bytes).isEqualTo(8L * SEGMENTS * 1000);
            assertThat(output.payload).isEqualTo(8L * SEGMENTS * 4000);

            stack.endAll();
            segment.release();
            ackSegment.release();
            chunk.release();
            output.frame.release();
            loop.close();
            return least;
        }

        /** In each step the guest sends 1000 bytes and acknowledges the 4000 that the host has sent. */
        private int transfer(TcpFlow flow, int from) {
            int seq = from;
            for (int i = 0; i < SEGMENTS; i++) {
                flow.fromHost(chunk.retain());
                header(segment, seq, flow.sndMax(), TcpHeader.ACK);
                segment.writerIndex(segment.writerIndex() + 1000);
                arrives(segment);
                seq += 1000;
                header(ackSegment, seq, flow.sndMax(), TcpHeader.ACK);
                arrives(ackSegment);
            }
            return seq;
        }

        private void arrives(ByteBuf b) {
            stack.onSegment(
                    b, 0, b.writerIndex(), GUEST.hi(), GUEST.lo(), REMOTE.hi(), REMOTE.lo(), FrameSink.CHECKSUM_VALID);
            stack.onBatchEnd();
        }

        private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();

        private long allocated() {
            return threads.getCurrentThreadAllocatedBytes();
        }
    }
}
