package dev.longshore.link.stream;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.link.LinkCounter;
import dev.longshore.link.RecordingSink;
import dev.longshore.testkit.VirtualLoop;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Any bytes on QEMU's stream, in any pieces: the frames of a model come out, and the first length that no frame has ends the
 * connection. How to search: {@code ./longshore fuzz}.
 */
class StreamFuzzTest {
    private static final int MIN_FRAME = 14;
    private static final int MAX_FRAME = 65_550;

    /** Input: a byte that says how large the pieces are, then the stream. */
    @FuzzTest(maxDuration = "2m")
    void streamFraming(byte[] input) throws IOException {
        if (input.length == 0) {
            return;
        }
        Path dir = Files.createTempDirectory("longshore-fuzz");
        VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
        RecordingSink sink = new RecordingSink();
        StreamLink link = new StreamLink(loop, dir.resolve("s"), 1500, UnpooledByteBufAllocator.DEFAULT);
        try (loop) {
            link.listen();
            link.open(sink);
            exchange(Unpooled.wrappedBuffer(input), dir.resolve("s"), loop, link, sink);
            link.close();
        } finally {
            Files.delete(dir);
        }
    }

    private static void exchange(ByteBuf in, Path path, VirtualLoop loop, StreamLink link, RecordingSink sink)
            throws IOException {
        int piece = 1 + in.readUnsignedByte() * 4;
        ByteBuf model = in.slice();
        try (StreamGuest guest = new StreamGuest(path)) {
            loop.runUntil(() -> !sink.states.isEmpty() && sink.states.getLast(), "link up");
            while (in.isReadable() && sink.states.getLast()) {
                byte[] next = new byte[Math.min(piece, in.readableBytes())];
                in.readBytes(next);
                guest.sendRaw(next);
                loop.runDue();
            }
            List<byte[]> expected = new ArrayList<>();
            boolean broken = frames(model, expected);
            if (broken) {
                loop.runUntil(() -> !sink.states.getLast(), "the end of the connection");
            } else {
                loop.runUntil(() -> sink.frames.size() >= expected.size(), "all frames");
                assertThat(sink.states.getLast()).isTrue();
            }
            assertThat(sink.frames)
                    .usingElementComparator(java.util.Arrays::compare)
                    .isEqualTo(expected);
            long dropped = link.counters().get(LinkCounter.DROPPED_RUNT)
                    + link.counters().get(LinkCounter.DROPPED_OVERSIZE);
            assertThat(dropped).isEqualTo(broken ? 1 : 0);
        }
        loop.runDue();
    }

    /** True if a length comes that no frame has. */
    private static boolean frames(ByteBuf stream, List<byte[]> to) {
        while (stream.readableBytes() >= 4) {
            int length = stream.readInt();
            if (length < MIN_FRAME || length > MAX_FRAME) {
                return true;
            }
            if (stream.readableBytes() < length) {
                return false;
            }
            byte[] frame = new byte[length];
            stream.readBytes(frame);
            to.add(frame);
        }
        return false;
    }
}
