package dev.longshore.fileshare.virtiofs;

import static dev.longshore.virtio.virtqueue.DriverRing.readable;
import static dev.longshore.virtio.virtqueue.DriverRing.writable;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.linux.Linux;
import dev.longshore.virtio.vhostuser.FrontEnd;
import dev.longshore.virtio.vhostuser.ProcessResources;
import dev.longshore.virtio.vhostuser.TestLoop;
import dev.longshore.virtio.vhostuser.VhostUserBackend;
import dev.longshore.virtio.virtqueue.DriverRing;
import dev.longshore.virtio.virtqueue.DriverRing.Buffer;
import dev.longshore.virtio.virtqueue.DriverRing.Used;
import dev.longshore.virtio.virtqueue.GuestRam;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The virtio-fs device behind a real vhost-user socket, with a scripted front end and real rings. */
class VirtioFsDeviceTest {
    private static final int HIPRIO = 0;
    private static final int REQUESTS = 1;
    private static final int SIZE = 1024;
    private static final int SET_MEM_TABLE = 5;
    private static final int GET_CONFIG = 24;
    private static final long ALL = -1L;
    private static final long LIMIT_SECONDS = 30;
    private static final byte[] HELLO = "hello".getBytes(StandardCharsets.UTF_8);

    @TempDir
    Path dir;

    private final Linux linux = new Linux();
    private final TestLoop loop = new TestLoop();
    private final GuestRam ram = GuestRam.ofUml(linux, 16 << 20);
    private final EchoHandler handler = new EchoHandler();
    private final ManualWorkers manual = new ManualWorkers();
    private FileWorkers workers = manual.asWorkers();
    private Duration patience = Duration.ofSeconds(LIMIT_SECONDS);
    private final Map<Integer, Long> replyAt = new HashMap<>();

    private @Nullable VirtioFsDevice device;
    private @Nullable VhostUserBackend backend;
    private @Nullable FrontEnd guest;

    @AfterEach
    void release() {
        guest().close();
        Objects.requireNonNull(backend).close();
        workers.close();
        loop.settle();
        manual.runAll();
        loop.settle();
        var idle = device().whenIdle();
        loop.settle();
        assertThat(idle.isSuccess()).isTrue();
        loop.close();
        ram.close();
    }

    private VirtioFsDevice device() {
        return Objects.requireNonNull(device);
    }

    private FrontEnd guest() {
        return Objects.requireNonNull(guest);
    }

    private VirtioFsDevice listen() {
        VirtioFsDevice made =
                new VirtioFsDevice(loop.loop(), new VirtioFsConfig("host", true, 1), handler, workers, patience);
        VhostUserBackend socket = new VhostUserBackend(loop.loop(), made, dir.resolve("fs.sock"));
        assertThat(socket.open().isSuccess()).isTrue();
        device = made;
        backend = socket;
        return made;
    }

    private FrontEnd connect() {
        return new FrontEnd(linux, loop::settle, ram, dir.resolve("fs.sock"), 2);
    }

    private FrontEnd boot() {
        listen();
        FrontEnd booted = connect();
        guest = booted;
        booted.bootAsUml(SIZE, ALL);
        return booted;
    }

    // ---- the guest's driver

    /** Adds a request in pieces of {@code piece} bytes with room for a reply in pieces as large. Returns its head. */
    private int add(int queue, byte[] request, int room, int piece, boolean indirect) {
        List<Buffer> chain = new ArrayList<>();
        for (int at = 0; at < request.length; at += piece) {
            byte[] part = Arrays.copyOfRange(request, at, Math.min(request.length, at + piece));
            chain.add(readable(ram.allocate(part), part.length));
        }
        long reply = ram.allocate(Math.max(room, 1), 1);
        for (int at = 0; at < room; at += piece) {
            chain.add(writable(reply + at, Math.min(piece, room - at)));
        }
        Buffer[] buffers = chain.toArray(Buffer[]::new);
        int head = indirect
                ? guest().ring(queue).addIndirect(buffers)
                : guest().ring(queue).add(buffers);
        replyAt.put(head, reply);
        return head;
    }

    private int add(int opcode, long unique) {
        return add(REQUESTS, Fuse.request(opcode, unique, HELLO), 64, 4096, true);
    }

    private void kick() {
        guest().exposeAndKick(REQUESTS);
    }

    private byte[] reply(Used used) {
        return ram.read(Objects.requireNonNull(replyAt.get(used.head())), used.written());
    }

    private List<Long> answered() {
        List<Long> uniques = new ArrayList<>();
        for (Used used : guest().ring(REQUESTS).pollAll()) {
            uniques.add(Fuse.uniqueOf(reply(used)));
        }
        return uniques;
    }

