package dev.longshore.vpnkit.udp;

import dev.longshore.packet.wire.IpAddress;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.socket.DatagramPacket;
import io.netty.channel.socket.SocketProtocolFamily;
import io.netty.util.ReferenceCountUtil;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/** Opens the host's UDP sockets of flows, on the link's own loop. Confined to that loop. */
final class HostUdp {
    /** A datagram is never cut: 65,507 bytes over IPv4. */
    private static final int RECEIVE_BYTES = 65_536;

    /** What waits in a socket whose kernel buffer is full. */
    private static final WriteBufferWaterMark WATER_MARK = new WriteBufferWaterMark(128 << 10, 512 << 10);

    private static final InetSocketAddress ANY =
            new InetSocketAddress(IpAddress.v4(0).toInetAddress(), 0);

    private final EventLoop loop;
    private final int hostAlias;
    private final Events events;

    /** What host sockets report. */
    interface Events {
        /** Borrows {@code payload}: its readable bytes. {@code remote} as the guest knows it. */
        void onFromHost(UdpFlow flow, ByteBuf payload, int remote, int remotePort);

        void onReadComplete();

        /** The flow's first remote can't be reached, or refuses. */
        void onHostError(UdpFlow flow, Throwable cause);

        /** A datagram to another remote could not be sent; the kernel doesn't say which. */
        void onSendFailed(UdpFlow flow, Throwable cause);
    }

    /** {@code hostAlias} is the address that stands for the host's loopback. */
    HostUdp(EventLoop loop, int hostAlias, Events events) {
        this.loop = loop;
        this.hostAlias = hostAlias;
        this.events = events;
    }

    InetAddress toHost(int remote) {
        return remote == hostAlias
                ? IpAddress.v4(0x7F00_0001).toInetAddress()
                : IpAddress.v4(remote).toInetAddress();
    }

    /**
     * A socket of a new flow: on a port of its own, connected to the first remote. The returned future is done; the
     * caller gives the flow to {@link #join} or closes the channel.
     */
    ChannelFuture connect(InetSocketAddress remote) {
        ChannelFuture registered = register();
        if (!registered.isSuccess()) {
            return registered; // no descriptor left
        }
        Channel channel = registered.channel();
        ChannelFuture bound = channel.bind(ANY);
        if (!bound.isSuccess()) {
            channel.close();
            return bound;
        }
        // Only now: a port that is free is chosen, and may be shared from here on with the flow's second socket.
        channel.config().setOption(EpollChannelOption.SO_REUSEPORT, true);
        ChannelFuture connected = channel.connect(remote);
        if (!connected.isSuccess()) {
            channel.close();
        }
        return connected;
    }

    void join(UdpFlow flow) {
        flow.connected.pipeline().addLast(new Receiver(flow, true));
        flow.connected.config().setAutoRead(true);
    }

    /** A second socket on the same host port, for all other remotes; null if there is none to be had. */
    @Nullable
    Channel openBeside(UdpFlow flow) {
        int port = ((InetSocketAddress) flow.connected.localAddress()).getPort();
        ChannelFuture registered = register();
        if (!registered.isSuccess()) {
            return null;
        }
        Channel channel = registered.channel();
        channel.config().setOption(EpollChannelOption.SO_REUSEPORT, true);
        ChannelFuture bound = channel.bind(new InetSocketAddress(ANY.getAddress(), port));
        if (!bound.isSuccess()) {
            channel.close();
            return null;
        }
        channel.pipeline().addLast(new Receiver(flow, false));
        channel.config().setAutoRead(true);
        return channel;
    }

    private ChannelFuture register() {
        return new Bootstrap()
                .group(loop)
                .channelFactory(() -> new EpollDatagramChannel(SocketProtocolFamily.INET))
                .option(ChannelOption.AUTO_READ, false)
                .option(ChannelOption.RECVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(RECEIVE_BYTES))
                .option(ChannelOption.WRITE_BUFFER_WATER_MARK, WATER_MARK)
                .handler(new ChannelInboundHandlerAdapter())
                .register();
    }

    /** Hands on what one socket receives. */
    private final class Receiver extends ChannelInboundHandlerAdapter {
        private final UdpFlow flow;
        private final boolean connected;

        Receiver(UdpFlow flow, boolean connected) {
            this.flow = flow;
            this.connected = connected;
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            try {
                if (msg instanceof DatagramPacket p) {
                    InetSocketAddress sender = p.sender();
                    IpAddress from = IpAddress.of(sender.getAddress());
                    if (from.isV4()) {
                        int remote = from.isLoopback() ? hostAlias : from.v4Bits();
                        events.onFromHost(flow, p.content(), remote, sender.getPort());
                    }
                }
            } finally {
                ReferenceCountUtil.release(msg);
            }
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            events.onReadComplete();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            if (connected) {
                events.onHostError(flow, cause);
            } else {
                events.onSendFailed(flow, cause);
            }
        }
    }
}
