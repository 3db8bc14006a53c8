package dev.longshore.link.stream;

import dev.longshore.link.Inbox;
import dev.longshore.link.LinkCounter;
import dev.longshore.link.LinkCounters;
import dev.longshore.link.LinkState;
import dev.longshore.link.SocketPath;
import dev.longshore.linux.Errno;
import dev.longshore.linux.FdWatch;
import dev.longshore.linux.Linux;
import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.OffloadRequest;
import dev.longshore.packet.link.OutFrame;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.IoEventLoop;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens on a Unix stream socket for QEMU's {@code -netdev stream}; guests come and go, one at a time, the next one waits.
 * Confined to its event loop.
 * <pre>
 * both ways, back to back:  | length of the frame, 4 bytes, big endian | frame, 14 to 65,550 bytes |
 * </pre>
 * Frames to the guest are gathered and written at {@link #flush}. What the socket does not take then stays, up to a bound, in
 * front of all later frames; when that is full there is no room until the guest has read. A length that no frame has ends
 * the connection, since nothing after it can be understood.
 */
public final class StreamLink implements Link {
    private static final Logger LOG = LoggerFactory.getLogger(StreamLink.class);

    private static final int LENGTH_BYTES = 4;
    private static final int ETHERNET_HEADER_BYTES = 14;
    private static final int BUFFER_BYTES = 256 << 10;

    /** Bytes in one wake-up; then the loop's other descriptors have their turn. */
    private static final int BATCH_BYTES = 1 << 20;

    private static final EpollIoOps EDGE = EpollIoOps.EPOLLIN.with(EpollIoOps.EPOLLET);
    private static final EpollIoOps READ = EpollIoOps.EPOLLIN;
    private static final EpollIoOps READ_AND_WRITE = EpollIoOps.EPOLLIN.with(EpollIoOps.EPOLLOUT);

    private final IoEventLoop loop;
    private final SocketPath path;
    private final int mtu;
    private final Linux linux = new Linux();
    private final LinkCounters counters = new LinkCounters();
    private final Inbox inbox;
    private final ByteBuf in;
    private final ByteBuf out;
    private @Nullable FdWatch listener;
    private @Nullable FdWatch peer;
    private @Nullable FrameSink sink;
    private @Nullable LinkState state;
    private int begun; // bytes that are left in out of a frame whose start is written
    private boolean waiting; // for EPOLLOUT
    private boolean interested; // in EPOLLOUT
    private boolean refused; // a send had no room and the sink has not heard of room since
    private boolean closed;

    /** @param mtu of the guest's interface: larger frames are not sent */
    public StreamLink(IoEventLoop loop, Path path, int mtu, ByteBufAllocator allocator) {
        this.loop = loop;
        this.path = new SocketPath(path);
        this.mtu = mtu;
        this.inbox = new Inbox(allocator, counters, 0);
        this.in = allocator.directBuffer(BUFFER_BYTES, BUFFER_BYTES);
        this.out = allocator.directBuffer(BUFFER_BYTES, BUFFER_BYTES);
    }

    /** Readable from any thread. */
    public LinkCounters counters() {
        return counters;
    }

    /**
     * Makes the socket, for this user only. Guests are served from {@link #open} on.
     *
     * @throws IOException with a text for the user
     */
    public void listen() throws IOException {
        assert loop.inEventLoop();
        path.prepare();
        int fd = checked(linux.unixSocket());
        try {
            checked(linux.bind(fd, path.path().toString()));
            path.restrict();
            checked(linux.listen(fd, 1)); // nobody can connect before this
        } catch (IOException e) {
            linux.close(fd);
            throw e;
        }
        listener = FdWatch.open(loop, fd, EDGE, this::acceptNext, this::onBug);
    }

    private int checked(int result) throws IOException {
        if (result < 0) {
            throw new IOException(path.path() + ": " + Errno.text(-result));
        }
        return result;
    }

    @Override
    public void open(FrameSink fromGuest) {
        assert loop.inEventLoop();
        if (sink != null || closed) {
            throw new IllegalStateException("opened twice, or after close");
        }
        sink = fromGuest;
        state = new LinkState(loop, fromGuest, this::tellRoom);
        acceptNext();
    }

    /** Takes the next guest, unless one is being served. */
    private void acceptNext() {
        LinkState to = state;
        if (listener == null || to == null || peer != null || closed) {
            return; // edge-triggered: who waits is taken when the guest before has left
        }
        int fd = linux.accept(listener.number());
        if (fd >= 0) {
            LOG.info("{}: guest connected", path.path());
            peer = FdWatch.openForEvents(loop, fd, READ, this::onReady, this::onBug);
            to.become(peer != null);
        } else if (fd != -Linux.EAGAIN) {
            LOG.warn("{}: accept failed: {}", path.path(), Errno.text(-fd));
        }
    }

    private void onReady(EpollIoOps events) {
        FrameSink to = sink;
        FdWatch from = peer;
        if (to == null || from == null) {
            return;
        }
        if (waiting && events.contains(EpollIoOps.EPOLLOUT)) {
            waiting = false;
            write(from);
            tellRoom();
        }
        if (events.value() != EpollIoOps.EPOLLOUT.value()) {
            read(from, to);
        }
    }

    // ---- from the guest

    private void read(FdWatch from, FrameSink to) {
        long before = counters.get(LinkCounter.FRAMES_FROM_GUEST);
        int bytes = 0;
        boolean more = true;
        while (more && isStill(from) && bytes < BATCH_BYTES) {
            int n = receive(from);
            bytes += n;
            more = n > 0 && in.writableBytes() == 0; // what does not fill the buffer was all there is
            if (n > 0) {
                deliver(from, to);
            }
        }
        if (!closed && counters.get(LinkCounter.FRAMES_FROM_GUEST) != before) {
            inbox.endBatch(to);
        }
    }

    private boolean isStill(FdWatch guest) {
        return guest.equals(peer);
    }

    /** Appends to {@link #in}. The bytes received, 0 for none. */
    private int receive(FdWatch from) {
        try {
            int at = in.writerIndex();
            int n = read(from.fd(), at);
            if (n < 0) {
                disconnect("guest disconnected");
                return 0;
            }
            in.writerIndex(at + n);
            return n;
        } catch (IOException e) {
            disconnect(String.valueOf(e.getMessage()));
            return 0;
        }
    }

    private int read(FileDescriptor from, int at) throws IOException {
        int bytes = in.capacity() - at;
        return in.hasMemoryAddress()
                ? from.readAddress(in.memoryAddress(), at, in.capacity())
                : from.read(in.internalNioBuffer(at, bytes), 0, bytes);
    }

    /** The whole frames of {@link #in}; the start of another stays, at the buffer's start. */
    private void deliver(FdWatch from, FrameSink to) {
        while (in.readableBytes() >= LENGTH_BYTES) {
            int at = in.readerIndex();
            int length = in.getInt(at);
            if (length < Inbox.MIN_FRAME_BYTES || length > Inbox.MAX_FRAME_BYTES) {
                counters.count(
                        length >= 0 && length < Inbox.MIN_FRAME_BYTES
                                ? LinkCounter.DROPPED_RUNT
                                : LinkCounter.DROPPED_OVERSIZE);
                disconnect("a frame of " + Integer.toUnsignedString(length) + " bytes");
                return;
            }
            if (in.readableBytes() < LENGTH_BYTES + length) {
                break;
            }
            in.skipBytes(LENGTH_BYTES + length);
            inbox.deliverCopy(to, in, at + LENGTH_BYTES, length, 0);
            if (!isStill(from)) {
                return; // what the sink did has ended the connection, and emptied the buffer
            }
        }
        in.discardReadBytes();
    }

    // ---- to the guest

    @Override
    public boolean send(OutFrame frame) {
        assert loop.inEventLoop();
        if (peer == null) {
            refused = true;
            return false;
        }
        if (frame.bytes() > maxFrameBytes()) {
            counters.count(LinkCounter.DROPPED_TOO_LARGE);
            return true;
        }
        if (!OffloadRequest.isAgreed(frame, false, false, false)) {
            counters.count(LinkCounter.DROPPED_OFFLOAD);
            return true;
        }
        if (!makeRoom(LENGTH_BYTES + frame.bytes())) {
            counters.count(LinkCounter.BLOCKED);
            refused = true;
            return false;
        }
        out.writeInt(frame.bytes());
        frame.copyTo(out);
        counters.count(LinkCounter.FRAMES_TO_GUEST);
        counters.add(LinkCounter.BYTES_TO_GUEST, frame.bytes());
        return true;
    }

    private boolean makeRoom(int bytes) {
        if (refused) {
            return false; // until the sink has heard of room, in the order of its frames
        }
        if (out.writableBytes() < bytes) {
            flush();
            out.discardReadBytes();
        }
        return peer != null && out.writableBytes() >= bytes;
    }

    @Override
    public void flush() {
        if (peer != null && !waiting && out.isReadable()) {
            write(peer);
        }
    }

    private void write(FdWatch to) {
        try {
            onWritten(write(to.fd()));
        } catch (IOException e) {
            disconnect(String.valueOf(e.getMessage()));
            return;
        }
        if (interested != out.isReadable()) {
            interested = out.isReadable();
            to.interest(interested ? READ_AND_WRITE : READ);
        }
        waiting = out.isReadable();
        if (!waiting) {
            out.clear();
        }
    }

    /** Remembers where the first frame that has not gone whole ends. */
    private void onWritten(int bytes) {
        int at = out.readerIndex();
        int end = at + bytes;
        int next = at + begun;
        while (next < end) {
            next += LENGTH_BYTES + out.getInt(next);
        }
        begun = next - end;
        out.readerIndex(end);
    }

    /** What waited for a guest that is gone. */
    private void drop() {
        int lost = begun > 0 ? 1 : 0;
        for (int at = out.readerIndex() + begun; at < out.writerIndex(); at += LENGTH_BYTES + out.getInt(at)) {
            lost++;
        }
        counters.add(LinkCounter.DROPPED_DISCONNECTED, lost);
        out.clear();
        begun = 0;
    }

    private int write(FileDescriptor to) throws IOException {
        int at = out.readerIndex();
        int bytes = out.readableBytes();
        return out.hasMemoryAddress()
                ? to.writeAddress(out.memoryAddress(), at, at + bytes)
                : to.write(out.internalNioBuffer(at, bytes), 0, bytes);
    }

    /** The sink may send again: there is a guest, and half of what may wait has gone. */
    private void tellRoom() {
        FrameSink to = sink;
        if (to != null && refused && isUp() && out.readableBytes() <= BUFFER_BYTES / 2) {
            refused = false;
            to.onWritable();
        }
    }

    private boolean isUp() {
        return peer != null && state != null && state.isUp();
    }

    private void disconnect(String why) {
        FdWatch old = peer;
        if (old == null) {
            return;
        }
        LOG.info("{}: {}", path.path(), why);
        peer = null;
        old.close();
        in.clear();
        drop();
        waiting = false;
        interested = false;
        if (state != null) {
            state.become(false);
        }
        loop.execute(this::acceptNext);
    }

    private void onBug(Throwable t) {
        counters.count(LinkCounter.DROPPED_SINK_FAILED);
        LOG.error("bug: {} failed", path.path(), t);
        disconnect("an error of ours");
    }

    @Override
    public boolean isWritable() {
        return isUp() && !refused;
    }

    @Override
    public int maxFrameBytes() {
        return ETHERNET_HEADER_BYTES + mtu;
    }

    @Override
    public boolean tso4ToGuest() {
        return false;
    }

    @Override
    public boolean tso6ToGuest() {
        return false;
    }

    @Override
    public boolean checksumOffloadToGuest() {
        return false;
    }

    @Override
    public void close() {
        assert loop.inEventLoop();
        if (closed) {
            return;
        }
        closed = true;
        if (state != null) {
            state.close();
        }
        disconnect("closed");
        sink = null;
        if (listener != null) {
            listener.close();
            try {
                path.remove();
            } catch (IOException e) {
                LOG.warn("{} could not be removed: {}", path.path(), e.getMessage());
            }
        }
        inbox.release();
        in.release();
        out.release();
    }
}
