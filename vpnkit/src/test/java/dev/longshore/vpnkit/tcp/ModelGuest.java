package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.FIN;
import static dev.longshore.packet.wire.TcpHeader.PSH;
import static dev.longshore.packet.wire.TcpHeader.RST;
import static dev.longshore.packet.wire.TcpHeader.SYN;

import dev.longshore.packet.wire.Seq;
import dev.longshore.testkit.TcpGuest;
import dev.longshore.testkit.TcpGuestOptions;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A guest's TCP that is simple enough to be right: everything is repeated from the oldest unacknowledged byte after a fixed
 * time, every segment with text is acknowledged at once, what is early is kept as it came, and told by SACK if it speaks
 * that. It knows nothing of the stack's own code but the wire format, and checks what RFC 2018 and 7323 let it check.
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
    private final boolean sack;
    private final boolean stamps;
    private int lastAt; // position of the segment that came last
    private int stampToEcho;
    private int lastStamp;
    private boolean stamped;
    private final int iss;
    private final long startedAt;
    private int receivedBytes;
    private int duplicatesTold;
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
        this(bench, port, toSend, expected, random, false, false);
    }

    ModelGuest(TcpBench bench, int port, byte[] toSend, int expected, Random random, boolean sack, boolean stamps) {
        this.sack = sack;
        this.stamps = stamps;
        this.bench = bench;
        this.startedAt = bench.loop.clock().nanos();
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
        TcpGuestOptions options = TcpGuestOptions.NONE.withMss(MSS).withWindowScale(SCALE);
        options = sack ? options.withSackPermitted() : options;
        options = stamps ? options.withTimestamps(clock(), 0) : options;
        wire.sends(SYN, iss, 0, options);
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

    /** Wraps soon. */
    private int clock() {
        return Integer.MAX_VALUE - 100 + (int) ((bench.loop.clock().nanos() - startedAt) / 1_000_000);
    }

    private void segment(int flags, int seq, byte[] payload) {
        wire.window(ourWindow >> SCALE);
        TcpGuestOptions options = TcpGuestOptions.NONE;
        if (stamps) {
            options = options.withTimestamps(clock(), stampToEcho);
        }
        if (sack && payload.length == 0) {
            options = options.withSack(blocks());
        }
        wire.sends(flags, seq, rcvNxt(), options, payload);
    }

    /** RFC 2018 §4: first the block with the segment that came last; if it was a duplicate, RFC 2883 has it first too. */
    private List<TcpGuestOptions.Block> blocks() {
        List<TcpGuestOptions.Block> blocks = new ArrayList<>();
        if (lastAt >= receivedBytes && lastAt < have.length && have[lastAt]) {
            blocks.add(run(lastAt));
        } else if (lastAt < receivedBytes && random.nextInt(4) == 0) {
            blocks.add(new TcpGuestOptions.Block(irs + 1 + lastAt, irs + 1 + lastAt + 1));
        }
        for (int i = receivedBytes; i < have.length && blocks.size() < (stamps ? 3 : 4); i++) {
            if (have[i] && !have[i - 1]) {
                TcpGuestOptions.Block block = run(i);
                if (!blocks.contains(block)) {
                    blocks.add(block);
                }
                i = block.right() - irs - 1;
            }
        }
        return blocks;
    }

    private TcpGuestOptions.Block run(int inside) {
        int from = inside;
        int to = inside;
        while (from > 0 && have[from - 1]) {
            from--;
        }
        while (to < have.length && have[to]) {
            to++;
        }
        return new TcpGuestOptions.Block(irs + 1 + from, irs + 1 + to);
    }

    private void checkOptions(TcpGuest.Segment s) {
        if (s.has(RST)) {
            return;
        }
        TcpGuestOptions options = s.options();
        if (options.timestamps() != stamps || (!sack && !options.sack().isEmpty())) {
            failure = "options not agreed: " + s;
        }
        List<TcpGuestOptions.Block> blocks = options.sack();
        for (int i = 0; i < blocks.size(); i++) {
            TcpGuestOptions.Block block = blocks.get(i);
            boolean again =
                    i == 0 && (Seq.le(block.right(), s.ack()) || (blocks.size() > 1 && isIn(block, blocks.get(1))));
            boolean sane = (again || Seq.gt(block.left(), s.ack()))
                    && Seq.lt(block.left(), block.right())
                    && Seq.gt(block.left(), iss)
                    && Seq.le(block.right(), finSeq() + 1);
            if (!sane) {
                failure = "impossible SACK block: " + s;
            }
            duplicatesTold += again ? 1 : 0;
        }
        if (stamps) {
            if (!stamped || options.tsVal() - lastStamp > 0) {
                lastStamp = options.tsVal();
            }
            if (!stamped || Seq.le(s.seq(), rcvNxt())) {
                stampToEcho = options.tsVal();
            }
            stamped = true;
        }
    }

    private static boolean isIn(TcpGuestOptions.Block inner, TcpGuestOptions.Block outer) {
        return Seq.ge(inner.left(), outer.left()) && Seq.le(inner.right(), outer.right());
    }

    /** Times we were told that something came twice: RFC 2883. */
    int duplicatesTold() {
        return duplicatesTold;
    }

    /** Takes the frames the guest has received. */
    void poll() {
        while (bench.guestEnd.hasReceived() && failure == null) {
            on(wire.receives());
        }
    }

    private void on(TcpGuest.Segment s) {
        checkOptions(s);
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
        if (text.length > 0) {
            lastAt = Math.max(0, at);
        }
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
