package dev.longshore.link.tap;

import dev.longshore.link.Inbox;
import dev.longshore.link.LinkCounter;
import dev.longshore.link.LinkCounters;
import dev.longshore.link.LinkState;
import dev.longshore.linux.Errno;
import dev.longshore.linux.FdWatch;
import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.OffloadRequest;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.VirtioNetHeader;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.IoEventLoop;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.Errors.NativeIoException;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.IovArray;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The link to whoever uses a TAP device: one read and one write a frame, with a virtio_net_hdr in front, so that large
 * segments and partial checksums cross in both directions. Confined to its event loop.
 *
 * <p><b>Theory of operation.</b> Reading is level-triggered and bounded for each wake-up; it never waits for writing. A write
 * goes through as long as the device is up and its send buffer, usually without a bound, has room. Where it does not:
 * <pre>
 *   EAGAIN             no room         wait for EPOLLOUT
 *   ENOBUFS, ENOMEM    no memory       nothing will be signalled: try again in a moment
 *   EIO                device is down  the link is down until EPOLLOUT, which the kernel gives for devices that are up
 *   EBADFD, ENODEV     device is gone  the link is down for ever
 *   anything else      a frame that it does not take: dropped, counted
 * </pre>
 * The link begins as if it had just met EIO, and so finds out whether the device is up.
 */
public final class TapLink implements Link {
    /** Of the header in front of each frame; for {@link dev.longshore.linux.Tap#open}. */
    public static final int HEADER_BYTES = VirtioNetHeader.BYTES;

    /**
     * What the kernel keeps for us. Beyond it, it drops: a TAP device does not hold its senders back. A flow may have a window of
     * 4 MiB under way, which a program that writes little at a time makes 2900 packets of, and the usual length is 1000.
     */
    public static final int QUEUE_PACKETS = 8192;

    private static final Logger LOG = LoggerFactory.getLogger(TapLink.class);

    /** Frames and bytes in one wake-up; then the loop's other descriptors have their turn. */
    private static final int BATCH_FRAMES = 128;

    private static final int BATCH_BYTES = 1 << 20;

    /** After so many occasions to look for more that were let go, one is taken. */
    private static final int LOOK_FOR_MORE = 4;

    /** Frames and bytes in one wake-up that are no stream of data yet. */
    private static final int DIALOGUE_FRAMES = 6;

    private static final int DIALOGUE_BYTES = 1024;

    private static final long RETRY_MILLIS = 1;
    private static final EpollIoOps READ = EpollIoOps.EPOLLIN;
    private static final EpollIoOps READ_AND_WRITE = EpollIoOps.EPOLLIN.with(EpollIoOps.EPOLLOUT);

    private final IoEventLoop loop;
    private final String name;
    private final Runnable onGone;
    private final LinkCounters counters = new LinkCounters();
    private final Inbox inbox;
    private final ByteBuf header;
    private final IovArray pieces = new IovArray(2 + OutFrame.MAX_PIECES); // both headers
    private final ByteBuf copies;
    private int fd;
    private @Nullable FdWatch watch;
    private @Nullable FrameSink sink;
    private @Nullable LinkState state;
    private boolean waiting; // for EPOLLOUT or the retry
    private boolean refused; // a send had no room and the sink has not heard of room since
    private boolean closed;
    private boolean severalLast; // frames at once, in the last wake-up
    private int singles;
    private int framesRead; // in this wake-up, as the next
    private int bytesRead;
    private long framesSent;
    private int answersFound; // by looks after an answer of ours, less those that found none, not far from 0
    private int missed;

    /**
     * @param fd a non-blocking descriptor of {@link dev.longshore.linux.Tap#open}, owned by the link from now on
     * @param name of the device, for the log
     * @param onGone called once, on the loop, when somebody has removed the device
     */
    public TapLink(IoEventLoop loop, int fd, String name, ByteBufAllocator allocator, Runnable onGone) {
        this.loop = loop;
        this.fd = fd;
        this.name = name;
        this.onGone = onGone;
        this.inbox = new Inbox(allocator, counters, HEADER_BYTES);
        this.header = allocator.directBuffer(HEADER_BYTES, HEADER_BYTES).writeZero(HEADER_BYTES);
        this.copies = allocator.directBuffer(0, Inbox.MAX_FRAME_BYTES);
    }

    /** Readable from any thread. */
    public LinkCounters counters() {
        return counters;
    }

