package dev.longshore.vpnkit.hostsocket;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.longshore.linux.Errno;
import dev.longshore.linux.StreamSockets;
import dev.longshore.testkit.VirtualLoop;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.CompositeByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.socket.ChannelOutputShutdownException;
import io.netty.channel.unix.Errors.NativeIoException;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ConnectionPendingException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** One end of a connection over loopback is ours, on a real loop; the other is the JDK's. */
@Timeout(60)
class HostSocketTest {
    private static final int SOL_SOCKET = 1;
    private static final int SO_KEEPALIVE = 9;
    private static final int SOL_IP = 0;
    private static final int IP_LOCAL_PORT_RANGE = 51;
    private static final int LARGE = 8 << 20;

    private final VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
    private final HostSockets sockets = new HostSockets();

    @AfterEach
    void close() {
        loop.close();
    }

    private SocketPair pair() throws IOException {
        return new SocketPair(loop, sockets);
    }

    private static byte[] random(int bytes) {
        byte[] b = new byte[bytes];
        new Random(bytes).nextBytes(b);
        return b;
    }

    private static InetSocketAddress at(String address, int port) throws IOException {
        return new InetSocketAddress(InetAddress.getByName(address), port);
    }

    private static int errno(@Nullable Throwable t) {
        return t instanceof NativeIoException e ? -e.expectedErr() : 0;
    }

