package dev.longshore.virtio.vsock;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.virtio.vsock.ScriptedGuest.Packet;
import io.netty.buffer.Unpooled;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import java.io.ByteArrayOutputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Streams of both sides with tiny buffers and readers that pause, seeded: every byte arrives, once, in order, then the end. */
class VsockTrafficTest {
    private static final int HOST_PORT = 7;
    private static final int GUEST_PORT = 9;

    /** A stream as the guest's kernel sees it, and what its test expects. */
    private final class Stream {
        final int guestPort;
        final int hostPort;
        final byte[] toHost;
        final byte[] toGuest;
        final Recorder seen;
        final ByteArrayOutputStream received = new ByteArrayOutputStream();
        int sent;
        int hostAlloc;
        int hostFwd;
        int read;
        int written;
        boolean guestShut;
        boolean hostShut;
        boolean eofFromHost;

        Stream(int guestPort, int hostPort, Recorder seen) {
            this.guestPort = guestPort;
            this.hostPort = hostPort;
            this.seen = seen;
            toHost = randomBytes();
            toGuest = randomBytes();
        }

        private byte[] randomBytes() {
            byte[] bytes = new byte[random.nextInt(30_000)];
            random.nextBytes(bytes);
            return bytes;
        }

        boolean done() {
            return guestShut && hostShut && eofFromHost && seen.events.contains("eof");
        }
    }

    private Random random = new Random();
    private final List<Stream> streams = new ArrayList<>();
    private int guestAlloc;

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
    void randomTraffic_isExact(int seed) {
        random = new Random(seed);
        guestAlloc = 1 + random.nextInt(5000);
        VsockLimits limits = new VsockLimits(
                8,
                8,
                4 + random.nextInt(5000),
                200 + random.nextInt(50_000),
                Duration.ofSeconds(5),
                Duration.ofSeconds(10));
        try (ScriptedGuest guest = new ScriptedGuest(limits)) {
            guest.room = 1 + random.nextInt(600);
            guest.bufAlloc = guestAlloc;
            int count = 1 + random.nextInt(5);
            for (int i = 0; i < count; i++) {
                streams.add(random.nextBoolean() ? guestOpens(guest, 1000 + i, i) : hostOpens(guest));
            }
            for (int step = 0; !streams.stream().allMatch(Stream::done); step++) {
                assertThat(step).as("seed %d: steps", seed).isLessThan(1_000_000);
                step(guest, streams.get(random.nextInt(count)));
            }
            for (Stream s : streams) {
                assertThat(s.seen.bytes.toByteArray()).as("seed %d", seed).isEqualTo(s.toHost);
                assertThat(s.received.toByteArray()).as("seed %d", seed).isEqualTo(s.toGuest);
                s.seen.channel().close();
                guest.offer(100);
                guest.sends(s.guestPort, s.hostPort, VsockHeader.OP_RST);
                assertThat(s.seen.failure).as("seed %d", seed).isNull();
            }
            assertThat(guest.host.streams()).isZero();
            assertThat(guest.host.streamsFromGuest() + guest.host.streamsToGuest())
                    .isZero();
            assertThat(guest.host.counters().get(VsockCounter.VIOLATIONS)).isZero();
        }
    }

    private Stream guestOpens(ScriptedGuest guest, int guestPort, int i) {
        Recorder seen = new Recorder();
        guest.host.listen(HOST_PORT + i, seen);
        guest.sends(guestPort, HOST_PORT + i, VsockHeader.OP_REQUEST);
        Stream s = new Stream(guestPort, HOST_PORT + i, seen);
        s.hostAlloc = guest.receives(VsockHeader.OP_RESPONSE).bufAlloc();
        return s;
    }

    private Stream hostOpens(ScriptedGuest guest) {
        Recorder seen = new Recorder();
        Future<DuplexChannel> connecting = guest.host.connect(GUEST_PORT);
        Packet request = guest.receives(VsockHeader.OP_REQUEST);
        guest.sends(GUEST_PORT, request.hostPort(), VsockHeader.OP_RESPONSE);
        DuplexChannel channel = connecting.getNow();
        channel.pipeline().addLast(seen);
        seen.channels.add(channel);
        Stream s = new Stream(GUEST_PORT, request.hostPort(), seen);
        s.hostAlloc = request.bufAlloc();
        return s;
    }

    private void step(ScriptedGuest guest, Stream s) {
        switch (random.nextInt(7)) {
            case 0, 1 -> guestSends(guest, s);
            case 2 -> guestReads(guest, s);
            case 3 -> hostWrites(s);
            case 4 -> s.seen.channel().config().setAutoRead(random.nextBoolean());
            case 5 -> guest.buffers = random.nextInt(4);
            default -> guest.host.onRoom();
        }
        guest.run();
        for (Packet p = guest.receivesAny(); p != null; p = guest.receivesAny()) {
            onPacket(p);
        }
    }

    private void guestSends(ScriptedGuest guest, Stream s) {
        int credit = s.hostAlloc - (s.sent - s.hostFwd);
        int n = Math.min(Math.min(credit, s.toHost.length - s.sent), 1 + random.nextInt(2000));
        if (n > 0) {
            byte[] part = java.util.Arrays.copyOfRange(s.toHost, s.sent, s.sent + n);
            s.sent += n;
            guest.sends(s.guestPort, s.hostPort, VsockHeader.OP_RW, 0, guestAlloc, s.read, part);
        } else if (s.sent == s.toHost.length && !s.guestShut) {
            s.guestShut = true;
            int flags = VsockHeader.SHUTDOWN_SEND;
            guest.sends(s.guestPort, s.hostPort, VsockHeader.OP_SHUTDOWN, flags, guestAlloc, s.read);
        }
    }

    private void guestReads(ScriptedGuest guest, Stream s) {
        s.read += random.nextInt(s.received.size() - s.read + 1);
        guest.sends(s.guestPort, s.hostPort, VsockHeader.OP_CREDIT_UPDATE, 0, guestAlloc, s.read);
    }

    private void hostWrites(Stream s) {
        DuplexChannel channel = s.seen.channel();
        int n = Math.min(s.toGuest.length - s.written, random.nextInt(4000));
        if (n > 0 && channel.isWritable()) {
            channel.writeAndFlush(Unpooled.copiedBuffer(s.toGuest, s.written, n));
            s.written += n;
        } else if (s.written == s.toGuest.length && !s.hostShut) {
            s.hostShut = true;
            channel.shutdownOutput(); // what was written before is still to come
        }
    }

    private void onPacket(Packet p) {
        Stream s = find(p);
        if (s == null) {
            throw new AssertionError("packet of no stream: " + p);
        }
        s.hostAlloc = p.bufAlloc();
        s.hostFwd = p.fwdCnt();
        switch (p.op()) {
            case VsockHeader.OP_RW -> {
                assertThat(s.eofFromHost).isFalse();
                s.received.writeBytes(p.payload());
                assertThat(s.received.size() - s.read)
                        .as("more than the credit")
                        .isLessThanOrEqualTo(guestAlloc);
            }
            case VsockHeader.OP_SHUTDOWN -> s.eofFromHost = true;
            case VsockHeader.OP_CREDIT_UPDATE, VsockHeader.OP_CREDIT_REQUEST -> {}
            default -> throw new AssertionError("unexpected: " + p);
        }
    }

    private @Nullable Stream find(Packet p) {
        for (Stream s : streams) {
            if (s.guestPort == p.guestPort() && s.hostPort == p.hostPort()) {
                return s;
            }
        }
        return null;
    }
}
