package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.proxy.route.Hop;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Protocol;
import dev.longshore.testkit.ScriptedChannel;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * What upstream proxies may answer, in any pieces: the guest gets one answer or a reset connection, nothing is left open, and our
 * credentials are never among what it gets. How to search: {@code ./longshore fuzz}.
 */
class UpstreamFuzzTest {
    /** Input: kind of request and of proxy, how it is cut, then the proxy's bytes, on each connection anew. */
    @FuzzTest(maxDuration = "2m")
    void upstreamAnswer(byte[] input) {
        if (input.length < 2) {
            return;
        }
        UpstreamRig rig = new UpstreamRig(UpstreamRig.ONE);
        if ((input[0] & 4) != 0) {
            Protocol socks = (input[0] & 8) != 0 ? Protocol.SOCKS4 : Protocol.SOCKS5;
            rig.hops = List.of(new Hop.Through(new ProxyAddress(socks, "s", 1, UpstreamRig.BOB)));
        }
        ScriptedChannel guest = rig.guest();
        guest.receive(
                switch (input[0] & 3) {
                    case 0 -> "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n";
                    case 1 -> "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi";
                    default -> "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n";
                });
        int piece = 1 + (input[1] & 0xFF);
        for (int connection = 0; connection < 10 && !rig.dials.isEmpty(); connection++) {
            ScriptedChannel upstream = rig.connect();
            for (int at = 2; at < input.length && upstream.isOpen(); at += piece) {
                upstream.receive(
                        new String(input, at, Math.min(piece, input.length - at), StandardCharsets.ISO_8859_1));
                rig.run();
            }
            if (upstream.isOpen()) {
                upstream.receiveEof();
            }
            rig.run();
            upstream.checkException();
        }
        assertThat(guest.sent()).doesNotContain(UpstreamRig.BOB.password());
        guest.close();
        rig.run();
        rig.pass(3600);
        guest.checkException();
    }
}