    // ---- connecting

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "::1"})
    void connect_toThisMachine_isDoneWithinTheCall(String loopback) throws IOException {
        try (SocketPair p = new SocketPair(loop, sockets, loopback)) {
            assertThat(p.host.isActive()).isTrue();
            assertThat(p.host.localAddress()).isEqualTo(p.remote.getRemoteAddress());
            assertThat(p.host.remoteAddress()).isEqualTo(p.remote.getLocalAddress());
        }
    }

    @Test
    void connect_refused_saysSoWithinTheCall_andIsOpenUntilClosed() throws IOException {
        int port;
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = server.getLocalPort();
        }
        HostSocket socket = sockets.open(loop, true);
        SocketPair.register(loop, socket);
        ChannelFuture connected = socket.connect(at("127.0.0.1", port));
        assertThat(errno(connected.cause())).isEqualTo(Errno.ECONNREFUSED);
        assertThat(socket.isOpen()).isTrue();
        assertThat(socket.isActive()).isFalse();
        socket.close();
        assertThat(socket.isOpen()).isFalse();
    }

    @Test
    void connect_wrongAddresses_fail() throws IOException {
        HostSocket socket = sockets.open(loop, true);
        SocketPair.register(loop, socket);
        assertThat(socket.connect(InetSocketAddress.createUnresolved("name", 1)).cause())
                .isNotNull();
        assertThat(socket.connect(at("127.0.0.1", 1), new InetSocketAddress(0)).cause())
                .isInstanceOf(UnsupportedOperationException.class);
        assertThat(socket.connect(at("::1", 1)).cause()).isNotNull(); // a socket of the other family
        socket.close();
    }

    @Test
    void connect_toItsOwnPort_isFoundOut() throws IOException {
        InetSocketAddress free;
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            free = (InetSocketAddress) server.getLocalSocketAddress();
        }
        HostSocket socket = sockets.open(loop, true);
        SocketPair.register(loop, socket);
        int range = free.getPort() << 16 | free.getPort(); // the only port the kernel may choose
        assumeTrue(socket.setOption(SOL_IP, IP_LOCAL_PORT_RANGE, range) == 0, "Linux before 6.3");
        assertThat(socket.connect(free).isSuccess()).isTrue();
        assertThat(socket.isToItself()).isTrue();
        ResetClose.close(socket);
        try (SocketPair p = pair()) {
            assertThat(p.host.isToItself()).isFalse();
        }
    }

    /** A server whose queue is full does not answer the SYN, until it has accepted somebody and the SYN comes again. */
    private final class SlowServer implements AutoCloseable {
        final ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        final Socket first = new Socket(server.getInetAddress(), server.getLocalPort());
        final Socket second = new Socket(server.getInetAddress(), server.getLocalPort());

        SlowServer() throws IOException {}

        ChannelFuture connect(HostSocket socket) {
            SocketPair.register(loop, socket);
            return socket.connect(new InetSocketAddress(server.getInetAddress(), server.getLocalPort()));
        }

        void accept() throws IOException {
            server.accept().close();
            server.accept().close();
        }

        @Override
        public void close() throws IOException {
            first.close();
            second.close();
            server.close();
        }
    }

    @Test
    void connect_thatTakesTime_completesLater_andTheSocketWorks() throws IOException {
        try (SlowServer slow = new SlowServer()) {
            HostSocket socket = sockets.open(loop, true);
            ChannelFuture connected = slow.connect(socket);
            loop.runDue();
            assertThat(connected.isDone()).isFalse();
            assertThat(socket.isActive()).isFalse();
            assertThat(socket.connect(slow.server.getLocalSocketAddress()).cause())
                    .isInstanceOf(ConnectionPendingException.class);

            slow.accept();
            loop.runUntil(connected::isDone, "connected");
            assertThat(connected.isSuccess()).isTrue();
            try (Socket remote = slow.server.accept()) {
                socket.writeAndFlush(Unpooled.wrappedBuffer(new byte[] {7}));
                assertThat(remote.getInputStream().read()).isEqualTo(7);
            }
            socket.close();
        }
    }

    @Test
    void close_whileConnecting_endsTheAttempt() throws IOException {
        try (SlowServer slow = new SlowServer()) {
            HostSocket socket = sockets.open(loop, true);
            ChannelFuture connected = slow.connect(socket);
            socket.close();
            assertThat(connected.cause()).isInstanceOf(ClosedChannelException.class);
            assertThat(socket.isOpen()).isFalse();
        }
    }

    // ---- reading

    @Test
    void bytes_beforeAnybodyWantsThem_wait() throws IOException {
        try (SocketPair p = pair()) {
            p.remoteSends((byte) 1, (byte) 2);
            loop.runUntil(() -> loop.runNow() == 0, "quiet");
            assertThat(p.reads).isZero();
            p.wantsToRead(true);
            p.runUntilHostHas(2);
            assertThat(p.atHost.toByteArray()).containsExactly(1, 2);
        }
    }

    @Test
    void autoReadOffAndOn_losesNothing() throws IOException {
        try (SocketPair p = pair()) {
            byte[] sent = random(LARGE);
            int at = 0;
            boolean wanted = false;
            for (int round = 0; p.atHost.size() < sent.length; round++) {
                at += p.remoteSendsSome(Arrays.copyOfRange(sent, at, Math.min(sent.length, at + 100_000)));
                if (round % 3 == 0) {
                    wanted = !wanted;
                    p.wantsToRead(wanted);
                }
                int before = p.atHost.size();
                loop.runNow();
                assertThat(wanted || p.atHost.size() == before).isTrue();
            }
            assertThat(p.atHost.toByteArray()).isEqualTo(sent);
        }
    }

    @Test
    void readWithoutAutoRead_bringsOneBufferEach() throws IOException {
        try (SocketPair p = pair()) {
            p.remoteSends(random(40_000));
            for (int i = 1; p.atHost.size() < 40_000; i++) {
                p.host.read();
                int count = i;
                loop.runUntil(() -> p.reads == count, "a read");
                assertThat(p.readsComplete).isEqualTo(count);
                loop.runDue();
                assertThat(p.reads).isEqualTo(count);
            }
        }
    }

    @Test
    void fin_withTheLastBytes_isSeen() throws IOException {
        try (SocketPair p = pair()) {
            p.remoteSends((byte) 1);
            p.remoteFinishes();
            p.wantsToRead(true);
            loop.runUntil(() -> p.eofs == 1, "EOF");
            assertThat(p.atHost.toByteArray()).containsExactly(1);
            assertThat(p.host.isInputShutdown()).isTrue();
            assertThat(p.host.isOpen()).isTrue();

            p.hostSends((byte) 2);
            p.runUntilRemoteHas(1);
            p.host.shutdownOutput();
            p.runUntilRemoteSawEnd();
            loop.runDue();
            assertThat(p.host.isOpen())
                    .as("both directions have ended, but nobody closed it")
                    .isTrue();
            assertThat(p.eofs).isEqualTo(1);
        }
    }

    @Test
    void fin_thatFollowsLater_isSeen() throws IOException {
        try (SocketPair p = pair()) {
            p.wantsToRead(true);
            p.remoteSends((byte) 1);
            p.runUntilHostHas(1);
            p.remoteFinishes();
            loop.runUntil(() -> p.eofs == 1, "EOF");
        }
    }

    /** The kernel ends a read where urgent data was: a short read, though there is more, and no edge follows. */
    @Test
    void bytesBehindUrgentData_arrive() throws IOException {
        try (SocketPair p = pair()) {
            p.remoteSends((byte) 1, (byte) 2);
            p.remote.socket().setTcpNoDelay(true);
            sendUrgent(p.remote);
            p.remoteSends((byte) 3, (byte) 4);
            p.wantsToRead(true);
            p.runUntilHostHas(4);
            assertThat(p.atHost.toByteArray()).containsExactly(1, 2, 3, 4);
        }
    }

    private static void sendUrgent(SocketChannel to) throws IOException {
        to.configureBlocking(true);
        to.socket().sendUrgentData(9);
        to.configureBlocking(false);
    }

    @Test
    void oneFastSender_leavesTheOthersTheirTurns() throws IOException {
        try (SocketPair fast = pair();
                SocketPair slow = pair()) {
            fast.wantsToRead(true);
            slow.wantsToRead(true);
            byte[] much = random(1 << 20);
            for (int i = 0; i < 20; i++) {
                fast.remoteSendsSome(much);
                slow.remoteSends((byte) i);
                int before = slow.atHost.size();
                int others = fast.atHost.size();
                loop.runUntil(() -> slow.atHost.size() > before, "the slow one's byte");
                assertThat(fast.atHost.size() - others).isLessThan(4 << 20);
            }
        }
    }

    // ---- writing

    static Stream<Arguments> writes() {
        return Stream.of(
                arguments("heap", Unpooled.wrappedBuffer(random(LARGE))),
                arguments("direct", Unpooled.directBuffer(LARGE).writeBytes(random(LARGE))),
                arguments("composite", composite()));
    }

    private static ByteBuf composite() {
        CompositeByteBuf all = Unpooled.compositeBuffer(2000);
        byte[] bytes = random(LARGE);
        int piece = LARGE / 1600;
        for (int at = 0; at < LARGE; at += piece) {
            int n = Math.min(piece, LARGE - at);
            all.addComponent(true, Unpooled.directBuffer(n).writeBytes(bytes, at, n));
        }
        return all;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("writes")
    void moreThanTheKernelTakes_goesOutAsTheRemoteReads(String kind, ByteBuf data) throws IOException {
        try (SocketPair p = pair()) {
            ChannelFuture written = p.host.writeAndFlush(data);
            loop.runDue();
            assertThat(written.isDone()).isFalse();
            assertThat(p.host.isWritable()).isFalse();
            p.runUntilRemoteHas(LARGE);
            loop.runUntil(written::isDone, "the promise");
            assertThat(p.host.isWritable()).isTrue();
            assertThat(p.atRemote.toByteArray()).isEqualTo(random(LARGE));
        }
    }

    @Test
    void manyBuffers_someOfThemEmpty_arriveInOrder() throws IOException {
        try (SocketPair p = pair()) {
            byte[] sent = random(1000);
            ChannelFuture last = p.host.newSucceededFuture();
            for (byte b : sent) {
                p.host.write(Unpooled.EMPTY_BUFFER);
                last = p.host.write(Unpooled.directBuffer(1).writeByte(b));
            }
            p.host.writeAndFlush(Unpooled.EMPTY_BUFFER);
            assertThat(last.isSuccess()).isTrue();
            p.runUntilRemoteHas(1000);
            assertThat(p.atRemote.toByteArray()).isEqualTo(sent);
        }
    }

    @Test
    void shutdownOutput_followsWhatWasWritten_flushedOrNot() throws IOException {
        try (SocketPair p = pair()) {
            p.hostSends(random(LARGE));
            p.host.write(Unpooled.wrappedBuffer(new byte[] {1, 2, 3}));
            ChannelFuture done = p.host.shutdownOutput();
            ChannelFuture again = p.host.shutdownOutput();
            assertThat(done.isDone() || again.isDone()).isFalse();
            ByteBuf late = Unpooled.wrappedBuffer(new byte[] {4});
            assertThat(p.host.writeAndFlush(late).cause()).isInstanceOf(ChannelOutputShutdownException.class);
            assertThat(late.refCnt()).isZero();

            p.runUntilRemoteSawEnd();
            assertThat(p.atRemote.size()).isEqualTo(LARGE + 3);
            assertThat(done.isSuccess() && again.isSuccess()).isTrue();
            assertThat(p.host.isOutputShutdown()).isTrue();

            p.wantsToRead(true);
            p.remoteSends((byte) 5);
            p.runUntilHostHas(1);
        }
    }

    @Test
    void close_failsWhatIsNotWritten() throws IOException {
        try (SocketPair p = pair()) {
            ChannelFuture written = p.hostSends(random(LARGE));
            ChannelFuture shut = p.host.shutdownOutput();
            p.host.close();
            assertThat(written.cause()).isInstanceOf(ClosedChannelException.class);
            assertThat(shut.cause()).isInstanceOf(ClosedChannelException.class);
            loop.runDue();
            assertThat(p.inactives).isEqualTo(1);
        }
    }

    @Test
    void onlyBytes_canBeWritten() throws IOException {
        try (SocketPair p = pair()) {
            assertThat(p.host.writeAndFlush("text").cause()).isInstanceOf(UnsupportedOperationException.class);
        }
    }

    // ---- resets

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void rst_behindBytes_bytesFirst_wantedOrNot(boolean wanted) throws IOException {
        try (SocketPair p = pair()) {
            p.wantsToRead(wanted);
            p.remoteSends((byte) 1, (byte) 2);
            p.remoteResets();
            loop.runUntil(() -> p.inactives == 1, "the end");
            assertThat(p.atHost.toByteArray()).containsExactly(1, 2);
            assertThat(errno(p.hostFailure)).isEqualTo(Errno.ECONNRESET);
            assertThat(p.host.isOpen()).isFalse();
        }
    }

    @Test
    void rst_behindMoreThanOneTurn_bytesFirst_whenTheyAreWanted() throws IOException {
        try (SocketPair p = pair()) {
            byte[] sent = random(LARGE);
            int n = 0;
            for (int some = p.remoteSendsSome(sent); some > 0; ) {
                n += some;
                some = p.remoteSendsSome(Arrays.copyOfRange(sent, n, sent.length));
            }
            p.remoteResets(); // takes back what is not at the host's kernel yet
            loop.runDue();
            p.wantsToRead(true);
            loop.runUntil(() -> p.inactives == 1, "the end");
            assertThat(p.atHost.toByteArray()).isEqualTo(Arrays.copyOf(sent, p.atHost.size()));
            assertThat(errno(p.hostFailure)).isEqualTo(Errno.ECONNRESET);
        }
    }

    /** After FIN a read says only that: the error has to be asked for. */
    @Test
    void rst_afterFin_isSeen() throws IOException {
        try (SocketPair p = pair()) {
            p.wantsToRead(true);
            p.remoteFinishes();
            loop.runUntil(() -> p.eofs == 1, "EOF");
            p.remoteResets();
            loop.runUntil(() -> p.inactives == 1, "the end");
            assertThat(errno(p.hostFailure)).isIn(Errno.EPIPE, Errno.ECONNRESET);
        }
    }

    @Test
    void rst_whileWriting_failsTheWrites() throws IOException {
        try (SocketPair p = pair()) {
            ChannelFuture written = p.hostSends(random(LARGE));
            p.remoteResets();
            loop.runUntil(() -> p.inactives == 1, "the end");
            assertThat(written.cause()).isNotNull();
        }
    }

    @Test
    void closeWithLinger0_isRst() throws IOException {
        try (SocketPair p = pair()) {
            p.hostSends((byte) 1);
            p.hostResets();
            p.runUntilRemoteSawEnd();
            assertThat(p.remoteFailure).isNotNull();
        }
    }

    @Test
    void close_isFin() throws IOException {
        try (SocketPair p = pair()) {
            p.hostSends((byte) 1);
            p.host.close();
            p.runUntilRemoteSawEnd();
            assertThat(p.remoteSawEof).isTrue();
            assertThat(p.atRemote.toByteArray()).containsExactly(1);
        }
    }

    @Test
    void shutdownInput_dropsWhatComes_andOutputGoesOn() throws IOException {
        try (SocketPair p = pair()) {
            p.wantsToRead(true);
            p.host.shutdownInput();
            p.remoteSends((byte) 1);
            loop.runDue();
            p.hostSends((byte) 2);
            p.runUntilRemoteHas(1);
            assertThat(p.reads).isZero();
            assertThat(p.host.isInputShutdown()).isTrue();
            p.host.shutdown();
            assertThat(p.host.isShutdown()).isTrue();
        }
    }

    // ---- the rest

    @Test
    void keepAlive_isForConnectionsThatLast() throws IOException {
        StreamSockets ask = new StreamSockets();
        try (SocketPair first = pair()) {
            loop.advance(Duration.ofSeconds(KeepAlives.ROUND_SECONDS - 1));
            SocketPair brief = pair();
            try (SocketPair second = pair()) {
                loop.advance(Duration.ofSeconds(2));
                assertThat(ask.getOption(first.host.number(), SOL_SOCKET, SO_KEEPALIVE))
                        .isZero();
                assertThat(brief.host.older).isNotNull();
                brief.close();
                assertThat(brief.host.older).isNull();
                loop.advance(Duration.ofSeconds(KeepAlives.ROUND_SECONDS));
                assertThat(ask.getOption(first.host.number(), SOL_SOCKET, SO_KEEPALIVE))
                        .isOne();
                assertThat(ask.getOption(second.host.number(), SOL_SOCKET, SO_KEEPALIVE))
                        .isOne();
                assertThat(loop.nanosToNextTimer())
                        .as("nobody is left to wait for")
                        .isEqualTo(Long.MAX_VALUE);
            }
        }
        try (SocketPair third = pair()) {
            loop.advance(Duration.ofSeconds(2 * KeepAlives.ROUND_SECONDS));
            assertThat(ask.getOption(third.host.number(), SOL_SOCKET, SO_KEEPALIVE))
                    .isOne();
        }
    }

    @Test
    void options_areThoseOfAFlow() throws IOException {
        try (SocketPair p = pair()) {
            assertThat(p.host.config().isAutoRead()).isFalse();
            assertThat(p.host.config().getOption(ChannelOption.ALLOW_HALF_CLOSURE))
                    .isTrue();
            assertThat(p.host.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, false))
                    .isFalse();
            assertThat(p.host.config().getOptions())
                    .containsEntry(ChannelOption.TCP_NODELAY, true)
                    .containsEntry(ChannelOption.SO_LINGER, -1);
            assertThat(new StreamSockets().getOption(p.host.number(), 6, 1)).isOne();
        }
    }

    @Test
    void endOfTheLoop_closes() throws IOException {
        SocketPair p = pair();
        loop.close();
        assertThat(p.host.isOpen()).isFalse();
        p.remote.configureBlocking(true);
        assertThat(p.remote.read(java.nio.ByteBuffer.allocate(1))).isEqualTo(-1);
        p.remote.close();
    }

    @Test
    void descriptors_allComeBack() throws IOException {
        warmUp();
        int before = descriptors();
        for (int i = 0; i < 300; i++) {
            SocketPair p = pair();
            p.wantsToRead(i % 2 == 0);
            switch (i % 6) {
                case 0 -> p.remoteResets();
                case 1 -> p.hostResets();
                case 2 -> p.remoteFinishes();
                case 3 -> p.host.shutdownOutput();
                case 4 -> p.hostSends(random(1 << 20));
                default -> p.remoteSends((byte) 1);
            }
            loop.runDue();
            p.close();
        }
        refuse(300);
        assertThat(descriptors()).isEqualTo(before);
    }

    private void warmUp() throws IOException {
        pair().close();
        refuse(1);
    }

    private void refuse(int times) throws IOException {
        InetSocketAddress nobody;
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            nobody = (InetSocketAddress) server.getLocalAddress();
        }
        IntStream.range(0, times).forEach(i -> {
            try {
                HostSocket socket = sockets.open(loop, true);
                SocketPair.register(loop, socket);
                assertThat(socket.connect(nobody).cause()).isNotNull();
                socket.close();
                loop.runDue();
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        });
    }

    private static int descriptors() {
        String[] open = new File("/proc/self/fd").list();
        return open == null ? -1 : open.length;
    }
}
