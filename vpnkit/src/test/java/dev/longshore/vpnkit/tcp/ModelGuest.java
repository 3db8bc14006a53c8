package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.FIN;
import static dev.longshore.packet.wire.TcpHeader.PSH;
import static dev.longshore.packet.wire.TcpHeader.RST;
import static dev.longshore.packet.wire.TcpHeader.SYN;

import dev.longshore.packet.wire.Seq;
import dev.longshore.testkit.TcpGuest;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A guest's TCP that is simple enough to be right: everything is repeated from the oldest unacknowledged byte after a fixed
 * time, every segment with text is acknowledged at once, what is early is kept as it came. It knows nothing of the stack's
 * own code but the wire format.
 */
final class ModelGuest {
    private static final int MSS = 1000;
    private static final int SCALE = 4;
    private static final long RTO_MILLIS = 300;

    private final TcpBench bench;
    private final TcpGuest wire;
    private final Random random;
    private final byte[] toSend;
    private final byte[] received;
    private final boolean[] have;
    private final int iss;
    private int receivedBytes;
    private int irs;
    private boolean synAcked;
    private int sndUna;
    private int sndNxt;
    private int sndWnd;
    private int ourWindow;
    private int finAt = -1;
    private boolean passed;
    private @Nullable String failure;
    private @Nullable ScheduledFuture<?> timer;

    ModelGuest(TcpBench bench, int port, byte[] toSend, int expected, Random random) {
        this.bench = bench;
        this.wire = new TcpGuest(bench.guestEnd, port, TcpBench.REMOTE, TcpBench.REMOTE_PORT);
        this.toSend = toSend;
        this.received = new byte[expected + 1];
        this.have = new boolean[expected + 1];
        this.random = random;
        this.iss = random.nextInt();
        this.ourWindow = 1 << 16;
    }

    void connects() {
        sendSyn();
    }

    private void sendSyn() {
        wire.window(0xFFFF);
        wire.sendsSyn(iss, MSS, SCALE);
        restartTimer();
    }

    private void restartTimer() {
        if (timer != null) {
            timer.cancel(false);
        }
        timer = bench.loop.schedule(this::onTimeout, RTO_MILLIS, TimeUnit.MILLISECONDS);
    }

    private void onTimeout() {
        if (!synAcked) {
            sendSyn();
        } else if (Seq.le(sndUna, finSeq())) {
            sndNxt = sndUna;
            if (sndWnd == 0) { // RFC 9293 §3.8.6.1: probe by one byte
                int from = sndUna - iss - 1;
                if (from < toSend.length) {
                    segment(ACK, sndUna, Arrays.copyOfRange(toSend, from, from + 1));
                }
            }
            sendText();
            restartTimer();
        }
    }

    private int finSeq() {
        return iss + 1 + toSend.length;
    }

    private void sendText() {
        while (true) {
            int from = Seq.distance(iss + 1, sndNxt);
            int usable = Seq.distance(sndNxt, sndUna + sndWnd);
            int left = toSend.length - from;
            if (left > 0 && usable > 0) {
                int n = Math.min(Math.min(left, usable), 1 + random.nextInt(MSS));
                segment(ACK | PSH, sndNxt, Arrays.copyOfRange(toSend, from, from + n));
                sndNxt += n;
            } else if (left == 0) {
                segment(FIN | ACK, sndNxt, new byte[0]);
                sndNxt++;
                return;
            } else {
                return;
            }
        }
    }

    private int rcvNxt() {
        return irs + 1 + receivedBytes + (passed ? 1 : 0);
    }

    private void segment(int flags, int seq, byte[] payload) {
        wire.window(ourWindow >> SCALE);
        wire.sends(flags, seq, rcvNxt(), payload);
    }

    /** Takes the frames the guest has received. */
    void poll() {
        while (bench.guestEnd.hasReceived() && failure == null) {
            on(wire.receives());
        }
    }

    private void on(TcpGuest.Segment s) {
        if (s.has(RST) && isDone()) {
            return; // a late duplicate of ours met no flow any more
        }
        if (s.has(RST)) {
            failure = "reset by " + s;
            return;
        }
        if (s.has(SYN)) {
            if (!synAcked) {
                synAcked = true;
                irs = s.seq();
                sndUna = iss + 1;
                sndNxt = sndUna;
                sndWnd = s.window();
            }
            segment(ACK, sndNxt, new byte[0]);
            sendText();
            restartTimer();
            return;
        }
        if (!s.has(ACK) || !synAcked) {
            failure = "unexpected " + s;
            return;
        }
        if (Seq.gt(s.ack(), finSeq() + 1)) {
            failure = "acknowledged what was never sent: " + s;
            return;
        }
        onAck(s);
        onText(s);
    }

    private void onAck(TcpGuest.Segment s) {
        if (Seq.ge(s.ack(), sndUna)) {
            boolean progress = Seq.gt(s.ack(), sndUna);
            boolean opened = sndWnd == 0 && s.window() > 0;
            sndUna = s.ack();
            sndNxt = Seq.max(sndNxt, sndUna);
            sndWnd = s.window() << 8;
            if (Seq.gt(sndUna, finSeq())) {
                if (timer != null) {
                    timer.cancel(false);
                }
            } else if (progress || opened) {
                sendText();
                restartTimer();
            }
        }
    }

    private void onText(TcpGuest.Segment s) {
        byte[] text = s.payload();
        int at = Seq.distance(irs + 1, s.seq());
        for (int i = 0; i < text.length; i++) {
            int p = at + i;
            if (p < 0) {
                continue;
            }
            if (p >= have.length - 1 || p >= receivedBytes + ourWindow) {
                failure = "byte " + p + " is beyond what was expected or allowed";
                return;
            }
            received[p] = text[i];
            have[p] = true;
        }
        if (s.has(FIN)) {
            finAt = at + text.length;
        }
        while (have[receivedBytes]) {
            receivedBytes++;
        }
        passed = finAt >= 0 && receivedBytes >= finAt;
        if (text.length > 0 || s.has(FIN) || s.seq() != rcvNxt()) {
            segment(ACK, sndNxt, new byte[0]);
        }
    }

    boolean isDone() {
        return passed && synAcked && Seq.gt(sndUna, finSeq());
    }

    @Nullable
    String failure() {
        return failure;
    }

    byte[] received() {
        return Arrays.copyOf(received, receivedBytes);
    }

    /** For failure messages. */
    List<String> story() {
        List<String> lines = new ArrayList<>();
        lines.add("acked " + Seq.distance(iss, sndUna) + " of " + toSend.length + ", window " + sndWnd);
        lines.add("received " + receivedBytes + ", fin at " + finAt);
        lines.add(String.valueOf(failure));
        return lines;
    }
}
