package dev.longshore.vpnkit.hostsocket;

import dev.longshore.linux.Errno;
import dev.longshore.packet.wire.IpAddress;
import io.netty.buffer.ByteBuf;
import io.netty.channel.AbstractChannel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelMetadata;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.channel.IoEvent;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoEvent;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.ChannelInputShutdownReadComplete;
import io.netty.channel.socket.ChannelOutputShutdownEvent;
import io.netty.channel.socket.ChannelOutputShutdownException;
import io.netty.channel.socket.DuplexChannel;
import io.netty.channel.socket.DuplexChannelConfig;
import io.netty.channel.unix.Errors.NativeIoException;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.UnixChannelUtil;
import io.netty.util.concurrent.Future;
import io.netty.util.internal.StringUtil;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Inet6Address;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.channels.AlreadyConnectedException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ConnectionPendingException;
import java.nio.channels.NotYetConnectedException;
import java.nio.channels.UnresolvedAddressException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A TCP socket of the host as a channel: what Netty's own does for all kinds of users by some twenty system calls a
 * connection, done for flows by eight. Half-closure is always on; a channel whose both directions have ended waits for
 * {@link #close}.
 *
 * <p>Confined to its event loop, as far as Netty channels are; their usual operations may come from any thread.
 *
 * <p><b>Theory of operation.</b> The socket is in the loop's epoll set once, edge-triggered, from the moment it is connected or
 * has to wait for that. So an event is a hint that something has changed, and what has not been acted on is remembered: what
 * there is to read by {@link SocketReader}, and here that a write came short, whereafter the kernel makes an edge when there is
 * room. Writing is not waited for before that, since a writable socket is no news.
 *
 * <p>{@link #shutdownOutput} takes effect when all that was written before it is out. Closing with SO_LINGER 0 is RST.
 */
final class HostSocket extends AbstractChannel implements DuplexChannel {
    private static final Logger log = LoggerFactory.getLogger(HostSocket.class);

    private static final ChannelMetadata METADATA = new ChannelMetadata(false, 16);

    private static final int EPOLLPRI = 2; // Linux eventpoll.h
    private static final int EPOLLERR = EpollIoOps.EPOLLERR.value();
    private static final int EPOLLHUP = 0x10;
    private static final int FOR_WRITER = EpollIoOps.EPOLLOUT.value() | EPOLLERR | EPOLLHUP;
    private static final int SPECIAL = EPOLLPRI | EPOLLERR | EPOLLHUP | EpollIoOps.EPOLLRDHUP.value();
    private static final int FOR_READER = SPECIAL | EpollIoOps.EPOLLIN.value();
    private static final EpollIoOps READS = EpollIoOps.valueOf(
            EpollIoOps.EPOLLET.value() | EpollIoOps.EPOLLIN.value() | EpollIoOps.EPOLLRDHUP.value() | EPOLLPRI);
    private static final EpollIoOps READS_AND_WRITES = READS.with(EpollIoOps.EPOLLOUT);

    private enum State {
        NEW,
        CONNECTING,
        CONNECTED,
        CLOSED
    }

    private final LoopSockets shared;
    private final FileDescriptor fd;
    private final SocketReader reader = new SocketReader(this);
    private final HostSocketConfig config = new HostSocketConfig(this);
    private volatile State state = State.NEW; // these three are read from any thread, as in every channel
    private volatile boolean inputShutdown;
    private volatile boolean outputShutdown;
    private @Nullable IoRegistration registration;
    private EpollIoOps watched = EpollIoOps.NONE;
    private @Nullable InetSocketAddress remote;
    private @Nullable ChannelPromise connecting;
    private @Nullable ChannelPromise finishing; // shutdownOutput, when all is written

    private boolean writeWaits;

    // Where it waits for its keep-alive.
    @Nullable
    HostSocket younger;

    @Nullable
    HostSocket older;

    int bornIn;

    /**
     * Not connected and not registered yet.
     *
     * @param fd a new socket, owned by the channel from now on
     * @param shared of the loop it will be registered with
     */
    HostSocket(FileDescriptor fd, LoopSockets shared) {
        super(null, shared.newId());
        this.fd = fd;
        this.shared = shared;
    }

    // ---- epoll

    private void onReady(int events) {
        if (state == State.CONNECTING) {
            goOnConnecting();
        }
        if (state == State.CONNECTED && (events & FOR_READER) != 0) { // before writing, which takes an error away
            reader.onEdge((events & SPECIAL) != 0, (events & EPOLLERR) != 0);
        }
        if (state == State.CONNECTED && writeWaits && (events & FOR_WRITER) != 0) {
            ((SocketUnsafe) unsafe()).goOnWriting();
        }
    }

    private void watch(EpollIoOps interest) throws IOException {
        watched = interest;
        IoRegistration in = registration;
        if (in != null) {
            try {
                in.submit(interest);
            } catch (UncheckedIOException e) {
                throw e.getCause(); // no memory, or the user's limit of epoll (epoll(7), max_user_watches)
            }
        }
    }

    // ---- connecting

    private void connectTo(InetSocketAddress target, ChannelPromise promise) {
        remote = target;
        int r = tryConnect(target);
        if (r < 0 && r != -Errno.EINPROGRESS) {
            promise.tryFailure(new NativeIoException("connect", r, false));
            return;
        }
        try {
            watch(r == 0 ? READS : READS_AND_WRITES);
        } catch (IOException e) {
            promise.tryFailure(e);
            return;
        }
        if (r == 0) {
            onConnected(promise);
        } else {
            state = State.CONNECTING;
            connecting = promise;
        }
    }

    private int tryConnect(InetSocketAddress to) {
        IpAddress a = IpAddress.of(to.getAddress());
        int scope = to.getAddress() instanceof Inet6Address v6 ? v6.getScopeId() : 0;
        return shared.calls.connect(fd.intValue(), a.hi(), a.lo(), scope, to.getPort());
    }

    /** Writable, failed, or a false alarm. */
    private void goOnConnecting() {
        InetSocketAddress to = remote;
        ChannelPromise promise = connecting;
        if (to == null || promise == null) {
            return;
        }
        int r = tryConnect(to);
        if (r == -Errno.EINPROGRESS) {
            return;
        }
        connecting = null;
        if (r < 0) {
            state = State.NEW;
            promise.tryFailure(new NativeIoException("connect", r, false));
        } else {
            onConnected(promise);
        }
    }

    private void onConnected(ChannelPromise promise) {
        state = State.CONNECTED;
        shared.keepAlives.add(this);
        promise.trySuccess();
        if (state == State.CONNECTED) {
            pipeline().fireChannelActive();
        }
    }

    /**
     * On the loopback, the port that the kernel chose for our end may be the very one we call, where nobody listens: by RFC 9293's
     * simultaneous open (§3.5, Figure 8) the socket is then connected to itself, and would answer with what it is told.
     */
    boolean isToItself() {
        InetSocketAddress to = remote;
        if (to == null || shared.calls.lookUpLocal(fd.intValue()) < 0 || shared.calls.localPort() != to.getPort()) {
            return false;
        }
        IpAddress a = IpAddress.of(to.getAddress());
        return shared.calls.localHi() == a.hi() && shared.calls.localLo() == a.lo();
    }

    /** The kernel shall look after this connection, which is no short one. */
    void keepAlive() {
        shared.calls.keepAlive(fd.intValue());
    }

    // ---- reading

    @Override
    protected void doBeginRead() {
        reader.want();
    }

    /** Auto-read was turned off, by any thread. */
    void onAutoReadCleared() {
        if (!isRegistered() || eventLoop().inEventLoop()) {
            reader.stop();
        } else {
            eventLoop().execute(() -> {
                if (!config.isAutoRead()) {
                    reader.stop();
                }
            });
        }
    }

    /** FIN has been read. */
    void onEof() {
        inputShutdown = true;
        pipeline().fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
        pipeline().fireUserEventTriggered(ChannelInputShutdownReadComplete.INSTANCE);
    }

    /** Not empty yet: epoll shall report it once more, after the events of others. */
    void watchAgain() {
        try {
            watch(watched);
        } catch (IOException e) {
            fail(e);
        }
    }

    /** The connection's error, which is taken away by asking: null if there is none. */
    @Nullable
    IOException takeError() {
        int errno = shared.calls.takeError(fd.intValue());
        return errno == 0 ? null : new NativeIoException("connection", -Math.abs(errno), false);
    }

    void fail(Throwable cause) {
        if (state != State.CLOSED) {
            pipeline().fireExceptionCaught(cause);
            unsafe().close(unsafe().voidPromise());
        }
    }

    // ---- writing

    @Override
    protected Object filterOutboundMessage(Object msg) throws IOException {
        if (!(msg instanceof ByteBuf data)) {
            throw new UnsupportedOperationException("only bytes can be sent, not " + StringUtil.simpleClassName(msg));
        }
        if (outputShutdown || finishing != null) {
            throw new ChannelOutputShutdownException("written after shutdownOutput");
        }
        return UnixChannelUtil.isBufferCopyNeededForWrite(data) ? copy(data) : data;
    }

    private ByteBuf copy(ByteBuf data) {
        ByteBuf copy = config.getAllocator().directBuffer(data.readableBytes());
        copy.writeBytes(data, data.readerIndex(), data.readableBytes());
        data.release();
        return copy;
    }

    @Override
    protected void doWrite(ChannelOutboundBuffer in) throws Exception {
        writeWaits = false;
        while (!in.isEmpty()) {
            long wanted;
            long written;
            if (in.size() == 1) {
                ByteBuf data = (ByteBuf) in.current();
                wanted = data.readableBytes();
                written = wanted == 0 ? 0 : send(data);
            } else {
                shared.pieces.clear();
                in.forEachFlushedMessage(shared.pieces);
                wanted = shared.pieces.size();
                written = wanted == 0 ? 0 : fd.writevAddresses(shared.pieces.memoryAddress(0), shared.pieces.count());
            }
            in.removeBytes(written);
            if (written < wanted) {
                waitForRoom();
                return;
            }
        }
        ChannelPromise promise = finishing;
        if (promise != null) {
            finishing = null;
            finish(promise);
        }
    }

    private int send(ByteBuf data) throws IOException {
        int at = data.readerIndex();
        int end = data.writerIndex();
        if (data.hasMemoryAddress()) {
            return fd.writeAddress(data.memoryAddress(), at, end);
        }
        shared.pieces.clear();
        shared.pieces.add(data, at, end - at);
        return (int) fd.writevAddresses(shared.pieces.memoryAddress(0), shared.pieces.count());
    }

    private void waitForRoom() throws IOException {
        writeWaits = true;
        if (!watched.equals(READS_AND_WRITES)) {
            watch(READS_AND_WRITES); // reports it at once if there is room by now
        }
    }

    /** Only after a failure of writing that does not close the channel (AUTO_CLOSE off); otherwise see {@link #finish}. */
    @Override
    protected void doShutdownOutput() {
        outputShutdown = true;
        shared.calls.shutdownOutput(fd.intValue());
    }

    // ---- half-close and close

    @Override
    public ChannelFuture shutdownOutput() {
        return shutdownOutput(newPromise());
    }

    @Override
    public ChannelFuture shutdownOutput(ChannelPromise promise) {
        onLoop(() -> shutdownOutputOnLoop(promise));
        return promise;
    }

    private void shutdownOutputOnLoop(ChannelPromise promise) {
        ChannelPromise before = finishing;
        if (outputShutdown) {
            promise.trySuccess();
        } else if (before != null) {
            before.addListener(done -> settle(promise, done));
        } else if (state != State.CONNECTED) {
            promise.tryFailure(new NotYetConnectedException());
        } else if (isAllWritten()) {
            finish(promise);
        } else {
            finishing = promise;
            unsafe().flush();
        }
    }

    private static void settle(ChannelPromise promise, Future<?> as) {
        if (as.isSuccess()) {
            promise.trySuccess();
        } else {
            promise.tryFailure(as.cause());
        }
    }

    private boolean isAllWritten() {
        ChannelOutboundBuffer out = unsafe().outboundBuffer();
        return out == null || (out.isEmpty() && out.totalPendingWriteBytes() == 0);
    }

    private void finish(ChannelPromise promise) {
        outputShutdown = true;
        int r = shared.calls.shutdownOutput(fd.intValue());
        if (r < 0) {
            promise.tryFailure(new NativeIoException("shutdown", r, false)); // and the error comes by epoll
        } else {
            promise.trySuccess();
        }
        pipeline().fireUserEventTriggered(ChannelOutputShutdownEvent.INSTANCE);
    }

    @Override
    public ChannelFuture shutdownInput() {
        return shutdownInput(newPromise());
    }

    @Override
    public ChannelFuture shutdownInput(ChannelPromise promise) {
        onLoop(() -> {
            if (state == State.CONNECTED && !inputShutdown) {
                inputShutdown = true;
                shared.calls.shutdownInput(fd.intValue());
            }
            promise.trySuccess();
        });
        return promise;
    }

    @Override
    public ChannelFuture shutdown() {
        return shutdown(newPromise());
    }

    @Override
    public ChannelFuture shutdown(ChannelPromise promise) {
        shutdownInput();
        return shutdownOutput(promise);
    }

    private void onLoop(Runnable task) {
        if (eventLoop().inEventLoop()) {
            task.run();
        } else {
            eventLoop().execute(task);
        }
    }

    @Override
    protected void doClose() throws IOException {
        State before = state;
        if (before == State.CLOSED) {
            return;
        }
        state = State.CLOSED;
        inputShutdown = true;
        outputShutdown = true;
        shared.keepAlives.remove(this);
        if (before == State.CONNECTED && config.resetsOnClose()) {
            shared.calls.resetOnClose(fd.intValue());
        }
        try {
            fd.close(); // and so it leaves the epoll set
        } finally {
            doDeregister();
            ChannelPromise connect = connecting;
            connecting = null;
            ChannelPromise shutdown = finishing;
            finishing = null;
            if (connect != null) {
                connect.tryFailure(new ClosedChannelException());
            }
            if (shutdown != null) {
                shutdown.tryFailure(new ClosedChannelException());
            }
        }
    }

    // ---- what a channel is

    @Override
    protected void doRegister(ChannelPromise promise) {
        ((IoEventLoop) eventLoop()).register((SocketUnsafe) unsafe()).addListener((Future<IoRegistration> done) -> {
            if (done.isSuccess()) {
                registration = done.getNow();
                promise.setSuccess();
            } else {
                promise.setFailure(done.cause());
            }
        });
    }

    @Override
    protected void doDeregister() {
        IoRegistration was = registration;
        registration = null;
        if (was != null) {
            was.cancel();
        }
    }

    @Override
    protected boolean isCompatible(EventLoop loop) {
        return shared.isOf(loop);
    }

    @Override
    public boolean isInputShutdown() {
        return inputShutdown;
    }

    @Override
    public boolean isOutputShutdown() {
        return outputShutdown;
    }

    @Override
    public boolean isShutdown() {
        return inputShutdown && outputShutdown;
    }

    @Override
    public boolean isOpen() {
        return state != State.CLOSED;
    }

    @Override
    public boolean isActive() {
        return state == State.CONNECTED;
    }

    @Override
    public DuplexChannelConfig config() {
        return config;
    }

    @Override
    public ChannelMetadata metadata() {
        return METADATA;
    }

    FileDescriptor descriptor() {
        return fd;
    }

    /** The number of the open descriptor. */
    int number() {
        return fd.intValue();
    }

    /** For options that the kernel has: 0 or the negated errno. On the loop. */
    int setOption(int level, int name, int value) {
        return shared.calls.setOption(fd.intValue(), level, name, value);
    }

    /** Asked for by observers only, and so looked up when asked for. */
    @Override
    protected @Nullable SocketAddress localAddress0() {
        return state == State.CONNECTED || state == State.CONNECTING ? shared.localAddress(fd.intValue()) : null;
    }

    @Override
    protected @Nullable SocketAddress remoteAddress0() {
        return remote;
    }

    @Override
    protected void doBind(SocketAddress localAddress) {
        throw new UnsupportedOperationException("the kernel chooses the address");
    }

    @Override
    protected void doDisconnect() throws IOException {
        doClose();
    }

    @Override
    protected AbstractUnsafe newUnsafe() {
        return new SocketUnsafe();
    }

    /** The inner half of a channel, and what the loop's epoll knows of it. */
    private final class SocketUnsafe extends AbstractUnsafe implements EpollIoHandle {
        @Override
        public FileDescriptor fd() {
            return fd;
        }

        @Override
        public void handle(IoRegistration ignored, IoEvent event) {
            try {
                onReady(((EpollIoEvent) event).ops().value());
            } catch (Throwable t) { // the loop's edge: Netty would sleep for a second on it
                log.error("bug in {}", HostSocket.this, t);
                close();
            }
        }

        @Override
        public void connect(SocketAddress remoteAddress, @Nullable SocketAddress localAddress, ChannelPromise promise) {
            if (!promise.setUncancellable() || !ensureOpen(promise)) {
                return;
            }
            if (state == State.CONNECTED) {
                promise.setFailure(new AlreadyConnectedException());
            } else if (state == State.CONNECTING) {
                promise.setFailure(new ConnectionPendingException());
            } else if (localAddress != null || !(remoteAddress instanceof InetSocketAddress to)) {
                promise.setFailure(new UnsupportedOperationException("from " + localAddress + " to " + remoteAddress));
            } else if (to.isUnresolved()) {
                promise.setFailure(new UnresolvedAddressException());
            } else {
                connectTo(to, promise);
            }
        }

        void goOnWriting() {
            flush0();
        }

        @Override
        public void close() {
            close(voidPromise());
        }
    }
}
