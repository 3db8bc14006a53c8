package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.ScriptedChannel;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import org.junit.jupiter.api.Test;

/** RFC 9110 §9.3.6. */
class ConnectTest {
    private static final String CONNECT = "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n";

    private final ProxyRig rig = new ProxyRig();
    private final ScriptedChannel guest = rig.guest;

    @Test
    void answersOnlyAfterTheConnect_andKeepsEarlyBytes() {
        guest.receive(CONNECT + "early");
        assertThat(guest.sent()).isEmpty();
        assertThat(rig.dialed).containsExactly(Destination.named("a.test", 443));

        ScriptedChannel origin = rig.connect();

        assertThat(guest.sent()).isEqualTo("HTTP/1.1 200 Connection established\r\n\r\n");
        assertThat(origin.sent()).isEqualTo("early");
        guest.receive("\u0016\u0003\u0001");
        origin.receive("\u0016\u0003\u0003");
        assertThat(origin.sent()).isEqualTo("\u0016\u0003\u0001");
        assertThat(guest.sent()).isEqualTo("\u0016\u0003\u0003");
    }

    @Test
    void halfClose_passesInBothDirections() {
        ScriptedChannel origin = rig.request(CONNECT);

        guest.receiveEof();
        assertThat(origin.isOutputShutdown()).isTrue();
        assertThat(origin.isOpen()).isTrue();
        origin.receive("late answer");
        assertThat(guest.sent()).endsWith("late answer");
        origin.receiveEof();
        assertThat(guest.isOutputShutdown()).isTrue();
    }

    @Test
    void eofBeforeTheConnect_isPassedOnAfterIt() {
        guest.receive(CONNECT + "all");
        guest.receiveEof();

        ScriptedChannel origin = rig.connect();

        assertThat(origin.sent()).isEqualTo("all");
        assertThat(origin.isOutputShutdown()).isTrue();
        origin.receive("answer");
        assertThat(guest.sent()).endsWith("answer");
    }

    @Test
    void reset_endsTheOtherSide() {
        ScriptedChannel origin = rig.request(CONNECT);

        origin.receiveReset();

        assertThat(guest.isOpen()).isFalse();
    }

    @Test
    void failure_isAnErrorAndNoTunnel() {
        guest.receive(CONNECT + "early");
        rig.answerDial(new DialResult.Refused());

        assertThat(guest.sent()).startsWith("HTTP/1.1 502 ").contains("error=connection_refused");
        assertThat(guest.isOutputShutdown()).isTrue();
    }

    @Test
    void bytesBeforeTheConnect_areBounded() {
        guest.receive(CONNECT);
        assertThat(guest.wantsToRead()).isTrue();

        guest.receive("x".repeat(64 * 1024));

        assertThat(guest.wantsToRead()).isFalse();
    }
}
