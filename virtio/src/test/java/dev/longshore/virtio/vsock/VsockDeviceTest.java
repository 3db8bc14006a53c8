package dev.longshore.virtio.vsock;

import static dev.longshore.virtio.virtqueue.DriverRing.readable;
import static dev.longshore.virtio.virtqueue.DriverRing.writable;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.linux.Linux;
import dev.longshore.virtio.vhostuser.FrontEnd;
import dev.longshore.virtio.vhostuser.TestLoop;
import dev.longshore.virtio.vhostuser.VhostUserBackend;
import dev.longshore.virtio.virtqueue.DriverRing;
import dev.longshore.virtio.virtqueue.DriverRing.Buffer;
import dev.longshore.virtio.virtqueue.GuestRam;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The vsock device behind a real vhost-user socket, with a scripted front end and real rings. */
class VsockDeviceTest {
    private static final int RECEIVEQ = 0;
    private static final int TRANSMITQ = 1;
    private static final int EVENTQ = 2;
    private static final int SIZE = 64;
    private static final int HOST_PORT = 4098;
    private static final int GUEST_PORT = 1025;
    private static final int GET_CONFIG = 24;
    private static final long ALL = -1L;

    @TempDir
    Path dir;

    private final Linux linux = new Linux();
    private final TestLoop loop = new TestLoop();
    private final GuestRam ram = GuestRam.ofUml(linux, 4 << 20);
    private final VsockHost host = new VsockHost(loop.loop(), 3, VsockLimits.DEFAULT);
    private final Recorder seen = new Recorder();
    private final Map<Integer, Buffer[]> receiving = new HashMap<>();
    private final ArrayDeque<ByteBuf> packets = new ArrayDeque<>();

    private VhostUserBackend backend = new VhostUserBackend(loop.loop(), new VsockDevice(host), Path.of("unset"));

    @SuppressWarnings("NullAway.Init") // set before each test
    private FrontEnd guest;

    @BeforeEach
    void boot() {
        backend = new VhostUserBackend(loop.loop(), new VsockDevice(host), dir.resolve("vsock.sock"));
        assertThat(backend.open().isSuccess()).isTrue();
        host.listen(HOST_PORT, seen);
        guest = connect();
        guest.bootAsUml(SIZE, ALL);
    }

    @AfterEach
    void release() {
        guest.close();
        backend.close();
        loop.settle();
        loop.close();
        ram.close();
    }

    private FrontEnd connect() {
        return new FrontEnd(linux, loop::settle, ram, dir.resolve("vsock.sock"), 3);
    }

    // ---- the guest's driver

    private static byte[] packet(int op, byte... payload) {
        return packet(op, payload.length, payload);
    }

    private static byte[] packet(int op, int len, byte... payload) {
        ByteBuf b = Unpooled.buffer(VsockHeader.BYTES + payload.length).writerIndex(VsockHeader.BYTES);
        VsockHeader.write(b, 0, 3, GUEST_PORT, 2, HOST_PORT, VsockHeader.TYPE_STREAM, op);
        VsockHeader.setLen(b, 0, len);
        VsockHeader.setCredit(b, 0, 1 << 20, 0);
        return b.writeBytes(payload).array();
    }

    /** Sends a packet cut into pieces of {@code piece} bytes. */
    private void sends(byte[] packet, int piece, boolean indirect) {
        int count = (packet.length + piece - 1) / piece;
        Buffer[] chain = new Buffer[count];
        for (int i = 0; i < count; i++) {
            byte[] part = Arrays.copyOfRange(packet, i * piece, Math.min(packet.length, (i + 1) * piece));
            chain[i] = readable(ram.allocate(part), part.length);
        }
        DriverRing ring = guest.ring(TRANSMITQ);
        if (indirect) {
            ring.addIndirect(chain);
        } else {
            ring.add(chain);
        }
        guest.exposeAndKick(TRANSMITQ);
        assertThat(ring.pollAll()).allMatch(used -> used.written() == 0);
        assertThat(ring.freeDescriptors()).as("all chains given back").isEqualTo(SIZE);
    }

    private void sends(byte[] packet) {
        sends(packet, packet.length, false);
    }

