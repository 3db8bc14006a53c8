package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.vpnkit.hostsocket.DirectDialer;
import dev.longshore.vpnkit.hostsocket.HalfCloseEpoll;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The proxy between real sockets on loopback: streaming, back-pressure, tunnels. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LoopbackTest {
    private static final int MANY = 64 * 1024 * 1024;

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, HalfCloseEpoll.newFactory());
    private final DirectDialer dialer = new DirectDialer(ProxyRig.SETTINGS.own());
    private Channel proxy;
    private ServerSocket origin;

    @BeforeEach
    void start() throws Exception {
        proxy = new ServerBootstrap()
                .group(group)
                .channel(EpollServerSocketChannel.class)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childHandler(new HttpProxy(ProxyRig.SETTINGS, dialer, 100))
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel();
        origin = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    }

    @AfterEach
    void stop() throws Exception {
        origin.close();
        proxy.close().sync();
        dialer.close();
        group.shutdownGracefully(0, 1, java.util.concurrent.TimeUnit.SECONDS).sync();
    }

    @Test
    void bigUploadAndDownload_areBitExact() throws Exception {
        CompletableFuture<Void> served = inBackground(() -> {
            try (Socket s = origin.accept()) {
                readHead(s.getInputStream());
                byte[] body = s.getInputStream().readNBytes(MANY);
                write(s, "HTTP/1.1 200 OK\r\nContent-Length: " + MANY + "\r\n\r\n");
                s.getOutputStream().write(body);
            }
        });
        try (Socket s = connect()) {
            write(s, "POST " + url() + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + MANY + "\r\n\r\n");
            CompletableFuture<Void> sent = inBackground(() -> writeRandom(s.getOutputStream(), 7));
            assertThat(readHead(s.getInputStream())).startsWith("HTTP/1.1 200");
            assertRandom(s.getInputStream(), 7);
            sent.join();
        }
        served.join();
    }

    /** An origin that stops reading must stop the guest's writes: else the daemon would hold the difference. */
    @Test
    void originThatDoesNotRead_stopsTheGuest() throws Exception {
        CompletableFuture<Socket> accepted = CompletableFuture.supplyAsync(this::acceptOne);
        try (Socket guest = connect()) {
            write(guest, "POST " + url() + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
            try (Socket server = accepted.join()) {
                assertThat(readHead(server.getInputStream())).contains("Transfer-Encoding: chunked");
                assertStalls(guest, "10000\r\n" + "x".repeat(0x10000) + "\r\n");
            }
        }
    }

    /** A guest that stops reading must stop the origin's writes. */
    @Test
    void guestThatDoesNotRead_stopsTheOrigin() throws Exception {
        CompletableFuture<Socket> accepted = CompletableFuture.supplyAsync(this::acceptOne);
        try (Socket guest = connect()) {
            write(guest, "GET " + url() + " HTTP/1.1\r\nHost: x\r\n\r\n");
            try (Socket server = accepted.join()) {
                readHead(server.getInputStream());
                write(server, "HTTP/1.1 200 OK\r\n\r\n");
                assertStalls(server, "x".repeat(0x10000));
            }
        }
    }

    @Test
    void tunnel_carriesBytesAndHalfClose() throws Exception {
        CompletableFuture<Void> served = inBackground(() -> {
            try (Socket s = origin.accept()) {
                byte[] all = s.getInputStream().readAllBytes();
                s.getOutputStream().write(all);
            }
        });
        try (Socket s = connect()) {
            write(s, "CONNECT host.docker.internal:" + origin.getLocalPort() + " HTTP/1.1\r\nHost: x\r\n\r\nearly ");
            assertThat(readHead(s.getInputStream())).startsWith("HTTP/1.1 200 ");
            write(s, "late");
            s.shutdownOutput();
            assertThat(new String(s.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                    .isEqualTo("early late");
        }
        served.join();
    }

    /** What one end sees as an error, the other one must not take for a proper end. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void resetOfATunnel_isAResetAtTheOtherEnd(boolean byTheGuest) throws Exception {
        CompletableFuture<Socket> accepted = CompletableFuture.supplyAsync(this::acceptOne);
        try (Socket guest = connect()) {
            write(guest, "CONNECT host.docker.internal:" + origin.getLocalPort() + " HTTP/1.1\r\nHost: x\r\n\r\n");
            assertThat(readHead(guest.getInputStream())).startsWith("HTTP/1.1 200 ");
            try (Socket server = accepted.join()) {
                Socket goes = byTheGuest ? guest : server;
                Socket stays = byTheGuest ? server : guest;
                goes.setSoLinger(true, 0);
                goes.close();

                assertThatThrownBy(() -> stays.getInputStream().read())
                        .isInstanceOf(SocketException.class)
                        .hasMessageContaining("reset");
            }
        }
    }

    @Test
    void refusedPort_isAnswered502AtOnce() throws Exception {
        int port = origin.getLocalPort();
        origin.close();
        try (Socket s = connect()) {
            write(s, "CONNECT host.docker.internal:" + port + " HTTP/1.1\r\nHost: x\r\n\r\n");
            assertThat(readHead(s.getInputStream())).startsWith("HTTP/1.1 502 ").contains("connection_refused");
        }
    }

    /** Writes until nothing moves for a second; fails if far more went in than sockets and water marks can hold. */
    private static void assertStalls(Socket socket, String piece) throws Exception {
        long[] written = new long[1];
        CompletableFuture<Void> writer = inBackground(() -> {
            byte[] bytes = piece.getBytes(StandardCharsets.US_ASCII);
            while (written[0] < MANY) {
                socket.getOutputStream().write(bytes);
                synchronized (written) {
                    written[0] += bytes.length;
                    written.notifyAll();
                }
            }
        });
        synchronized (written) {
            long before;
            do {
                before = written[0];
                written.wait(1000);
            } while (written[0] != before);
            assertThat(before).isLessThan(MANY);
        }
        assertThat(writer).isNotDone();
        socket.close();
        writer.exceptionally(e -> null).join();
    }

    private Socket acceptOne() {
        try {
            return origin.accept();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private Socket connect() throws IOException {
        Socket s = new Socket();
        s.connect((InetSocketAddress) proxy.localAddress());
        return s;
    }

    private String url() {
        return "http://host.docker.internal:" + origin.getLocalPort() + "/";
    }

    private interface Action {
        void run() throws Exception;
    }

    private static CompletableFuture<Void> inBackground(Action action) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            try {
                action.run();
                done.complete(null);
            } catch (Exception e) {
                done.completeExceptionally(e);
            }
        });
        return done;
    }

    private static void write(Socket s, String text) throws IOException {
        s.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
    }

    private static String readHead(InputStream in) throws IOException {
        ByteArrayOutputStream head = new ByteArrayOutputStream();
        for (int c = in.read(); c >= 0; c = in.read()) {
            head.write(c);
            if (head.toString(StandardCharsets.US_ASCII).endsWith("\r\n\r\n")) {
                break;
            }
        }
        return head.toString(StandardCharsets.US_ASCII);
    }

    private static void writeRandom(OutputStream out, long seed) throws IOException {
        Random random = new Random(seed);
        byte[] piece = new byte[64 * 1024];
        for (int i = 0; i < MANY / piece.length; i++) {
            random.nextBytes(piece);
            out.write(piece);
        }
    }

    private static void assertRandom(InputStream in, long seed) throws IOException {
        Random random = new Random(seed);
        byte[] piece = new byte[64 * 1024];
        for (int i = 0; i < MANY / piece.length; i++) {
            random.nextBytes(piece);
            assertThat(in.readNBytes(piece.length)).as("piece " + i).isEqualTo(piece);
        }
    }
}
