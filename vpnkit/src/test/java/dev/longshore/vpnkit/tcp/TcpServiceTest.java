package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.FIN;
import static dev.longshore.packet.wire.TcpHeader.RST;
import static dev.longshore.packet.wire.TcpHeader.SYN;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.TcpGuest;
import dev.longshore.vpnkit.hostsocket.ResetClose;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Services inside the daemon: a flow as a Netty channel. */
class TcpServiceTest {
    private final TcpBench bench = new TcpBench();
    private final TcpGuest guest = new TcpGuest(bench.guestEnd, 5000, GuestEnd.DNS, 53);
    private final List<String> events = new ArrayList<>();
    private final List<DuplexChannel> channels = new ArrayList<>();
    private int iss;
    private boolean closeOnEof;

    private final class Recorder extends ChannelInboundHandlerAdapter {
        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            channels.add((DuplexChannel) ctx.channel());
            events.add("active");
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ByteBuf data = (ByteBuf) msg;
            events.add(data.toString(java.nio.charset.StandardCharsets.US_ASCII));
            data.release();
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof ChannelInputShutdownEvent) {
                events.add("eof");
                if (closeOnEof) {
                    ctx.close();
                }
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            events.add("inactive");
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            events.add("exception");
        }
    }

    @BeforeEach
    void connect() {
        bench.services.register(GuestEnd.DNS, 53, new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel ch) {
                ch.pipeline().addLast(new Recorder());
            }
        });
        guest.sendsSyn(99, 1460, 7);
        TcpGuest.Segment synAck = guest.receives();
        assertThat(synAck.flags()).isEqualTo(SYN | ACK);
        iss = synAck.seq();
        guest.sends(ACK, 100, iss + 1);
        assertThat(bench.dials).isEmpty();
    }

    @AfterEach
    void close() {
        bench.close();
    }

    private DuplexChannel channel() {
        return channels.getFirst();
    }

    private static ByteBuf text(String s) {
        return Unpooled.copiedBuffer(s, java.nio.charset.StandardCharsets.US_ASCII);
    }

    /** RFC 9293 §3.10.7.1 and §3.10.7.2: closed, and LISTEN. */
    @Test
    void strayWithoutAck_isResetAtAClosedPort_andIgnoredAtTheServices() {
        TcpGuest atTheService = new TcpGuest(bench.guestEnd, 5001, GuestEnd.DNS, 53);
        atTheService.sends(FIN, 10, 0);
        atTheService.receivesNothing();
        TcpGuest atAClosedPort = new TcpGuest(bench.guestEnd, 5001, GuestEnd.DNS, 54);
        atAClosedPort.sends(0, 10, 0, "abc");
        atAClosedPort.receives(RST | ACK, 0, 13);
    }

    @Test
    void questionAndAnswer() {
        guest.sends(ACK, 100, iss + 1, "question");
        guest.receives(ACK, iss + 1, 108);
        channel().writeAndFlush(text("answer"));
        bench.run();
        guest.receives(ACK, iss + 1, 108, "answer");
        assertThat(events).containsExactly("active", "question");
        assertThat(((InetSocketAddress) channel().localAddress()).getPort()).isEqualTo(53);
        assertThat(((InetSocketAddress) channel().remoteAddress()).getAddress())
                .isEqualTo(GuestEnd.GUEST.toInetAddress());
    }

    @Test
    void guestsFin_isAnEvent_andTheAnswerStillGoesOut() {
        guest.sends(FIN | ACK, 100, iss + 1, "q");
        guest.receives(ACK, iss + 1, 102);
        assertThat(events).containsExactly("active", "q", "eof");
        channel().writeAndFlush(text("a"));
        channel().shutdownOutput();
        bench.run();
        guest.receives(FIN | ACK, iss + 1, 102, "a");
        guest.sends(ACK, 102, iss + 3);
        bench.run();
        assertThat(events).endsWith("inactive");
        assertThat(bench.stack.flowCount()).isZero();
    }

    @Test
    void guestsFin_answeredByCloseFromWithinTheEvent_endsInLastAck() {
        closeOnEof = true;
        guest.sends(FIN | ACK, 100, iss + 1, "q");
        bench.run();
        guest.receives(FIN | ACK, iss + 1, 102);
        guest.sends(ACK, 102, iss + 2);
        bench.run();
        assertThat(events).containsExactly("active", "q", "eof", "inactive");
        assertThat(bench.stack.flowCount()).isZero();
        bench.guestEnd.receivesNothing();
    }

    @Test
    void close_isFin() {
        channel().close();
        bench.run();
        guest.receives(FIN | ACK, iss + 1, 100);
        guest.sends(FIN | ACK, 100, iss + 2);
        guest.receives(ACK, iss + 2, 101);
        assertThat(events).containsExactly("active", "inactive");
    }

    @Test
    void closeWithLingerZero_isRst() {
        ResetClose.close(channel());
        bench.run();
        guest.receives(RST | ACK, iss + 1, 100);
        assertThat(bench.stack.flowCount()).isZero();
    }

    @Test
    void closeWithBytesUnread_isRst() {
        channel().config().setAutoRead(false);
        guest.sends(ACK, 100, iss + 1, "first read was pending");
        guest.receives();
        guest.sends(ACK, 122, iss + 1, "unread");
        guest.receives();
        channel().close();
        bench.run();
        assertThat(guest.receives().has(RST)).isTrue();
    }

    @Test
    void guestsRst_isAnException() {
        guest.sends(RST, 100, 0);
        bench.run();
        assertThat(events).containsExactly("active", "exception", "inactive");
    }

    @Test
    void autoReadOff_closesTheWindow_andReadOpensIt() {
        channel().config().setAutoRead(false);
        int seq = 100;
        int window = 0xFFFF << 8;
        byte[] piece = TcpTransferTest.pattern(10_000);
        while (window >= piece.length) {
            guest.sends(ACK, seq, iss + 1, piece);
            seq += piece.length;
            window = guest.receives().window() << 8;
        }
        assertThat(seq).isBetween(900_000, 1_200_000);
        channel().config().setAutoRead(true);
        bench.run();
        TcpGuest.Segment update = guest.receives();
        assertThat(update.window() << 8).isGreaterThan(500_000);
    }

    @Test
    void largeWrite_waitsForTheGuestWithoutBufferingInTheFlow() {
        byte[] data = TcpTransferTest.pattern(3 << 20);
        boolean[] written = new boolean[1];
        for (int at = 0; at < data.length; at += 64 << 10) {
            channel().write(Unpooled.wrappedBuffer(data, at, 64 << 10));
        }
        channel().writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(f -> written[0] = f.isSuccess());
        bench.run();
        assertThat(channel().isWritable()).isFalse();
        assertThat(written[0]).isFalse();
        ByteBuf got = Unpooled.buffer();
        while (got.readableBytes() < data.length) {
            bench.run();
            assertThat(bench.guestEnd.hasReceived()).isTrue();
            while (bench.guestEnd.hasReceived()) {
                got.writeBytes(guest.receives().payload());
            }
            guest.sends(ACK, 100, iss + 1 + got.readableBytes());
        }
        assertThat(written[0]).isTrue();
        assertThat(got).isEqualTo(Unpooled.wrappedBuffer(data));
    }

    @Test
    void onlyBytesMayBeWritten() {
        boolean[] failed = new boolean[1];
        channel().writeAndFlush("no bytes").addListener(f -> failed[0] = !f.isSuccess());
        assertThat(failed[0]).isTrue();
    }

    @Test
    void unregisteredPortOfOurs_isDialed() {
        bench.services.unregister(GuestEnd.DNS, 53);
        new TcpGuest(bench.guestEnd, 5001, GuestEnd.DNS, 53).sendsSyn(1, 1460, 7);
        assertThat(bench.dial().destination().port()).isEqualTo(53);
    }
}
