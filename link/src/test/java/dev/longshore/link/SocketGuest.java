package dev.longshore.link;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** The guest's end of a socket, non-blocking. Confined to the test's thread. */
public final class SocketGuest implements AutoCloseable {
    private static final int BYTES = 1 << 17;

    private final FileDescriptor fd;
    private final ByteBuf buffer = Unpooled.directBuffer(BYTES, BYTES);

    public SocketGuest(FileDescriptor fd) {
        this.fd = fd;
    }

    /** Sends all of it at once, or fails. */
    public void send(byte[] bytes) throws IOException {
        int n = trySend(bytes);
        if (n != bytes.length) {
            throw new IOException("only " + n + " of " + bytes.length + " bytes were taken");
        }
    }

    /** The bytes that were taken. */
    public int trySend(byte[] bytes) throws IOException {
        buffer.clear().writeBytes(bytes);
        return fd.write(buffer.internalNioBuffer(0, bytes.length), 0, bytes.length);
    }

    /** What one read gives; null if there is nothing. */
    public byte @Nullable [] receive() throws IOException {
        return receive(BYTES);
    }

    /** At most {@code most} bytes of what is there; null if there is nothing, empty at the end. */
    public byte @Nullable [] receive(int most) throws IOException {
        int n = fd.read(buffer.internalNioBuffer(0, most), 0, most);
        return n == 0 ? null : ByteBufUtil.getBytes(buffer, 0, Math.max(0, n));
    }

    @Override
    public void close() throws IOException {
        if (buffer.refCnt() > 0) {
            buffer.release();
            fd.close();
        }
    }
}
