package dev.longshore.vpnkit;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import org.junit.jupiter.api.AfterEach;

/** Whatever a guest sends to the name server by TCP, in any pieces. How to search: {@code ./longshore fuzz}. */
class DnsTcpFuzzTest {
    private final DnsRig rig = new DnsRig(0);

    DnsTcpFuzzTest() {
        InetSocketAddress nobody = new InetSocketAddress(InetAddress.getLoopbackAddress(), 1);
        rig.net.network.setResolvers(List.of(nobody), List.of());
    }

    @AfterEach
    void close() {
        rig.close();
    }

    /** Input: size of the pieces and whether the guest reads, then its bytes. */
    @FuzzTest(maxDuration = "1m")
    void dnsOverTcp(byte[] input) {
        if (input.length < 2) {
            return;
        }
        EmbeddedChannel channel = rig.tcp();
        int piece = 1 + (input[0] & 0xFF);
        int answers = 0;
        for (int at = 2; at < input.length && channel.isOpen(); at += piece) {
            channel.writeInbound(Unpooled.copiedBuffer(input, at, Math.min(piece, input.length - at)));
            reads(channel, (input[1] >>> at % 8 & 1) == 0);
            answers += answers(channel);
        }
        reads(channel, true);
        if (channel.isOpen()) {
            channel.pipeline().fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
            rig.net.loop.runUntil(() -> !channel.isOpen(), "an end behind the last answer");
            answers += answers(channel);
        }
        channel.checkException();
        assertThat(answers).isLessThanOrEqualTo(input.length / 14);
        channel.finishAndReleaseAll();
        rig.net.loop.runUntil(() -> rig.count("vpnkit.dns.active", "") == 0, "nobody waits");
    }

    /** Whether the guest takes what is written. */
    private static void reads(EmbeddedChannel channel, boolean takes) {
        ChannelOutboundBuffer out = channel.unsafe().outboundBuffer();
        if (out != null) { // it may have been closed for what it said
            out.setUserDefinedWritability(1, takes);
        }
        channel.runPendingTasks();
    }

    /** How many whole ones there are; whole ones only. */
    private static int answers(EmbeddedChannel channel) {
        ByteBuf all = Unpooled.buffer();
        for (ByteBuf b = channel.readOutbound(); b != null; b = channel.readOutbound()) {
            all.writeBytes(b);
            b.release();
        }
        int count = 0;
        while (all.isReadable()) {
            int length = all.readUnsignedShort();
            assertThat(length).isBetween(12, all.readableBytes());
            all.skipBytes(length);
            count++;
        }
        return count;
    }
}
