package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.RST;
import static dev.longshore.packet.wire.TcpHeader.SYN;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.TcpGuest;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.ResetClose;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.DuplexChannel;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A dial that ends with a handler of the daemon's instead of a host socket. */
class TcpInProcessTest {
    private final TcpBench bench = new TcpBench();
    private final TcpGuest guest = bench.guest;
    private final List<String> events = new ArrayList<>();
    private final List<DuplexChannel> channels = new ArrayList<>();

    private final class Remote extends ChannelInboundHandlerAdapter {
        @Override
        public void handlerAdded(ChannelHandlerContext ctx) {
            channels.add((DuplexChannel) ctx.channel());
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ByteBuf data = (ByteBuf) msg;
            events.add(data.toString(StandardCharsets.US_ASCII));
            data.release();
            ctx.writeAndFlush(Unpooled.copiedBuffer("pong", StandardCharsets.US_ASCII), ctx.voidPromise());
        }
    }

    @AfterEach
    void close() {
        bench.close();
    }

    private TcpGuest.Segment connect() {
        guest.sendsSyn(99, 1460, 7);
        guest.receivesNothing(); // before the dial has ended
        bench.dials.remove().answers(new DialResult.InProcess(new Remote()));
        bench.loop.runDue();
        return guest.receives();
    }

    @Test
    void handler_isTheRemote_whoseAddressItSees() {
        TcpGuest.Segment synAck = connect();
        assertThat(synAck.flags()).isEqualTo(SYN | ACK);

        guest.sends(ACK, 100, synAck.seq() + 1, "ping");
        bench.loop.runDue();

        assertThat(events).containsExactly("ping");
        InetSocketAddress local = (InetSocketAddress) channels.getFirst().localAddress();
        assertThat(local.getAddress()).isEqualTo(TcpBench.REMOTE.toInetAddress());
        assertThat(local.getPort()).isEqualTo(TcpBench.REMOTE_PORT);
        assertThat(guest.receives().text()).isEqualTo("pong"); // with the acknowledgment, or behind it
    }

    @Test
    void handlerThatFindsNoWay_resetsTheGuest() {
        TcpGuest.Segment synAck = connect();
        guest.sends(ACK, 100, synAck.seq() + 1, "");

        ResetClose.close(channels.getFirst());
        bench.loop.runDue();

        assertThat(guest.receives().flags() & RST).isEqualTo(RST);
    }

    @Test
    void guestThatGaveUpBefore_neverMeetsTheHandler() {
        guest.sendsSyn(99, 1460, 7);
        guest.sends(RST, 100, 0, "");

        bench.dials.remove().answers(new DialResult.InProcess(new Remote()));
        bench.loop.runDue();

        assertThat(channels).isEmpty();
        guest.receivesNothing();
    }
}