    @Override
    public void open(FrameSink fromGuest) {
        assert loop.inEventLoop();
        if (sink != null || closed) {
            throw new IllegalStateException("opened twice, or after close");
        }
        sink = fromGuest;
        state = new LinkState(loop, fromGuest, this::tellRoom);
        waiting = true;
        FdWatch opened = FdWatch.openForEvents(loop, fd, READ_AND_WRITE, this::onReady, this::onBug);
        fd = -1;
        if (opened == null) {
            LOG.error("{} cannot be watched", name);
        }
        watch = opened;
    }

    private void onReady(EpollIoOps events) {
        FrameSink to = sink;
        if (to == null) {
            return;
        }
        if (waiting && events.contains(EpollIoOps.EPOLLOUT)) {
            onRoom();
        }
        if (watch != null && (events.contains(EpollIoOps.EPOLLIN) || events.contains(EpollIoOps.EPOLLERR))) {
            read(to);
        }
    }

    // ---- from the guest

    /**
     * Reads until there is no reason to expect more. A guest whose kernel is this one answers within the write of a frame, so
     * a few small frames that led to some for the guest, as when a connection opens, are followed by another look, as long as
     * such looks find something. A stream of data gets larger batches, and so fewer acknowledgments, if it is left to gather.
     */
    private void read(FrameSink to) {
        framesRead = 0;
        bytesRead = 0;
        boolean answered = readBatch(to);
        while (answered && (answersFound >= 0 || ++missed % LOOK_FOR_MORE == 0)) {
            int before = framesRead;
            answered = readBatch(to);
            answersFound = Math.clamp(answersFound + (framesRead > before ? 1L : -1L), -LOOK_FOR_MORE, LOOK_FOR_MORE);
        }
    }

    /**
     * A guest that sends one frame and waits for the answer is the common case: asking the device for a second one costs as
     * much as being woken again, if there is one. So single frames are followed by no such question, but for every now and then;
     * as soon as there are more at once, all are taken.
     *
     * @return true if it led to frames for the guest, and it all looks like a dialogue
     */
    private boolean readBatch(FrameSink to) {
        boolean all = severalLast || ++singles % LOOK_FOR_MORE == 0;
        int most = all ? BATCH_FRAMES : framesRead + 1;
        int before = framesRead;
        long sentBefore = framesSent;
        FdWatch from = watch;
        while (from != null && framesRead < most && bytesRead < BATCH_BYTES) {
            int n = readOne(from.fd(), to);
            if (n <= 0) {
                break;
            }
            framesRead++;
            bytesRead += n;
            from = watch; // the sink may have closed the link
        }
        int frames = framesRead - before;
        if (before == 0 || frames > 1) {
            severalLast = all && frames > 1;
        }
        if (frames > 0 && !closed) {
            inbox.endBatch(to);
        }
        return framesSent != sentBefore && framesRead <= DIALOGUE_FRAMES && bytesRead < DIALOGUE_BYTES;
    }

    /** The bytes of one frame with its header, 0 if there is none. */
    private int readOne(FileDescriptor from, FrameSink to) {
        ByteBuf room = inbox.room();
        ByteBuf into = room == null ? header : room; // a short read takes the frame out of the device all the same
        int n;
        try {
            n = read(from, into, into.capacity());
        } catch (IOException e) {
            onGone(e);
            return 0;
        }
        if (n > 0) {
            if (room == null) {
                counters.count(LinkCounter.DROPPED_NO_MEMORY);
            } else {
                deliver(to, room, n - HEADER_BYTES);
            }
        }
        return n;
    }

    private static int read(FileDescriptor from, ByteBuf into, int bytes) throws IOException {
        return into.hasMemoryAddress()
                ? from.readAddress(into.memoryAddress(), 0, bytes)
                : from.read(into.internalNioBuffer(0, bytes), 0, bytes);
    }

    private void deliver(FrameSink to, ByteBuf read, int frameBytes) {
        if (frameBytes < Inbox.MIN_FRAME_BYTES) {
            counters.count(LinkCounter.DROPPED_RUNT);
            return;
        }
        int offload = OffloadRequest.check(read, frameBytes, true, true);
        switch (offload) {
            case OffloadRequest.BAD_CHECKSUM_FIELD -> counters.count(LinkCounter.DROPPED_CHECKSUM_FIELD);
            case OffloadRequest.BAD_SEGMENTATION -> counters.count(LinkCounter.DROPPED_SEGMENTATION);
            default -> inbox.deliver(to, HEADER_BYTES, frameBytes, offload);
        }
    }

    // ---- to the guest

