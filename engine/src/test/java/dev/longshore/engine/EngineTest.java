package dev.longshore.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.longshore.engine.policy.ApiGate;
import dev.longshore.engine.policy.MountPolicy;
import dev.longshore.vpnkit.hostsocket.HalfCloseEpoll;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.util.concurrent.Future;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.BindException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The API socket and the watch over the Engine, over real Unix sockets. */
@Timeout(60)
class EngineTest {
    private static final String VERSION =
            "{\"Version\":\"26.1.5+dfsg1\",\"ApiVersion\":\"1.45\",\"MinAPIVersion\":\"1.24\","
                    + "\"Os\":\"linux\",\"Arch\":\"amd64\",\"KernelVersion\":\"6.12\",\"Components\":[{\"Name\":\"x\"}]}";

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, HalfCloseEpoll.newFactory());
    private final EventLoop loop = group.next();
    private final BlockingQueue<EngineState> states = new LinkedBlockingQueue<>();

    @TempDir
    Path directory;

    private Path socket = Path.of("");
    private final ApiGate gate = new ApiGate(List.of(new MountPolicy(List.of(), () -> "Advice.")), List.of());

    @SuppressWarnings("NullAway.Init") // set before each test
    private FakeGuestEngine guest;

    @BeforeEach
    void startGuest() throws IOException {
        socket = directory.resolve("docker.sock");
        guest = new FakeGuestEngine(loop, directory.resolve("guest.sock"));
    }

    @AfterEach
    void stopAll() throws IOException {
        guest.close();
        group.shutdownGracefully(0, 5, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private static EngineLimits limits(int connections, Duration hold) {
        return new EngineLimits(
                connections, hold, Duration.ofSeconds(5), Duration.ofMillis(5), Duration.ofMillis(20), 2);
    }

    private Engine open(EngineLimits limits) throws InterruptedException {
        return Engine.open(socket, guest, limits, gate, states::add).sync().getNow();
    }

    private Engine open() throws InterruptedException {
        return open(limits(100, Duration.ofSeconds(30)));
    }

    private Engine openReady() throws Exception {
        Engine engine = open(new EngineLimits(
                100, Duration.ofSeconds(30), Duration.ofSeconds(30), Duration.ofMillis(5), Duration.ofHours(1), 2));
        Future<EngineFacts> ready = engine.watch();
        answerProbe();
        ready.sync();
        return engine;
    }

    private void answerProbe() throws IOException {
        try (SocketChannel stream = guest.accept()) {
            assertThat(readUntil(stream, "\r\n\r\n"))
                    .startsWith("GET /_ping HTTP/1.1\r\n")
                    .contains("host: docker");
            write(stream, "HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nContent-Length: 2\r\n\r\nOK");
            assertThat(readUntil(stream, "\r\n\r\n")).startsWith("GET /version HTTP/1.1\r\n");
            write(
                    stream,
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + Integer.toHexString(VERSION.length())
                            + "\r\n" + VERSION + "\r\n0\r\n\r\n");
            assertEquals(-1, stream.read(ByteBuffer.allocate(1)));
        }
    }

    private SocketChannel call() throws IOException {
        return SocketChannel.open(UnixDomainSocketAddress.of(socket));
    }

    private static void write(SocketChannel to, String text) throws IOException {
        ByteBuffer b = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (b.hasRemaining()) {
            to.write(b);
        }
    }

    private static String readUntil(SocketChannel from, String end) throws IOException {
        StringBuilder text = new StringBuilder();
        ByteBuffer one = ByteBuffer.allocate(1);
        while (text.indexOf(end) < 0 && from.read(one.clear()) > 0) {
            text.append((char) one.get(0));
        }
        return text.toString();
    }

    private static byte[] readAll(SocketChannel from) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        ByteBuffer b = ByteBuffer.allocate(65536);
        while (from.read(b.clear()) >= 0) {
            all.write(b.array(), 0, b.position());
        }
        return all.toByteArray();
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    // ---- the socket

    @Test
    void open_socketIsTheUsersOnly() throws Exception {
        Engine engine = open();
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)));
        engine.close().sync();
        assertFalse(Files.exists(socket));
        engine.close().sync();
    }

    @Test
    void open_staleSocket_isReplaced() throws Exception {
        ServerSocketChannel dead = ServerSocketChannel.open(java.net.StandardProtocolFamily.UNIX);
        dead.bind(UnixDomainSocketAddress.of(socket));
        dead.close();
        assertTrue(Files.exists(socket));
        open().close().sync();
    }

    @Test
    void open_servedByAnother_fails() throws Exception {
        Engine first = open();
        Future<Engine> second = Engine.open(socket, guest, EngineLimits.DEFAULT, ApiGate.OPEN, states::add)
                .await();
        assertThat(second.cause()).isInstanceOf(BindException.class).hasMessageContaining("another process serves");
        assertTrue(Files.exists(socket));
        first.close().sync();
    }

    @Test
    void open_fileInTheWay_failsAndKeepsIt() throws Exception {
        Files.writeString(socket, "precious");
        Future<Engine> opened = Engine.open(socket, guest, EngineLimits.DEFAULT, ApiGate.OPEN, states::add)
                .await();
        assertInstanceOf(BindException.class, opened.cause());
        assertEquals("precious", Files.readString(socket));
    }

    // ---- the watch

    @Test
    void watch_engineAnswers_isReadyWithItsFacts() throws Exception {
        Engine engine = openReady();
        EngineFacts facts = new EngineFacts("26.1.5+dfsg1", "1.45", "1.24", "linux", "amd64", "6.12");
        assertEquals(new EngineState.Ready(facts), engine.state());
        assertEquals(new EngineState.Ready(facts), states.take());
        engine.close().sync();
    }

    @Test
    void watch_guestNotThereAtFirst_goesOnAsking() throws Exception {
        guest.refuses = true;
        Engine engine = open();
        Future<EngineFacts> ready = engine.watch();
        while (!engine.lastProblem().contains("refused")) {
            Thread.onSpinWait();
        }
        guest.refuses = false;
        answerProbe();
        assertEquals("1.45", ready.sync().getNow().apiVersion());
        engine.close().sync();
    }

    @Test
    void watch_badAnswers_areMisses() throws Exception {
        Engine engine = open();
        Future<EngineFacts> ready = engine.watch();
        String[] answers = {
            "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
            "not http at all\r\n\r\n",
            "",
            "HTTP/1.1 200 OK\r\nContent"
        };
        for (String answer : answers) {
            try (SocketChannel stream = guest.accept()) {
                readUntil(stream, "\r\n\r\n");
                write(stream, answer);
            }
        }
        assertFalse(ready.isDone());
        answerProbe();
        ready.sync();
        engine.close().sync();
    }

    @Test
    void watch_engineStopsAnswering_isStartingThenReadyAgain() throws Exception {
        Engine engine = open();
        engine.watch();
        answerProbe();
        assertInstanceOf(EngineState.Ready.class, states.take());
        guest.refuses = true;
        assertInstanceOf(EngineState.Starting.class, states.take());
        guest.refuses = false;
        answerProbe();
        assertInstanceOf(EngineState.Ready.class, states.take());
        engine.close().sync();
    }

    // ---- a pause

    private static final String VERSION_REQUEST = "GET /version HTTP/1.1\r\n\r\n";
    private static final String EMPTY = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    private static boolean pause(Engine engine) throws InterruptedException {
        return engine.pause().sync().getNow();
    }

    @Test
    void pause_somebodyUsesTheEngine_isNotYet() throws Exception {
        Engine engine = openReady();
        assertFalse(pause(engine)); // nobody knows for how long there was no request
        try (SocketChannel caller = call();
                SocketChannel stream = guest.accept()) {
            write(caller, VERSION_REQUEST);
            readUntil(stream, "\r\n\r\n");
            assertFalse(pause(engine));
            assertFalse(pause(engine));
            write(stream, EMPTY);
            readUntil(caller, "\r\n\r\n");
            write(caller, VERSION_REQUEST);
            readUntil(stream, "\r\n\r\n");
            write(stream, EMPTY);
            readUntil(caller, "\r\n\r\n");
            assertFalse(pause(engine)); // there was a request in between
            assertInstanceOf(EngineState.Ready.class, engine.state());
            assertTrue(pause(engine));
            assertEquals(-1, caller.read(ByteBuffer.allocate(1)));
            assertEquals(-1, stream.read(ByteBuffer.allocate(1)));
        }
        engine.close().sync();
    }

    @Test
    void pause_callersWaitAndNothingIsProbed_untilTheNextWatch() throws Exception {
        Engine engine = openReady();
        states.clear();
        assertFalse(pause(engine));
        assertTrue(pause(engine));
        assertEquals(new EngineState.Starting(), states.take());
        assertFalse(pause(engine));
        assertFalse(pause(engine));
        try (SocketChannel caller = call()) {
            write(caller, VERSION_REQUEST);
            loop.submit(() -> {}).sync(); // accepted by now, and held
            engine.watch();
            answerProbe(); // the first stream is the probe's
            try (SocketChannel stream = guest.accept()) {
                assertEquals(VERSION_REQUEST, readUntil(stream, "\r\n\r\n"));
                write(stream, EMPTY);
                assertEquals(EMPTY, readUntil(caller, "\r\n\r\n"));
            }
        }
        assertInstanceOf(EngineState.Ready.class, states.take());
        engine.close().sync();
    }

    @Test
    void pause_answerToAProbeOfBefore_countsForNothing() throws Exception {
        Engine engine = open(limits(100, Duration.ofSeconds(30)));
        engine.watch();
        answerProbe();
        assertInstanceOf(EngineState.Ready.class, states.take());
        try (SocketChannel old = guest.accept()) { // polled again, every 20 ms
            readUntil(old, "\r\n\r\n");
            assertFalse(pause(engine));
            assertTrue(pause(engine));
            assertInstanceOf(EngineState.Starting.class, states.take());
            engine.watch();
            try (SocketChannel fresh = guest.accept()) {
                readUntil(fresh, "\r\n\r\n");
                old.shutdownOutput();
                assertInstanceOf(EngineState.Starting.class, engine.state());
                write(fresh, "HTTP/1.1 500 Not yet\r\nContent-Length: 0\r\n\r\n");
            }
            answerProbe();
        }
        assertInstanceOf(EngineState.Ready.class, states.take());
        engine.close().sync();
    }

    // ---- connections

    private static final String ATTACH =
            "POST /v1.45/containers/x/attach HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    private static final String UPGRADED = "HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n";

    @Test
    void ready_hijackedConnection_hasHalfCloseBothWays() throws Exception {
        Engine engine = openReady();
        try (SocketChannel caller = call();
                SocketChannel stream = guest.accept()) {
            write(caller, ATTACH);
            assertEquals(ATTACH, readUntil(stream, "\r\n\r\n"));
            write(stream, UPGRADED);
            assertEquals(UPGRADED, readUntil(caller, "\r\n\r\n"));
            write(caller, "input");
            caller.shutdownOutput();
            assertEquals("input", text(readAll(stream)));
            write(stream, "late output");
            stream.shutdownOutput();
            assertEquals("late output", text(readAll(caller)));
        }
        engine.close().sync();
    }

    @Test
    void ready_hijackedTheOldWay_guestEndsFirst_callerGoesOn() throws Exception {
        Engine engine = openReady();
        try (SocketChannel caller = call();
                SocketChannel stream = guest.accept()) {
            write(caller, "POST /containers/x/attach HTTP/1.1\r\n\r\n");
            readUntil(stream, "\r\n\r\n");
            write(stream, "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nbye");
            stream.shutdownOutput();
            assertThat(text(readAll(caller))).endsWith("\r\n\r\nbye");
            write(caller, "still here");
            caller.shutdownOutput();
            assertEquals("still here", text(readAll(stream)));
        }
        engine.close().sync();
    }

    @Test
    void ready_callerEndsBeforeTheHijack_isHijackedAllTheSame() throws Exception {
        Engine engine = openReady();
        try (SocketChannel caller = call();
                SocketChannel stream = guest.accept()) {
            write(caller, ATTACH);
            caller.shutdownOutput();
            assertEquals(ATTACH, text(readAll(stream)));
            write(stream, UPGRADED + "late output");
            stream.shutdownOutput();
            assertEquals(UPGRADED + "late output", text(readAll(caller)));
        }
        engine.close().sync();
    }

    @Test
    void ready_manyBytesUp_areExactUnderBackPressure() throws Exception {
        Engine engine = openReady();
        byte[] sent = new byte[8 << 20];
        new Random(7).nextBytes(sent);
        String head = "POST /images/load HTTP/1.1\r\nContent-Length: " + sent.length + "\r\n\r\n";
        try (SocketChannel caller = call();
                SocketChannel stream = guest.accept()) {
            Thread writer = writing(caller, head, sent);
            assertEquals(head, readUntil(stream, "\r\n\r\n"));
            assertThat(readAll(stream)).isEqualTo(sent);
            writer.join();
        }
        engine.close().sync();
    }

    private static Thread writing(SocketChannel to, String head, byte[] body) {
        return Thread.ofPlatform().start(() -> {
            try {
                write(to, head);
                ByteBuffer b = ByteBuffer.wrap(body);
                while (b.hasRemaining()) {
                    to.write(b);
                }
                to.shutdownOutput();
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
    }

    /** The Engine's writer stands still as long as the caller does not read, and then everything arrives. */
    @Test
    void ready_slowReader_stopsTheEngine() throws Exception {
        Engine engine = openReady();
        byte[] sent = new byte[8 << 20];
        new Random(8).nextBytes(sent);
        try (SocketChannel caller = call();
                SocketChannel stream = guest.accept()) {
            write(caller, "GET /images/x/get HTTP/1.1\r\n\r\n");
            readUntil(stream, "\r\n\r\n");
            write(stream, "HTTP/1.1 200 OK\r\nContent-Length: " + sent.length + "\r\n\r\n");
            stream.configureBlocking(false);
            ByteBuffer b = ByteBuffer.wrap(sent);
            for (int still = 0; still < 200; ) { // passes of the loop in which nothing more went in
                int before = b.position();
                stream.write(b);
                still = b.position() == before ? still + 1 : 0;
                loop.submit(() -> {}).sync();
            }
            assertThat(b.position()).isLessThan(2 << 20);
            stream.configureBlocking(true);
            Thread writer = Thread.ofPlatform().start(() -> {
                try {
                    while (b.hasRemaining()) {
                        stream.write(b);
                    }
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            });
            readUntil(caller, "\r\n\r\n");
            assertThat(readExactly(caller, sent.length)).isEqualTo(sent);
            writer.join();
        }
        engine.close().sync();
    }

    private static byte[] readExactly(SocketChannel from, int bytes) throws IOException {
        ByteBuffer b = ByteBuffer.allocate(bytes);
        while (b.hasRemaining() && from.read(b) >= 0) {
            // more
        }
        return b.array();
    }

    @Test
    void ready_engineDiesMidAnswer_callerSeesThatItIsCutOff() throws Exception {
        Engine engine = openReady();
        try (SocketChannel caller = call()) {
            try (SocketChannel stream = guest.accept()) {
                write(caller, "GET /events HTTP/1.1\r\n\r\n");
                readUntil(stream, "\r\n\r\n");
                write(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nwor");
            }
            assertThat(text(readAll(caller))).endsWith("5\r\nhello\r\n5\r\nwor");
        }
        engine.close().sync();
    }

    @Test
    void ready_engineDiesUnanswered_callerIsToldAndTheEngineIsProbed() throws Exception {
        Engine engine = openReady();
        try (SocketChannel caller = call()) {
            try (SocketChannel stream = guest.accept()) {
                write(caller, "GET /info HTTP/1.1\r\n\r\n");
                readUntil(stream, "\r\n\r\n");
                write(stream, "HTTP/1.1 20");
            }
            assertThat(text(readAll(caller)))
                    .startsWith("HTTP/1.1 503 Service Unavailable\r\n")
                    .contains("{\"message\":\"the Docker Engine ended before it answered; ");
            answerProbe(); // the next poll would have been in an hour
        }
        engine.close().sync();
    }

    @Test
    void ready_thousandLongPolls_areAllAnswered() throws Exception {
        Engine engine = open(new EngineLimits(
                2000, Duration.ofSeconds(30), Duration.ofSeconds(30), Duration.ofMillis(5), Duration.ofHours(1), 2));
        Future<EngineFacts> ready = engine.watch();
        answerProbe();
        ready.sync();
        List<SocketChannel> callers = new ArrayList<>();
        List<SocketChannel> streams = new ArrayList<>();
        try {
            for (int i = 0; i < 1000; i++) {
                SocketChannel caller = call();
                callers.add(caller);
                write(caller, "POST /containers/" + i + "/wait HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
                streams.add(guest.accept());
            }
            for (SocketChannel stream : streams) {
                String request = readUntil(stream, "\r\n\r\n");
                String id = request.replaceAll("(?s)POST /containers/(\\d+)/wait.*", "$1");
                write(stream, "HTTP/1.1 200 OK\r\nContent-Length: " + id.length() + "\r\n\r\n" + id);
            }
            for (int i = 0; i < callers.size(); i++) {
                readUntil(callers.get(i), "\r\n\r\n");
                assertEquals(
                        String.valueOf(i),
                        text(readExactly(callers.get(i), String.valueOf(i).length())));
            }
            assertThat(loop.submit(engine::state).get()).isInstanceOf(EngineState.Ready.class);
        } finally {
            for (SocketChannel s : callers) {
                s.close();
            }
            for (SocketChannel s : streams) {
                s.close();
            }
        }
        engine.close().sync();
    }

    @Test
    void ready_deniedRequest_isAnsweredAndTheConnectionGoesOn() throws Exception {
        Engine engine = openReady();
        String body = "{\"HostConfig\":{\"Binds\":[\"/home:/x\"]}}";
        try (SocketChannel caller = call();
                SocketChannel stream = guest.accept()) {
            write(caller, "POST /containers/create HTTP/1.1\r\nContent-Length: " + body.length() + "\r\n\r\n" + body);
            assertThat(readUntil(caller, "\"}\n")).startsWith("HTTP/1.1 500 ").contains("Mounts denied: \\n");
            write(caller, "GET /_ping HTTP/1.1\r\n\r\n");
            assertEquals("GET /_ping HTTP/1.1\r\n\r\n", readUntil(stream, "\r\n\r\n"));
            write(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
            assertThat(readUntil(caller, "OK\r\n")).startsWith("HTTP/1.1 200");
        }
        engine.close().sync();
    }

    @Test
    void ready_guestRefuses_callerIsTold() throws Exception {
        Engine engine = openReady();
        guest.refuses = true;
        try (SocketChannel caller = call()) {
            write(caller, "GET /info HTTP/1.1\r\n\r\n");
            assertThat(text(readAll(caller)))
                    .startsWith("HTTP/1.1 503 Service Unavailable\r\n")
                    .endsWith(
                            "{\"message\":\"the Docker Engine can't be reached: Connection refused: test; longshore status says how the guest is\"}\n");
        }
        engine.close().sync();
    }

    // ---- waiting and refusing

    @Test
    void starting_connectionsWaitAndLoseNothing() throws Exception {
        Engine engine = open(new EngineLimits(
                10, Duration.ofSeconds(30), Duration.ofSeconds(30), Duration.ofMillis(5), Duration.ofHours(1), 2));
        try (SocketChannel early = call();
                SocketChannel halfClosed = call()) {
            write(early, "GET /first HTTP/1.1\r\n\r\n");
            write(halfClosed, "GET /second HTTP/1.1\r\n\r\n");
            halfClosed.shutdownOutput();
            loop.submit(() -> {}).sync(); // the loop has seen both
            engine.watch();
            answerProbe();
            try (SocketChannel one = guest.accept();
                    SocketChannel two = guest.accept()) {
                assertEquals("GET /second HTTP/1.1\r\n\r\n", text(readAll(two)));
                early.shutdownOutput();
                assertEquals("GET /first HTTP/1.1\r\n\r\n", text(readAll(one)));
                write(two, "HTTP/1.1 204 No Content\r\n\r\n");
                two.shutdownOutput();
                assertEquals("HTTP/1.1 204 No Content\r\n\r\n", text(readAll(halfClosed)));
            }
        }
        engine.close().sync();
    }

    @Test
    void starting_tooLong_callerIsTold() throws Exception {
        Engine engine = open(limits(10, Duration.ofMillis(1)));
        try (SocketChannel caller = call()) {
            write(caller, "GET /info HTTP/1.1\r\n\r\n");
            assertThat(text(readAll(caller))).contains("{\"message\":\"the Docker Engine has not started yet; ");
        }
        engine.close().sync();
    }

    @Test
    void down_callersAreToldWhy_headWithoutBody() throws Exception {
        Engine engine = open();
        try (SocketChannel held = call()) {
            write(held, "GET /info HTTP/1.1\r\n\r\n");
            engine.down("the guest is \"stopping\"");
            assertThat(text(readAll(held))).endsWith("{\"message\":\"the guest is \\\"stopping\\\"\"}\n");
        }
        try (SocketChannel head = call()) {
            write(head, "HEAD /_ping HTTP/1.1\r\n\r\n");
            assertThat(text(readAll(head))).startsWith("HTTP/1.1 503").endsWith("Connection: close\r\n\r\n");
        }
        engine.close().sync();
    }

    @Test
    void connections_overTheLimit_areToldAndTheOthersStay() throws Exception {
        Engine engine = open(limits(1, Duration.ofSeconds(30)));
        try (SocketChannel held = call()) {
            write(held, "x");
            loop.submit(() -> {}).sync();
            try (SocketChannel second = call()) {
                write(second, "GET / HTTP/1.1\r\n\r\n");
                assertThat(text(readAll(second))).contains("too many connections");
            }
        }
        engine.close().sync();
    }

    @Test
    void close_endsRelaysAndWaitingCallers() throws Exception {
        Engine engine = openReady();
        try (SocketChannel caller = call();
                SocketChannel stream = guest.accept()) {
            engine.close().sync();
            assertEquals(0, readAll(caller).length);
            assertEquals(0, readAll(stream).length);
        }
    }
}
