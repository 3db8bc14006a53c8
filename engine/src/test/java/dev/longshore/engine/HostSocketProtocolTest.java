package dev.longshore.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.portforward.GuestKey;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Sockets of the host for the guest, over real Unix sockets in place of vsock. */
@Timeout(60)
class HostSocketProtocolTest {
    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final GuestKey key = GuestKey.random();
    private final HostSockets sockets = new HostSockets();

    @TempDir
    Path directory;

    private Path host = Path.of("");
    private final AtomicInteger closed = new AtomicInteger();

    @BeforeEach
    void serve() throws Exception {
        host = directory.resolve("host.sock");
        sockets.put(HostSockets.SSH_AUTH, () -> Optional.of(found()));
        new ServerBootstrap()
                .group(group)
                .channel(EpollServerDomainSocketChannel.class)
                .childOption(ChannelOption.AUTO_READ, false)
                .childHandler(new HostSocketProtocol(sockets, key))
                .bind(new DomainSocketAddress(guest().toFile()))
                .sync();
    }

    @AfterEach
    void stop() throws Exception {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
    }

    private HostSocket found() {
        Path path = host;
        return new HostSocket() {
            @Override
            public Path path() {
                return path;
            }

            @Override
            public void close() {
                closed.incrementAndGet();
            }
        };
    }

    private Path guest() {
        return directory.resolve("vsock.sock");
    }

    private ServerSocketChannel hostServer() throws IOException {
        ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(host));
        return server;
    }

    private SocketChannel caller(String first) throws IOException {
        SocketChannel caller = SocketChannel.open(UnixDomainSocketAddress.of(guest()));
        caller.write(ByteBuffer.wrap(first.getBytes(StandardCharsets.ISO_8859_1)));
        return caller;
    }

    private String line() {
        return "KEY " + key.hex() + " SOCKET ssh-auth\n";
    }

    private static byte[] readAll(SocketChannel from) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        ByteBuffer b = ByteBuffer.allocate(65_536);
        while (from.read(b) >= 0) {
            all.write(b.array(), 0, b.position());
            b.clear();
        }
        return all.toByteArray();
    }

    @Test
    void caller_isJoined_whatFollowsTheLineIncluded_andHalfClosesPass() throws Exception {
        byte[] question = new byte[3 << 20];
        new Random(1).nextBytes(question);
        try (ServerSocketChannel server = hostServer();
                SocketChannel caller = caller(line() + "first ")) {
            SocketChannel served = server.accept();
            Thread writer = Thread.ofVirtual().start(() -> {
                try {
                    ByteBuffer b = ByteBuffer.wrap(question);
                    while (b.hasRemaining()) {
                        caller.write(b);
                    }
                    caller.shutdownOutput();
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            byte[] got = readAll(served);
            writer.join();
            assertThat(new String(got, 0, 6, StandardCharsets.US_ASCII)).isEqualTo("first ");
            assertThat(got).hasSize(6 + question.length).endsWith(question);
            assertThat(closed).hasValue(1);

            served.write(ByteBuffer.wrap("answer".getBytes(StandardCharsets.US_ASCII)));
            served.close();
            assertThat(readAll(caller)).asString().isEqualTo("answer");
        }
    }

    @Test
    void callerThatHalfClosesAtOnce_isStillServed() throws Exception {
        try (ServerSocketChannel server = hostServer();
                SocketChannel caller = caller(line() + "all")) {
            caller.shutdownOutput();
            SocketChannel served = server.accept();
            assertThat(readAll(served)).asString().isEqualTo("all");
            served.write(ByteBuffer.wrap("answer".getBytes(StandardCharsets.US_ASCII)));
            served.close();
            assertThat(readAll(caller)).asString().isEqualTo("answer");
        }
    }

    @Test
    void wrongKey_unknownName_longLine_andNoLine_areHungUpOn() throws Exception {
        try (ServerSocketChannel _ = hostServer()) {
            for (String bad : new String[] {
                "KEY 00000000000000000000000000000000 SOCKET ssh-auth\n",
                "SOCKET ssh-auth\n",
                "KEY " + key.hex() + " SOCKET other\n",
                "KEY " + key.hex() + " EXPOSE ssh-auth\n",
                "x".repeat(200)
            }) {
                try (SocketChannel caller = caller(bad)) {
                    assertThat(readAll(caller)).as(bad).isEmpty();
                }
            }
            try (SocketChannel caller = caller("KEY ")) {
                caller.shutdownOutput();
                assertThat(readAll(caller)).isEmpty();
            }
        }
    }

    @Test
    void absentServer_isAHangUp() throws Exception {
        try (SocketChannel caller = caller(line())) {
            assertThat(readAll(caller)).isEmpty();
        }
        sockets.put(HostSockets.SSH_AUTH, Optional::empty);
        try (SocketChannel caller = caller(line())) {
            assertThat(readAll(caller)).isEmpty();
        }
        sockets.remove(HostSockets.SSH_AUTH);
        try (SocketChannel caller = caller(line())) {
            assertThat(readAll(caller)).isEmpty();
        }
    }

    @Test
    void lineInPieces_isUnderstood() throws Exception {
        try (ServerSocketChannel server = hostServer();
                SocketChannel caller = SocketChannel.open(UnixDomainSocketAddress.of(guest()))) {
            for (byte b : (line() + "x").getBytes(StandardCharsets.US_ASCII)) {
                caller.write(ByteBuffer.wrap(new byte[] {b}));
            }
            caller.shutdownOutput();
            assertThat(readAll(server.accept())).asString().isEqualTo("x");
        }
    }
}
