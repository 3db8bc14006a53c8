package dev.longshore.vpnkit;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.packet.wire.DnsMessage;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.embedded.EmbeddedChannel;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.xbill.DNS.Message;
import org.xbill.DNS.Type;

/**
 * Whatever a resolver of the host says, by UDP and in TCP's stream: the guest gets one answer to its question, and nobody waits for
 * ever. How to search: {@code ./longshore fuzz}.
 */
class DnsUpstreamFuzzTest {
    private static final Duration LONGER_THAN_ALL = Duration.ofSeconds(6);
    private static final int HELP = 5;

    private final DnsRig rig = new DnsRig(1);
    private int names;

    @AfterEach
    void close() {
        rig.close();
    }

    /** Input: kind of help, five bytes for a header, then the message. */
    @FuzzTest(maxDuration = "2m")
    void upstreamDnsAnswer(byte[] input) {
        if (input.length <= HELP) {
            return;
        }
        rig.resolver().raw = query -> said(query, input);
        Message query = fresh((input[0] & 2) == 0 ? Type.A : Type.HTTPS);
        rig.guest.clearReceived();
        rig.send(query);
        rig.awaitAsked(rig.resolver(), 1);
        rig.pass(LONGER_THAN_ALL);
        check(received(), query);
        clean();
    }

    /** Input: kind of help and whether the resolver hangs up behind it, five bytes for a header, then the stream. */
    @FuzzTest(maxDuration = "2m")
    void upstreamDnsOverTcp(byte[] input) {
        if (input.length <= HELP) {
            return;
        }
        rig.resolver().raw = query -> framed(query, input);
        Message query = fresh(Type.A);
        EmbeddedChannel channel = rig.tcp();
        DnsRig.sendTcp(channel, query);
        rig.awaitAsked(rig.resolver(), 1);
        if ((input[0] & 4) != 0) {
            rig.resolver().hangUp();
        }
        rig.pass(LONGER_THAN_ALL);
        check(rig.receiveTcpBytes(channel), query);
        channel.checkException();
        channel.finishAndReleaseAll();
        clean();
    }

    private Message fresh(int type) {
        return DnsRig.query("n" + names++ + ".test", type);
    }

    /** The first datagram: the router may have advertised itself meanwhile. */
    private byte[] received() {
        while (true) {
            try {
                return ByteBufUtil.getBytes(rig.guest.receiveUdp().payload());
            } catch (AssertionError e) {
                if (!String.valueOf(e.getMessage()).startsWith("not UDP")) {
                    throw e;
                }
            }
        }
    }

    /** Records pass as they are, whatever is in them: only what is ours is looked at. */
    private static void check(byte[] answer, Message query) {
        byte[] asked = query.toWire();
        assertThat(answer.length).isGreaterThanOrEqualTo(asked.length);
        assertThat(Arrays.copyOf(answer, 2)).isEqualTo(Arrays.copyOf(asked, 2));
        assertThat(answer[2] & 0x80).as("QR").isEqualTo(0x80);
        assertThat(Arrays.copyOfRange(answer, DnsMessage.HEADER_BYTES, asked.length))
                .isEqualTo(Arrays.copyOfRange(asked, DnsMessage.HEADER_BYTES, asked.length));
    }

    private void clean() {
        rig.resolver().hangUp();
        rig.resolver().asked.clear();
        rig.resolver().ports.clear();
        rig.net.loop.runUntil(() -> rig.count("vpnkit.dns.active", "") == 0, "nobody waits");
    }

    /** With help the id and the question are right, and flags and counts are the input's. */
    private static byte[] said(byte[] query, byte[] input) {
        byte[] rest = Arrays.copyOfRange(input, HELP + 1, input.length);
        if ((input[0] & 1) != 0) {
            return rest;
        }
        int question = query.length - DnsMessage.HEADER_BYTES;
        ByteBuffer m = ByteBuffer.allocate(query.length + rest.length);
        m.put(query, 0, 2).put((byte) (0x80 | (input[1] & 7))).put(input[2]).putShort((short) 1);
        m.putShort((short) (input[3] & 0xFF))
                .putShort((short) (input[4] & 0xFF))
                .putShort((short) (input[5] & 0xFF));
        return m.put(query, DnsMessage.HEADER_BYTES, question).put(rest).array();
    }

    /** A length that is right, or whatever the input has; and something behind it. */
    private static byte[] framed(byte[] query, byte[] input) {
        byte[] message = said(query, input);
        boolean asItIs = (input[0] & 1) != 0;
        if (asItIs) {
            return message;
        }
        int cut = (input[0] & 8) != 0 ? message.length / 2 : message.length;
        ByteBuffer stream = ByteBuffer.allocate(2 + message.length + (input[0] & 16));
        return stream.putShort((short) cut).put(message).array();
    }
}
