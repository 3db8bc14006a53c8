package dev.longshore.link.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.link.LinkCounter;
import dev.longshore.link.RecordingSink;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.testkit.VirtualLoop;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** QEMU's framing: pieces of any size, lengths that lie, guests that come and go. */
class StreamLinkTest {
    @TempDir
    Path dir;

    private final VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
    private final RecordingSink sink = new RecordingSink();
    private final OutFrame out = new OutFrame(Unpooled.directBuffer(2048));
    private final List<StreamGuest> guests = new ArrayList<>();
    private StreamLink link = new StreamLink(loop, Path.of("/"), 1500, UnpooledByteBufAllocator.DEFAULT);

    @BeforeEach
    void listen() throws IOException {
        link.close(); // of the field's initializer
        link = new StreamLink(loop, dir.resolve("s"), 1500, UnpooledByteBufAllocator.DEFAULT);
        link.listen();
        link.open(sink);
    }

    @AfterEach
    void release() throws IOException {
        link.close();
        sink.release();
        out.release();
        loop.close();
        for (StreamGuest g : guests) {
            g.close();
        }
    }

    private StreamGuest guest() throws IOException {
        StreamGuest g = new StreamGuest(dir.resolve("s"));
        guests.add(g);
        return g;
    }

    private StreamGuest connected() throws IOException {
        int before = sink.states.size();
        StreamGuest g = guest();
        loop.runUntil(() -> sink.states.size() > before && sink.states.getLast(), "link up");
        return g;
    }

    private static byte[] bytes(int length, long seed) {
        byte[] b = new byte[length];
        new Random(seed).nextBytes(b);
        return b;
    }

