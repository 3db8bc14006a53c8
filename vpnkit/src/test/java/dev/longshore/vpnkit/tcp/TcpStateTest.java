package dev.longshore.vpnkit.tcp;

import static dev.longshore.vpnkit.tcp.TcpState.CLOSED;
import static dev.longshore.vpnkit.tcp.TcpState.CLOSE_WAIT;
import static dev.longshore.vpnkit.tcp.TcpState.CLOSING;
import static dev.longshore.vpnkit.tcp.TcpState.ESTABLISHED;
import static dev.longshore.vpnkit.tcp.TcpState.FIN_WAIT_1;
import static dev.longshore.vpnkit.tcp.TcpState.FIN_WAIT_2;
import static dev.longshore.vpnkit.tcp.TcpState.LAST_ACK;
import static dev.longshore.vpnkit.tcp.TcpState.LISTEN;
import static dev.longshore.vpnkit.tcp.TcpState.SYN_RECEIVED;
import static dev.longshore.vpnkit.tcp.TcpState.SYN_SENT;
import static dev.longshore.vpnkit.tcp.TcpState.TIME_WAIT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The arrows of RFC 9293 §3.3.2, Figure 5. */
class TcpStateTest {
    @Test
    void opening() {
        assertThat(LISTEN.onHostConnected()).isEqualTo(SYN_RECEIVED);
        assertThat(SYN_RECEIVED.onSynAcked()).isEqualTo(ESTABLISHED);
        assertThat(SYN_SENT.onSynAcked()).isEqualTo(ESTABLISHED);
        assertThat(SYN_SENT.onCrossingSyn()).isEqualTo(SYN_RECEIVED);
    }

    @ParameterizedTest
    @CsvSource({
        "SYN_RECEIVED, false, CLOSE_WAIT",
        "ESTABLISHED, false, CLOSE_WAIT",
        "FIN_WAIT_1, false, CLOSING",
        "FIN_WAIT_1, true, TIME_WAIT",
        "FIN_WAIT_2, true, TIME_WAIT",
        "CLOSE_WAIT, false, CLOSE_WAIT",
        "LAST_ACK, false, LAST_ACK",
        "TIME_WAIT, true, TIME_WAIT",
    })
    void fin(TcpState from, boolean ourFinAcked, TcpState to) {
        assertThat(from.onFin(ourFinAcked)).isEqualTo(to);
    }

    @Test
    void closing() {
        assertThat(ESTABLISHED.onHostEof()).isEqualTo(FIN_WAIT_1);
        assertThat(CLOSE_WAIT.onHostEof()).isEqualTo(LAST_ACK);
        assertThat(SYN_RECEIVED.onHostEof()).isEqualTo(SYN_RECEIVED);
        assertThat(FIN_WAIT_1.onFinAcked()).isEqualTo(FIN_WAIT_2);
        assertThat(CLOSING.onFinAcked()).isEqualTo(TIME_WAIT);
        assertThat(LAST_ACK.onFinAcked()).isEqualTo(CLOSED);
    }

    @Test
    void impossibleEvents_areBugs() {
        assertThatThrownBy(() -> CLOSED.onFin(false)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> ESTABLISHED.onSynAcked()).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> ESTABLISHED.onFinAcked()).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> SYN_SENT.onHostConnected()).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> LISTEN.onCrossingSyn()).isInstanceOf(IllegalStateException.class);
    }
}
