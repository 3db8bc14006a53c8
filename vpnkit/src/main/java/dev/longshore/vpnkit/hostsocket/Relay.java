package dev.longshore.vpnkit.hostsocket;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;

/**
 * Joins two channels of one event loop: bytes both ways, EOF to half-close, failure to RST, and back-pressure, so that
 * neither side reads more than the other takes.
 *
 * <p>Confined to that event loop. The relay owns both channels from {@link #join} on and closes them in all cases: after
 * EOF both ways, or together as soon as one of them fails.
 *
 * <pre>
 *   one channel                        the other
 *   EOF                                its output is shut down once everything has been written
 *   EOF from both                      both are closed
 *   error, or closed without EOF       closed with SO_LINGER 0, which TCP and vsock send as RST
 *   closed after EOF                   closed once everything has been written
 * </pre>
 */
public final class Relay {
    /**
     * What has been carried when both channels were closed. Immutable.
     *
     * @param fromFirst bytes read from the first channel of {@link #join}
     * @param fromSecond bytes read from the second
     * @param aborted true if an end failed or was reset
     */
    public record Totals(long fromFirst, long fromSecond, boolean aborted) {}

    private final End first;
    private final End second;
    private final Promise<Totals> ended;
    private boolean done;

    private Relay(DuplexChannel a, DuplexChannel b) {
        first = new End(a);
        second = new End(b);
        ended = a.eventLoop().newPromise();
    }

    /**
     * Starts relaying, and reading: handlers that decoded the start of a stream have been removed by now, and what they had
     * read ahead has been written. Takes ownership of both channels, which may be half-closed or closed already.
     *
     * @return completes successfully when both channels are closed
     */
    public static Future<Totals> join(DuplexChannel a, DuplexChannel b) {
        if (!a.eventLoop().equals(b.eventLoop())) {
            throw new IllegalArgumentException("two event loops: " + a + " and " + b);
        }
        assert a.eventLoop().inEventLoop();
        Relay relay = new Relay(a, b);
        relay.first.attach();
        relay.second.attach();
        relay.first.start();
        relay.second.start();
        return relay.ended;
    }

    private End other(End end) {
        return end == first ? second : first;
    }

    private void abort() {
        if (done) {
            return;
        }
        done = true;
        ResetClose.close(first.channel);
        ResetClose.close(second.channel);
        ended.setSuccess(new Totals(first.bytes, second.bytes, true));
    }

    private void finish() {
        if (done) {
            return;
        }
        done = true;
        first.channel.close();
        second.channel.close();
        ended.setSuccess(new Totals(first.bytes, second.bytes, false));
    }

    /** One of the two channels, as its last handler. */
    private final class End extends ChannelInboundHandlerAdapter {
        private final DuplexChannel channel;
        private long bytes;
        private boolean eof;
        private boolean outputDone;

        End(DuplexChannel channel) {
            this.channel = channel;
        }

        void attach() {
            channel.config().setAutoRead(false);
            channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
            channel.pipeline().addLast(this);
            outputDone = channel.isActive() && channel.isOutputShutdown();
        }

        void start() {
            if (!channel.isActive()) {
                onClosed();
            } else if (channel.isInputShutdown()) {
                HeldInput.deliver(channel); // what came before the end
                onEof();
            } else {
                channel.config().setAutoRead(other(this).channel.isWritable());
            }
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            End to = other(this);
            if (done || to.outputDone || !(msg instanceof ByteBuf data)) {
                ReferenceCountUtil.release(msg);
                return;
            }
            bytes += data.readableBytes();
            to.channel.write(data, to.channel.voidPromise()); // a failure arrives as exceptionCaught there
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            End to = other(this);
            to.channel.flush();
            if (!done && !to.channel.isWritable()) {
                channel.config().setAutoRead(false);
            }
        }

        @Override
        public void channelWritabilityChanged(ChannelHandlerContext ctx) {
            End from = other(this);
            if (!done && !from.eof) {
                from.channel.config().setAutoRead(channel.isWritable());
            }
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof ChannelInputShutdownEvent) {
                onEof();
            }
        }

        private void onEof() {
            if (!done && !eof) {
                eof = true;
                other(this).finishOutput();
            }
        }

        /** Shutting down at once would drop what Netty still holds: an empty write tells when that is out. */
        private void finishOutput() {
            if (outputDone) { // it was when this began
                finishIfBothDone();
                return;
            }
            channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(written -> {
                if (!written.isSuccess()) {
                    abort();
                } else if (!done && channel.isActive()) {
                    outputDone = true;
                    OutputEnd.send(channel);
                    finishIfBothDone();
                }
            });
        }

        private void finishIfBothDone() {
            if (outputDone && other(this).outputDone) {
                finish();
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            onClosed();
        }

        private void onClosed() {
            if (done) {
                return;
            }
            if (!eof) {
                abort();
                return;
            }
            // It said all it had to say; what it said has to arrive, what comes back has nowhere to go.
            outputDone = true;
            DuplexChannel to = other(this).channel;
            to.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(written -> {
                if (written.isSuccess()) {
                    finish();
                } else {
                    abort();
                }
            });
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            abort();
        }
    }
}
