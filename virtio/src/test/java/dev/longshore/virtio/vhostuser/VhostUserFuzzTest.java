package dev.longshore.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.linux.Linux;
import dev.longshore.linux.ReceivedFds;
import dev.longshore.virtio.virtqueue.GuestRam;
import dev.longshore.virtio.virtqueue.Virtqueue;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A front end that sends any messages with any descriptors. The session goes on or ends with a reason, never with a bug, and
 * all descriptors and mappings are given back. How to search: {@code ./longshore fuzz}.
 */
class VhostUserFuzzTest {
    private static final int MOST_MESSAGES = 100;
    private static final int RAM_BYTES = 1 << 16;
    private static final int SIZE = 8;

    private final Linux linux = new Linux();

    /** Input: how it is set up, then messages: request, flags, descriptors, length, payload. */
    @FuzzTest(maxDuration = "2m")
    void vhostUserMessages(byte[] input) throws IOException {
        Path dir = Files.createTempDirectory("longshore-fuzz");
        try (GuestRam ram = GuestRam.ofUml(linux, RAM_BYTES)) {
            serve(input, ram, dir.resolve("s"));
        } finally {
            Files.deleteIfExists(dir.resolve("s")); // left over after a failure
            Files.delete(dir);
        }
    }

    private void serve(byte[] input, GuestRam ram, Path path) throws IOException {
        RecordingDevice device = new RecordingDevice();
        TestLoop loop = new TestLoop();
        try (loop) {
            VhostUserBackend backend = new VhostUserBackend(loop.loop(), device, path);
            assertThat(backend.open().isSuccess()).isTrue();
            ProcessResources before = ProcessResources.now();
            ByteBuf in = Unpooled.wrappedBuffer(input);
            int options = in.isReadable() ? in.readByte() : 0;
            device.packed = (options & 1) != 0;
            device.offersConfig = (options & 2) != 0;
            FrontEnd front = new FrontEnd(linux, loop::settle, ram, path, 2);
            if ((options & 4) != 0) {
                long features = front.bootAsUml(SIZE, device.packed ? -1L : ~Virtqueue.FEATURE_PACKED);
                assertThat(features).isNotZero();
            }
            for (int i = 0; i < MOST_MESSAGES && in.isReadable() && backend.isConnected(); i++) {
                message(front, ram, in);
                while (front.receive() != null) {
                    // replies are of no interest, as long as they don't fill the socket
                }
            }
            front.close();
            loop.settle();
            assertThat(backend.isConnected()).isFalse();
            assertThat(device.events).doesNotContain("bug");
            assertThat(ProcessResources.now()).as("nothing leaks").isEqualTo(before);
            backend.close();
            loop.settle();
        }
    }

    private void message(FrontEnd front, GuestRam ram, ByteBuf in) {
        if (in.readableBytes() < 4) {
            in.skipBytes(in.readableBytes());
            return;
        }
        int request = in.readUnsignedByte();
        int flags = in.readUnsignedByte();
        int fds = in.readUnsignedByte() % (ReceivedFds.MAX + 1);
        int length = Math.min(in.readUnsignedByte(), in.readableBytes());
        byte[] payload = new byte[length];
        in.readBytes(payload);
        byte @Nullable [] right = rightTable(ram, request, flags);
        int kind = flags >>> 4;
        int[] descriptors = new int[fds];
        for (int i = 0; i < fds; i++) {
            descriptors[i] = (kind & 1) != 0 ? ram.fd() : linux.eventfd();
        }
        if ((flags & 0x80) != 0) { // any length in the header
            ByteBuffer b = ByteBuffer.allocate(12 + length).order(ByteOrder.LITTLE_ENDIAN);
            b.putInt(request).putInt(flags & 0xF).putInt(length * 7).put(payload);
            front.sendRaw(b.array(), descriptors);
            front.send(Message.GET_FEATURES, FrontEnd.PLAIN, new byte[0]);
        } else {
            front.send(request, flags & 0xF, right == null ? payload : right, descriptors);
        }
        if ((kind & 1) == 0) {
            for (int fd : descriptors) {
                linux.close(fd);
            }
        }
    }

    /** Now and then a table that is right, or the search would never have memory. */
    private static byte @Nullable [] rightTable(GuestRam ram, int request, int flags) {
        return request == Message.SET_MEM_TABLE && (flags & 0x20) != 0 ? FrontEnd.memoryTable(40, ram.region()) : null;
    }
}
