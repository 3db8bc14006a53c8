package dev.longshore.link.datagram;

import dev.longshore.link.Inbox;
import dev.longshore.link.LinkCounter;
import dev.longshore.link.LinkCounters;
import dev.longshore.link.LinkState;
import dev.longshore.link.SocketPath;
import dev.longshore.linux.Errno;
import dev.longshore.linux.FdWatch;
import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.OffloadRequest;
import dev.longshore.packet.link.OutFrame;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.IoEventLoop;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.DomainDatagramSocketAddress;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Errors.NativeIoException;
import io.netty.channel.unix.Socket;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Unix datagram socket for vfkit, libkrun and their like: one frame in each datagram, and perhaps {@code VFKT} as the first
 * one. The guest's socket has a path of its own, where the answers go. Confined to its event loop.
 *
 * <p><b>Theory of operation.</b> The first datagram tells the guest's path, and our socket is connected to it: then epoll
 * knows when the guest's queue has room, and nobody else can send. No datagram says that a guest has left. So a write that
 * finds nobody, or a connect to the same path, tried again and again, ends the acquaintance, and the next datagram begins
 * another. A guest that came back on the same path is found by the same connect.
 */
public final class DatagramLink implements Link {
    private static final Logger LOG = LoggerFactory.getLogger(DatagramLink.class);

    /** What vfkit sends first, in ASCII. */
    private static final int HANDSHAKE = 0x56464B54;

    private static final int HANDSHAKE_BYTES = 4;
    private static final int ETHERNET_HEADER_BYTES = 14;
    private static final int SEND_BUFFER_BYTES = 1 << 20;
    private static final int RECEIVE_BUFFER_BYTES = 4 << 20;
    private static final int BATCH_FRAMES = 128;
    private static final long RETRY_MILLIS = 1;
    private static final long PROBE_MILLIS = 100;
    private static final EpollIoOps READ = EpollIoOps.EPOLLIN;
    private static final EpollIoOps READ_AND_WRITE = EpollIoOps.EPOLLIN.with(EpollIoOps.EPOLLOUT);

    private final IoEventLoop loop;
    private final SocketPath path;
    private final int mtu;
    private final LinkCounters counters = new LinkCounters();
    private final Inbox inbox;
    private final ByteBuf out;
    private @Nullable Socket socket;
    private @Nullable FdWatch watch;
    private @Nullable DomainSocketAddress guest;
    private @Nullable Future<?> probe;
    private @Nullable FrameSink sink;
    private @Nullable LinkState state;
    private boolean waiting; // for EPOLLOUT or the retry
    private boolean refused; // a send had no room and the sink has not heard of room since
    private boolean closed;

    /** @param mtu of the guest's interface: larger frames are not sent */
    public DatagramLink(IoEventLoop loop, Path path, int mtu, ByteBufAllocator allocator) {
        this.loop = loop;
        this.path = new SocketPath(path);
        this.mtu = mtu;
        this.inbox = new Inbox(allocator, counters, 1); // one byte more shows what was cut
        this.out = allocator.directBuffer(ETHERNET_HEADER_BYTES + mtu, ETHERNET_HEADER_BYTES + mtu);
    }

    /** Readable from any thread. */
    public LinkCounters counters() {
        return counters;
    }

    /**
     * Makes the socket, for this user only. A guest is served from {@link #open} on.
     *
     * @throws IOException with a text for the user
     */
    public void listen() throws IOException {
        assert loop.inEventLoop();
        path.prepare();
        Socket made = Socket.newSocketDomainDgram();
        try {
            made.setSendBufferSize(SEND_BUFFER_BYTES);
            made.setReceiveBufferSize(RECEIVE_BUFFER_BYTES);
            made.bind(new DomainSocketAddress(path.path().toFile()));
            path.restrict();
        } catch (IOException e) {
            made.close();
            throw new IOException(path.path() + ": " + e.getMessage(), e);
        }
        socket = made;
    }