    @Override
    public boolean send(OutFrame frame) {
        assert loop.inEventLoop();
        FdWatch to = watch;
        if (to == null || waiting) {
            refused = true;
            return false;
        }
        if (frame.bytes() > Inbox.MAX_FRAME_BYTES) {
            counters.count(LinkCounter.DROPPED_TOO_LARGE);
            return true;
        }
        gather(frame);
        try {
            if (to.fd().writevAddresses(pieces.memoryAddress(0), pieces.count()) == 0) {
                return noRoom(READ_AND_WRITE);
            }
        } catch (IOException e) {
            return onWriteFailed(e);
        }
        framesSent++;
        counters.count(LinkCounter.FRAMES_TO_GUEST);
        counters.add(LinkCounter.BYTES_TO_GUEST, frame.bytes());
        return true;
    }

    /** Points {@link #pieces} at the header and the frame. Payload on the heap, such as a service's short answer, is copied. */
    private void gather(OutFrame frame) {
        OffloadRequest.write(header, frame, 0);
        pieces.clear();
        pieces.add(header, 0, HEADER_BYTES);
        pieces.add(frame.head(), 0, frame.head().writerIndex());
        copies.clear();
        for (int i = 0; i < frame.pieces(); i++) {
            ByteBuf piece = frame.piece(i);
            int at = frame.pieceAt(i);
            int bytes = frame.pieceBytes(i);
            if (!piece.hasMemoryAddress()) {
                if (!copies.isReadable()) {
                    copies.ensureWritable(frame.payloadBytes()); // at once: what the kernel is pointed at must not move
                }
                int copyAt = copies.writerIndex();
                copies.writeBytes(piece, at, bytes);
                piece = copies;
                at = copyAt;
            }
            pieces.add(piece, at, bytes);
        }
    }

    private boolean onWriteFailed(IOException e) {
        return switch (errno(e)) {
            case Errno.ENOBUFS, Errno.ENOMEM -> {
                loop.schedule(this::retry, RETRY_MILLIS, TimeUnit.MILLISECONDS);
                yield noRoom(READ);
            }
            case Errno.EIO -> {
                setUp(false);
                yield noRoom(READ_AND_WRITE);
            }
            case Errno.ENODEV, Errno.EBADFD -> {
                onGone(e);
                refused = true;
                yield false;
            }
            default -> {
                counters.count(LinkCounter.DROPPED_REFUSED);
                yield true;
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
        if (watch != null && waiting) {
            onRoom();
        }
    }

    private void onRoom() {
        waiting = false;
        if (watch != null) {
            watch.interest(READ);
        }
        if (isUp()) {
            tellRoom();
        } else {
            setUp(true); // then it is told of room too
        }
    }

    private void tellRoom() {
        if (sink != null && refused && isWritable()) {
            refused = false;
            sink.onWritable();
        }
    }

    private boolean isUp() {
        return state != null && state.isUp();
    }

    private void setUp(boolean isUp) {
        if (state != null && isUp() != isUp) {
            LOG.info("{} is {}", name, isUp ? "up" : "down");
            state.become(isUp);
        }
    }

    private void onGone(IOException e) {
        LOG.warn("{} is gone: {}", name, e.getMessage());
        unwatch();
        setUp(false);
        onGone.run();
    }

    private void onBug(Throwable t) {
        counters.count(LinkCounter.DROPPED_SINK_FAILED);
        LOG.error("bug: {} failed", name, t);
    }

    private static int errno(IOException e) {
        return e instanceof NativeIoException n ? -n.expectedErr() : 0;
    }

    /** The device takes a frame as soon as it is sent. */
    @Override
    public void flush() {}

    @Override
    public boolean isWritable() {
        return watch != null && isUp() && !waiting;
    }

    @Override
    public int maxFrameBytes() {
        return Inbox.MAX_FRAME_BYTES;
    }

    @Override
    public boolean tso4ToGuest() {
        return true;
    }

    @Override
    public boolean tso6ToGuest() {
        return true;
    }

    @Override
    public boolean checksumOffloadToGuest() {
        return true;
    }

    private void unwatch() {
        FdWatch open = watch;
        watch = null;
        if (open != null) {
            open.close();
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
        if (state != null) {
            state.close();
        }
        if (fd >= 0) { // never opened: the descriptor is still ours alone
            try {
                new FileDescriptor(fd).close();
            } catch (IOException e) {
                LOG.warn("{}: {}", name, e.getMessage());
            }
            fd = -1;
        }
        unwatch();
        inbox.release();
        header.release();
        copies.release();
        pieces.release();
    }
}
