package dev.longshore.vpnkit.flow;

import io.netty.buffer.ByteBuf;
import io.netty.channel.AbstractChannel;
import io.netty.channel.ChannelConfig;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelMetadata;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.internal.StringUtil;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.ArrayDeque;
import java.util.function.IntSupplier;

/**
 * A TCP connection of the guest as a channel, for services and clients inside the daemon. Half-closure is always on: the
 * guest's FIN is a {@link ChannelInputShutdownEvent}, {@link #shutdownOutput} sends ours, and when both have happened the
 * channel closes. So a handler that ignores the event keeps the flow open. Closing with SO_LINGER 0, or with bytes
 * unread, sends RST.
 *
 * <p>Confined to the link's event loop, where it is registered; channel operations may come from any thread, as with every
 * Netty channel.
 */
public final class FlowChannel extends AbstractChannel implements DuplexChannel {
    private static final ChannelMetadata METADATA = new ChannelMetadata(false, 16);

    private final FlowChannelConfig config = new FlowChannelConfig(this);
    private final Host host = new Host();
    private final GuestSide guest;
    private final IntSupplier bufferBytes;
    private final InetSocketAddress ours;
    private final InetSocketAddress theirs;
    private final ArrayDeque<ByteBuf> inbound = new ArrayDeque<>();
    private int inboundBytes;
    private boolean readPending;
    private boolean reading;
    private boolean guestEof;
    private boolean reset;
    private volatile boolean open = true; // these three are read from any thread, as in every channel
    private volatile boolean inputShutdown;
    private volatile boolean outputShutdown;

    /**
     * Not registered yet; active as soon as it is.
     *
     * @param ours the address the guest connected to, or was called from
     * @param theirs the guest's address
     * @param bufferBytes what it may hold unread, now
     */
    public FlowChannel(GuestSide guest, InetSocketAddress ours, InetSocketAddress theirs, IntSupplier bufferBytes) {
        super(null);
        this.guest = guest;
        this.ours = ours;
        this.theirs = theirs;
        this.bufferBytes = bufferBytes;
    }

    /** What the flow's transport talks to. */
    public HostSide hostSide() {
        return host;
    }

    /** The transport's view. */
    private final class Host implements HostSide {
        private boolean wanted;

        @Override
        public void deliver(ByteBuf data) {
            if (!open || inputShutdown) {
                data.release();
                return;
            }
            inbound.add(data);
            inboundBytes += data.readableBytes();
        }

        @Override
        public void flush() {
            read0();
        }

        @Override
        public void guestFinished() {
            guestEof = true;
            read0();
        }

        @Override
        public int room() {
            return open ? Math.max(0, bufferBytes.getAsInt() - inboundBytes) : 0;
        }

        @Override
        public int held() {
            return inboundBytes;
        }

        @Override
        public void wantMore(boolean more) {
            wanted = more;
            if (more && open) {
                ((FlowUnsafe) unsafe()).resume();
            }
        }

        @Override
        public void abort() {
            if (open && !reset) {
                reset = true;
                pipeline().fireExceptionCaught(new IOException("Connection reset by peer"));
                unsafe().close(unsafe().voidPromise());
            }
        }
    }

    // ---- reading

    @Override
    protected void doBeginRead() {
        readPending = true;
        if (!reading && (!inbound.isEmpty() || guestEof)) {
            eventLoop().execute(this::read0); // never inside the caller's handler
        }
    }

    private void read0() {
        if (reading || !open) {
            return;
        }
        int before = inboundBytes;
        reading = true;
        try {
            while (readPending && open && !inbound.isEmpty()) {
                readPending = false;
                readOnce();
            }
        } finally {
            reading = false;
        }
        if (open && guestEof && inbound.isEmpty() && !inputShutdown) {
            inputShutdown = true;
            pipeline().fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
            closeIfDone();
        }
        if (inboundBytes < before) {
            guest.hostHasRoom();
        }
    }

    private void readOnce() {
        do {
            ByteBuf data = inbound.remove();
            inboundBytes -= data.readableBytes();
            pipeline().fireChannelRead(data);
        } while (open && config.isAutoRead() && !inbound.isEmpty());
        pipeline().fireChannelReadComplete();
    }