    private Used only(int queue) {
        List<Used> all = guest().ring(queue).pollAll();
        assertThat(all).hasSize(1);
        return all.getFirst();
    }

    // ---- requests and replies

    @ParameterizedTest
    @CsvSource({"1,false", "1,true", "7,true", "40,false", "4096,true"})
    void request_isAnswered_howeverItIsCut(int piece, boolean indirect) {
        boot();

        add(REQUESTS, Fuse.request(Fuse.READ, 7, HELLO), 64, piece, indirect);
        kick();

        assertThat(reply(only(REQUESTS))).isEqualTo(Fuse.reply(7, HELLO));
        assertThat(guest().takeCalls(REQUESTS)).isTrue();
        assertThat(device().counters().inline()).isEqualTo(1);
        assertThat(device().counters().requests()).isEqualTo(1);
        assertThat(device().counters().requests(Fuse.READ)).isEqualTo(1);
        assertThat(device().counters().bytesRead()).isEqualTo(HELLO.length);
        assertThat(device().counters().errors()).isZero();
    }

    @Test
    void request_ofAMebibyte_isAnswered() {
        boot();
        byte[] payload = new byte[1 << 20];
        new Random(1).nextBytes(payload);

        add(REQUESTS, Fuse.request(Fuse.READ, 1, payload), Fuse.OUT_HEADER + payload.length, 4096, true);
        kick();

        assertThat(reply(only(REQUESTS))).isEqualTo(Fuse.reply(1, payload));
    }

    @Test
    void forget_onHiprio_hasNoReply() {
        boot();

        add(HIPRIO, Fuse.request(Fuse.FORGET, 9), 0, 4096, false);
        guest().exposeAndKick(HIPRIO);

        assertThat(only(HIPRIO).written()).isZero();
        assertThat(handler.seen).containsExactly("2:9");
    }

    @Test
    void config_isTagAndQueues() {
        boot();

        byte[] asked = ByteBuffer.allocate(12 + 40)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(0)
                .putInt(40)
                .array();
        byte[] payload = guest().ask(GET_CONFIG, asked).payload();

        byte[] expected = Arrays.copyOf("host".getBytes(StandardCharsets.UTF_8), 40);
        expected[36] = 1;
        assertThat(Arrays.copyOfRange(payload, 12, 52)).isEqualTo(expected);
    }

    @Test
    void twoQueues_ofQemu_areServed() {
        listen();
        FrontEnd qemu = connect();
        guest = qemu;
        qemu.bootAsQemu(SIZE, ALL, 0);

        add(Fuse.READ, 3);
        kick();

        assertThat(answered()).containsExactly(3L);
    }

    // ---- inline or not

    @Test
    void slowRequest_goesToWorkers_othersOvertakeIt() {
        boot();

        add(Fuse.FSYNC, 1);
        add(Fuse.READ, 2);
        kick();
        assertThat(answered()).containsExactly(2L);

        manual.runAll();
        loop.settle();
        add(Fuse.READ, 3);
        kick();
        assertThat(answered()).containsExactlyInAnyOrder(1L, 3L);
        assertThat(device().counters().slow()).isEqualTo(1);
    }

