package dev.longshore.link.stream;

import dev.longshore.link.SocketGuest;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** QEMU's side of a stream link. Confined to the test's thread. */
final class StreamGuest implements AutoCloseable {
    private final SocketGuest socket;
    private final ByteBuf received = Unpooled.buffer();

    StreamGuest(Path path) throws IOException {
        Socket s = Socket.newSocketDomain();
        if (!s.connect(new DomainSocketAddress(path.toFile()))) {
            throw new IOException("not at once");
        }
        socket = new SocketGuest(s);
    }

    static byte[] framed(byte[] frame) {
        return ByteBuffer.allocate(4 + frame.length)
                .putInt(frame.length)
                .put(frame)
                .array();
    }

    void send(byte[] frame) throws IOException {
        socket.send(framed(frame));
    }

    void sendRaw(byte[] bytes) throws IOException {
        socket.send(bytes);
    }

    /** The next whole frame, or null. */
    byte @Nullable [] receive() throws IOException {
        while (received.readableBytes() < 4 || received.readableBytes() < 4 + received.getInt(received.readerIndex())) {
            byte[] more = socket.receive();
            if (more == null || more.length == 0) {
                return null;
            }
            received.writeBytes(more);
        }
        byte[] frame = new byte[received.readInt()];
        received.readBytes(frame);
        received.discardReadBytes();
        return frame;
    }

    /** True once the link has closed the connection. */
    boolean isClosedByLink() throws IOException {
        byte[] rest = socket.receive();
        return rest != null && rest.length == 0;
    }

    byte[] unread() {
        return ByteBufUtil.getBytes(received);
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
