package dev.longshore.vpnkit.hostsocket;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.VirtualLoop;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.concurrent.Promise;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Real sockets in virtual time. */
@Timeout(60)
class DialAttemptTest {
    private static final long TIMEOUT_MILLIS = 5000;

    private final VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
    private final HostSockets sockets = new HostSockets();
    private final InetAddress silentAddress = address("127.0.0.1");
    private final InetAddress goodAddress = address("127.0.0.2");
    private final ServerSocket silent;
    private final Socket first;
    private final Socket second;
    private int before;

    /** A server whose queue is full answers no SYN. */
    DialAttemptTest() throws IOException {
        silent = new ServerSocket(0, 1, silentAddress);
        first = new Socket(silentAddress, silent.getLocalPort());
        second = new Socket(silentAddress, silent.getLocalPort());
    }

    private static InetAddress address(String literal) {
        try {
            return InetAddress.getByName(literal);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @BeforeEach
    void warmUp() throws IOException {
        sockets.open(loop, true).unsafe().closeForcibly();
        before = descriptors();
    }

    @AfterEach
    void close() throws IOException {
        first.close();
        second.close();
        silent.close();
        loop.close();
    }

    private Promise<DialResult> dial(InetAddress... targets) {
        EventLoop on = loop;
        Promise<DialResult> result = on.newPromise();
        new DialAttempt(sockets, List.of(targets), silent.getLocalPort(), 0, loop, TIMEOUT_MILLIS, result).start();
        return result;
    }

    private static int descriptors() {
        String[] open = new File("/proc/self/fd").list();
        return open == null ? -1 : open.length;
    }

    @Test
    void silentAddress_isOvertakenByTheNext_andClosed() throws IOException {
        try (ServerSocket good = new ServerSocket()) {
            good.bind(new InetSocketAddress(goodAddress, silent.getLocalPort()));
            Promise<DialResult> result = dial(silentAddress, goodAddress);
            loop.advance(Duration.ofMillis(249));
            assertThat(result.isDone()).isFalse();
            loop.advance(Duration.ofMillis(1));
            assertThat(result.getNow()).isInstanceOfSatisfying(DialResult.Connected.class, c -> {
                assertThat(c.channel().remoteAddress())
                        .isEqualTo(new InetSocketAddress(goodAddress, silent.getLocalPort()));
                c.channel().close();
            });
            assertThat(descriptors()).isEqualTo(before + 1);
        }
    }

    @Test
    void silentAddress_isStillHeard_whenTheNextRefuses() throws IOException {
        Promise<DialResult> result = dial(silentAddress, goodAddress);
        loop.advance(Duration.ofSeconds(1));
        assertThat(result.isDone()).isFalse();
        silent.accept().close();
        silent.accept().close();
        loop.runUntil(result::isDone, "the answer to the SYN that comes again");
        assertThat(result.getNow()).isInstanceOfSatisfying(DialResult.Connected.class, c -> c.channel()
                .close());
    }

    @Test
    void nobodyAnswers_untilTheDeadline() {
        Promise<DialResult> result = dial(silentAddress, silentAddress);
        loop.advance(Duration.ofMillis(TIMEOUT_MILLIS - 1));
        assertThat(result.isDone()).isFalse();
        loop.advance(Duration.ofMillis(1));
        assertThat(result.getNow()).isEqualTo(new DialResult.TimedOut());
        assertThat(descriptors()).isEqualTo(before);
        assertThat(loop.nanosToNextTimer()).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void cancelled_leavesNothing() {
        Promise<DialResult> result = dial(silentAddress, silentAddress, goodAddress);
        loop.advance(Duration.ofMillis(300));
        result.cancel(false);
        loop.runDue();
        assertThat(descriptors()).isEqualTo(before);
        assertThat(loop.nanosToNextTimer()).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void remoteOnThisMachine_needsNoTimer() {
        Promise<DialResult> result = dial(goodAddress);
        assertThat(result.getNow()).isEqualTo(new DialResult.Refused());
        assertThat(loop.nanosToNextTimer()).isEqualTo(Long.MAX_VALUE);
        assertThat(descriptors()).isEqualTo(before);
    }
}
