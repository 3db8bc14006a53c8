package dev.longshore.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against the real kernel, on loopback. */
class StreamSocketsTest {
    private static final long V4_LO = 0xFFFF_7F00_0001L;
    private static final long V6_LO = 1;
    private static final int SOL_SOCKET = 1;
    private static final int SO_KEEPALIVE = 9;
    private static final int IPPROTO_TCP = 6;
    private static final int TCP_NODELAY = 1;

    private final StreamSockets sockets = new StreamSockets();
    private final Linux linux = new Linux();

    private static ServerSocket server(boolean v4) throws IOException {
        return new ServerSocket(0, 1, InetAddress.getByName(v4 ? "127.0.0.1" : "::1"));
    }

    private int open(boolean v4) {
        int fd = sockets.open(v4);
        assertThat(fd).isNotNegative();
        return fd;
    }

    private int connect(int fd, boolean v4, int port) {
        return sockets.connect(fd, 0, v4 ? V4_LO : V6_LO, 0, port);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void connect_toThisMachine_isDoneAtOnce(boolean v4) throws IOException {
        try (ServerSocket server = server(v4)) {
            int fd = open(v4);
            assertThat(connect(fd, v4, server.getLocalPort())).isZero();
            try (Socket remote = server.accept()) {
                assertThat(sockets.lookUpLocal(fd)).isZero();
                assertThat(sockets.localHi()).isZero();
                assertThat(sockets.localLo()).isEqualTo(v4 ? V4_LO : V6_LO);
                assertThat(sockets.localPort()).isEqualTo(remote.getPort());
                assertThat(sockets.getOption(fd, IPPROTO_TCP, TCP_NODELAY)).isOne();
                assertThat(sockets.getOption(fd, SOL_SOCKET, SO_KEEPALIVE)).isZero();
                assertThat(sockets.keepAlive(fd)).isZero();
                assertThat(sockets.getOption(fd, SOL_SOCKET, SO_KEEPALIVE)).isOne();
                assertThat(sockets.takeError(fd)).isZero();
                assertThat(connect(fd, v4, server.getLocalPort())).as("again").isZero();
                assertThat(sockets.shutdownOutput(fd)).isZero();
                assertThat(remote.getInputStream().read()).isEqualTo(-1);
            }
            linux.close(fd);
        }
    }

    @Test
    void connect_refused_saysSo() throws IOException {
        int port;
        try (ServerSocket server = server(true)) {
            port = server.getLocalPort();
        }
        int fd = open(true);
        assertThat(connect(fd, true, port)).isEqualTo(-Errno.ECONNREFUSED);
        linux.close(fd);
    }

    /** Two connections fill the queue of this server: the third one's SYN is not answered. */
    @Test
    void connect_withoutAnAnswer_isInProgress() throws IOException {
        try (ServerSocket server = server(true);
                Socket first = new Socket(server.getInetAddress(), server.getLocalPort());
                Socket second = new Socket(server.getInetAddress(), server.getLocalPort())) {
            int fd = open(true);
            assertThat(connect(fd, true, server.getLocalPort())).isEqualTo(-Errno.EINPROGRESS);
            assertThat(connect(fd, true, server.getLocalPort())).isEqualTo(-Errno.EINPROGRESS);
            linux.close(fd);
            assertThat(first.isConnected() && second.isConnected()).isTrue();
        }
    }

    /** fe80::1 on an interface that does not exist: the scope has got there. */
    @Test
    void connect_linkLocal_takesItsInterface() {
        int fd = open(false);
        assertThat(sockets.connect(fd, 0xFE80L << 48, 1, 0x7FFF_FFFF, 80))
                .isIn(-Errno.ENODEV, -Errno.EINVAL, -Errno.ENETUNREACH);
        linux.close(fd);
    }

    @Test
    void resetOnClose_isRst_andTheOtherEndsErrorCanBeTakenOnce() throws IOException {
        try (ServerSocket server = server(true)) {
            int fd = open(true);
            assertThat(connect(fd, true, server.getLocalPort())).isZero();
            try (Socket remote = server.accept()) {
                assertThat(sockets.resetOnClose(fd)).isZero();
                linux.close(fd);
                assertThatThrownBy(() -> remote.getInputStream().read()).isInstanceOf(SocketException.class);
            }

            int other = open(true);
            assertThat(connect(other, true, server.getLocalPort())).isZero();
            Socket remote = server.accept();
            remote.setSoLinger(true, 0);
            remote.close();
            assertThat(sockets.takeError(other)).isEqualTo(Errno.ECONNRESET);
            assertThat(sockets.takeError(other)).isZero();
            linux.close(other);
        }
    }

    @Test
    void whatIsNoSocket_isRefused() {
        assertThat(sockets.takeError(-1)).isNegative();
        assertThat(sockets.lookUpLocal(-1)).isNegative();
        assertThat(sockets.shutdownInput(-1)).isNegative();
        assertThat(sockets.keepAlive(-1)).isNegative();
    }
}
