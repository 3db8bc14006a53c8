package dev.longshore.vpnkit.flow;

import dev.longshore.vpnkit.hostsocket.ResetClose;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.channel.socket.SocketChannel;
import io.netty.util.ReferenceCountUtil;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Joins a host socket, or any duplex channel, to one flow of the guest: bytes both ways, EOF to FIN, error to RST. Owns the
 * channel and closes it in all cases.
 *
 * <p>Confined to the link's event loop, where the channel is registered too.
 */
public final class HostChannel extends ChannelInboundHandlerAdapter implements HostSide {
    /** Below this, a segment behind others is copied: it would keep a whole frame's buffer for a few bytes. */
    private static final int COPY_BELOW = 512;

    /**
     * The high mark lies below the least a flow may buffer, so a window that has closed is always followed by a change of
     * writability. The kernel's own buffer keeps the remote busy meanwhile.
     */
    private static final WriteBufferWaterMark WATER_MARKS = new WriteBufferWaterMark(16 << 10, 48 << 10);

    private static final int SMALLEST_READ = 16 << 10;
    private static final int LARGEST_READ = 256 << 10;
    private static final RecvByteBufAllocator LARGE_READS =
            new AdaptiveRecvByteBufAllocator(2048, SMALLEST_READ, LARGEST_READ);

    private final DuplexChannel channel;
    private final GuestSide guest;
    private final IntSupplier bufferBytes;
    private boolean eof;
    private boolean outputDone;
    private boolean closed;

    private HostChannel(DuplexChannel channel, GuestSide guest, IntSupplier bufferBytes) {
        this.channel = channel;
        this.guest = guest;
        this.bufferBytes = bufferBytes;
    }

    /**
     * Takes ownership of {@code channel}, which may be half-closed already. Reading starts with {@link #wantMore}.
     *
     * @param bufferBytes what it may hold for a slow remote, now
     */
    public static HostChannel attach(DuplexChannel channel, GuestSide guest, IntSupplier bufferBytes) {
        assert channel.eventLoop().inEventLoop();
        HostChannel host = new HostChannel(channel, guest, bufferBytes);
        channel.config().setAutoRead(false);
        channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
        channel.config().setWriteBufferWaterMark(WATER_MARKS);
        channel.config().setRecvByteBufAllocator(readBuffers(bufferBytes.getAsInt()));
        channel.pipeline().addLast(host);
        if (channel.pipeline().get(HeldReads.class) != null) {
            channel.pipeline().remove(HeldReads.class);
        }
        if (!channel.isActive()) {
            host.closedBy(null);
        } else if (channel.isInputShutdown()) {
            host.onEof();
        }
        return host;
    }

    /**
     * What {@code channel} reads from now on waits for {@link #attach}. With auto-read off that is nothing until the remote
     * half-closes: then the kernel's buffer is read to its end.
     */
    public static void holdReads(DuplexChannel channel) {
        channel.pipeline().addLast(new HeldReads());
    }

    /** One read may come on top of what the flow should keep: a part of its share, so that many flows fit the memory. */
    private static RecvByteBufAllocator readBuffers(int share) {
        int largest = Math.clamp(share / 4, SMALLEST_READ, LARGEST_READ);
        return largest == LARGEST_READ ? LARGE_READS : new AdaptiveRecvByteBufAllocator(2048, SMALLEST_READ, largest);
    }

    // ---- from the guest

    @Override
    public void deliver(ByteBuf data) {
        if (closed) {
            data.release();
            return;
        }
        if (data.readableBytes() < COPY_BELOW && pending() > 0) {
            ByteBuf copy = channel.alloc().directBuffer(data.readableBytes()).writeBytes(data);
            data.release();
            channel.write(copy, channel.voidPromise());
        } else {
            channel.write(data, channel.voidPromise()); // a failure arrives as exceptionCaught
        }
    }

    @Override
    public @Nullable InetSocketAddress hostAddress() {
        return channel.localAddress() instanceof InetSocketAddress a ? a : null;
    }

    @Override
    public void flush() {
        if (!closed) {
            channel.flush();
        }
    }

    /** Shutting down at once would drop what Netty still holds, if it does: an empty write tells when that is out. */
    @Override
    public void guestFinished() {
        if (closed) {
            return;
        }
        if (pending() == 0) {
            finishOutput();
            return;
        }
        channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(written -> {
            if (!written.isSuccess()) {
                closedBy(written.cause());
            } else if (!closed) {
                finishOutput();
            }
        });
    }

    private void finishOutput() {
        outputDone = true;
        channel.shutdownOutput();
        if (channel instanceof SocketChannel socket) {
            // At its EOF nothing will be left to shut down: Netty's try would cost each flow an exception.
            socket.config().setAllowHalfClosure(false);
        }
        closeIfDone();
    }

    @Override
    public int room() {
        return closed ? 0 : (int) Math.max(0, bufferBytes.getAsInt() - pending());
    }

    @Override
    public int held() {
        return closed ? 0 : (int) Math.min(Integer.MAX_VALUE, pending());
    }

    private long pending() {
        @Nullable ChannelOutboundBuffer buffer = channel.unsafe().outboundBuffer();
        return buffer == null ? 0 : buffer.totalPendingWriteBytes();
    }

    @Override
    public void wantMore(boolean wanted) {
        if (!closed && !eof) {
            channel.config().setAutoRead(wanted);
        }
    }

    @Override
    public void abort() {
        if (!closed) {
            closed = true;
            ResetClose.close(channel);
        }
    }

    // ---- from the host

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (closed || !(msg instanceof ByteBuf data)) {
            ReferenceCountUtil.release(msg);
            return;
        }
        guest.fromHost(data); // the flow owns it now
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        guest.fromHostComplete();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (!closed && channel.isWritable()) {
            guest.hostHasRoom();
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            onEof();
        }
    }

    private void onEof() {
        if (!closed && !eof) {
            eof = true;
            guest.hostFinished();
            closeIfDone();
        }
    }

    /** Both directions are through; the guest's end may still have acknowledgments to wait for. */
    private void closeIfDone() {
        if (!closed && eof && outputDone) {
            closedBy(null);
        }
    }

    /** A socket whose output is shut down closes itself at its EOF, and an error would have come as such before. */
    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        if (outputDone && !eof && !closed) {
            eof = true;
            guest.hostFinished();
        }
        closedBy(null);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        closedBy(cause);
    }

    private void closedBy(@Nullable Throwable cause) {
        if (!closed) {
            closed = true;
            channel.close();
            guest.hostClosed(cause);
        }
    }

    /** See {@link #holdReads}. */
    private static final class HeldReads extends ChannelInboundHandlerAdapter {
        private final Deque<Object> held = new ArrayDeque<>();

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            held.add(msg);
        }

        @Override
        public void handlerRemoved(ChannelHandlerContext ctx) {
            boolean any = !held.isEmpty();
            while (!held.isEmpty()) {
                ctx.fireChannelRead(held.remove());
            }
            if (any) {
                ctx.fireChannelReadComplete();
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            ctx.close();
        }
    }
}
