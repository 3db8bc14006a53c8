package dev.longshore.engine;

import dev.longshore.portforward.GuestKey;
import dev.longshore.vpnkit.hostsocket.Relay;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.CompositeByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.ScheduledFuture;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One caller in the guest, until it is joined to the host's socket. Confined to the channel's event loop, an epoll loop.
 *
 * <p>From the first line on the stream is not read any more; what came with the line, or is read all the same, is kept and goes
 * first.
 */
final class HostSocketHandler extends ChannelInboundHandlerAdapter {
    private static final Logger LOG = LoggerFactory.getLogger(HostSocketHandler.class);

    /** The agent sends its line at once. */
    private static final long LINE_SECONDS = 30;

    private static final int MAX_LINE_BYTES = 128;
    private static final String VERB = "SOCKET ";

    private final DuplexChannel channel;
    private final HostSockets sockets;
    private final GuestKey key;
    private final CompositeByteBuf kept;
    private final ScheduledFuture<?> timeout;
    private boolean dialing;

    HostSocketHandler(DuplexChannel channel, HostSockets sockets, GuestKey key) {
        this.channel = channel;
        this.sockets = sockets;
        this.key = key;
        kept = channel.alloc().compositeBuffer(Integer.MAX_VALUE);
        timeout = channel.eventLoop().schedule(this::onTimeout, LINE_SECONDS, TimeUnit.SECONDS);
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
        channel.config().setAutoRead(true);
    }

    private void onTimeout() {
        if (!dialing) {
            channel.close();
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (!(msg instanceof ByteBuf b)) {
            ReferenceCountUtil.release(msg);
            return;
        }
        kept.addComponent(true, b);
        if (!dialing) {
            readLine();
        }
    }

    private void readLine() {
        int bytes = kept.bytesBefore((byte) '\n');
        if (bytes > MAX_LINE_BYTES || (bytes < 0 && kept.readableBytes() > MAX_LINE_BYTES)) {
            channel.close();
        } else if (bytes >= 0) {
            String line =
                    kept.readCharSequence(bytes, StandardCharsets.ISO_8859_1).toString();
            kept.skipBytes(1);
            onLine(line);
        }
    }

    private void onLine(String line) {
        String unlocked = key.unlock(line);
        if (unlocked == null) {
            LOG.warn("something in the guest other than its agent asked for a socket of the host; refused");
            channel.close();
            return;
        }
        HostSocket socket = unlocked.startsWith(VERB)
                ? sockets.where(unlocked.substring(VERB.length())).orElse(null)
                : null;
        if (socket == null) {
            LOG.debug("no socket on the host for: {}", unlocked);
            channel.close();
            return;
        }
        dialing = true;
        timeout.cancel(false);
        channel.config().setAutoRead(false);
        dial(socket);
    }

    private void dial(HostSocket socket) {
        new Bootstrap()
                .group(channel.eventLoop())
                .channel(EpollDomainSocketChannel.class)
                .option(ChannelOption.AUTO_READ, false)
                .option(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .handler(new ChannelInboundHandlerAdapter())
                .connect(new DomainSocketAddress(socket.path().toFile()))
                .addListener((ChannelFuture connected) -> {
                    socket.close();
                    DuplexChannel host = (DuplexChannel) connected.channel();
                    if (connected.isSuccess() && channel.isOpen()) {
                        join(host);
                    } else {
                        LOG.debug("socket of the host: {}: {}", socket.path(), text(connected.cause()));
                        host.close();
                        channel.close();
                    }
                });
    }

    private void join(DuplexChannel host) {
        if (kept.isReadable()) {
            host.writeAndFlush(kept.retainedSlice(), host.voidPromise());
        }
        channel.pipeline().remove(this);
        Relay.join(channel, host);
    }

    private static String text(@Nullable Throwable cause) {
        return cause == null ? "the caller has gone" : String.valueOf(cause.getMessage());
    }

    /** A half-close before the line ends is the end; after it, the relay sees it in the channel's state. */
    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof ChannelInputShutdownEvent && !dialing) {
            channel.close();
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        channel.close();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        release();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        release();
    }

    private void release() {
        timeout.cancel(false);
        if (kept.refCnt() > 0) {
            kept.release();
        }
    }
}
