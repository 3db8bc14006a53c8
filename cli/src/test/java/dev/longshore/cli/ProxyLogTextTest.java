package dev.longshore.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.longshore.proto.control.v1.GetProxyLogReply;
import dev.longshore.proto.control.v1.ProxyLogEntry;
import org.junit.jupiter.api.Test;

class ProxyLogTextTest {
    private static final ProxyLogEntry REQUEST = ProxyLogEntry.newBuilder()
            .setEnded(Timestamp.newBuilder().setSeconds(1_800_000_000).setNanos(5_000_000))
            .setMillis(12)
            .setSource("172.17.0.2")
            .setContainer("web")
            .setKind("taken-request")
            .setNamed("host")
            .setRemote("192.0.2.3:3128")
            .setRule("r")
            .setAuth("NTLM")
            .setMethod("GET")
            .setHost("2001:db8::1")
            .setPort(80)
            .setPath("/a")
            .setRoute("http://proxy:3128")
            .setStatus(200)
            .setBytesFromGuest(1)
            .setBytesToGuest(34)
            .build();

    @Test
    void request_isOneLine() {
        assertThat(line(REQUEST)).endsWith("[2001:db8::1]:80/a  http://proxy:3128 by NTLM, 1/34 bytes, 12 ms");
        assertThat(line(REQUEST)).contains(" web ").contains(" GET ").contains(" 200 ");
    }

    @Test
    void whatIsNotKnown_isLeftOut_andControlsAreNotPrinted() {
        ProxyLogEntry invalid = ProxyLogEntry.newBuilder()
                .setKind("invalid")
                .setSource("172.17.0.3")
                .setError("no\u001b[2J\nsense")
                .build();
        assertThat(line(invalid)).contains(" 172.17.0.3 ").endsWith("-   -  0/0 bytes, 0 ms: no.[2J.sense");
    }

    @Test
    void json_hasAll() {
        assertThat(ProxyLogText.json(REQUEST))
                .isEqualTo("{\"time\":\"2027-01-15T08:00:00.005Z\",\"millis\":12,\"source\":\"172.17.0.2\","
                        + "\"container\":\"web\",\"kind\":\"taken-request\",\"method\":\"GET\",\"host\":\"2001:db8::1\","
                        + "\"port\":80,\"named\":\"host\",\"path\":\"/a\",\"route\":\"http://proxy:3128\",\"remote\":\"192.0.2.3:3128\",\"rule\":\"r\","
                        + "\"auth\":\"NTLM\",\"status\":200,\"fromGuest\":1,\"toGuest\":34,\"error\":\"\"}");
    }

    private static String line(ProxyLogEntry entry) {
        return ProxyLogText.lines(
                        GetProxyLogReply.newBuilder().addEntries(entry).build())
                .getFirst();
    }
}