    @Test
    void framesCutAnywhere_arriveWhole() throws IOException {
        long seed = 77;
        Random random = new Random(seed);
        StreamGuest guest = connected();
        ByteBuf stream = Unpooled.buffer();
        List<byte[]> expected = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            byte[] frame = bytes(14 + random.nextInt(i % 10 == 0 ? 60_000 : 3000), i);
            expected.add(frame);
            stream.writeBytes(StreamGuest.framed(frame));
        }
        while (stream.isReadable()) {
            byte[] piece =
                    new byte[Math.min(stream.readableBytes(), 1 + random.nextInt(random.nextBoolean() ? 5 : 30_000))];
            stream.readBytes(piece);
            guest.sendRaw(piece);
            loop.runDue();
        }
        loop.runUntil(() -> sink.frames.size() == expected.size(), "all frames, seed " + seed);
        for (int i = 0; i < expected.size(); i++) {
            assertThat(sink.frames.get(i)).as("frame %d, seed %d", i, seed).isEqualTo(expected.get(i));
        }
    }

    @Test
    void headerOneByteAtATime_isPutTogether() throws IOException {
        StreamGuest guest = connected();
        for (byte b : StreamGuest.framed(bytes(60, 1))) {
            assertThat(sink.frames).isEmpty();
            guest.sendRaw(new byte[] {b});
            loop.runDue();
        }
        loop.runUntil(() -> sink.frames.size() == 1, "the frame");
        assertThat(sink.frames.getFirst()).isEqualTo(bytes(60, 1));
    }

    @Test
    void impossibleLength_endsThatConnectionOnly() throws IOException {
        for (int length : new int[] {0, 13, 65_551, Integer.MAX_VALUE, -1, Integer.MIN_VALUE}) {
            sink.frames.clear();
            StreamGuest guest = connected();
            guest.send(bytes(60, 1));
            guest.sendRaw(ByteBuffer.allocate(8).putInt(length).array());
            loop.runUntil(() -> !sink.states.getLast(), "the end of who sent the length " + length);
            assertThat(sink.frames).hasSize(1);
            assertThat(guest.isClosedByLink()).isTrue();
        }
        StreamGuest good = connected();
        good.send(bytes(60, 2));
        loop.runUntil(() -> sink.frames.size() == 2, "a frame of the next guest");
        assertThat(link.counters().get(LinkCounter.DROPPED_RUNT)).isEqualTo(2);
        assertThat(link.counters().get(LinkCounter.DROPPED_OVERSIZE)).isEqualTo(4);
    }

    @Test
    void halfAFrame_thenTheEnd_leavesNothingForTheNextGuest() throws IOException {
        StreamGuest first = connected();
        first.sendRaw(Arrays.copyOf(StreamGuest.framed(bytes(1000, 1)), 500));
        loop.runDue();
        first.close();
        loop.runUntil(() -> !sink.states.getLast(), "link down");
        StreamGuest second = connected();
        second.send(bytes(60, 2));
        loop.runUntil(() -> sink.frames.size() == 1, "a frame");
        assertThat(sink.frames.getFirst()).isEqualTo(bytes(60, 2));
    }

    @Test
    void secondGuest_waitsUntilTheFirstHasLeft() throws IOException {
        StreamGuest first = connected();
        StreamGuest second = guest();
        second.send(bytes(60, 2));
        first.send(bytes(60, 1));
        loop.runUntil(() -> sink.frames.size() == 1, "the first guest's frame");
        loop.runDue();
        assertThat(sink.frames).hasSize(1);
        first.close();
        loop.runUntil(() -> sink.frames.size() == 2, "the second guest's frame");
        assertThat(sink.states).containsExactly(true, false, true);
        assertThat(sink.frames.getLast()).isEqualTo(bytes(60, 2));
    }

    /** What the socket took only a part of goes on where it stopped. */
    @Test
    void partialWrites_goOnWhereTheyStopped() throws IOException {
        StreamGuest guest = connected();
        int sent = 0;
        int received = 0;
        for (int round = 0; round < 50; round++) {
            while (link.send(frame(14 + sent % 1500, sent))) {
                sent++;
            }
            link.flush();
            int before = sink.writables;
            for (byte[] got = guest.receive(); got != null; got = guest.receive()) {
                assertThat(got).isEqualTo(bytes(14 + received % 1500, received));
                received++;
            }
            loop.runUntil(() -> sink.writables > before, "room in round " + round);
        }
        link.flush();
        int all = sent;
        int[] count = {received};
        loop.runUntil(
                () -> {
                    try {
                        for (byte[] got = guest.receive(); got != null; got = guest.receive()) {
                            assertThat(got).isEqualTo(bytes(14 + count[0] % 1500, count[0]));
                            count[0]++;
                        }
                    } catch (IOException e) {
                        throw new AssertionError(e);
                    }
                    return count[0] == all;
                },
                "all frames");
        assertThat(sink.states).containsExactly(true);
        assertThat(sent).isGreaterThan(1000);
    }

    private OutFrame frame(int length, long seed) {
        out.clear().head().writeBytes(bytes(length, seed));
        return out;
    }

    @Test
    void guestThatLeavesWhileFramesWait_takesThemWithIt() throws IOException {
        StreamGuest first = connected();
        while (link.send(frame(1000, 0))) {
            link.flush();
        }
        first.close();
        loop.runUntil(() -> !sink.states.getLast(), "link down");
        long sent = link.counters().get(LinkCounter.FRAMES_TO_GUEST);
        assertThat(link.counters().get(LinkCounter.DROPPED_DISCONNECTED)).isBetween(1L, sent);
        StreamGuest second = connected();
        assertThat(link.isWritable()).isTrue();
        assertThat(link.send(frame(60, 1))).isTrue();
        link.flush();
        assertThat(second.receive()).isEqualTo(bytes(60, 1));
    }

    @Test
    void sinkThatClosesTheLinkFromAFrame_hearsNothingMore() throws IOException {
        StreamGuest guest = connected();
        sink.onFrame = link::close;
        guest.send(bytes(60, 1));
        guest.send(bytes(60, 2));
        loop.runUntil(() -> !sink.frames.isEmpty(), "a frame");
        loop.runDue();
        assertThat(sink.frames).hasSize(1);
    }

    @Test
    void socket_isForThisUserOnly_andRemovedAtTheEnd() throws IOException {
        Path path = dir.resolve("s");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
                .isEqualTo("rw-------");
        link.close();
        assertThat(path).doesNotExist();
    }

    @Test
    void pathThatIsAFile_isLeftAlone() throws IOException {
        Path file = Files.writeString(dir.resolve("f"), "precious");
        StreamLink other = new StreamLink(loop, file, 1500, UnpooledByteBufAllocator.DEFAULT);
        assertThatThrownBy(other::listen).isInstanceOf(IOException.class).hasMessageContaining("not a socket");
        assertThat(file).hasContent("precious");
        other.close();
    }
}
