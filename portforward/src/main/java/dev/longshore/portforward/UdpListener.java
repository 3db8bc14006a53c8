package dev.longshore.portforward;

import dev.longshore.vpnkit.flow.GuestConnector;
import dev.longshore.vpnkit.flow.GuestConnector.UdpFlow;
import dev.longshore.vpnkit.flow.GuestConnector.UdpReplies;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.socket.DatagramPacket;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.ScheduledFuture;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A UDP port of the host. Each client has its own flow into the guest, so that the container sees one source per client and
 * the same one for as long as the client talks. Answers leave from the socket the client wrote to. Confined to the link's
 * event loop.
 *
 * <p>No SO_REUSEADDR: with it two sockets could share a UDP port, and the second owner would be told that it has it.
 */
final class UdpListener implements HostListener {
    private static final Logger log = LoggerFactory.getLogger(UdpListener.class);

    /** The largest datagram (65,507) and a little. */
    private static final int RECEIVE_BYTES = 65_536;

    /** Wished for; the kernel takes at most net.core.rmem_max and wmem_max. */
    private static final int SOCKET_BUFFER_BYTES = 1 << 20;

    private final EventLoop loop;
    private final GuestConnector guest;
    private final Forward forward;
    private final Traffic traffic;
    private final UdpFlows flows;
    private final Reopener reopener;
    private HostEndpoint.Port port;
    private @Nullable Channel socket;
    private @Nullable ScheduledFuture<?> expiry;

    UdpListener(GuestConnector guest, Forward forward, HostEndpoint.Port port, Traffic traffic, UdpLimits limits) {
        this.loop = guest.loop();
        this.guest = guest;
        this.forward = forward;
        this.port = port;
        this.traffic = traffic;
        this.flows = new UdpFlows(limits, traffic);
        this.reopener = new Reopener(loop, forward.toString(), this::bind);
    }

    @Override
    public Future<HostEndpoint> open() {
        return Resolved.of(loop, reopener.open(), channel -> {
            port = port.withPort(((InetSocketAddress) channel.localAddress()).getPort());
            return port;
        });
    }

    private Future<Channel> bind() {
        Bootstrap b = new Bootstrap()
                .group(loop)
                .channelFactory(() -> new EpollDatagramChannel(HostListeners.family(port)))
                .option(ChannelOption.SO_RCVBUF, SOCKET_BUFFER_BYTES)
                .option(ChannelOption.SO_SNDBUF, SOCKET_BUFFER_BYTES)
                .option(ChannelOption.RECVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(RECEIVE_BYTES))
                .handler(new Handler());
        if (!port.address().isV4()) {
            b.option(HostListeners.IPV6_V6ONLY, 1);
        }
        return Resolved.of(loop, b.bind(port.toSocketAddress()));
    }

    private final class Handler extends ChannelInboundHandlerAdapter {
        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            socket = ctx.channel();
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (msg instanceof DatagramPacket p) {
                onDatagram(p.sender(), p.content());
            } else {
                ReferenceCountUtil.release(msg);
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            log.debug("{}: {}", forward, cause.toString()); // one datagram's, such as an ICMP error; the socket goes on
        }
    }

    /** Takes ownership of {@code payload}. */
    private void onDatagram(InetSocketAddress client, ByteBuf payload) {
        traffic.bytesToGuest += payload.readableBytes();
        UdpFlow flow;
        try {
            flow = flows.flowOf(client, now(), this::openFlow);
        } catch (RuntimeException e) { // no port left for one more that looks like the gateway
            payload.release();
            throw e;
        }
        scheduleExpiry();
        flow.sendToGuest(payload);
    }

    private UdpFlow openFlow(InetSocketAddress client) {
        Caller caller = Caller.of(client, forward.guest());
        return guest.openUdp(
                forward.guest(), forward.guestPort(), caller.address(), caller.port(), new Replies(client));
    }

    private final class Replies implements UdpReplies {
        private final InetSocketAddress client;

        Replies(InetSocketAddress client) {
            this.client = client;
        }

        @Override
        public void onReply(ByteBuf payload) {
            Channel s = socket;
            if (flows.touch(client, now()) && s != null && s.isWritable()) {
                traffic.bytesFromGuest += payload.readableBytes();
                ByteBuf copy = s.alloc().buffer(payload.readableBytes());
                copy.writeBytes(payload, payload.readerIndex(), payload.readableBytes());
                s.writeAndFlush(new DatagramPacket(copy, client));
            }
        }

        /** A socket that isn't connected can't tell its client; and the next datagram may find the service up. */
        @Override
        public void onUnreachable() {
            log.trace("{}: unreachable for {}", forward, client);
        }
    }

    private void scheduleExpiry() {
        if (expiry == null) {
            long nanos = flows.nextExpiry(now());
            if (nanos >= 0) {
                expiry = loop.schedule(this::expire, nanos, TimeUnit.NANOSECONDS);
            }
        }
    }

    private void expire() {
        expiry = null;
        flows.expire(now());
        scheduleExpiry();
    }

    private long now() {
        return loop.ticker().nanoTime();
    }

    @Override
    public void close() {
        reopener.close();
        socket = null;
        flows.closeAll();
        if (expiry != null) {
            expiry.cancel(false);
            expiry = null;
        }
    }

    @Override
    public String trouble() {
        return reopener.trouble();
    }
}
