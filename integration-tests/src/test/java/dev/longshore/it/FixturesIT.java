package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the other tests stand on, without the product: if this fails, look at the machine. */
@Order(0)
class FixturesIT {
    private static final Duration SOON = Duration.ofSeconds(10);

    @Test
    void testHost_reachesThisOne_andIsReached(@TempDir Path directory) throws Exception {
        Path peer = TestImage.peer(TestImage.makeContext(directory));
        try (TestHost host = new TestHost(peer);
                Running server = host.peer("tcp-echo", "8000").start()) {
            host.command("busybox", "ping", "-c", "1", host.hostAddress()).run().expectOk();
            server.awaitOut("ready", SOON);
            Command.Result answer = Command.of(peer.toString(), "half-close", host.address(), "8000", "hello")
                    .run()
                    .expectOk();
            assertThat(answer.out()).isEqualTo("hello");
            server.awaitOut("from " + host.hostAddress() + ":", SOON);
        }
    }

    @Test
    void image_hasAShellAndThePeer(@TempDir Path directory) throws Exception {
        Path root = TestImage.makeContext(directory).resolve("rootfs");

        assertThat(Files.isSymbolicLink(root.resolve("bin/sh"))).isTrue();
        try (HostServer server = HostServer.http("x")) {
            Command peer = Command.of(
                    root.resolve("bin/peer").toString(), "connect", "127.0.0.1", String.valueOf(server.port()));
            assertThat(peer.run().expectOk().out()).startsWith("connected after");
        }
    }

    @Test
    void resolver_answers() {
        try (TestResolver resolver = new TestResolver()) {
            assertThat(resolver).isNotNull();
            assertThat(Command.of("busybox", "nslookup", "-type=a", "one.test", TestResolver.ADDRESS)
                            .run()
                            .expectOk()
                            .out())
                    .contains("192.0.2.1");
        }
    }

    @Test
    void randomData_isTheSameEachTime() throws Exception {
        RandomData data = new RandomData(5, 1_000_003);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        data.writeTo(out);

        assertThat(out.size()).isEqualTo(1_000_003);
        assertThat(RandomData.sha256(new ByteArrayInputStream(out.toByteArray())))
                .isEqualTo(data.sha256());
    }

    @Test
    void peer_makesTheSameBytes(@TempDir Path directory) throws Exception {
        Path peer = TestImage.peer(TestImage.makeContext(directory));
        RandomData data = new RandomData(7, 200_001);
        try (HostServer server = HostServer.digesting()) {
            String port = String.valueOf(server.port());
            assertThat(Command.of(peer.toString(), "send-random", "127.0.0.1", port, "7", "200001")
                            .run()
                            .expectOk()
                            .text())
                    .isEqualTo(data.sha256());
        }
    }

    @Test
    void servers_digestAndSend() throws Exception {
        RandomData data = new RandomData(6, 300_000);
        try (HostServer digesting = HostServer.digesting();
                HostServer sending = HostServer.sending(data);
                Socket up = HostServer.connect(digesting.port());
                Socket down = HostServer.connect(sending.port())) {
            data.writeTo(up.getOutputStream());
            up.shutdownOutput();
            assertThat(new String(up.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.US_ASCII))
                    .isEqualTo(data.sha256() + "\n");
            assertThat(RandomData.sha256(down.getInputStream())).isEqualTo(data.sha256());
        }
    }

    @Test
    void commandThatDoesNotEnd_isExplained() {
        Command endless = Command.of("sleep", "60")
                .within(Duration.ofMillis(1))
                .explaining(() -> HangReport.of("unix:///nowhere/run/docker.sock"));

        assertThatThrownBy(endless::run)
                .isInstanceOf(AssertionError.class)
                .hasMessageContainingAll("still running", "threads of the daemon's loops:", "NoSuchFileException");
    }
}