    @Override
    public void open(FrameSink fromGuest) {
        assert loop.inEventLoop();
        if (sink != null || closed) {
            throw new IllegalStateException("opened twice, or after close");
        }
        sink = fromGuest;
        state = new LinkState(loop, fromGuest, this::tellRoom);
        if (socket != null) {
            watch = FdWatch.openForEvents(loop, socket.intValue(), READ, this::onReady, this::onBug);
        }
    }

    private void onReady(EpollIoOps events) {
        FrameSink to = sink;
        if (to == null) {
            return;
        }
        if (waiting && events.contains(EpollIoOps.EPOLLOUT)) {
            onRoom();
        }
        if (events.value() != EpollIoOps.EPOLLOUT.value()) {
            read(to);
        }
    }

    // ---- from the guest

    private void read(FrameSink to) {
        long before = counters.get(LinkCounter.FRAMES_FROM_GUEST);
        for (int i = 0; i < BATCH_FRAMES && !closed; i++) {
            if (!readOne(to)) {
                break;
            }
        }
        if (!closed && counters.get(LinkCounter.FRAMES_FROM_GUEST) != before) {
            inbox.endBatch(to);
        }
    }

    /** False if there was none. */
    private boolean readOne(FrameSink to) {
        ByteBuf room = inbox.room();
        Socket from = socket;
        if (from == null) {
            return false;
        }
        ByteBuf into = room == null ? out : room; // a short read takes the datagram out of the socket all the same
        into.clear();
        int n;
        try {
            n = guest == null
                    ? meet(from, into)
                    : from.recv(into.internalNioBuffer(0, into.capacity()), 0, into.capacity());
        } catch (IOException e) {
            LOG.debug("{}: {}", path.path(), e.getMessage());
            return false; // an error of the guest that has left: the probe finds out
        }
        if (n > 0) {
            if (room == null) {
                counters.count(LinkCounter.DROPPED_NO_MEMORY);
            } else {
                deliver(to, room, n);
            }
        }
        return n != 0;
    }

    /** The first datagram of a guest, which tells where to answer. The bytes received, 0 for none, -1 if it is of no use. */
    private int meet(Socket from, ByteBuf into) throws IOException {
        DomainDatagramSocketAddress sender =
                from.recvFromDomainSocket(into.internalNioBuffer(0, into.capacity()), 0, into.capacity());
        if (sender == null) {
            return 0;
        }
        if (sender.path().isEmpty()) {
            counters.count(LinkCounter.DROPPED_NO_ADDRESS);
            return -1;
        }
        DomainSocketAddress address = new DomainSocketAddress(sender.path());
        try {
            boolean connected = from.connect(address);
            assert connected : "datagram sockets connect at once";
        } catch (IOException e) {
            counters.count(LinkCounter.DROPPED_NO_ADDRESS); // it has left already
            return -1;
        }
        LOG.info("{}: guest at {}", path.path(), sender.path());
        guest = address;
        probe = loop.scheduleAtFixedRate(this::probe, PROBE_MILLIS, PROBE_MILLIS, TimeUnit.MILLISECONDS);
        if (state != null) {
            state.become(true);
        }
        return sender.receivedAmount();
    }

    private void deliver(FrameSink to, ByteBuf read, int bytes) {
        if (bytes == HANDSHAKE_BYTES && read.getInt(0) == HANDSHAKE) {
            return;
        }
        if (bytes < Inbox.MIN_FRAME_BYTES) {
            counters.count(LinkCounter.DROPPED_RUNT);
            return;
        }
        if (bytes > Inbox.MAX_FRAME_BYTES) {
            counters.count(LinkCounter.DROPPED_OVERSIZE);
            return;
        }
        inbox.deliver(to, 0, bytes, 0);
    }

    // ---- to the guest