    // ---- writing

    @Override
    protected Object filterOutboundMessage(Object msg) {
        if (msg instanceof ByteBuf) {
            return msg;
        }
        throw new UnsupportedOperationException("only bytes cross a flow, not " + StringUtil.simpleClassName(msg));
    }

    @Override
    protected void doWrite(ChannelOutboundBuffer in) {
        boolean some = false;
        for (Object msg = in.current(); msg != null; msg = in.current()) {
            ByteBuf data = (ByteBuf) msg;
            if (data.isReadable()) {
                if (!host.wanted) {
                    break; // wantMore comes
                }
                guest.fromHost(data.retain()); // the outbound buffer releases its own reference
                some = true;
            }
            in.remove();
        }
        if (some) {
            guest.fromHostComplete();
        }
    }

    // ---- closing

    @Override
    protected void doShutdownOutput() {
        outputShutdown = true;
        guest.hostFinished();
        closeIfDone();
    }

    private void closeIfDone() {
        if (inputShutdown && outputShutdown) {
            close();
        }
    }

    @Override
    protected void doClose() {
        open = false;
        boolean unread = !inbound.isEmpty();
        while (!inbound.isEmpty()) {
            inbound.remove().release();
        }
        inboundBytes = 0;
        if (reset) {
            return;
        }
        reset = true;
        if (unread || config.resetsOnClose()) {
            guest.hostClosed(new IOException("closed with SO_LINGER 0 or bytes unread"));
        } else {
            guest.hostFinished();
            guest.hostClosed(null);
        }
    }

    @Override
    public boolean isInputShutdown() {
        return inputShutdown || !open;
    }

    @Override
    public ChannelFuture shutdownInput() {
        return shutdownInput(newPromise());
    }

    @Override
    public ChannelFuture shutdownInput(ChannelPromise promise) {
        onLoop(() -> {
            inputShutdown = true;
            while (!inbound.isEmpty()) {
                inbound.remove().release();
            }
            inboundBytes = 0;
            guest.hostHasRoom();
            promise.setSuccess();
            closeIfDone();
        });
        return promise;
    }

    @Override
    public boolean isOutputShutdown() {
        return outputShutdown || !open;
    }

    @Override
    public ChannelFuture shutdownOutput() {
        return shutdownOutput(newPromise());
    }

    @Override
    public ChannelFuture shutdownOutput(ChannelPromise promise) {
        onLoop(() -> ((AbstractUnsafe) unsafe()).shutdownOutput(promise));
        return promise;
    }

    @Override
    public boolean isShutdown() {
        return isInputShutdown() && isOutputShutdown();
    }

    @Override
    public ChannelFuture shutdown() {
        return shutdown(newPromise());
    }

    @Override
    public ChannelFuture shutdown(ChannelPromise promise) {
        return close(promise);
    }

    private void onLoop(Runnable task) {
        if (eventLoop().inEventLoop()) {
            task.run();
        } else {
            eventLoop().execute(task);
        }
    }

    // ---- what a channel is

    @Override
    public ChannelConfig config() {
        return config;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    @Override
    public boolean isActive() {
        return open;
    }

    @Override
    public ChannelMetadata metadata() {
        return METADATA;
    }

    @Override
    protected boolean isCompatible(EventLoop loop) {
        return true; // it needs no I/O of the loop's
    }

    @Override
    protected SocketAddress localAddress0() {
        return ours;
    }

    @Override
    protected SocketAddress remoteAddress0() {
        return theirs;
    }

    @Override
    protected void doBind(SocketAddress localAddress) {
        throw new UnsupportedOperationException("a flow has its addresses already");
    }

    @Override
    protected void doDisconnect() {
        doClose();
    }

    @Override
    protected AbstractUnsafe newUnsafe() {
        return new FlowUnsafe();
    }

    private final class FlowUnsafe extends AbstractUnsafe {
        @Override
        public void connect(SocketAddress remoteAddress, SocketAddress localAddress, ChannelPromise promise) {
            promise.setFailure(new UnsupportedOperationException("a flow is connected already"));
        }

        /** Goes on with what was flushed and found no room. */
        void resume() {
            flush0();
        }
    }
}