    /** Offers one buffer for a packet, made of pieces of the given sizes. */
    private void offers(int... pieces) {
        Buffer[] chain = new Buffer[pieces.length];
        for (int i = 0; i < pieces.length; i++) {
            chain[i] = writable(ram.allocate(pieces[i], 1), pieces[i]);
        }
        receiving.put(guest.ring(RECEIVEQ).add(chain), chain);
        guest.exposeAndKick(RECEIVEQ);
    }

    private void takesPackets() {
        for (DriverRing.Used used : guest.ring(RECEIVEQ).pollAll()) {
            ByteBuf b = Unpooled.buffer();
            for (Buffer piece : Objects.requireNonNull(receiving.get(used.head()))) {
                int n = Math.min(piece.bytes(), used.written() - b.readableBytes());
                b.writeBytes(ram.read(piece.address(), n));
            }
            packets.add(b);
        }
    }

    private ByteBuf receives(int op) {
        takesPackets();
        ByteBuf b = packets.remove();
        assertThat(VsockHeader.op(b, 0)).isEqualTo(op);
        assertThat(b.readableBytes()).isEqualTo(VsockHeader.BYTES + VsockHeader.len(b, 0));
        return b.skipBytes(VsockHeader.BYTES);
    }

    private void opens() {
        offers(4096);
        sends(packet(VsockHeader.OP_REQUEST));
        receives(VsockHeader.OP_RESPONSE);
    }

    private static byte[] random(int n) {
        byte[] bytes = new byte[n];
        new Random(n).nextBytes(bytes);
        return bytes;
    }

    // ----

    @Test
    void configSpace_holdsTheGuestsCid() {
        byte[] ask = ByteBuffer.allocate(20)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(0)
                .putInt(8)
                .array();
        FrontEnd.Reply reply = guest.ask(GET_CONFIG, ask);
        assertThat(ByteBuffer.wrap(reply.payload())
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .getLong(12))
                .isEqualTo(3);
    }

    @Test
    void packet_inOneDescriptor_isAnswered() {
        opens();
        sends(packet(VsockHeader.OP_RW, random(4096)));
        assertThat(seen.bytes.toByteArray()).isEqualTo(random(4096));
    }

    @Test
    void packet_inPiecesOfEverySize_isTheSame() {
        opens();
        int bytes = 0;
        for (int piece : new int[] {1, 3, 43, 44, 45, 50}) {
            byte[] payload = random(piece < 3 ? 15 : 100);
            sends(packet(VsockHeader.OP_RW, payload), piece, false);
            bytes += payload.length;
            assertThat(seen.bytes.size()).isEqualTo(bytes);
        }
    }

    @Test
    void packet_of64KiB_inAnIndirectTable_isTheSame() {
        opens();
        byte[] payload = random(65536);
        sends(packet(VsockHeader.OP_RW, payload), 4096, true);
        assertThat(seen.bytes.toByteArray()).isEqualTo(payload);
    }

    @Test
    void packet_toGuest_fillsWhatItOffers() {
        opens();
        byte[] payload = random(6000);
        seen.channel().writeAndFlush(Unpooled.wrappedBuffer(payload));
        offers(44 + 10);
        offers(1, 20, 30, 100);
        offers(4096);
        offers(4096);
        ByteBuf all = Unpooled.buffer();
        takesPackets();
        assertThat(packets.stream().mapToInt(ByteBuf::readableBytes)).containsExactly(54, 151, 4096, 1875);
        while (!packets.isEmpty()) {
            all.writeBytes(receives(VsockHeader.OP_RW));
        }
        assertThat(Arrays.copyOf(all.array(), all.readableBytes())).isEqualTo(payload);
    }

    @Test
    void buffer_smallerThanAHeader_isGivenBackEmpty() {
        offers(43);
        sends(packet(VsockHeader.OP_REQUEST));
        takesPackets();
        assertThat(packets.remove().readableBytes()).isZero();
        offers(4096);
        receives(VsockHeader.OP_RESPONSE);
        assertThat(host.counters().get(VsockCounter.BUFFERS_TOO_SMALL)).isEqualTo(1);
    }

