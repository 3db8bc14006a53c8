package dev.longshore.virtio.vsock;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.time.Duration;

/**
 * A guest that sends any packets to a host that listens, connects, answers and closes. No exception, limits hold, nothing
 * is left in the end. How to search: {@code ./longshore fuzz}.
 */
class VsockFuzzTest {
    private static final VsockLimits LIMITS =
            new VsockLimits(4, 4, 1000, 100_000, Duration.ofSeconds(5), Duration.ofSeconds(10));
    private static final int MOST_STEPS = 1000;

    /** Ports that can meet those of streams. */
    private static final int[] PORTS = {4098, 1025, 1026, VsockHost.FIRST_PORT, VsockHost.FIRST_PORT + 1, 99};

    @FuzzTest(maxDuration = "2m")
    void vsockPackets(byte[] input) {
        Recorder seen = new Recorder();
        ScriptedGuest guest = new ScriptedGuest(LIMITS);
        try (guest) {
            guest.host.listen(4098, seen);
            ByteBuf in = Unpooled.wrappedBuffer(input);
            for (int steps = 0; in.isReadable() && steps < MOST_STEPS; steps++) {
                step(guest, seen, in.readUnsignedByte(), in);
                guest.run();
                guest.fromHost.clear();
                assertThat(guest.host.streamsFromGuest()).isBetween(0, LIMITS.streamsFromGuest());
                assertThat(guest.host.streamsToGuest()).isBetween(0, LIMITS.streamsToGuest());
            }
            guest.offer(1 << 20);
        }
        guest.advance(Duration.ofMinutes(1));
        assertThat(guest.host.streams()).isZero();
        assertThat(guest.host.streamsFromGuest()).isZero();
        assertThat(guest.host.streamsToGuest()).isZero();
        assertThat(seen.channels).allMatch(channel -> !channel.isOpen());
        assertThat(seen.failure).satisfiesAnyOf(f -> assertThat(f).isNull(), f -> assertThat(f)
                .isInstanceOf(java.io.IOException.class));
    }

    private static void step(ScriptedGuest guest, Recorder seen, int what, ByteBuf in) {
        switch (what % 10) {
            case 0, 1, 2 -> packet(guest, in);
            case 3 -> raw(guest, in);
            case 4 -> guest.host.connect(1025);
            case 5 -> {
                if (!seen.channels.isEmpty()) {
                    seen.channel().writeAndFlush(Unpooled.buffer().writeZero(what * 20));
                }
            }
            case 6 -> {
                if (!seen.channels.isEmpty()) {
                    seen.channel().close();
                }
            }
            case 7 -> {
                if (!seen.channels.isEmpty()) {
                    seen.channel().config().setAutoRead((what & 0x10) != 0);
                }
            }
            case 8 -> guest.advance(Duration.ofSeconds(what / 16));
            default -> {
                if ((what & 0x10) != 0) {
                    guest.buffers = 0;
                } else {
                    guest.offer(what);
                }
            }
        }
    }

    /** Ports, operation and flags a byte each, credit two each, payload. */
    private static void packet(ScriptedGuest guest, ByteBuf in) {
        if (in.readableBytes() < 9) {
            return;
        }
        int guestPort = PORTS[in.readUnsignedByte() % PORTS.length];
        int hostPort = PORTS[in.readUnsignedByte() % PORTS.length];
        int op = in.readUnsignedByte() % 10;
        int flags = in.readUnsignedByte();
        int alloc = in.readUnsignedShort();
        int forwarded = in.readShort();
        byte[] payload = new byte[Math.min(in.readUnsignedByte() * 8, in.readableBytes())];
        in.readBytes(payload);
        guest.sends(guestPort, hostPort, op, flags, alloc, forwarded, payload);
    }

    /** A header as it is, perhaps cut; only to the host, since the scripted guest checks who answers. */
    private static void raw(ScriptedGuest guest, ByteBuf in) {
        int bytes = Math.min(in.readableBytes(), VsockHeader.BYTES);
        ByteBuf header = in.readBytes(bytes);
        if (bytes >= 16) {
            header.setLongLE(8, VsockHost.HOST_CID);
        }
        byte[] payload = new byte[Math.min(16, in.readableBytes())];
        in.readBytes(payload);
        guest.sendsRaw(header, payload);
        header.release();
    }
}
