package dev.longshore.vpnkit.hostsocket;

import io.netty.buffer.ByteBuf;
import io.netty.channel.RecvByteBufAllocator.ExtendedHandle;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Reads a {@link HostSocket} whose events come once each. Confined to the socket's event loop.
 *
 * <p><b>Theory of operation.</b> What is known and not acted on yet:
 * <pre>
 *   wanted      somebody has asked, and got nothing since
 *   readable    an edge has come, and no read since has found the socket empty
 *   toTheEnd    with the last edge, something came that makes no edge of its own (FIN, RST, urgent data): a short read
 *               does not mean that the socket is empty
 *   failed      the kernel has reported an error, which is asked for when what came before it has been read
 * </pre>
 * A read happens when the socket is readable and somebody wants it, in either order. A read that brings less than was asked
 * for has emptied the socket (epoll(7)), and no second one finds that out by EAGAIN. A turn is bounded; where it ends before
 * the socket is empty, epoll is asked to report it again, so that others come first.
 *
 * <p>RST takes what it finds: what was received before it is read first, wanted or not, at most one turn's worth at once.
 */
final class SocketReader implements Runnable {
    /** Reads in one turn, of at most what the receive allocator grows to. */
    private static final int READS_A_TURN = 4;

    private final HostSocket socket;
    private boolean wanted;
    private boolean readable;
    private boolean toTheEnd;
    private boolean failed;
    private boolean reading;
    private boolean scheduled;

    SocketReader(HostSocket socket) {
        this.socket = socket;
    }

    /** Epoll has reported the socket, which is connected. */
    void onEdge(boolean special, boolean error) {
        readable = true;
        toTheEnd |= special;
        failed |= error;
        if (wanted || failed) {
            read();
        }
    }

    void want() {
        wanted = true;
        if (readable && !reading && !scheduled) {
            scheduled = true;
            socket.eventLoop().execute(this); // never inside the caller's handler
        }
    }

    void stop() {
        wanted = false;
    }

    /** A read that was wanted when the socket was readable already. */
    @Override
    public void run() {
        scheduled = false;
        if (wanted && readable && socket.isActive()) {
            read();
        }
    }

    private void read() {
        if (socket.isInputShutdown()) {
            readable = false;
            checkError();
            return;
        }
        int last;
        reading = true;
        try {
            last = readSome();
        } catch (IOException | RuntimeException | OutOfMemoryError e) { // of direct memory: this connection has to go
            socket.fail(e);
            return;
        } finally {
            reading = false;
        }
        if (last < 0 && goesOn()) {
            socket.onEof();
        }
        if (!readable) {
            checkError();
        } else if (wanted) {
            socket.watchAgain();
        }
    }

    /** What the last read said: bytes, 0 if there are none, negative at the end. */
    private int readSome() throws IOException {
        ExtendedHandle sizes = (ExtendedHandle) socket.unsafe().recvBufAllocHandle(); // as all of Netty's are
        sizes.reset(socket.config());
        boolean some = false;
        int last = 0;
        try {
            boolean more = true;
            for (int i = 0; i < READS_A_TURN && readable && more; i++) {
                last = readOnce(sizes);
                some |= last > 0;
                more = goesOn() && (failed || socket.config().isAutoRead());
            }
        } finally {
            if (some) {
                sizes.readComplete();
                socket.pipeline().fireChannelReadComplete(); // auto-read asks again
            }
        }
        return last;
    }

    /** False if a handler has closed the socket, or its input. */
    private boolean goesOn() {
        return socket.isActive() && !socket.isInputShutdown();
    }

    private int readOnce(ExtendedHandle sizes) throws IOException {
        ByteBuf b = sizes.allocate(socket.config().getAllocator());
        int room = b.writableBytes();
        int n = 0;
        try {
            n = readTo(b, room);
        } finally {
            if (n <= 0) {
                b.release();
            }
        }
        if (n <= 0) {
            readable = false;
            toTheEnd = false;
            return n;
        }
        readable = n == room || toTheEnd;
        wanted = false;
        sizes.attemptedBytesRead(room);
        sizes.lastBytesRead(n);
        sizes.incMessagesRead(1);
        socket.pipeline().fireChannelRead(b.writerIndex(b.writerIndex() + n));
        return n;
    }

    private int readTo(ByteBuf b, int room) throws IOException {
        int at = b.writerIndex();
        if (b.hasMemoryAddress()) {
            return socket.descriptor().readAddress(b.memoryAddress(), at, at + room);
        }
        ByteBuffer nio = b.internalNioBuffer(at, room);
        return socket.descriptor().read(nio, nio.position(), nio.limit());
    }

    /** What came before an error has been read: now for the error. There may be none, only a router's message. */
    private void checkError() {
        if (failed && socket.isActive()) {
            failed = false;
            IOException error = socket.takeError();
            if (error != null) {
                socket.fail(error);
            }
        }
    }
}
