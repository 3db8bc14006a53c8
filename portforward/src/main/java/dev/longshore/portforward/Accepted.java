package dev.longshore.portforward;

import dev.longshore.vpnkit.flow.GuestConnector;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import java.util.HashSet;
import java.util.Set;

/**
 * The connections one stream listener has accepted: each is counted and handed to a flow into the guest. Confined to the
 * link's event loop.
 */
final class Accepted {
    private final GuestConnector guest;
    private final Forward forward;
    private final Traffic traffic;
    private final Set<Channel> open = new HashSet<>();

    Accepted(GuestConnector guest, Forward forward, Traffic traffic) {
        this.guest = guest;
        this.forward = forward;
        this.traffic = traffic;
    }

    /** For every accepted channel; whose auto-read is off and half-closure allowed by the bootstrap. */
    ChannelHandler initializer() {
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel ch) {
                ch.pipeline().addLast(new Counter(traffic));
                if (forward.proxy() != ProxyProtocol.NONE) {
                    ch.pipeline().addLast(new Introduction(forward.proxy()));
                }
                ch.pipeline().addLast(new Starter());
            }
        };
    }

    private void start(Channel host) {
        open.add(host);
        traffic.opened();
        host.closeFuture().addListener(f -> {
            open.remove(host);
            traffic.closed();
        });
        Caller caller = Caller.of(host.remoteAddress());
        guest.forwardTcp((DuplexChannel) host, forward.guest(), forward.guestPort(), caller.address(), caller.port());
    }

    /** Resets every connection: what it led to is gone. */
    void closeAll() {
        for (Channel host : Set.copyOf(open)) {
            if (host.config().getOptions().containsKey(ChannelOption.SO_LINGER)) {
                host.config().setOption(ChannelOption.SO_LINGER, 0);
            }
            host.close();
        }
    }

    /** Hands the channel over once it is registered and active. */
    private final class Starter extends ChannelInboundHandlerAdapter {
        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            ctx.pipeline().remove(this);
            start(ctx.channel());
        }
    }

    /**
     * The PROXY protocol's header in front of all that the caller sends. It goes when the flow first wants to read, which is when the
     * guest has answered, or before the first bytes or end of the caller's that come all the same.
     */
    private static final class Introduction extends ChannelDuplexHandler {
        private final ProxyProtocol protocol;
        private boolean done;

        Introduction(ProxyProtocol protocol) {
            this.protocol = protocol;
        }

        private void introduce(ChannelHandlerContext ctx) {
            if (!done) {
                done = true;
                ctx.fireChannelRead(protocol.header(
                        ctx.alloc(),
                        ctx.channel().remoteAddress(),
                        ctx.channel().localAddress()));
                ctx.fireChannelReadComplete();
            }
        }

        @Override
        public void read(ChannelHandlerContext ctx) {
            introduce(ctx);
            ctx.read();
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            introduce(ctx);
            ctx.fireChannelRead(msg);
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof ChannelInputShutdownEvent) {
                introduce(ctx);
            }
            ctx.fireUserEventTriggered(event);
        }
    }

    /** Counts payload in both directions; stays first in the pipeline. */
    private static final class Counter extends ChannelDuplexHandler {
        private final Traffic traffic;

        Counter(Traffic traffic) {
            this.traffic = traffic;
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (msg instanceof ByteBuf b) {
                traffic.bytesToGuest += b.readableBytes();
            }
            ctx.fireChannelRead(msg);
        }

        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            if (msg instanceof ByteBuf b) {
                traffic.bytesFromGuest += b.readableBytes();
            }
            ctx.write(msg, promise);
        }
    }
}
