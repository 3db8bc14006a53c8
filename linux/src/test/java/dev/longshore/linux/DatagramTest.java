package dev.longshore.linux;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Batches of datagrams and error queues, against the real kernel on loopback. */
class DatagramTest {
    private static final long V4_LO = 0xFFFF_7F00_0001L;
    private static final long V6_LO = 1;

    private final DatagramSockets sockets = new DatagramSockets();
    private final ReceiveBatch in = new ReceiveBatch();
    private final SendBatch out = new SendBatch();
    private final ErrorQueue errors = new ErrorQueue();
    private final List<Integer> failed = new ArrayList<>();
    private final ByteBuf bytes = Unpooled.wrappedBuffer(ByteBuffer.allocateDirect(65_536));
    private int a;
    private int b;

    @BeforeEach
    void open() {
        a = bound(true);
        b = bound(true);
        for (int i = 0; i < 65_536; i++) {
            bytes.setByte(i, i * 31);
        }
    }

    @AfterEach
    void close() {
        sockets.close(a);
        sockets.close(b);
    }

    private int bound(boolean v4) {
        int fd = sockets.udp(v4);
        assertThat(fd).isNotNegative();
        assertThat(sockets.bind(fd, 0, v4 ? V4_LO : V6_LO, 0)).isZero();
        sockets.bufferBytes(fd, 4 << 20);
        return fd;
    }

    private void add(int from, int len, int port) {
        out.add(bytes, from, len, 0, V4_LO, port, 0, 0);
    }

    private void send(int fd) {
        out.send(fd, (datagram, errno) -> failed.add(errno));
    }

    private void assertReceived(int i, int from, int len) {
        assertThat(in.bytes(i)).isEqualTo(len);
        assertThat(in.payload().slice(in.at(i), len)).isEqualTo(bytes.slice(from, len));
    }

    @Test
    void datagramsOfAllSizes_crossInOrder_withTheirSender() {
        int[] sizes = {1, 0, 65_507, 1472, 3};
        for (int i = 0; i < sizes.length; i++) {
            add(i, sizes[i], sockets.localPort(b));
        }
        send(a);
        assertThat(in.receive(b)).isEqualTo(sizes.length);
        for (int i = 0; i < sizes.length; i++) {
            assertReceived(i, i, sizes[i]);
            assertThat(in.remoteHi(i)).isZero();
            assertThat(in.remoteLo(i)).isEqualTo(V4_LO);
            assertThat(in.remotePort(i)).isEqualTo(sockets.localPort(a));
        }
        assertThat(in.receive(b)).isZero();
    }

    @Test
    void oneSizeToOneRemote_goesAsOneAndArrivesAsMany() {
        for (int i = 0; i < 15; i++) {
            add(i, 1000, sockets.localPort(b));
        }
        add(99, 7, sockets.localPort(b));
        send(a);
        assertThat(in.receive(b)).isEqualTo(ReceiveBatch.MAX);
        for (int i = 0; i < 15; i++) {
            assertReceived(i, i, 1000);
        }
        assertReceived(15, 99, 7);
    }

    @Test
    void batch_hasRoomForNoMoreThanOneSegmentedDatagram() {
        int taken = 0;
        while (out.hasRoom(1472)) {
            add(0, 1472, 9);
            taken++;
        }
        assertThat(taken).isEqualTo(65_507 / 1472);
        out.clear();
        assertThat(out.hasRoom(65_535)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void hopsAndLocalAddress_areTold_ifAskedFor(boolean v4) {
        int from = bound(v4);
        int to = bound(v4);
        long lo = v4 ? V4_LO : V6_LO;
        sockets.receiveHops(to, v4);
        sockets.receiveLocalAddress(to, v4);
        assertThat(sockets.hops(from, v4, 17)).isZero();
        assertThat(sockets.trafficClass(from, v4, 0xB8)).isZero();
        assertThat(sockets.pathMtuDiscovery(from, v4, DatagramSockets.DONT_FRAGMENT))
                .isZero();
        out.add(bytes, 0, 100, 0, lo, sockets.localPort(to), 0, lo); // with an address to send from
        send(from);
        assertThat(failed).isEmpty();
        assertThat(in.receive(to)).isEqualTo(1);
        assertThat(in.hops(0)).isEqualTo(17);
        assertThat(in.localHi(0)).isZero();
        assertThat(in.localLo(0)).isEqualTo(lo);
        sockets.close(from);
        sockets.close(to);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void refusal_isInTheErrorQueue_ofASocketThatIsNotConnected(boolean v4) {
        int fd = bound(v4);
        int gone = bound(v4);
        int port = sockets.localPort(gone);
        sockets.close(gone);
        long lo = v4 ? V4_LO : V6_LO;
        sockets.receiveErrors(fd, v4);
        out.add(bytes, 5, 10, 0, lo, port, 0, 0);
        send(fd);
        assertThat(in.receive(fd)).isZero();
        assertThat(errors.next(fd)).isTrue();
        assertThat(errors.errno()).isEqualTo(Errno.ECONNREFUSED);
        assertThat(errors.origin()).isEqualTo(v4 ? ErrorQueue.ORIGIN_ICMP : ErrorQueue.ORIGIN_ICMP6);
        assertThat(errors.type()).isEqualTo(v4 ? 3 : 1);
        assertThat(errors.code()).isEqualTo(v4 ? 3 : 4);
        assertThat(errors.offenderLo()).isEqualTo(lo);
        assertThat(errors.remoteLo()).isEqualTo(lo);
        assertThat(errors.remotePort()).isEqualTo(port);
        assertThat(errors.payload().slice(0, errors.bytes())).isEqualTo(bytes.slice(5, 10));
        assertThat(errors.next(fd)).isFalse();
        sockets.close(fd);
    }

    @Test
    void refusalOfEarlierDatagrams_costsNoLaterOne() {
        int gone = bound(true);
        int closed = sockets.localPort(gone);
        sockets.close(gone);
        sockets.receiveErrors(a, true);
        add(0, 1, closed);
        send(a);
        add(1, 1, sockets.localPort(b)); // the kernel reports the refusal of the first one here
        add(2, 2, sockets.localPort(b));
        send(a);
        assertThat(failed).isEmpty();
        assertThat(in.receive(b)).isEqualTo(2);
        assertThat(errors.next(a)).isTrue();
    }

    @Test
    void datagramNobodyCanSend_failsAlone() {
        add(0, 1, sockets.localPort(b));
        out.add(bytes, 0, 2, 0, 0xFFFF_FFFF_FFFFL, 9, 0, 0); // broadcast is not allowed to this socket
        add(0, 3, sockets.localPort(b));
        send(a);
        assertThat(failed).containsExactly(Errno.EACCES);
        assertThat(in.receive(b)).isEqualTo(2);
        assertThat(in.bytes(1)).isEqualTo(3);
        assertThat(out.count()).isZero();
    }

    @Test
    void sendingAndReceiving_allocatesNothing() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int port = sockets.localPort(b);
        SendBatch.Failures failures = (datagram, errno) -> failed.add(errno);
        long least = Long.MAX_VALUE;
        long sum = 0;
        for (int round = 0; round < 8; round++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 2000; i++) {
                add(0, 200, port);
                add(0, 200, port);
                add(0, 300, port);
                out.send(a, failures);
                int n = in.receive(b);
                sum += n + in.remoteLo(0) + in.remotePort(0) + in.hops(0) + in.localLo(0);
            }
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        assertThat(least).isZero();
        assertThat(sum).isNotZero();
    }
}
