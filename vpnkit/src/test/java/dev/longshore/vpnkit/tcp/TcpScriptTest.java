package dev.longshore.vpnkit.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.testkit.TcpGuestOptions;
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
            0.200 gw> . 1000:1000 ack 1     # a probe
                  guest> . 1:1 ack 1001 win 0
            0.600 gw> . 1000:1000 ack 1     # and another, after twice the time
                  guest> . 1:1 ack 1001 win 0
            0.601 guest> . 1:1 ack 1001 win 1000
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

    /** RFC 2018 §4, the blocks of the example there: the latest first. */
    @Test
    void textAheadOfItsTurn_isToldBySack() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1460,sackOK,ts 100 0,wscale 7>
                  host connects
                  gw> S. 0:0 ack 1 <mss 1460,sackOK,ts 0 100,wscale 8>
            0.010 guest> . 1:1 ack 1 win 502 <ts 110 0>
                  guest> . 1001:2001 ack 1 <ts 110 0>
                  gw> . 1:1 ack 1 <ts 10 110,sack 1001:2001>
                  guest> . 3001:4001 ack 1 <ts 111 0>
                  gw> . 1:1 ack 1 <ts 10 110,sack 3001:4001 1001:2001>
                  guest> . 5001:6001 ack 1 <ts 112 0>
                  gw> . 1:1 ack 1 <ts 10 110,sack 5001:6001 3001:4001 1001:2001>
                  guest> . 7001:8001 ack 1 <ts 112 0>   # three blocks are all that fits beside timestamps
                  gw> . 1:1 ack 1 <ts 10 110,sack 7001:8001 5001:6001 3001:4001>
                  guest> . 2001:3001 ack 1 <ts 112 0>   # joins two
                  gw> . 1:1 ack 1 <ts 10 110,sack 1001:4001 7001:8001 5001:6001>
                  guest> . 1:1001 ack 1 <ts 113 0>
                  gw> . 1:1 ack 4001 <ts 10 113,sack 7001:8001 5001:6001>
                  host got 4000
                  guest> . 4001:7001 ack 1 <ts 114 0>
                  gw> . 1:1 ack 8001 <ts 10 114,sack 5001:6001>   # what had come before: RFC 2883
                  host got 8000
            """);
    }

    @Test
    void withoutTimestamps_fourBlocksFit() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1460,sackOK>
                  host connects
                  gw> S. 0:0 ack 1 <mss 1460,sackOK>
                  guest> . 1:1 ack 1
                  guest> . 101:201 ack 1
                  gw> . 1:1 ack 1 <sack 101:201>
                  guest> . 301:401 ack 1
                  gw> . 1:1 ack 1 <sack 301:401 101:201>
                  guest> . 501:601 ack 1
                  gw> . 1:1 ack 1 <sack 501:601 301:401 101:201>
                  guest> . 701:801 ack 1
                  gw> . 1:1 ack 1 <sack 701:801 501:601 301:401 101:201>
                  guest> . 901:1001 ack 1
                  gw> . 1:1 ack 1 <sack 901:1001 701:801 501:601 301:401>
            """);
    }

    /** RFC 2883 §4: what came again is the first block, and only once; if it still waits, what it is in is the second. */
    @Test
    void textThatComesAgain_isToldByDuplicateSack() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1460,sackOK>
                  host connects
                  gw> S. 0:0 ack 1 <mss 1460,sackOK>
                  guest> . 1:1 ack 1
                  guest> . 1:501 ack 1
                  gw> . 1:1 ack 501 <>
                  guest> . 1:501 ack 1             # all of it again
                  gw> . 1:1 ack 501 <sack 1:501>
                  guest> . 1001:1501 ack 1
                  gw> . 1:1 ack 501 <sack 1001:1501>
                  guest> . 1001:1501 ack 1         # again, and it waits
                  gw> . 1:1 ack 501 <sack 1001:1501 1001:1501>
                  guest> . 1501:2001 ack 1
                  gw> . 1:1 ack 501 <sack 1001:2001>
                  guest> . 1501:2001 ack 1         # a part of what waits
                  gw> . 1:1 ack 501 <sack 1501:2001 1001:2001>
                  guest> . 2501:3001 ack 1
                  gw> . 1:1 ack 501 <sack 2501:3001 1001:2001>
                  guest> . 1801:2801 ack 1         # two parts that are here: the first is told
                  gw> . 1:1 ack 501 <sack 1801:2001 1001:3001>
                  guest> . 251:751 ack 1           # old and new
                  gw> . 1:1 ack 751 <sack 251:501 1001:3001>
                  guest> . 751:1251 ack 1          # fills the gap and more
                  gw> . 1:1 ack 3001 <sack 1001:1251>
                  host got 3000
                  guest> . 3001:3501 ack 1
                  gw> . 1:1 ack 3501 <>
            """);
    }

    @Test
    void duplicate_besideTimestamps_leavesRoomForTwoBlocks() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1460,sackOK,ts 100 0,wscale 7>
                  host connects
                  gw> S. 0:0 ack 1 <mss 1460,sackOK,ts 0 100,wscale 8>
                  guest> . 1:1 ack 1 <ts 100 0>
                  guest> . 1001:2001 ack 1 <ts 100 0>
                  gw> . 1:1 ack 1 <ts 0 100,sack 1001:2001>
                  guest> . 3001:4001 ack 1 <ts 100 0>
                  gw> . 1:1 ack 1 <ts 0 100,sack 3001:4001 1001:2001>
                  guest> . 5001:6001 ack 1 <ts 100 0>
                  gw> . 1:1 ack 1 <ts 0 100,sack 5001:6001 3001:4001 1001:2001>
                  guest> . 3001:4001 ack 1 <ts 100 0>
                  gw> . 1:1 ack 1 <ts 0 100,sack 3001:4001 3001:4001 5001:6001>
            """);
    }

    /** Beside text of ours there is no SACK: the duplicate gets an acknowledgment of its own. */
    @Test
    void duplicate_whileWeSend_isToldAtOnce() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1460,sackOK>
                  host connects
                  gw> S. 0:0 ack 1 <mss 1460,sackOK>
                  guest> . 1:1 ack 1
                  guest> . 1:501 ack 1
                  gw> . 1:1 ack 501
                  host sends 100
                  gw> P. 1:101 ack 501 <>
                  guest> . 1:501 ack 1
                  gw> . 101:101 ack 501 <sack 1:501>
                  guest> . 501:501 ack 101
            """);
    }

    /** Its FIN has a number like any byte. */
    @Test
    void finThatComesAgain_isToldToo() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1460,sackOK>
                  host connects
                  gw> S. 0:0 ack 1 <mss 1460,sackOK>
                  guest> . 1:1 ack 1
                  guest> F. 1:101 ack 1
                  gw> . 1:1 ack 102 <>
                  guest> F. 1:101 ack 1
                  gw> . 1:1 ack 102 <sack 1:102>
            """);
    }

    @Test
    void guestWithoutSack_hearsOfNoDuplicates() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1460>
                  host connects
                  gw> S. 0:0 ack 1 <mss 1460>
                  guest> . 1:1 ack 1
                  guest> . 1:501 ack 1
                  gw> . 1:1 ack 501
                  guest> . 1:501 ack 1
                  gw> . 1:1 ack 501 <>
            """);
    }

    @Test
    void guestWithoutOptions_getsNone() {
        run("""
            0.000 guest> S 0:0 win 64240
                  host connects
                  gw> S. 0:0 ack 1 <mss 1460>
                  guest> . 1:1 ack 1
                  guest> . 101:201 ack 1
                  gw> . 1:1 ack 1 <>
            """);
    }

    /** RFC 6675: what is missing is sent again, once, and nothing else. */
    @Test
    void holeInWhatTheGuestHas_isSentAgain() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1012,sackOK,ts 100 0,wscale 7>
                  host connects
                  gw> S. 0:0 ack 1
            0.001 guest> . 1:1 ack 1 win 502 <ts 101 0>
                  host sends 8000
                  gw> . 1:1001 ack 1
                  gw> . 1001:2001 ack 1    # lost
                  gw> . 2001:3001 ack 1
                  gw> . 3001:4001 ack 1
                  gw> . 4001:5001 ack 1
                  gw> . 5001:6001 ack 1    # lost
                  gw> . 6001:7001 ack 1
                  gw> P. 7001:8001 ack 1
            0.002 guest> . 1:1 ack 1001 <ts 102 1>
                  guest> . 1:1 ack 1001 <ts 102 1,sack 2001:3001>
                  guest> . 1:1 ack 1001 <ts 102 1,sack 2001:4001>
                  guest> . 1:1 ack 1001 <ts 102 1,sack 2001:5001>
                  gw> . 1001:2001 ack 1
                  guest> . 1:1 ack 1001 <ts 102 1,sack 6001:7001 2001:5001>
                  guest> . 1:1 ack 1001 <ts 102 1,sack 6001:8001 2001:5001>
                  gw> . 5001:6001 ack 1    # not known to be lost, but nothing else is to be sent: NextSeg (3)
            0.003 guest> . 1:1 ack 5001 <ts 103 2,sack 6001:8001>
                  guest> . 1:1 ack 8001 <ts 103 2>
            9.000 host finishes
                  gw> F. 8001:8001 ack 1
            """);
        assertThat(bench.bench.count(TcpCounter.RETRANSMITTED)).isEqualTo(2);
        assertThat(bench.bench.count(TcpCounter.TIMEOUTS)).isZero();
    }

    /** RFC 2883: the guest tells of what it got twice. That is no loss. */
    @Test
    void duplicatesToldOf_meanNothing() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1000,sackOK,wscale 7>
                  host connects
                  gw> S. 0:0 ack 1
                  guest> . 1:1 ack 1 win 502
                  host sends 3000
                  gw> . 1:1001 ack 1
                  gw> . 1001:2001 ack 1
                  gw> P. 2001:3001 ack 1
                  guest> . 1:1 ack 1001
                  guest> . 1:1 ack 1001 <sack 1:1001>
                  guest> . 1:1 ack 1001 <sack 1:1001>
                  guest> . 1:1 ack 1001 <sack 1:1001>
                  guest> . 1:1 ack 1001 <sack 1:1001>
                  guest> . 1:1 ack 3001
            """);
        assertThat(bench.bench.count(TcpCounter.RETRANSMITTED)).isZero();
    }

    /** RFC 2018 §8: the guest may throw away what it told of, and asks for it. */
    @Test
    void guestThatReneges_isServedAfterTheTimeout() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1000,sackOK,wscale 7>
                  host connects
                  gw> S. 0:0 ack 1
                  guest> . 1:1 ack 1 win 502
                  host sends 5000
                  gw> . 1:1001 ack 1
                  gw> . 1001:2001 ack 1
                  gw> . 2001:3001 ack 1
                  gw> . 3001:4001 ack 1
                  gw> P. 4001:5001 ack 1
                  guest> . 1:1 ack 1 <sack 1001:5001>
                  gw> . 1:1001 ack 1
                  guest> . 1:1 ack 1001     # it has forgotten the rest
            0.050 guest> . 1:1 ack 1001
            0.260 gw> . 1001:2001 ack 1
                  guest> . 1:1 ack 2001
                  gw> . 2001:3001 ack 1
                  gw> . 3001:4001 ack 1
                  guest> . 1:1 ack 4001
                  gw> P. 4001:5001 ack 1
                  guest> . 1:1 ack 5001
            """);
    }

    /** RFC 8985 §7: the last segments are lost, and no acknowledgment comes to tell of it. */
    @Test
    void lostTail_isRepairedWithoutATimeout() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1000,sackOK,wscale 7>
                  host connects
                  gw> S. 0:0 ack 1
                  guest> . 1:1 ack 1 win 502
                  host sends 4000
                  gw> . 1:1001 ack 1
                  gw> . 1001:2001 ack 1
                  gw> . 2001:3001 ack 1    # lost
                  gw> P. 3001:4001 ack 1   # lost
            0.001 guest> . 1:1 ack 2001
            0.052 gw> P. 3001:4001 ack 1   # the probe
            0.053 guest> . 1:1 ack 2001 <sack 3001:4001>
                  gw> . 2001:3001 ack 1
            0.054 guest> . 1:1 ack 4001
            1.000 host finishes
                  gw> F. 4001:4001 ack 1
            """);
        assertThat(bench.bench.count(TcpCounter.TIMEOUTS)).isZero();
    }

    /** RFC 3522: the guest was away for a moment. Its answer is to what was sent before the timeout. */
    @Test
    void timeoutThatWasNone_isUndone() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1012,sackOK,ts 100 0,wscale 7>
                  host connects
                  gw> S. 0:0 ack 1
            0.001 guest> . 1:1 ack 1 win 502 <ts 101 0>
                  host sends 4000
                  gw> . 1:1001 ack 1
                  gw> . 1001:2001 ack 1
                  gw> . 2001:3001 ack 1
                  gw> P. 3001:4001 ack 1
            0.060 gw> P. 3001:4001 ack 1   # asks for the tail
            0.300 gw> . 1:1001 ack 1       # the timeout
            0.301 guest> . 1:1 ack 1001 <ts 400 1>
                  guest> . 1:1 ack 4001 <ts 400 1>
                  host sends 9000
                  gw> . 4001:5001 ack 1
                  gw> . 5001:6001 ack 1
                  gw> . 6001:7001 ack 1
                  gw> . 7001:8001 ack 1
                  gw> . 8001:9001 ack 1
                  gw> . 9001:10001 ack 1
                  gw> . 10001:11001 ack 1
                  gw> . 11001:12001 ack 1
                  gw> P. 12001:13001 ack 1
                  guest> . 1:1 ack 13001 <ts 401 301>
            """);
        assertThat(bench.bench.count(TcpCounter.TIMEOUTS_UNDONE)).isEqualTo(1);
    }

    /** RFC 7323 §5: a segment from the past that happens to be in the window. */
    @Test
    void segmentFromThePast_isRefused() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1460,sackOK,ts 100 0,wscale 7>
                  host connects
                  gw> S. 0:0 ack 1 <mss 1460,sackOK,ts 0 100,wscale 8>
            0.010 guest> . 1:1 ack 1 win 502 <ts 110 0>
                  guest> . 1:11 ack 1 <ts 90 0>
                  gw> . 1:1 ack 1 <ts 10 110>
                  guest> . 1:101 ack 1 <ts 111 0>
                  gw> . 1:1 ack 101 <ts 10 111>
                  host got 100
                  guest> R 101:101 <ts 1 0>    # PAWS is not for RST: §5.2
            """);
        assertThat(bench.isGone()).isTrue();
        assertThat(bench.bench.count(TcpCounter.OLD_TIMESTAMPS)).isEqualTo(1);
    }

    /** §3.2: RST carries timestamps too. */
    @Test
    void everySegment_hasTimestamps() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1460,sackOK,ts 100 0,wscale 7>
                  host connects
                  gw> S. 0:0 ack 1 <mss 1460,sackOK,ts 0 100,wscale 8>
            0.010 guest> . 1:1 ack 1 win 502 <ts 110 0>
                  host sends 1448
                  gw> P. 1:1449 ack 1 <ts 10 110>    # 12 bytes less than the MSS
                  host resets
                  gw> R. 1449:1449 ack 1 <ts 10 110>
            """);
    }

    /** RFC 6191: a new SYN with a lower number, but a later timestamp, ends TIME-WAIT. */
    @Test
    void timeWait_isReusedByTimestamp() {
        run("""
            0.000 guest> S 0:0 win 64240 <mss 1460,sackOK,ts 100 0,wscale 7>
                  host connects
                  gw> S. 0:0 ack 1
                  guest> . 1:1 ack 1 win 502 <ts 100 0>
                  host finishes
                  gw> F. 1:1 ack 1
                  guest> F. 1:1 ack 2 <ts 101 0>
                  gw> . 2:2 ack 2
            """);
        assertThat(bench.flow().state()).isEqualTo(TcpState.TIME_WAIT);
        TcpFlow old = bench.flow();
        bench.bench.guest.sends(
                TcpHeader.SYN,
                ScriptedBench.GUEST_ISS - 7000,
                0,
                TcpGuestOptions.NONE.withMss(1460).withTimestamps(50, 0));
        bench.bench.guest.receives(); // too old: the last acknowledgment again
        assertThat(bench.flow()).isSameAs(old);
        bench.bench.guest.sends(
                TcpHeader.SYN,
                ScriptedBench.GUEST_ISS - 7000,
                0,
                TcpGuestOptions.NONE.withMss(1460).withTimestamps(102, 0));
        assertThat(bench.flow()).isNotSameAs(old);
        bench.bench.connects();
        assertThat(bench.bench.guest.receives().ack()).isEqualTo(ScriptedBench.GUEST_ISS - 6999);
    }
}