    @Test
    void manyRequests_goToWorkers_andComeBackWithOneInterrupt() throws InterruptedException {
        CountDownLatch all = new CountDownLatch(20);
        handler.before = opcode -> all.countDown();
        workers = real(4, 1);
        boot();

        for (int i = 0; i < 20; i++) {
            add(Fuse.READ, i);
        }
        kick();
        assertThat(all.await(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
        List<Long> answered = new ArrayList<>();
        while (answered.size() < 20) {
            loop.settle();
            answered.addAll(answered());
        }

        assertThat(answered).hasSize(20).doesNotHaveDuplicates();
        assertThat(device().counters().pooled()).isEqualTo(20);
    }

    @Test
    void moreRequestsThanMayBeUnderWay_stayInTheQueue() {
        boot();

        for (int i = 0; i < VirtioFsDevice.MOST_UNDER_WAY + 100; i++) {
            add(Fuse.FSYNC, i);
        }
        kick();
        assertThat(manual.waiting).hasSize(VirtioFsDevice.MOST_UNDER_WAY);
        kick();
        assertThat(manual.waiting).hasSize(VirtioFsDevice.MOST_UNDER_WAY);

        manual.runAll();
        loop.settle();
        assertThat(manual.waiting).hasSize(100);
        assertThat(device().underWay()).isEqualTo(100);
        manual.runAll();
        loop.settle();
        assertThat(answered()).hasSize(VirtioFsDevice.MOST_UNDER_WAY + 100).doesNotHaveDuplicates();
        assertThat(device().counters().stalls()).isPositive();
    }

    // ---- bugs and nonsense

    @Test
    void handlerThatThrows_becomesEio() {
        boot();
        handler.before = opcode -> {
            throw new IllegalStateException("a bug, on purpose");
        };

        add(Fuse.READ, 5);
        kick();
        assertThat(reply(only(REQUESTS))).isEqualTo(Fuse.reply(5, 5));
        assertThat(device().counters().errors()).isEqualTo(1);

        add(REQUESTS, Fuse.request(Fuse.READ, 6), 8, 4096, false); // no room for it
        kick();
        assertThat(only(REQUESTS).written()).isZero();
    }

    @Test
    void handlerThatThrowsAfterItsAnswer_isAnsweredOnce() {
        boot();
        handler.throwAfter = true;

        add(Fuse.READ, 5);
        kick();

        assertThat(reply(only(REQUESTS))).isEqualTo(Fuse.reply(5, HELLO));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 39})
    void chainThatIsNoRequest_isGivenBackEmpty(int bytes) {
        boot();
        byte[] part = Arrays.copyOf(Fuse.request(Fuse.READ, 1), bytes);

        add(REQUESTS, part, 64, 4096, false);
        add(Fuse.READ, 2);
        kick();

        List<Used> used = guest().ring(REQUESTS).pollAll();
        assertThat(used.getFirst().written()).isZero();
        assertThat(reply(used.get(1))).isEqualTo(Fuse.reply(2, HELLO));
        assertThat(device().counters().malformed()).isEqualTo(1);
    }

    @Test
    void brokenRing_isSurvived_byWhatIsUnderWay() {
        boot();

        add(Fuse.FSYNC, 1);
        kick();
        guest().ring(REQUESTS).makeHeadAvailable(SIZE + 5);
        kick();
        manual.runAll();
        loop.settle();

        assertThat(handler.seen).containsExactly("20:1");
    }

    // ---- memory that goes away

    /** A request that a worker has begun, and does not end before the semaphore lets it. */
    private Semaphore begin(int opcode, long unique) throws InterruptedException {
        CountDownLatch begun = new CountDownLatch(1);
        Semaphore gate = new Semaphore(0);
        handler.before = op -> {
            if (op == opcode) {
                begun.countDown();
                gate.acquireUninterruptibly();
            }
        };
        add(opcode, unique);
        kick();
        assertThat(begun.await(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
        return gate;
    }

    private static FileWorkers real(int threads, int slowThreads) {
        return new FileWorkers(Executors.newFixedThreadPool(threads), Executors.newFixedThreadPool(slowThreads));
    }

    private void realWorkers() {
        workers = real(1, 1);
    }

    private void awaitIdle() throws InterruptedException {
        var idle = device().whenIdle();
        while (!idle.isDone()) {
            loop.settle();
            Thread.onSpinWait();
        }
        loop.settle();
    }

    @Test
    void memoryThatMoves_waitsForAnswers() throws InterruptedException {
        realWorkers();
        boot();
        Semaphore gate = begin(Fuse.FSYNC, 1);
        Thread loopThread = Thread.currentThread();
        Thread letGo = Thread.ofPlatform().start(() -> {
            while (loopThread.getState() != Thread.State.TIMED_WAITING) {
                Thread.onSpinWait();
            }
            gate.release();
        });

        guest().send(SET_MEM_TABLE, FrontEnd.NEED_REPLY, FrontEnd.memoryTable(72, ram.region()), ram.fd());
        guest().expectAck(SET_MEM_TABLE);
        letGo.join();

        assertThat(answered()).containsExactly(1L);
        assertThat(handler.resets).hasValue(0);
        add(Fuse.READ, 2);
        kick();
        assertThat(answered()).containsExactly(2L);
    }

    @Test
    void memoryThatMoves_doesNotWaitForEver() throws InterruptedException {
        realWorkers();
        patience = Duration.ofMillis(1);
        boot();
        Semaphore gate = begin(Fuse.FSYNC, 1);
        long mapped = ProcessResources.now().guestMappings();

        guest().send(SET_MEM_TABLE, FrontEnd.NEED_REPLY, FrontEnd.memoryTable(72, ram.region()), ram.fd());
        guest().expectAck(SET_MEM_TABLE);

        assertThat(ProcessResources.now().guestMappings()).as("old and new").isEqualTo(mapped + 1);
        gate.release();
        awaitIdle();
        assertThat(ProcessResources.now().guestMappings()).isEqualTo(mapped);
        assertThat(answered()).isEmpty();
        assertThat(device().counters().abandoned()).isEqualTo(1);
        add(Fuse.READ, 2);
        kick();
        assertThat(answered()).containsExactly(2L);
    }

    @Test
    void guestThatLeaves_isNotWaitedFor_andItsMemoryStaysAsLongAsAWorkerHasIt() throws InterruptedException {
        realWorkers();
        boot();
        Semaphore gate = begin(Fuse.FSYNC, 1);
        add(Fuse.FSYNC, 2); // waits behind it
        kick();
        long mapped = ProcessResources.now().guestMappings();

        guest().close();

        assertThat(ProcessResources.now().guestMappings()).isEqualTo(mapped);
        assertThat(handler.resets).hasValue(0);

        FrontEnd next = connect();
        guest = next;
        next.bootAsUml(SIZE, ALL);
        add(Fuse.READ, 3);
        kick();
        assertThat(answered()).as("not before the reset").isEmpty();

        gate.release();
        awaitIdle();
        assertThat(ProcessResources.now().guestMappings()).isEqualTo(mapped);
        assertThat(handler.resets).hasValue(1);
        assertThat(answered()).containsExactly(3L);
        assertThat(handler.seen).containsExactly("20:1", "15:3");
    }

    /** A front end that truncates the file under its memory: what is under way comes back, or no other guest would be served. */
    @Test
    void memoryWhoseFileIsTruncated_losesNoExchange() throws IOException {
        boot();
        for (int unique = 1; unique <= 5; unique++) {
            add(Fuse.FSYNC, unique);
        }
        kick();
        assertThat(device().underWay()).isEqualTo(5);

        Files.write(Path.of("/proc/self/fd/" + ram.fd()), new byte[0]);
        manual.runAll();
        loop.settle();
        guest().close();
        loop.settle();

        assertThat(device().underWay()).isZero();
        assertThat(device().counters().abandoned()).isEqualTo(5);
        assertThat(handler.resets).hasValue(1);
    }

    @Test
    void guestThatLeavesIdle_resetsAtOnce() {
        boot();

        guest().close();

        assertThat(handler.resets).hasValue(1);
    }

    @Test
    void backEndThatCloses_letsGoOfAllMemory() throws InterruptedException {
        realWorkers();
        long before = ProcessResources.now().guestMappings();
        boot();
        Semaphore gate = begin(Fuse.FSYNC, 1);

        Objects.requireNonNull(backend).close();
        loop.settle();
        gate.release();
        awaitIdle();

        assertThat(ProcessResources.now().guestMappings()).isEqualTo(before);
        assertThat(handler.resets).hasValue(1);
    }

    // ---- everything at once

    /** Random requests of all kinds and cuts, with memory that moves under them: each is answered once, and rightly. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void randomTraffic_isAnsweredOnceAndRightly(long seed) {
        workers = real(3, 2);
        boot();
        Random random = new Random(seed);
        Map<Long, byte[]> expected = new HashMap<>();
        long unique = 0;
        for (int round = 0; round < 60; round++) {
            DriverRing ring = guest().ring(REQUESTS);
            for (int i = random.nextInt(30); i > 0 && ring.freeDescriptors() > 64; i--) {
                byte[] payload = new byte[random.nextInt(3000)];
                random.nextBytes(payload);
                int opcode = random.nextInt(5) == 0 ? Fuse.FSYNC : Fuse.READ;
                byte[] request = Fuse.request(opcode, ++unique, payload);
                boolean indirect = random.nextBoolean();
                int piece = indirect ? 10 + random.nextInt(500) : 1000 + random.nextInt(4000);
                add(REQUESTS, request, Fuse.OUT_HEADER + payload.length, piece, indirect);
                expected.put(unique, Fuse.reply(unique, payload));
            }
            kick();
            if (random.nextInt(6) == 0) {
                guest().send(SET_MEM_TABLE, FrontEnd.NEED_REPLY, FrontEnd.memoryTable(72, ram.region()), ram.fd());
                guest().expectAck(SET_MEM_TABLE);
            }
            takeAnswers(expected);
        }
        while (!expected.isEmpty()) {
            loop.settle();
            takeAnswers(expected);
        }
        assertThat(handler.seen).as("seed " + seed).hasSize((int) unique);
    }

    private void takeAnswers(Map<Long, byte[]> expected) {
        for (Used used : guest().ring(REQUESTS).pollAll()) {
            byte[] reply = reply(used);
            assertThat(reply).isEqualTo(expected.remove(Fuse.uniqueOf(reply)));
        }
    }
}
