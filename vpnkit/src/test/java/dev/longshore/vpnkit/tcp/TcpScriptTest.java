package dev.longshore.vpnkit.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Whole connections as a trace: RFC 9293's figures, and what a guest's kernel does at the edges. */
class TcpScriptTest {
    private final ScriptedBench bench = new ScriptedBench();

    @AfterEach
    void close() {
        bench.close();
    }

    private void run(String script) {
        bench.run(script);
    }

    /** RFC 9293 §3.6, Figure 12. */
    @Test
    void guestCloses() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1460,wscale 7>
                  host connects
                  gw> S. 0:0 ack 1
            0.001 guest> . 1:1 ack 1 win 502
                  guest> P. 1:101 ack 1
                  gw> . 1:1 ack 101
                  guest> F. 101:101 ack 1
                  gw> . 1:1 ack 102
                  host got 100 eof
            0.100 host sends 50
                  gw> P. 1:51 ack 102
                  host finishes
                  gw> F. 51:51 ack 102
            0.101 guest> . 102:102 ack 52
                  host gone
            """);
        assertThat(bench.isGone()).isTrue();
    }

    @Test
    void hostCloses() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1460,wscale 7>
                  host connects
                  gw> S. 0:0 ack 1
                  guest> . 1:1 ack 1 win 502
            0.100 host sends 50
                  host finishes
                  gw> P. 1:51 ack 1
                  gw> F. 51:51 ack 1
                  guest> . 1:1 ack 52
                  guest> P. 1:11 ack 52
                  gw> . 52:52 ack 11
                  guest> F. 11:11 ack 52
                  gw> . 52:52 ack 12
            0.200 guest> F. 11:11 ack 52    # again: our acknowledgment was lost
                  gw> . 52:52 ack 12
            """);
        assertThat(bench.flow().state()).isEqualTo(TcpState.TIME_WAIT);
    }

    /** RFC 9293 §3.6, Figure 13. */
    @Test
    void bothCloseAtOnce() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1460,wscale 7>
                  host connects
                  gw> S. 0:0 ack 1
                  guest> . 1:1 ack 1 win 502
            0.100 host finishes
                  gw> F. 1:1 ack 1
                  guest> F. 1:1 ack 1
                  gw> . 2:2 ack 2
                  guest> . 2:2 ack 2
            """);
        assertThat(bench.flow().state()).isEqualTo(TcpState.TIME_WAIT);
    }

    @Test
    void zeroWindow_isProbedAndReopened() {
        run("""
            0.000 guest> S 0:0 win 1000 <mss 1000>
                  host connects
                  gw> S. 0:0 ack 1
                  guest> . 1:1 ack 1 win 1000
                  host sends 3000
                  gw> . 1:1001 ack 1
                  guest> . 1:1 ack 1001 win 0
            0.400 gw> . 1000:1000 ack 1     # a probe
                  guest> . 1:1 ack 1001 win 0
            1.200 gw> . 1000:1000 ack 1     # and another, after twice the time
                  guest> . 1:1 ack 1001 win 0
            1.201 guest> . 1:1 ack 1001 win 1000
                  gw> . 1001:2001 ack 1
                  guest> . 1:1 ack 2001 win 1000
                  gw> P. 2001:3001 ack 1
                  guest> . 1:1 ack 3001 win 1000
            """);
    }

    @Test
    void blindResetAndSyn_areChallenged() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1460,wscale 7>
                  host connects
                  gw> S. 0:0 ack 1
                  guest> . 1:1 ack 1 win 502
                  guest> R 500:500
                  gw> . 1:1 ack 1
                  guest> S 5000:5000
                  gw> . 1:1 ack 1
                  guest> R 1:1
            """);
        assertThat(bench.isGone()).isTrue();
    }
}