    @Test
    void noBuffersAtAll_guestsPacketsAreStillTaken() {
        sends(packet(VsockHeader.OP_REQUEST));
        for (int i = 0; i < 500; i++) {
            sends(packet(VsockHeader.OP_RW, random(100)));
        }
        assertThat(seen.bytes.size()).isEqualTo(50_000);
        offers(4096);
        receives(VsockHeader.OP_RESPONSE);
    }

    @Test
    void frontEndGoes_streamsAreReset_nextOneStartsAnew() {
        opens();
        guest.close();
        assertThat(seen.events).containsExactly("active", "exception", "inactive");
        packets.clear();
        receiving.clear();
        guest = connect();
        guest.bootAsUml(SIZE, ALL);
        opens();
        assertThat(guest.ring(EVENTQ).usedIndex()).isZero();
    }

    @Test
    void driverGoesOnWithUsedRings_isToldToDropItsStreams() {
        guest.close();
        guest = connect();
        guest.bootAsQemu(SIZE, ALL, 100);
        loop.settle();
        assertThat(guest.ring(EVENTQ).usedIndex())
                .as("no buffer for an event, no event")
                .isEqualTo(100);
        guest.close();
        guest = connect();
        DriverRing events = bootsAgainWithEventBuffer();
        DriverRing.Used used = events.poll();
        assertThat(used).isNotNull();
        assertThat(used == null ? -1 : used.written()).isEqualTo(4);
        opens();
    }

    /** As a driver that was there before: its event buffers are in the ring when the queues start. */
    private DriverRing bootsAgainWithEventBuffer() {
        long features = guest.askU64(1) & ALL;
        guest.send(16, FrontEnd.PLAIN, FrontEnd.u64(1L << 3));
        guest.send(2, FrontEnd.PLAIN, FrontEnd.u64(features));
        guest.send(5, FrontEnd.NEED_REPLY, FrontEnd.memoryTable(40, ram.region()), ram.fd());
        guest.expectAck(5);
        for (int i = 0; i < 3; i++) {
            guest.setUpRing(i, SIZE, features, 100, FrontEnd.PLAIN);
        }
        guest.ring(EVENTQ).add(writable(ram.allocate(8, 8), 8));
        guest.ring(EVENTQ).expose();
        for (int i = 2; i >= 0; i--) {
            guest.kickAndEnable(i, FrontEnd.PLAIN);
        }
        loop.settle();
        return guest.ring(EVENTQ);
    }

    @Test
    void cutAndLyingPackets_areDropped_streamLives() {
        opens();
        sends(new byte[1]);
        sends(new byte[43]);
        sends(packet(VsockHeader.OP_RW, 5, random(4)));
        sends(packet(VsockHeader.OP_RW, -1, random(4)));
        sends(packet(VsockHeader.OP_RW, Integer.MAX_VALUE, random(4)));
        assertThat(host.counters().get(VsockCounter.DROPPED_MALFORMED)).isEqualTo(5);
        sends(packet(VsockHeader.OP_RW, 2, random(4))); // longer than it says: the rest is nothing
        assertThat(seen.bytes.size()).isEqualTo(2);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5})
    void noise_neverBreaksTheDevice(int seed) {
        Random random = new Random(seed);
        long mark = ram.allocate(1, 1);
        for (int i = 0; i < 2000; i++) {
            byte[] noise = packet(1 + random.nextInt(8), random.nextInt(200), random(random.nextInt(200)));
            int changes = random.nextInt(4);
            for (int c = 0; c < changes; c++) {
                noise[random.nextInt(noise.length)] = (byte) random.nextInt(256);
            }
            if (random.nextInt(10) == 0) {
                noise = Arrays.copyOf(noise, 1 + random.nextInt(noise.length));
            }
            sends(noise, 1 + random.nextInt(300) + noise.length / 20, random.nextBoolean());
            ram.freeTo(mark);
            if (random.nextInt(5) == 0 && guest.ring(RECEIVEQ).freeDescriptors() > 0) {
                offers(1 + random.nextInt(300));
                takesPackets();
            }
            ram.freeTo(mark);
        }
        assertThat(guest.isClosedByBackend()).isFalse();
        assertThat(backend.queue(TRANSMITQ).isRunning()).isTrue();
    }
}
