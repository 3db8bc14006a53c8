package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.proxy.message.BadMessage;
import dev.longshore.proxy.message.Fields;
import dev.longshore.proxy.message.HeadReader;
import dev.longshore.proxy.message.HopByHop;
import dev.longshore.proxy.message.RequestHead;
import dev.longshore.testkit.ScriptedChannel;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Any bytes as requests: refused or understood, the same however they are cut, and nothing that an origin gets can be read
 * as two requests. How to search: {@code ./longshore fuzz}.
 */
class ProxyFuzzTest {
    private static final RequestGate GATE = new RequestGate(ProxyRig.SETTINGS);

    /** What a head comes to. */
    private record Outcome(int refused, @Nullable Admission admission, int left) {}

    @FuzzTest(maxDuration = "2m")
    void requestHead(byte[] input) {
        Outcome whole = outcome(input, Math.max(1, input.length));
        assertThat(outcome(input, 1)).as("byte by byte").isEqualTo(whole);
        assertThat(outcome(input, 7)).as("in pieces of 7").isEqualTo(whole);
    }

    private static Outcome outcome(byte[] input, int piece) {
        ByteBuf in = Unpooled.buffer();
        HeadReader reader = HeadReader.request();
        try {
            for (int at = 0; at < input.length; at += piece) {
                in.writeBytes(input, at, Math.min(piece, input.length - at));
                if (reader.read(in)) {
                    RequestHead head = RequestHead.parse(reader.startLine(), reader.fields());
                    Admission admission = GATE.admit(head);
                    check(head, admission);
                    return new Outcome(
                            0, admission, input.length - Math.min(input.length, at + piece) + in.readableBytes());
                }
            }
            return new Outcome(0, null, 0);
        } catch (BadMessage e) {
            assertThat(e.status()).isBetween(400, 599);
            return new Outcome(e.status(), null, 0);
        }
    }

    private static void check(RequestHead head, Admission admission) {
        for (Fields.Field f : HopByHop.forwardable(head.fields())) {
            assertThat(f.name()).matches("[!-~]+").doesNotContain(":");
            assertThat(f.value()).doesNotContain("\r", "\n", "\0");
        }
        if (admission instanceof Admission.Forward forward) {
            assertThat(forward.target()).matches("(?s)[^\\x00-\\x20\\x7f]+");
            assertThat(forward.destination().port()).isBetween(1, 65_535);
        }
    }

    /** Whole connections: requests, bodies, origins that answer and the like. Input: how it is cut, then the guest's bytes. */
    @FuzzTest(maxDuration = "2m")
    void proxyConnection(byte[] input) {
        if (input.length == 0) {
            return;
        }
        ProxyRig rig = new ProxyRig();
        int piece = 1 + (input[0] & 0xFF);
        int connected = 0;
        for (int at = 1; at < input.length && rig.guest.isOpen(); at += piece) {
            rig.guest.receive(new String(input, at, Math.min(piece, input.length - at), StandardCharsets.ISO_8859_1));
            while (!rig.dials.isEmpty() && connected++ < 20) {
                ScriptedChannel origin = rig.connect();
                if (origin.isOpen()) { // the guest may have gone meanwhile
                    origin.receive("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                }
                origin.sent();
            }
        }
        rig.guest.sent();
        rig.guest.receiveEof();
        rig.guest.pass(3600);
        rig.guest.sent();
        rig.guest.close();
        rig.guest.checkException();
    }
}
