package dev.longshore.portforward;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.flow.GuestConnector;
import dev.longshore.vpnkit.hostsocket.DialResult;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * A guest in which every TCP service echoes until EOF and then closes, and every UDP service answers with the flow's source,
 * a blank and what it got. What was asked for can be taken by the test's thread.
 */
final class FakeGuest implements GuestConnector {
    record TcpCall(IpAddress guest, int guestPort, IpAddress source, int sourcePort) {}

    record UdpCall(IpAddress guest, int guestPort, IpAddress source, int sourcePort) {}

    final BlockingQueue<TcpCall> tcpCalls = new LinkedBlockingQueue<>();
    final BlockingQueue<UdpCall> udpCalls = new LinkedBlockingQueue<>();
    final BlockingQueue<UdpCall> udpCloses = new LinkedBlockingQueue<>();

    /** Loop-confined: UDP flows open now. */
    final List<UdpCall> openUdp = new ArrayList<>();

    private final EventLoop loop;

    FakeGuest(EventLoop loop) {
        this.loop = loop;
    }

    @Override
    public EventLoop loop() {
        return loop;
    }

    @Override
    public void forwardTcp(DuplexChannel host, IpAddress guest, int guestPort, IpAddress source, int sourcePort) {
        assert loop.inEventLoop();
        assert !host.config().isAutoRead();
        tcpCalls.add(new TcpCall(guest, guestPort, source, sourcePort));
        host.pipeline().addLast(new Echo());
        host.config().setAutoRead(true);
    }

    @Override
    public Future<DialResult> connectTcp(IpAddress guest, int guestPort) {
        return loop.newSucceededFuture(new DialResult.Refused());
    }

    @Override
    public UdpFlow openUdp(IpAddress guest, int guestPort, IpAddress source, int sourcePort, UdpReplies replies) {
        assert loop.inEventLoop();
        UdpCall call = new UdpCall(guest, guestPort, source, sourcePort);
        udpCalls.add(call);
        openUdp.add(call);
        return new UdpFlow() {
            @Override
            public void sendToGuest(ByteBuf b, int at, int len) {
                ByteBuf answer = b.alloc().buffer();
                answer.writeBytes((sourcePort + " ").getBytes(java.nio.charset.StandardCharsets.US_ASCII));
                answer.writeBytes(b, at, len);
                loop.execute(() -> {
                    replies.onReply(answer, 0, answer.readableBytes());
                    answer.release();
                });
            }

            @Override
            public void close() {
                if (openUdp.remove(call)) {
                    udpCloses.add(call);
                }
            }
        };
    }

    private static final class Echo extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ctx.writeAndFlush(msg);
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof ChannelInputShutdownEvent) {
                ctx.writeAndFlush(ctx.alloc().buffer(0)).addListener(ChannelFutureListener.CLOSE);
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            ctx.close();
        }
    }
}
