package dev.longshore.virtio.vhostuser;

import static dev.longshore.virtio.vhostuser.FrontEnd.NEED_REPLY;
import static dev.longshore.virtio.vhostuser.FrontEnd.PLAIN;
import static dev.longshore.virtio.vhostuser.FrontEnd.memoryTable;
import static dev.longshore.virtio.vhostuser.FrontEnd.state;
import static dev.longshore.virtio.vhostuser.FrontEnd.u64;
import static dev.longshore.virtio.virtqueue.DriverRing.readable;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.linux.Linux;
import dev.longshore.virtio.memory.RegionSpec;
import dev.longshore.virtio.virtqueue.DriverRing;
import dev.longshore.virtio.virtqueue.GuestRam;
import dev.longshore.virtio.virtqueue.QueueFault;
import dev.longshore.virtio.virtqueue.Virtqueue;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The vhost-user session against a scripted front end, with UML's and QEMU's ways. */
class VhostUserBackendTest {
    private static final long ALL = -1L;
    private static final int SIZE = 16;

    @TempDir
    Path dir;

    private final Linux linux = new Linux();
    private final TestLoop loop = new TestLoop();
    private final RecordingDevice device = new RecordingDevice();
    private final GuestRam ram = GuestRam.ofQemu(linux, 1 << 20);
    private Path path = Path.of("unset");
    private VhostUserBackend backend = new VhostUserBackend(loop.loop(), device, path);

    @BeforeEach
    void listen() {
        path = dir.resolve("net.sock");
        backend = new VhostUserBackend(loop.loop(), device, path);
        assertThat(backend.open().isSuccess()).isTrue();
    }

    @AfterEach
    void release() {
        backend.close();
        loop.settle();
        loop.close();
        ram.close();
    }

    private FrontEnd connect() {
        return new FrontEnd(linux, loop::settle, ram, path, 2);
    }

    private void addOne(FrontEnd front, int queue) {
        front.ring(queue).add(readable(ram.allocate(8, 8), 8));
    }

    // ---- the socket

    @Test
    void open_socketIsForItsOwnerOnly() throws Exception {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
                .isEqualTo("rw-------");
    }

    @Test
    void close_removesTheSocket() {
        backend.close();
        assertThat(path).doesNotExist();
        assertThat(backend.close().isSuccess()).as("again").isTrue();
    }

    @Test
    void open_staleSocketAtThePath_isReplaced() {
        try (TestLoop other = new TestLoop()) {
            VhostUserBackend next = new VhostUserBackend(other.loop(), device, path);
            assertThat(next.open().isSuccess()).isTrue();
            next.close();
        }
    }

    @Test
    void open_fileAtThePath_failsAndLeavesIt() throws Exception {
        Path file = Files.writeString(dir.resolve("file"), "precious");
        Future<Void> opened = new VhostUserBackend(loop.loop(), device, file).open();
        assertThat(opened.cause()).hasMessageContaining("not a socket").hasMessageContaining(file.toString());
        assertThat(file).hasContent("precious");
    }

    @Test
    void open_pathTooLong_failsWithTheReason() {
        Path longPath = dir.resolve("x".repeat(108));
        assertThat(new VhostUserBackend(loop.loop(), device, longPath).open().cause())
                .hasMessageContaining("longer than 107 bytes");
    }

    @Test
    void open_directoryMissing_failsWithTheErrno() {
        Path lost = dir.resolve("missing/net.sock");
        assertThat(new VhostUserBackend(loop.loop(), device, lost).open().cause())
                .hasMessageContaining("bind failed with errno 2");
    }

    // ---- front ends

    @Test
    void uml_boot_getsItsQueuesAndConfig() {
        try (GuestRam umlRam = GuestRam.ofUml(linux, 1 << 20);
                FrontEnd front = new FrontEnd(linux, loop::settle, umlRam, path, 2)) {
            long features = front.bootAsUml(256, ALL);

            assertThat(features).isEqualTo(0x21L | 1L << 28 | 1L << 29 | 1L << 30 | 1L << 32);
            assertThat(device.acknowledged).isEqualTo(features);
            assertThat(device.take()).containsExactly("features", "ready 0", "ready 1");
            assertThat(front.takeCalls(0))
                    .as("the call descriptor is used once at SET_VRING_CALL")
                    .isTrue();

            front.ring(1).add(readable(umlRam.allocate(8, 8), 8));
            assertThat(front.exposeAndKick(1)).isTrue();
            assertThat(device.take()).containsExactly("queue 1: 1");
            assertThat(front.takeCalls(1)).isTrue();
            assertThat(front.ring(1).poll()).isNotNull();
        }
        assertThat(device.take()).containsExactly("leaving", "stopped 0", "stopped 1", "disconnected");
    }

