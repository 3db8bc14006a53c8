package dev.longshore.link.datagram;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.link.DatagramPair;
import dev.longshore.link.LinkCounter;
import dev.longshore.link.RecordingSink;
import dev.longshore.link.SocketGuest;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.testkit.VirtualLoop;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** vfkit's datagrams: who the guest is, and when it has left. */
class DatagramLinkTest {
    private static final byte[] VFKT = "VFKT".getBytes(StandardCharsets.US_ASCII);

    @TempDir
    Path dir;

    private final VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
    private final RecordingSink sink = new RecordingSink();
    private final OutFrame out = new OutFrame(Unpooled.directBuffer(2048));
    private final List<SocketGuest> guests = new ArrayList<>();
    private DatagramLink link = new DatagramLink(loop, Path.of("/"), 1500, UnpooledByteBufAllocator.DEFAULT);

    @BeforeEach
    void listen() throws IOException {
        link.close(); // of the field's initializer
        link = new DatagramLink(loop, dir.resolve("s"), 1500, UnpooledByteBufAllocator.DEFAULT);
        link.listen();
        link.open(sink);
    }

    @AfterEach
    void release() throws IOException {
        link.close();
        sink.release();
        out.release();
        loop.close();
        for (SocketGuest g : guests) {
            g.close();
        }
    }

    private SocketGuest guest(String name) throws IOException {
        Files.deleteIfExists(dir.resolve(name));
        Socket socket = DatagramPair.bound(dir.resolve(name));
        DatagramPair.connect(socket, dir.resolve("s"));
        SocketGuest g = new SocketGuest(socket);
        guests.add(g);
        return g;
    }

    private static byte[] bytes(int length, long seed) {
        byte[] b = new byte[length];
        new Random(seed).nextBytes(b);
        return b;
    }

    private OutFrame frame(int length, long seed) {
        out.clear().head().writeBytes(bytes(length, seed));
        return out;
    }

    @Test
    void handshake_isSwallowed_andTheLinkIsUp() throws IOException {
        SocketGuest guest = guest("g");
        guest.send(VFKT);
        loop.runUntil(link::isWritable, "link up");
        guest.send(VFKT);
        guest.send(bytes(60, 1));
        loop.runUntil(() -> sink.frames.size() == 1, "a frame");
        assertThat(link.counters().get(LinkCounter.DROPPED_RUNT)).isZero();
    }

    @Test
    void firstDatagramThatIsAFrame_isDelivered() throws IOException {
        SocketGuest guest = guest("g");
        guest.send(bytes(60, 1));
        loop.runUntil(() -> sink.frames.size() == 1, "the frame");
        loop.runUntil(link::isWritable, "link up");
        assertThat(link.send(frame(60, 2))).isTrue();
        assertThat(guest.receive()).isEqualTo(bytes(60, 2));
    }

    @Test
    void guestWithoutAPath_cannotBeAnswered_andIsNotServed() throws IOException {
        Socket nameless = Socket.newSocketDomainDgram();
        DatagramPair.connect(nameless, dir.resolve("s"));
        SocketGuest guest = new SocketGuest(nameless);
        guests.add(guest);
        guest.send(bytes(60, 1));
        loop.runUntil(() -> link.counters().get(LinkCounter.DROPPED_NO_ADDRESS) == 1, "the refusal");
        assertThat(sink.frames).isEmpty();
        assertThat(sink.states).isEmpty();
    }

    /** libkrun negotiates segmentation with its guest: frames may be larger than the MTU. */
    @Test
    void framesLargerThanTheMtu_areTaken_andTheOversizedAreNot() throws IOException {
        SocketGuest guest = guest("g");
        guest.send(VFKT);
        int[] sizes = {65_550, 65_551, 70_000, 13, 14};
        for (int i = 0; i < sizes.length; i++) {
            guest.send(bytes(sizes[i], i + 1));
            loop.run(1_000_000);
        }
        loop.runUntil(() -> sink.frames.size() == 2, "two good frames");
        assertThat(sink.frames.getFirst()).isEqualTo(bytes(65_550, 1));
        assertThat(link.counters().get(LinkCounter.DROPPED_OVERSIZE)).isEqualTo(2);
        assertThat(link.counters().get(LinkCounter.DROPPED_RUNT)).isEqualTo(1);
    }

    /** gvproxy: ENOBUFS under load was taken for the end of the guest. A full socket is back-pressure. */
    @Test
    void fullSocket_isNotADisconnect() throws IOException {
        SocketGuest guest = guest("g");
        guest.send(VFKT);
        loop.runUntil(link::isWritable, "link up");
        int sent = 0;
        while (link.send(frame(1500, sent))) {
            sent++;
        }
        assertThat(sink.states).containsExactly(true);
        loop.advance(Duration.ofSeconds(10));
        assertThat(sink.states).containsExactly(true);
        assertThat(sink.writables).isZero();
        for (int i = 0; i < sent; i++) {
            assertThat(guest.receive()).isEqualTo(bytes(1500, i));
        }
        loop.runUntil(() -> sink.writables == 1, "room");
    }

    @Test
    void guestThatLeft_isNoticedByAWrite() throws IOException {
        SocketGuest guest = guest("g");
        guest.send(VFKT);
        loop.runUntil(link::isWritable, "link up");
        guest.close();
        assertThat(link.send(frame(60, 1))).isFalse();
        loop.runUntil(() -> sink.states.equals(List.of(true, false)), "link down");
        SocketGuest next = guest("other");
        next.send(bytes(60, 2));
        loop.runUntil(() -> sink.frames.size() == 1, "the next guest's frame");
        loop.runUntil(() -> sink.writables == 1, "room for what was refused");
    }

    @Test
    void guestThatCameBackOnTheSamePath_isServedOn() throws IOException {
        guest("g").send(VFKT);
        loop.runUntil(link::isWritable, "link up");
        guests.getFirst().close();
        Files.delete(dir.resolve("g"));
        Socket socket = DatagramPair.bound(dir.resolve("g"));
        SocketGuest again = new SocketGuest(socket);
        guests.add(again);
        loop.advance(Duration.ofSeconds(1));
        DatagramPair.connect(socket, dir.resolve("s"));
        assertThat(link.send(frame(60, 1))).isTrue();
        assertThat(again.receive()).isEqualTo(bytes(60, 1));
        assertThat(sink.states).containsExactly(true);
    }
}
