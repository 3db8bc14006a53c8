package dev.longshore.virtio.vsock;

import io.netty.buffer.ByteBuf;
import io.netty.channel.AbstractChannel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelMetadata;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.ChannelInputShutdownReadComplete;
import io.netty.channel.socket.DuplexChannel;
import io.netty.channel.socket.DuplexChannelConfig;
import io.netty.util.internal.StringUtil;
import java.io.IOException;
import java.net.SocketAddress;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * One vsock stream as a Netty channel: open from its first moment, bytes in and out, half-closure always allowed. Confined to
 * the device's event loop as far as Netty channels are; their usual operations may come from any thread.
 *
 * <p>Reading. Bytes that nobody asked for (auto-read off) wait here, at most our buf_alloc of them, and the guest gets no new
 * credit for them. Writing. The channel's outbound buffer is the only queue; packets are made from it when the guest has a
 * buffer and credit. {@link #shutdownOutput} takes effect after what was flushed before it.
 *
 * <p>Closing with everything written is a SHUTDOWN of both directions; closing over unsent bytes, or with SO_LINGER 0, is RST.
 * A RST of the guest is an IOException in {@code exceptionCaught}, then {@code channelInactive}. A guest that closes at once
 * (no half-close first) is end of input, then {@code channelInactive}: Linux does not tell that from an abort.
 */
public final class VsockChannel extends AbstractChannel implements DuplexChannel {
    private static final ChannelMetadata METADATA = new ChannelMetadata(false, 16);

    /** Bytes handed on for one read(), about: then the others get their turn. */
    private static final int READ_BYTES = 256 * 1024;

    /** Size of a waiting buffer, so that one-byte packets do not cost one buffer each. */
    private static final int WAITING_BYTES = 16 * 1024;

    private final VsockStream stream;
    private final VsockChannelConfig config = new VsockChannelConfig(this);
    private final ArrayDeque<ByteBuf> waiting = new ArrayDeque<>();
    private final ChannelOutboundBuffer.MessageProcessor measurer = this::measureMessage;
    private final ChannelOutboundBuffer.MessageProcessor appender = this::appendMessage;

    private volatile boolean open = true;
    private volatile boolean inputShutdown;
    private volatile boolean outputShutdown;

    private boolean readWanted;
    private int readBudget;
    private boolean readIncomplete;
    private boolean deliveryScheduled;
    private boolean guestEof;
    private boolean guestClosed;
    private boolean discardInput;
    private boolean truncated;
    private @Nullable ChannelPromise shutdownAfterBytes;

    // The packet that is being written.
    private @Nullable PacketsToGuest packet;
    private int packetRoom;

    /** True while the host has this channel in its list of those that read in this batch. */
    boolean touched;

    VsockChannel(VsockStream stream) {
        super(null);
        this.stream = stream;
    }

    // ---- from the guest

    /** Bytes of the guest, within its credit: to the reader if it wants them, else they wait. */
    void onBytes(int bytes, PayloadFromGuest payload) {
        if (discardInput) {
            stream.onConsumed(bytes);
        } else if (readWanted && waiting.isEmpty()) {
            ByteBuf b = alloc().directBuffer(bytes, bytes);
            payload.readTo(b, bytes);
            stream.host().touch(this);
            deliver(b);
        } else {
            keep(bytes, payload);
        }
    }

    private void keep(int bytes, PayloadFromGuest payload) {
        int left = bytes;
        ByteBuf last = waiting.peekLast();
        while (left > 0) {
            if (last == null || !last.isWritable()) {
                int size = Math.max(left, Math.min(WAITING_BYTES, stream.bufAlloc()));
                last = alloc().directBuffer(size, size);
                waiting.add(last);
            }
            int n = Math.min(left, last.writableBytes());
            payload.readTo(last, n);
            left -= n;
        }
    }

    private void deliver(ByteBuf b) {
        int bytes = b.readableBytes();
        readIncomplete = true;
        readBudget -= bytes;
        if (readBudget <= 0) {
            readWanted = false;
        }
        stream.onConsumed(bytes);
        pipeline().fireChannelRead(b);
    }

    /** The guest sends no more. */
    void onGuestEof() {
        guestEof = true;
        stream.host().touch(this);
    }

    /** The guest takes no more bytes: those not sent yet have failed. */
    void onGuestReadsNoMore() {
        shutdownOutputNow();
    }

    /** The guest closed both directions, and the stream with them; what waits here can still be read. */
    void onGuestClosed() {
        guestEof = true;
        guestClosed = true;
        stream.host().touch(this);
        shutdownOutputNow();
    }

    /** The stream is gone. {@code cause} is for the handlers; null if nothing was lost. */
    void onReset(@Nullable IOException cause) {
        releaseWaiting();
        if (cause != null) {
            pipeline().fireExceptionCaught(cause);
        }
        unsafe().close(unsafe().voidPromise());
    }

    /** End of a batch in which this channel was touched. */
    void onBatchEnd() {
        if (readIncomplete) {
            readIncomplete = false;
            readWanted = false;
            pipeline().fireChannelReadComplete(); // auto-read asks again
        }
        if (open && guestEof && !inputShutdown && waiting.isEmpty() && (readWanted || guestClosed)) {
            inputShutdown = true;
            if (!discardInput) {
                pipeline().fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
                pipeline().fireUserEventTriggered(ChannelInputShutdownReadComplete.INSTANCE);
            }
        }
        if (open && guestClosed && waiting.isEmpty()) {
            unsafe().close(unsafe().voidPromise());
        }
    }

    @Override
    protected void doBeginRead() {
        readWanted = true;
        readBudget = READ_BYTES;
        if (!deliveryScheduled && (!waiting.isEmpty() || (guestEof && !inputShutdown))) {
            deliveryScheduled = true;
            eventLoop().execute(this::deliverWaiting);
        }
    }

    private void deliverWaiting() {
        deliveryScheduled = false;
        while (readWanted && !waiting.isEmpty()) {
            deliver(waiting.remove());
        }
        onBatchEnd();
        stream.host().drain();
    }

    /** Auto-read was turned off, by any thread. */
    void onAutoReadCleared() {
        if (!isRegistered()) {
            return;
        }
        if (eventLoop().inEventLoop()) {
            readWanted = false;
        } else {
            eventLoop().execute(() -> readWanted = config.isAutoRead() && readWanted);
        }
    }

    private void releaseWaiting() {
        for (ByteBuf b = waiting.poll(); b != null; b = waiting.poll()) {
            b.release();
        }
    }

    // ---- to the guest

    @Override
    protected Object filterOutboundMessage(Object msg) {
        if (msg instanceof ByteBuf) {
            return msg;
        }
        throw new UnsupportedOperationException("only ByteBuf can be written, not " + StringUtil.simpleClassName(msg));
    }

    @Override
    protected void doWrite(ChannelOutboundBuffer in) {
        stream.onBytesToSend();
        stream.host().drain();
    }

    boolean hasBytesToSend() {
        ChannelOutboundBuffer out = outbound();
        return out != null && !out.isEmpty();
    }

    private @Nullable ChannelOutboundBuffer outbound() {
        return unsafe().outboundBuffer();
    }

    /** Flushed bytes, but at most {@code most}. */
    int bytesToSend(int most) {
        packetRoom = most;
        eachFlushed(measurer);
        return most - packetRoom;
    }

    /** Appends the first {@code bytes} flushed bytes to the packet, without forgetting them yet. */
    void appendTo(PacketsToGuest out, int bytes) {
        packet = out;
        packetRoom = bytes;
        eachFlushed(appender);
        packet = null;
    }

    private void eachFlushed(ChannelOutboundBuffer.MessageProcessor processor) {
        ChannelOutboundBuffer flushed = outbound();
        if (flushed != null) {
            try {
                flushed.forEachFlushedMessage(processor);
            } catch (Exception e) {
                throw new IllegalStateException("a flushed message could not be read", e);
            }
        }
    }

    private boolean measureMessage(Object msg) {
        packetRoom -= Math.min(packetRoom, ((ByteBuf) msg).readableBytes());
        return packetRoom > 0;
    }

    private boolean appendMessage(Object msg) {
        ByteBuf b = (ByteBuf) msg;
        int n = Math.min(packetRoom, b.readableBytes());
        if (n > 0 && packet != null) {
            packet.append(b, b.readerIndex(), n);
            packetRoom -= n;
        }
        return packetRoom > 0;
    }

    /** {@code bytes} of the flushed bytes are in the guest's memory: forget them, tell their promises. */
    void onSent(int bytes) {
        ChannelOutboundBuffer flushed = outbound();
        if (flushed != null) {
            flushed.removeBytes(bytes);
        }
        if (shutdownAfterBytes != null && !hasBytesToSend()) {
            shutdownOutputNow();
        }
    }

    // ---- half-close and close

    @Override
    public ChannelFuture shutdownOutput() {
        return shutdownOutput(newPromise());
    }

    @Override
    public ChannelFuture shutdownOutput(ChannelPromise promise) {
        onLoop(() -> shutdownOutputAfterBytes(promise));
        return promise;
    }

    private void shutdownOutputAfterBytes(ChannelPromise promise) {
        if (outputShutdown) {
            promise.trySuccess();
        } else if (shutdownAfterBytes != null) {
            shutdownAfterBytes.addListener(f -> promise.trySuccess());
        } else {
            shutdownAfterBytes = promise;
            if (!hasBytesToSend()) {
                shutdownOutputNow();
            }
        }
    }

    private void shutdownOutputNow() {
        ChannelPromise asked = shutdownAfterBytes;
        shutdownAfterBytes = null;
        if (!outputShutdown) {
            ((AbstractUnsafe) unsafe()).shutdownOutput(asked == null ? newPromise() : asked);
        }
    }

    @Override
    protected void doShutdownOutput() {
        outputShutdown = true;
        stream.shutdownFromHost(VsockHeader.SHUTDOWN_SEND);
        stream.host().drain();
    }

    @Override
    public ChannelFuture shutdownInput() {
        return shutdownInput(newPromise());
    }

    @Override
    public ChannelFuture shutdownInput(ChannelPromise promise) {
        onLoop(() -> {
            discardInput = true;
            inputShutdown = true;
            releaseWaiting();
            stream.shutdownFromHost(VsockHeader.SHUTDOWN_RECEIVE);
            stream.host().drain();
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
    protected void doClose() {
        if (!open) {
            return;
        }
        open = false;
        inputShutdown = true;
        outputShutdown = true;
        releaseWaiting();
        stream.onChannelClosed(truncated || config.resetOnClose());
        stream.host().drain();
        ChannelPromise pending = shutdownAfterBytes;
        shutdownAfterBytes = null;
        if (pending != null) {
            pending.tryFailure(new ClosedChannelException());
        }
    }

    // ---- what a channel is

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
    public DuplexChannelConfig config() {
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
    protected AbstractUnsafe newUnsafe() {
        return new VsockUnsafe();
    }

    @Override
    protected boolean isCompatible(EventLoop loop) {
        return loop.equals(stream.host().loop());
    }

    @Override
    protected SocketAddress localAddress0() {
        return stream.hostAddress();
    }

    @Override
    protected SocketAddress remoteAddress0() {
        return stream.guestAddress();
    }

    @Override
    protected void doBind(SocketAddress localAddress) {
        throw new UnsupportedOperationException("a vsock stream is connected already");
    }

    @Override
    protected void doDisconnect() {
        doClose();
    }

    /** Netty's inner half of a channel; ours only looks whether a close loses bytes. */
    private final class VsockUnsafe extends AbstractUnsafe {
        @Override
        public void connect(SocketAddress remoteAddress, SocketAddress localAddress, ChannelPromise promise) {
            promise.setFailure(new UnsupportedOperationException("a vsock stream is connected already"));
        }

        @Override
        public void close(ChannelPromise promise) {
            truncated |= hasBytesToSend();
            super.close(promise);
        }
    }
}