    @Test
    void uml_readsConfig_replyHasExactlyWhatWasAsked() {
        try (FrontEnd front = connect()) {
            front.bootAsUml(256, ALL);
            // UML asks for offset 0 and offset + length bytes, with the whole payload
            byte[] ask = ByteBuffer.allocate(12 + 10)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putInt(0)
                    .putInt(10)
                    .putInt(0)
                    .array();
            FrontEnd.Reply reply = front.ask(Message.GET_CONFIG, ask);

            assertThat(reply.flags()).isEqualTo(5);
            assertThat(reply.payload()).hasSize(22);
            assertThat(Arrays.copyOfRange(reply.payload(), 12, 22)).containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 0, 0);
        }
    }

    @Test
    void uml_goesAwayAndComesAgain_ringsStartFromTheirNewState() {
        try (FrontEnd front = connect()) {
            long features = front.bootAsUml(256, ALL);
            addOne(front, 1);
            front.exposeAndKick(1);
            device.take();

            // del_vqs: disabled in reverse order, then a barrier; no GET_VRING_BASE, nothing is said of the ring
            front.send(Message.SET_VRING_ENABLE, NEED_REPLY, state(1, 0));
            front.expectAck(Message.SET_VRING_ENABLE);
            front.send(Message.SET_VRING_ENABLE, NEED_REPLY, state(0, 0));
            front.expectAck(Message.SET_VRING_ENABLE);
            front.askU64(Message.GET_FEATURES);
            assertThat(device.take()).containsExactly("stopped 1", "stopped 0");

            // find_vqs again
            for (int i = 0; i < 2; i++) {
                front.setUpRing(i, 256, features, 0, NEED_REPLY);
            }
            for (int i = 0; i < 2; i++) {
                front.kickAndEnable(i, NEED_REPLY);
            }
            assertThat(device.take()).containsExactly("ready 0", "ready 1");
            addOne(front, 1);
            front.exposeAndKick(1);
            assertThat(device.take()).containsExactly("queue 1: 1");
            assertThat(front.ring(1).poll()).isNotNull();
        }
    }

    @Test
    void qemu_boot_servesRingsFromAnyIndex() {
        device.offersConfig = false;
        try (FrontEnd front = connect()) {
            assertThat(front.askU64(Message.GET_PROTOCOL_FEATURES) & 1L << 9)
                    .as("CONFIG crashes QEMU 7.2's net")
                    .isZero();
            front.bootAsQemu(SIZE, ALL, 65_535);
            for (int i = 0; i < 5; i++) {
                addOne(front, 1);
                front.exposeAndKick(1);
            }
            assertThat(front.ring(1).pollAll()).hasSize(5);

            FrontEnd.Reply base = front.ask(Message.GET_VRING_BASE, state(1, 0));
            assertThat(base.u32(0)).isEqualTo(1);
            assertThat(base.u32(4)).isEqualTo(4);
            addOne(front, 1);
            front.ring(1).expose();
            front.kick(1);
            loop.settle();
            assertThat(front.ring(1).poll())
                    .as("stopped until the next SET_VRING_KICK")
                    .isNull();
        }
    }

    /** QEMU sets up the memory again when the guest moves a PCI window, while the rings run. */
    @Test
    void memoryTableWhileRingsRun_ringsGoOn() {
        try (FrontEnd front = connect()) {
            front.bootAsQemu(SIZE, ALL, 0);
            addOne(front, 1);
            front.exposeAndKick(1);
            device.take();

            front.send(Message.SET_MEM_TABLE, NEED_REPLY, memoryTable(40, ram.region()), ram.fd());
            front.expectAck(Message.SET_MEM_TABLE);

            assertThat(device.take()).containsExactly("stopped 0", "stopped 1", "ready 0", "ready 1");
            addOne(front, 1);
            front.exposeAndKick(1);
            assertThat(front.ring(1).pollAll()).hasSize(2);
        }
    }

    /** QEMU says the features for each queue pair, when the pairs before it run. */
    @Test
    void sameFeaturesAgain_ringsKeepRunning() {
        try (FrontEnd front = connect()) {
            long features = front.bootAsQemu(SIZE, ALL, 0);
            device.take();
            front.send(Message.SET_FEATURES, PLAIN, u64(features));
            assertThat(device.take()).isEmpty();
            front.send(Message.SET_FEATURES, PLAIN, u64(features & ~Virtqueue.FEATURE_EVENT_IDX));
            assertThat(device.take()).containsExactly("stopped 0", "stopped 1", "features", "ready 0", "ready 1");
        }
    }

    @Test
    void packedRings_areOfferedWhereTheDeviceSays_andGoOnAfterAStop() {
        device.packed = true;
        try (FrontEnd front = connect()) {
            long features = front.bootAsQemu(SIZE, ALL, 0);
            assertThat(features & Virtqueue.FEATURE_PACKED).isNotZero();
            for (int i = 0; i < SIZE + 3; i++) {
                addOne(front, 1);
                front.exposeAndKick(1);
                assertThat(front.ring(1).poll()).isNotNull();
                assertThat(front.takeCalls(1)).isTrue();
                front.ring(1).wantCallAtNext();
            }
            int base = front.ask(Message.GET_VRING_BASE, state(1, 0)).u32(4);
            assertThat(base).as("slot 3 of the second lap, both").isEqualTo(3 | 3 << 16);

            front.send(Message.SET_VRING_BASE, PLAIN, state(1, base));
            addOne(front, 1);
            front.ring(1).expose();
            front.kickAndEnable(1, PLAIN);
            assertThat(front.ring(1).poll()).isNotNull();
            assertThat(backend.queue(1).base()).isEqualTo(4 | 4 << 16);
        }
    }

    @Test
    void packedRing_impossibleBase_endsTheSession() {
        device.packed = true;
        try (FrontEnd front = connect()) {
            front.bootAsQemu(SIZE, ALL, 0);
            front.ask(Message.GET_VRING_BASE, state(1, 0));
            front.send(Message.SET_VRING_BASE, PLAIN, state(1, SIZE));
            front.kickAndEnable(1, PLAIN);
            assertThat(front.isClosedByBackend()).isTrue();
        }
    }

    @Test
    void oneQueuePair_multiqueueIsNotOffered() {
        try (FrontEnd front = connect()) {
            assertThat(front.askU64(Message.GET_PROTOCOL_FEATURES) & 1).isZero();
        }
    }

    @Test
    void chainsExposedBeforeTheRingStarts_areServedAtOnce() {
        try (FrontEnd front = connect()) {
            long features = front.bootAsQemu(SIZE, ALL, 0);
            front.ask(Message.GET_VRING_BASE, state(1, 0));
            front.setUpRing(1, SIZE, features, 0, PLAIN);
            addOne(front, 1);
            front.ring(1).expose();
            device.take();
            front.kickAndEnable(1, PLAIN);
            assertThat(device.take()).containsExactly("ready 1", "queue 1: 1");
        }
    }

    @Test
    void withoutProtocolFeatures_ringsAreEnabledFromTheStart() {
        try (FrontEnd front = connect()) {
            front.send(Message.SET_OWNER, PLAIN, new byte[0]);
            front.send(Message.SET_FEATURES, PLAIN, u64(1L << 32));
            front.send(Message.SET_MEM_TABLE, PLAIN, memoryTable(40, ram.region()), ram.fd());
            front.setUpRing(0, SIZE, 0, 0, PLAIN);
            device.take();
            int kick = linux.eventfd();
            front.send(Message.SET_VRING_KICK, PLAIN, u64(0), kick);
            linux.close(kick);
            assertThat(device.take()).containsExactly("ready 0");
        }
    }

    @Test
    void needReplyWithoutReplyAck_getsNone() {
        try (FrontEnd front = connect()) {
            front.send(Message.SET_OWNER, NEED_REPLY, new byte[0]);
            assertThat(front.receive()).isNull();
        }
    }

    @Test
    void featuresNotOffered_areIgnored() {
        try (FrontEnd front = connect()) {
            front.send(Message.SET_FEATURES, PLAIN, u64(0xFF));
            assertThat(device.acknowledged).isEqualTo(0x21);
        }
    }

    @Test
    void configChanged_isToldOnTheBackendChannel() {
        try (FrontEnd front = connect()) {
            front.bootAsUml(256, ALL);
            backend.configChanged();
            assertThat(front.receiveBackendRequest())
                    .satisfies(r -> assertThat(r.request()).isEqualTo(Message.BACKEND_CONFIG_CHANGE))
                    .satisfies(r -> assertThat(r.flags()).isEqualTo(1));
        }
        backend.configChanged(); // nobody to tell
    }

    @Test
    void messagesThatMeanNothingToUs_areTakenQuietly() {
        try (FrontEnd front = connect()) {
            front.send(Message.RESET_OWNER, PLAIN, new byte[0]);
            front.send(Message.SET_LOG_BASE, PLAIN, new byte[16]);
            front.send(Message.SEND_RARP, PLAIN, u64(0));
            front.send(Message.NET_SET_MTU, PLAIN, u64(1500));
            front.send(Message.SET_CONFIG, PLAIN, new byte[16]);
            assertThat(front.askU64(Message.GET_QUEUE_NUM)).isEqualTo(2);
        }
    }

    @Test
    void messageInSingleBytes_isUnderstood() {
        try (FrontEnd front = connect()) {
            front.send(Message.SET_OWNER, PLAIN, new byte[0]);
            byte[] m = ByteBuffer.allocate(20)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putInt(Message.SET_FEATURES)
                    .putInt(PLAIN)
                    .putInt(8)
                    .putLong(0x20)
                    .array();
            for (byte b : m) {
                front.sendRaw(new byte[] {b});
                loop.settle();
            }
            assertThat(device.acknowledged).isEqualTo(0x20);
        }
    }

    @Test
    void manyMessagesAtOnce_areAllTaken() {
        try (FrontEnd front = connect()) {
            ByteBuffer b = ByteBuffer.allocate(100 * 12).order(ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < 100; i++) {
                b.putInt(Message.GET_FEATURES).putInt(PLAIN).putInt(0);
            }
            front.sendRaw(b.array());
            loop.settle();
            for (int i = 0; i < 100; i++) {
                assertThat(front.receive()).isNotNull();
            }
        }
    }

    @Test
    void secondFrontEnd_waitsUntilTheFirstHasLeft() {
        FrontEnd first = connect();
        first.bootAsQemu(SIZE, ALL, 0);
        FrontEnd second = connect();
        second.send(Message.GET_FEATURES, PLAIN, new byte[0]);
        assertThat(second.receive()).isNull();

        first.close();

        assertThat(second.receive()).isNotNull();
        assertThat(device.take()).contains("disconnected");
        second.close();
    }

    @Test
    void reconnects_leakNothing() {
        connect().close();
        ProcessResources before = ProcessResources.now();
        for (int i = 0; i < 20; i++) {
            ram.freeTo(ram.guestBase());
            try (FrontEnd front = connect()) {
                front.bootAsUml(256, ALL);
                addOne(front, 1);
                front.exposeAndKick(1);
                front.send(Message.SET_MEM_TABLE, PLAIN, memoryTable(72, ram.region()), ram.fd());
                front.kickAndEnable(0, NEED_REPLY);
                addOne(front, 1);
                front.exposeAndKick(1);
                assertThat(front.ring(1).pollAll()).hasSize(2);
            }
        }
        assertThat(ProcessResources.now()).isEqualTo(before);
    }

    @Test
    void closeWithARunningFrontEnd_releasesEverything() {
        ProcessResources before = ProcessResources.now();
        FrontEnd front = connect();
        front.bootAsUml(256, ALL);
        backend.close();
        assertThat(device.take()).endsWith("leaving", "stopped 0", "stopped 1", "disconnected");
        assertThat(front.isClosedByBackend()).isTrue();
        front.close();
        // the listener and the loop's own eventfd are gone as well
        assertThat(ProcessResources.now().descriptors()).isEqualTo(before.descriptors() - 2);
        assertThat(ProcessResources.now().guestMappings()).isEqualTo(before.guestMappings());
    }

    // ---- wrong messages

    private void assertRefused(int request, byte[] payload, int... fds) {
        FrontEnd front = connect();
        front.bootAsQemu(SIZE, ALL, 0);
        front.send(request, PLAIN, payload, fds);
        assertThat(front.isClosedByBackend()).as("request " + request).isTrue();
        assertThat(device.take()).endsWith("disconnected");
        front.close();
        try (FrontEnd next = connect()) {
            assertThat(next.askU64(Message.GET_FEATURES))
                    .as("the next is served")
                    .isNotZero();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 22, 23, 26, 31, 35, 37, 44, 1000, -1})
    void unknownRequest_closesTheSession(int request) {
        assertRefused(request, new byte[8]);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 2, 3, 5, 7})
    void wrongVersionOrReplyFlag_closesTheSession(int flags) {
        FrontEnd front = connect();
        front.send(Message.GET_FEATURES, flags, new byte[0]);
        assertThat(front.isClosedByBackend()).isTrue();
        front.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {1025, Integer.MAX_VALUE, -1})
    void payloadTooLarge_closesTheSession(int bytes) {
        FrontEnd front = connect();
        front.sendRaw(ByteBuffer.allocate(12)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(Message.SET_FEATURES)
                .putInt(PLAIN)
                .putInt(bytes)
                .array());
        loop.settle();
        assertThat(front.isClosedByBackend()).isTrue();
        front.close();
    }

    @Test
    void shortPayloads_closeTheSession() {
        assertRefused(Message.SET_FEATURES, new byte[7]);
        assertRefused(Message.SET_VRING_ADDR, new byte[39]);
        assertRefused(Message.SET_VRING_NUM, new byte[4]);
        assertRefused(Message.GET_CONFIG, new byte[11]);
        assertRefused(Message.SET_MEM_TABLE, new byte[0]);
    }

    @Test
    void ringsThatDoNotExist_closeTheSession() {
        assertRefused(Message.SET_VRING_NUM, state(2, 256));
        assertRefused(Message.SET_VRING_ENABLE, state(-1, 1));
        assertRefused(Message.GET_VRING_BASE, state(2, 0));
        assertRefused(Message.SET_VRING_KICK, u64(2), ram.fd());
        assertRefused(Message.SET_VRING_CALL, u64(255), ram.fd());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 3, 255, 65_536, -1})
    void badQueueSize_closesTheSession(int size) {
        assertRefused(Message.SET_VRING_NUM, state(0, size));
    }

    @Test
    void missingOrUselessDescriptors_closeTheSession() {
        assertRefused(Message.SET_VRING_KICK, u64(0));
        assertRefused(Message.SET_VRING_CALL, u64(0));
        assertRefused(Message.SET_VRING_KICK, u64(0x100)); // asks for polling
        assertRefused(Message.SET_VRING_KICK, u64(0), ram.fd()); // an ordinary file cannot be polled
        assertRefused(Message.SET_BACKEND_REQ_FD, new byte[0]);
    }

    @Test
    void badConfigRanges_closeTheSession() {
        assertRefused(Message.GET_CONFIG, config(0, 257));
        assertRefused(Message.GET_CONFIG, config(250, 7));
        assertRefused(Message.GET_CONFIG, config(-1, 1));
        assertRefused(Message.GET_CONFIG, config(1, Integer.MAX_VALUE));
    }

    private static byte[] config(int offset, int size) {
        return ByteBuffer.allocate(12)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(offset)
                .putInt(size)
                .array();
    }

    @Test
    void badMemoryTables_closeTheSession() {
        RegionSpec good = ram.region();
        assertRefused(Message.SET_MEM_TABLE, memoryTable(40, good)); // no descriptor
        assertRefused(Message.SET_MEM_TABLE, memoryTable(40, good), ram.fd(), ram.fd()); // two
        assertRefused(Message.SET_MEM_TABLE, new byte[40], ram.fd()); // no region
        assertRefused(Message.SET_MEM_TABLE, Arrays.copyOf(memoryTable(72, good, good), 71), ram.fd(), ram.fd());
        assertRefused(
                Message.SET_MEM_TABLE, region(good.guestAddress(), good.bytes() + 1, good.mmapOffset()), ram.fd());
        assertRefused(Message.SET_MEM_TABLE, region(good.guestAddress(), 0, 0), ram.fd());
        assertRefused(Message.SET_MEM_TABLE, region(good.guestAddress(), -4096, 0), ram.fd());
        assertRefused(Message.SET_MEM_TABLE, region(-4096, 8192, 0), ram.fd());
        assertRefused(Message.SET_MEM_TABLE, region(0, 4096, Long.MAX_VALUE - 100), ram.fd());
        assertRefused(Message.SET_MEM_TABLE, region(0, 4096, -4096), ram.fd());
        int event = linux.eventfd();
        assertRefused(Message.SET_MEM_TABLE, memoryTable(40, good), event); // not memory
        linux.close(event);
    }

    private static byte[] region(long guestAddress, long bytes, long offset) {
        return memoryTable(40, new RegionSpec(guestAddress, bytes, 0x1000, offset));
    }

    @Test
    void moreThanEightRegionsOrDescriptors_closeTheSession() {
        int[] fds = new int[9];
        Arrays.fill(fds, ram.fd());
        RegionSpec[] regions = new RegionSpec[9];
        Arrays.fill(regions, ram.region());
        assertRefused(Message.SET_MEM_TABLE, memoryTable(8 + 9 * 32, regions), fds[0]);
        ProcessResources before = ProcessResources.now();
        FrontEnd front = connect();
        byte[] message = ByteBuffer.allocate(12 + 40)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(Message.SET_MEM_TABLE)
                .putInt(PLAIN)
                .putInt(40)
                .put(memoryTable(40, ram.region()))
                .array();
        for (int i = 0; i < 3; i++) { // each byte brings four more
            front.sendRaw(new byte[] {message[i]}, Arrays.copyOf(fds, 4));
            loop.settle();
        }
        front.sendRaw(Arrays.copyOfRange(message, 3, message.length));
        loop.settle();
        assertThat(front.isClosedByBackend()).isTrue();
        front.close();
        assertThat(ProcessResources.now()).isEqualTo(before);
    }

    @Test
    void refusedMessage_withReplyAck_getsAFailureBeforeTheEnd() {
        FrontEnd front = connect();
        front.bootAsQemu(SIZE, ALL, 0);
        front.send(Message.SET_VRING_NUM, NEED_REPLY, state(0, 3));
        assertThat(front.receive()).satisfies(r -> assertThat(r.u64()).isEqualTo(1));
        assertThat(front.isClosedByBackend()).isTrue();
        front.close();
    }

    @Test
    void ringOutsideMemoryOrMisaligned_closesTheSession() {
        for (long off : new long[] {ram.bytes(), 8, 1}) {
            FrontEnd front = connect();
            front.bootAsQemu(SIZE, ALL, 0);
            byte[] addresses = front.addresses(0, front.ring(0));
            ByteBuffer b = ByteBuffer.wrap(addresses).order(ByteOrder.LITTLE_ENDIAN);
            b.putLong(8, b.getLong(8) + off);
            front.send(Message.SET_VRING_ADDR, PLAIN, addresses);
            assertThat(front.isClosedByBackend()).isTrue();
            front.close();
        }
    }

    // ---- a guest that does wrong, a device with a bug

    @Test
    void brokenRing_stopsAlone_untilItIsSetUpAnew() {
        try (FrontEnd front = connect()) {
            long features = front.bootAsQemu(SIZE, ALL, 0);
            front.ring(1).makeHeadAvailable(SIZE);
            front.exposeAndKick(1);
            assertThat(backend.queue(1).fault()).isEqualTo(QueueFault.HEAD_OUT_OF_RANGE);

            addOne(front, 0);
            front.exposeAndKick(0);
            assertThat(front.ring(0).poll()).as("the other queue goes on").isNotNull();

            front.send(Message.SET_MEM_TABLE, PLAIN, memoryTable(40, ram.region()), ram.fd());
            assertThat(backend.queue(1).isRunning())
                    .as("new memory mends nothing")
                    .isFalse();

            front.setUpRing(1, SIZE, features, 0, PLAIN);
            addOne(front, 1);
            front.exposeAndKick(1);
            assertThat(front.ring(1).poll()).isNotNull();
        }
    }

    @Test
    void kicksWithoutReason_areHarmless() {
        try (FrontEnd front = connect()) {
            front.bootAsUml(256, ALL);
            for (int i = 0; i < 100; i++) {
                front.kick(i & 1);
                loop.settle();
            }
            assertThat(backend.queue(0).counters().kicks()).isEqualTo(50);
        }
    }

    @Test
    void callSocketFull_isIgnored() {
        try (FrontEnd front = connect()) {
            front.bootAsUml(256, ALL);
            DriverRing ring = front.ring(1);
            for (int i = 0; i < 50_000; i++) { // nobody reads the calls
                ring.add(readable(ram.guestBase(), 8));
                ring.wantCallAt(ring.usedIndex());
                front.exposeAndKick(1);
                assertThat(ring.poll()).isNotNull();
            }
            assertThat(backend.queue(1).counters().calls()).isEqualTo(50_000);
        }
    }

    @Test
    void deviceWithABug_endsTheSessionAndNothingElse() {
        FrontEnd front = connect();
        front.bootAsUml(256, ALL);
        device.throwOnKick = true;
        addOne(front, 1);
        front.exposeAndKick(1);
        assertThat(front.isClosedByBackend()).isTrue();
        front.close();

        device.throwOnKick = false;
        try (FrontEnd next = connect()) {
            assertThat(next.bootAsUml(256, ALL)).isNotZero();
        }
    }

    /** The front end cuts its memory's file under our mapping: the access fails, and ends the session alone. */
    @Test
    void memoryFileTruncated_endsTheSessionAndNothingElse() throws IOException {
        ProcessResources before = ProcessResources.now();
        GuestRam lost = GuestRam.ofUml(linux, 1 << 20);
        FrontEnd front = new FrontEnd(linux, loop::settle, lost, path, 2);
        front.bootAsUml(256, ALL);
        front.ring(1).add(readable(lost.allocate(8, 8), 8));
        front.ring(1).expose();
        try (RandomAccessFile file = new RandomAccessFile("/proc/self/fd/" + lost.fd(), "rw")) {
            file.setLength(0);
        }
        front.kick(1);
        loop.settle();
        assertThat(front.isClosedByBackend()).isTrue();
        assertThat(backend.queue(1).isRunning()).isFalse();
        front.close();
        lost.close();
        assertThat(ProcessResources.now()).isEqualTo(before);

        try (FrontEnd next = connect()) {
            assertThat(next.bootAsUml(256, ALL)).isNotZero();
        }
    }

    /** A front end that says anything: nothing throws, nothing hangs, every descriptor and mapping is released. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void randomMessages_leakNothing(long seed) {
        Random random = new Random(seed);
        connect().close();
        ProcessResources before = ProcessResources.now();
        for (int round = 0; round < 150; round++) {
            ram.freeTo(ram.guestBase());
            FrontEnd front = connect();
            if (random.nextBoolean()) {
                front.bootAsUml(256, ALL);
            }
            for (int i = 0; i < 30; i++) {
                sendRandom(random, front);
            }
            front.close();
        }
        assertThat(ProcessResources.now()).as("seed " + seed).isEqualTo(before);
        assertThat(backend.isConnected()).isFalse();
    }

    private void sendRandom(Random random, FrontEnd front) {
        int request = random.nextInt(20) == 0 ? random.nextInt() : 1 + random.nextInt(25);
        byte[] payload =
                switch (random.nextInt(5)) {
                    case 0 ->
                        state(random.nextInt(3), random.nextInt(4) == 0 ? random.nextInt() : 1 << random.nextInt(10));
                    case 1 -> u64(random.nextInt(3));
                    case 2 -> memoryTable(72, ram.region());
                    case 3 -> front.addresses(random.nextInt(2), new DriverRing(ram, 16, true, 0));
                    default -> randomBytes(random);
                };
        if (random.nextInt(10) == 0) {
            payload[random.nextInt(payload.length)] ^= (byte) (1 << random.nextInt(8));
        }
        int[] fds = new int[random.nextInt(3)];
        int event = linux.eventfd();
        Arrays.setAll(fds, i -> random.nextBoolean() ? ram.fd() : event);
        front.send(request, random.nextInt(8) == 0 ? NEED_REPLY : PLAIN, payload, fds);
        linux.close(event);
        while (front.receive() != null) {
            assertThat(Virtqueue.isSize(16, 0)).isTrue();
        }
    }

    private static byte[] randomBytes(Random random) {
        byte[] b = new byte[1 + random.nextInt(80)];
        random.nextBytes(b);
        return b;
    }
}