    @Override
    public boolean send(OutFrame frame) {
        assert loop.inEventLoop();
        Socket to = socket;
        if (to == null || guest == null || waiting) {
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
        frame.copyTo(out.clear());
        try {
            if (to.send(out.internalNioBuffer(0, frame.bytes()), 0, frame.bytes()) == 0) {
                return noRoom(READ_AND_WRITE);
            }
        } catch (IOException e) {
            return onSendFailed(e);
        }
        counters.count(LinkCounter.FRAMES_TO_GUEST);
        counters.add(LinkCounter.BYTES_TO_GUEST, frame.bytes());
        return true;
    }

    private boolean onSendFailed(IOException e) {
        int errno = e instanceof NativeIoException n ? -n.expectedErr() : 0;
        return switch (errno) {
            case Errno.ENOBUFS, Errno.ENOMEM -> { // nothing will be signalled
                loop.schedule(this::retry, RETRY_MILLIS, TimeUnit.MILLISECONDS);
                yield noRoom(READ);
            }
            case Errno.EMSGSIZE -> {
                counters.count(LinkCounter.DROPPED_REFUSED);
                yield true;
            }
            default -> { // nobody is there
                forget(String.valueOf(e.getMessage()));
                refused = true;
                yield false;
            }
        };
    }

    /** Always false. */
    private boolean noRoom(EpollIoOps interest) {
        counters.count(LinkCounter.BLOCKED);
        waiting = true;
        refused = true;
        if (watch != null) {
            watch.interest(interest);
        }
        return false;
    }

    private void retry() {
        if (waiting && guest != null && !closed) {
            onRoom();
        }
    }

    private void onRoom() {
        waiting = false;
        if (watch != null) {
            watch.interest(READ);
        }
        tellRoom();
    }

    private void tellRoom() {
        FrameSink to = sink;
        if (to != null && refused && guest != null && !waiting) {
            refused = false;
            to.onWritable();
        }
    }

    // ---- whether the guest is there

    private void probe() {
        Socket s = socket;
        DomainSocketAddress address = guest;
        if (s == null || address == null) {
            return;
        }
        try {
            boolean connected = s.connect(address);
            assert connected : "datagram sockets connect at once";
        } catch (IOException e) {
            forget(String.valueOf(e.getMessage()));
        }
    }

    /** The guest has left: the next datagram, from anybody, begins another acquaintance. */
    private void forget(String why) {
        LOG.info("{}: guest left: {}", path.path(), why);
        guest = null;
        if (probe != null) {
            probe.cancel(false);
            probe = null;
        }
        if (waiting) {
            waiting = false;
            if (watch != null) {
                watch.interest(READ);
            }
        }
        if (state != null) {
            state.become(false);
        }
        try {
            if (socket != null) {
                socket.disconnect();
            }
        } catch (IOException e) {
            LOG.error("{} takes no other guest: {}", path.path(), e.getMessage());
        }
    }

    private void onBug(Throwable t) {
        counters.count(LinkCounter.DROPPED_SINK_FAILED);
        LOG.error("bug: {} failed", path.path(), t);
    }

    /** A datagram leaves as soon as it is sent. */
    @Override
    public void flush() {}

    @Override
    public boolean isWritable() {
        return guest != null && state != null && state.isUp() && !waiting;
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

    /** The watch owns the descriptor, if there is one. */
    private void unwatch() {
        FdWatch open = watch;
        Socket s = socket;
        watch = null;
        socket = null;
        try {
            if (open != null) {
                open.close();
            } else if (s != null) {
                s.close();
            }
        } catch (IOException e) {
            LOG.warn("{}: {}", path.path(), e.getMessage());
        }
    }

    @Override
    public void close() {
        assert loop.inEventLoop();
        if (closed) {
            return;
        }
        closed = true;
        sink = null;
        guest = null;
        if (state != null) {
            state.close();
        }
        if (probe != null) {
            probe.cancel(false);
        }
        if (socket != null) {
            unwatch();
            try {
                path.remove();
            } catch (IOException e) {
                LOG.warn("{} could not be removed: {}", path.path(), e.getMessage());
            }
        }
        inbox.release();
        out.release();
    }
}
