package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The host's Unix sockets in containers. */
@Order(16)
@ExtendWith(SharedProduct.class)
class HostSocketsIT {
    private static final String IN_GUEST = "/run/host-services/ssh-auth.sock";

    private final Product product;
    private final DockerCli docker;

    HostSocketsIT(Product product, DockerCli docker) {
        this.product = product;
        this.docker = docker;
    }

    @Test
    void sshAgent_isReachedByRootAndByOthers() throws Exception {
        try (ServerSocketChannel agent = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            agent.bind(UnixDomainSocketAddress.of(product.sshAgent()));
            Thread.ofVirtual().start(() -> answerAll(agent));
            for (String user : new String[] {"0", "1000"}) {
                assertThat(ask(user).expectOk().text()).isEqualTo("agent got: which keys?");
            }
        } finally {
            Files.deleteIfExists(product.sshAgent());
        }
    }

    @Test
    void absentAgent_isAHangUp() {
        assertThat(ask("0").text()).isEmpty();
    }

    /** By -v and by --mount, for users that are not root; and what is no socket is refused as before. */
    @Test
    void anySocketOfTheHost_canBeMounted() throws Exception {
        Path path = product.home().resolve("my service.sock");
        try (ServerSocketChannel service = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            service.bind(UnixDomainSocketAddress.of(path));
            Thread.ofVirtual().start(() -> answerAll(service));
            for (String mount :
                    new String[] {"-v=" + path + ":/x.sock", "--mount=type=bind,src=" + path + ",dst=/x.sock"}) {
                assertThat(docker.ok(
                                "run", "--rm", "-u", "1000", mount, TestImage.NAME, "peer", "unix", "/x.sock", "who?"))
                        .isEqualTo("agent got: who?");
            }
        } finally {
            Files.deleteIfExists(path);
        }
        assertThat(docker.run("run", "--rm", "-v", "/srv/my service.sock:/x.sock", TestImage.NAME, "true")
                        .err())
                .contains("Mounts denied");
    }

    /** A container without the mount has not got the socket, and cannot ask the daemon itself: it does not know the key. */
    @Test
    void containerThatWasNotGivenIt_doesNotReachIt() throws Exception {
        try (ServerSocketChannel agent = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            agent.bind(UnixDomainSocketAddress.of(product.sshAgent()));
            Thread.ofVirtual().start(() -> answerAll(agent));
            assertThat(docker.sh("ls " + IN_GUEST + " 2>&1 || true")).contains("No such file");
            assertThat(docker.ok(
                            "run",
                            "--rm",
                            "--security-opt",
                            "seccomp=unconfined",
                            TestImage.NAME,
                            "peer",
                            "vsock",
                            "2",
                            "4099",
                            "KEY 00000000000000000000000000000000 SOCKET ssh-auth"))
                    .doesNotContain("agent got");
        } finally {
            Files.deleteIfExists(product.sshAgent());
        }
    }

    private Command.Result ask(String user) {
        return docker.run(
                "run",
                "--rm",
                "-u",
                user,
                "-v",
                IN_GUEST + ":/agent.sock",
                TestImage.NAME,
                "peer",
                "unix",
                "/agent.sock",
                "which keys?");
    }

    private static void answerAll(ServerSocketChannel agent) {
        try {
            while (true) {
                try (SocketChannel caller = agent.accept()) {
                    ByteBuffer b = ByteBuffer.allocate(4096);
                    b.put("agent got: ".getBytes(StandardCharsets.US_ASCII));
                    while (caller.read(b) >= 0) {
                        // until the caller's half-close
                    }
                    caller.write(b.flip());
                }
            }
        } catch (IOException e) {
            // the test is over
        }
    }
}
