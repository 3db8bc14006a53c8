package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

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
    void testHost_reachesThisOne_andIsReached() {
        try (TestHost host = new TestHost();
                Running server = host.command("busybox", "nc", "-l", "-p", "8000", "-e", "echo", "hello")
                        .start()) {
            host.command("busybox", "ping", "-c", "1", host.hostAddress()).run().expectOk();
            Await.until("an answer from the test host", SOON, () -> {
                try (Running client =
                        Command.of("busybox", "nc", host.address(), "8000").start()) {
                    return client.result(SOON).out().equals("hello\n");
                }
            });
            assertThat(server.result(SOON).exit()).isZero();
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
}
