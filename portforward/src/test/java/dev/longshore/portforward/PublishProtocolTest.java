package dev.longshore.portforward;

import static dev.longshore.portforward.LoopExtension.await;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.config.PortBinding;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The guest's agent is the test, on a Unix socket in place of vsock, with an event loop other than the link's. */
@Timeout(30)
class PublishProtocolTest {
    @RegisterExtension
    final LoopExtension loop = new LoopExtension();

    @TempDir
    Path dir;

    private final GuestKey key = GuestKey.random();
    private final EventLoopGroup vsockLoop = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final PortTable table = new PortTable(
            new FakeGuest(loop.loop),
            BindPolicy.of(PortBinding.DEFAULT_PORT_BINDING),
            1000,
            UdpLimits.DEFAULT,
            PortWatcher.NONE);

    @BeforeEach
    void listen() throws Exception {
        new ServerBootstrap()
                .group(vsockLoop)
                .channel(EpollServerDomainSocketChannel.class)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childOption(ChannelOption.AUTO_READ, false)
                .childHandler(new PublishProtocol(table, key))
                .bind(new DomainSocketAddress(dir.resolve("4098").toFile()))
                .sync();
    }

    @AfterEach
    void stop() {
        vsockLoop.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** The agent's end of one connection. */
    private final class Agent implements AutoCloseable {
        final SocketChannel channel;

        /** The agent itself, which begins with the key. */
        Agent() throws IOException {
            this(key.prefix());
        }

        Agent(String beginning) throws IOException {
            channel = SocketChannel.open(UnixDomainSocketAddress.of(dir.resolve("4098")));
            send(beginning);
        }

        void send(String text) throws IOException {
            ByteBuffer b = ByteBuffer.wrap(text.getBytes(ISO_8859_1));
            while (b.hasRemaining()) {
                channel.write(b);
            }
        }

        /** Up to LF, which is left out, or EOF. */
        String line() throws IOException {
            StringBuilder line = new StringBuilder();
            ByteBuffer one = ByteBuffer.allocate(1);
            while (channel.read(one.clear()) == 1 && one.get(0) != '\n') {
                line.append((char) one.get(0));
            }
            return line.toString();
        }

        void expectEof() throws IOException {
            assertThat(channel.read(ByteBuffer.allocate(1))).isEqualTo(-1);
        }

        /** What the agent does on SIGINT: the port is free when this returns. */
        void release() throws IOException {
            channel.shutdownOutput();
            expectEof();
            channel.close();
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }

    /** A port that was free a moment ago. */
    private static int freePort() throws IOException {
        try (ServerSocket s = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            return s.getLocalPort();
        }
    }

    private static String expose(int port) {
        return "EXPOSE tcp 127.0.0.1 " + port + " 172.17.0.2 80\n";
    }

    private static void expectFree(int port) {
        assertThatThrownBy(() -> {
                    try (Socket s = new Socket()) {
                        s.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
                    }
                })
                .isInstanceOf(ConnectException.class);
    }

    @Test
    void expose_thenEof_portIsFreeBeforeTheClose() throws Exception {
        int port = freePort();
        Agent agent = new Agent();
        agent.send(expose(port));
        assertThat(agent.line()).isEqualTo("OK 127.0.0.1 " + port);
        new Socket(InetAddress.getLoopbackAddress(), port).close();
        assertThat(await(table.list()).getFirst().owner().kind()).isEqualTo(Owner.Kind.CONTAINER);
        agent.release();
        expectFree(port);
        assertThat(await(table.list())).isEmpty();
    }

    @Test
    void dismissedPort_agentHearsThatItIsGone_andThePortIsFree() throws Exception {
        int port = freePort();
        try (Agent agent = new Agent()) {
            agent.send(expose(port));
            assertThat(agent.line()).startsWith("OK ");

            assertThat(await(table.dismiss(await(table.list()).getFirst().id())))
                    .isTrue();

            assertThat(agent.line()).isEqualTo("GONE");
            agent.expectEof();
            expectFree(port);
        }
    }

    @Test
    void expose_oneByteAtATime_isUnderstood() throws Exception {
        try (Agent agent = new Agent()) {
            for (char c : "EXPOSE udp 127.0.0.1 0 172.17.0.2 53\n".toCharArray()) {
                agent.send(String.valueOf(c));
            }
            assertThat(agent.line()).matches("OK 127\\.0\\.0\\.1 [1-9][0-9]+");
        }
    }

    @Test
    void samePort_twoAgents_secondIsToldAndMayHaveItLater() throws Exception {
        int port = freePort();
        Agent first = new Agent();
        first.send(expose(port));
        first.line();
        try (Agent second = new Agent()) {
            second.send(expose(port));
            assertThat(second.line())
                    .isEqualTo("ERR ports are not available: exposing port TCP 127.0.0.1:" + port
                            + " -> 127.0.0.1:0: listen tcp 127.0.0.1:" + port + ": bind: address already in use");
            second.expectEof();
        }
        first.release();
        try (Agent third = new Agent()) {
            third.send(expose(port));
            assertThat(third.line()).startsWith("OK");
        }
    }

    @Test
    void agentDies_portIsReleased() throws Exception {
        int port = freePort();
        Agent agent = new Agent();
        agent.send(expose(port));
        agent.line();
        agent.close();
        awaitEmptyTable();
        expectFree(port);
    }

    /** The connection's end travels through two loops. */
    private void awaitEmptyTable() throws Exception {
        while (!await(table.list()).isEmpty()) {
            vsockLoop.submit(() -> {}).sync();
        }
    }

    @Test
    void agentDies_beforeTheAnswer_nothingStaysOpen() throws Exception {
        for (int i = 0; i < 100; i++) {
            Agent agent = new Agent();
            agent.send(expose(0));
            agent.close();
        }
        // all connections have been seen when this one is served, and their wishes when the table answers
        try (Agent last = new Agent()) {
            last.send(expose(0));
            last.line();
        }
        awaitEmptyTable();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\n",
                "HELLO\n",
                "EXPOSE tcp 127.0.0.1 0 172.17.0.2\n",
                "EXPOSE tcp 127.0.0.1 0 172.17.0.2 80\nEXPOSE tcp 127.0.0.1 0 172.17.0.2 81\n",
                "EXPOSE tcp localhost 0 172.17.0.2 80\n",
                "EXPOSE tcp 127.0.0.1 0 172.17.0.2 80\r\n",
                "\0\0\0\0\n",
                "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            })
    void badLine_isAnsweredAndClosed(String text) throws Exception {
        try (Agent agent = new Agent()) {
            agent.send(text);
            assertThat(agent.line()).startsWith("ERR bad request");
            agent.expectEof();
        }
        assertThat(await(table.list())).isEmpty();
    }

    @Test
    void lineOf512Bytes_isReadOfLonger_isNot() throws Exception {
        try (Agent agent = new Agent()) {
            agent.send("x".repeat(511 - key.prefix().length()) + "\n");
            assertThat(agent.line()).isEqualTo("ERR bad request: expected EXPOSE and five words");
        }
        try (Agent agent = new Agent()) {
            agent.send("x".repeat(512 - key.prefix().length()));
            assertThat(agent.line()).isEqualTo("ERR bad request: line too long");
            agent.expectEof();
        }
    }

    /** A container that may open AF_VSOCK sockets is not the agent. */
    @Test
    void withoutTheKey_isRefusedAndClosed() throws Exception {
        String right = key.prefix();
        String almost = right.substring(0, right.length() - 2) + (right.endsWith("0 ") ? "1 " : "0 ");
        for (String beginning : List.of("", "KEY ", GuestKey.random().prefix(), almost, right.trim(), right + right)) {
            try (Agent stranger = new Agent(beginning)) {
                stranger.send(expose(0));
                assertThat(stranger.line()).as(beginning).startsWith("ERR ").doesNotContain(key.hex());
                stranger.expectEof();
            }
        }
        assertThat(await(table.list())).isEmpty();
        assertThat(key.toString()).doesNotContain(key.hex());
    }

    @Test
    void eofWithoutALine_closes() throws Exception {
        Agent agent = new Agent();
        agent.send("EXPOSE tcp");
        agent.release();
    }

    @Test
    void moreAfterTheAnswer_releasesThePort() throws Exception {
        int port = freePort();
        try (Agent agent = new Agent()) {
            agent.send(expose(port));
            assertThat(agent.line()).startsWith("OK");
            agent.send("x");
            assertThat(agent.line()).startsWith("ERR bad request");
            agent.expectEof();
        }
        awaitEmptyTable();
        expectFree(port);
    }

    @Test
    void ownersAreTheConnections_oneReleasesOnlyItsOwn() throws Exception {
        Agent one = new Agent();
        Agent two = new Agent();
        one.send(expose(0));
        two.send(expose(0));
        String kept = two.line();
        one.line();
        one.release();
        assertThat(await(table.list())).hasSize(1).first().satisfies(p -> assertThat(kept)
                .isEqualTo("OK 127.0.0.1 " + ((HostEndpoint.Port) p.host()).port()));
        two.close();
    }

    @Test
    void daemonStops_agentsHearIt() throws Exception {
        await(table.closeAll());
        try (Agent agent = new Agent()) {
            agent.send(expose(0));
            assertThat(agent.line()).startsWith("ERR ports are not available");
            agent.expectEof();
        }
    }

    @Test
    void garbage_neverHurts() throws Exception {
        long seed = 7;
        Random random = new Random(seed);
        for (int i = 0; i < 200; i++) {
            byte[] bytes = new byte[1 + random.nextInt(700)];
            random.nextBytes(bytes);
            try (Agent agent = new Agent()) {
                agent.send(new String(bytes, ISO_8859_1));
                agent.channel.shutdownOutput();
                while (agent.channel.read(ByteBuffer.allocate(600)) > 0) {}
            } catch (IOException reset) {
                // closed while it was still sending: fine
            }
        }
        try (Agent agent = new Agent()) {
            agent.send(expose(0));
            assertThat(agent.line()).as("seed %d", seed).startsWith("OK");
        }
    }
}
