package dev.longshore.vpnkit.hostsocket;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.channel.ChannelFuture;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Two kernel sockets over loopback, joined: left - [a | b] - right. */
@Timeout(30)
class RelayTest {
    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, HalfCloseEpoll.newFactory());
    private final EventLoop loop = group.next();
    private final HostSockets sockets = new HostSockets();
    private Socket left = new Socket();
    private Socket right = new Socket();
    private HostSocket a = open();
    private HostSocket b = open();

    private HostSocket open() {
        return loop.submit(() -> sockets.open(loop, true)).syncUninterruptibly().getNow();
    }

    @BeforeEach
    void connect() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress())) {
            connect(a, server);
            left = server.accept();
            connect(b, server);
            right = server.accept();
        }
    }

    private void connect(HostSocket socket, ServerSocket server) throws Exception {
        loop.register(socket).sync();
        ChannelFuture connected = socket.connect(new InetSocketAddress(server.getInetAddress(), server.getLocalPort()));
        connected.sync();
    }

    @AfterEach
    void stop() throws IOException {
        left.close();
        right.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private Relay.Totals join(ThrowingRunnable script) throws Exception {
        Future<Relay.Totals> ended = startJoin(a, b);
        script.run();
        return ended.get();
    }

    private Future<Relay.Totals> startJoin(DuplexChannel x, DuplexChannel y) throws Exception {
        return loop.submit(() -> Relay.join(x, y)).get();
    }

    private interface ThrowingRunnable {
        void run() throws Exception;
    }

    @Test
    void halfClose_otherDirectionGoesOn() throws Exception {
        Relay.Totals totals = join(() -> {
            left.getOutputStream().write("request".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
            left.shutdownOutput();
            assertThat(right.getInputStream().readAllBytes()).asString().isEqualTo("request");

            right.getOutputStream().write("answer".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
            right.close();
            assertThat(left.getInputStream().readAllBytes()).asString().isEqualTo("answer");
        });
        assertThat(totals).isEqualTo(new Relay.Totals(7, 6, false));
        assertThat(a.isOpen() || b.isOpen()).isFalse();
    }

    /** As after a request that ended with its caller's output, before its answer made a relay of it. */
    @Test
    void outputShutDownBefore_otherDirectionGoesOnAndEndsBoth() throws Exception {
        left.shutdownOutput();
        b.shutdownOutput().sync();
        Relay.Totals totals = join(() -> {
            assertThat(right.getInputStream().read()).isEqualTo(-1);
            right.getOutputStream().write("answer".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
            right.close();
            assertThat(left.getInputStream().readAllBytes()).asString().isEqualTo("answer");
        });
        assertThat(totals).isEqualTo(new Relay.Totals(0, 6, false));
    }

    @Test
    void reset_isPassedOn() throws Exception {
        Relay.Totals totals = join(() -> {
            left.getOutputStream().write(1);
            assertThat(right.getInputStream().read()).isEqualTo(1);
            left.setSoLinger(true, 0);
            left.close();
            assertThatThrownBy(() -> right.getInputStream().read()).isInstanceOf(SocketException.class);
        });
        assertThat(totals.aborted()).isTrue();
    }

    @Test
    void largeBothWays_isExactAndBounded() throws Exception {
        byte[] up = bytes(1, 8 << 20);
        byte[] down = bytes(2, 8 << 20);
        join(() -> {
            CompletableFuture<byte[]> atRight = read(right.getInputStream());
            CompletableFuture<byte[]> atLeft = read(left.getInputStream());
            CompletableFuture<Void> upDone = write(left, up);
            CompletableFuture<Void> downDone = write(right, down);
            upDone.get();
            downDone.get();
            assertThat(Arrays.equals(atRight.get(), up)).isTrue();
            assertThat(Arrays.equals(atLeft.get(), down)).isTrue();
        });
    }

    @Test
    void receiverThatDoesNotRead_stopsTheReading() throws Exception {
        startJoin(a, b);
        byte[] chunk = new byte[64 << 10];
        long accepted = 0;
        left.setSoTimeout(1000);
        left.setSendBufferSize(64 << 10);
        OutputStream out = left.getOutputStream();
        CompletableFuture<Void> writer = CompletableFuture.runAsync(
                () -> {
                    try {
                        for (int i = 0; i < 4096; i++) { // 256 MiB, far more than all kernel buffers
                            out.write(chunk);
                        }
                    } catch (IOException e) {
                        throw new IllegalStateException(e);
                    }
                },
                Thread::startVirtualThread);
        assertThatThrownBy(() -> writer.get(2, TimeUnit.SECONDS))
                .isInstanceOf(java.util.concurrent.TimeoutException.class);
        long pending = loop.submit(() -> b.unsafe().outboundBuffer().totalPendingWriteBytes())
                .get();
        assertThat(pending).isLessThan(2 << 20);

        InputStream in = right.getInputStream();
        while (accepted < 4096L * chunk.length) {
            accepted += in.read(chunk);
        }
        writer.get();
    }

    @Test
    void joinOfClosedChannel_closesTheOther() throws Exception {
        a.close().sync();
        Relay.Totals totals = startJoin(a, b).get();
        assertThat(totals.aborted()).isTrue();
        assertThat(b.isOpen()).isFalse();
    }

    @Test
    void dataSentBeforeClose_arrives() throws Exception {
        byte[] data = bytes(3, 1 << 20);
        join(() -> {
            CompletableFuture<byte[]> atRight = read(right.getInputStream());
            left.getOutputStream().write(data);
            left.close();
            assertThat(Arrays.equals(atRight.get(), data)).isTrue();
            right.close();
        });
    }

    private static byte[] bytes(long seed, int count) {
        byte[] b = new byte[count];
        new Random(seed).nextBytes(b);
        return b;
    }

    private static CompletableFuture<byte[]> read(InputStream in) {
        return CompletableFuture.supplyAsync(
                () -> {
                    try {
                        return in.readAllBytes();
                    } catch (IOException e) {
                        throw new IllegalStateException(e);
                    }
                },
                Thread::startVirtualThread);
    }

    private static CompletableFuture<Void> write(Socket to, byte[] bytes) {
        return CompletableFuture.runAsync(
                () -> {
                    try {
                        to.getOutputStream().write(bytes);
                        to.shutdownOutput();
                    } catch (IOException e) {
                        throw new IllegalStateException(e);
                    }
                },
                Thread::startVirtualThread);
    }
}
