package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.Socket;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The commands that no other test types, while everything runs: what they say, and with which exit status. */
@Order(44)
@ExtendWith(SharedProduct.class)
class CommandsIT {
    /** PROXY protocol v2, 2.2: the signature. */
    private static final byte[] V2 = {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};

    private static final Duration SOON = Duration.ofSeconds(20);

    private final DockerCli docker;
    private final Product product;

    CommandsIT(DockerCli docker, Product product) {
        this.docker = docker;
        this.product = product;
    }

    @AfterEach
    void removeContainers() {
        docker.remove("echo");
    }

    private Command.Result ok(String... arguments) {
        return product.longshore(arguments).run().expectOk();
    }

    private static JsonNode json(Command.Result result) {
        return JsonMapper.shared().readTree(result.out());
    }

    // ---- Docker Desktop's commands

    @Test
    void engines_thereIsOne() {
        assertThat(json(ok("desktop", "engine", "ls", "--format", "json"))
                        .get(0)
                        .get("Name")
                        .asString())
                .isEqualTo("linux");
        ok("desktop", "engine", "use", "linux");
        assertThat(product.longshore("desktop", "engine", "use", "windows")
                        .run()
                        .expectExit(2)
                        .err())
                .contains("Longshore runs Linux containers");
    }

    @Test
    void whatLongshoreHasNot_failsAndSaysWhatToDoInstead() {
        assertThat(product.longshore("desktop", "enable", "model-runner")
                        .run()
                        .expectExit(1)
                        .err())
                .contains("docker run");
        ok("desktop", "disable", "model-runner");
        assertThat(product.longshore("desktop", "kubernetes", "enable")
                        .run()
                        .expectExit(1)
                        .err())
                .contains("kind");
    }

    @Test
    void statusVersionAndLogs_areMachineReadable() {
        assertThat(json(ok("desktop", "status", "--format", "json"))
                        .get("Status")
                        .asString())
                .isEqualTo("running");
        assertThat(json(ok("desktop", "version", "--format", "json"))
                        .get("Name")
                        .asString())
                .isEqualTo("Longshore");
        JsonNode version = json(ok("version", "--format", "json"));
        assertThat(version.toString()).contains("engine");
        assertThat(ok("logs", "--lines", "100000").out()).contains("RUNNING");
        assertThat(ok("logs", "--console").out()).contains("longshore-agent");
    }

    @Test
    void completion_isAScriptThatItsShellTakes() throws Exception {
        for (String shell : new String[] {"bash", "zsh", "fish"}) {
            assertThat(ok("completion", shell).out()).contains("longshore", "settings");
        }
        Path script = Files.createTempFile("longshore", ".bash");
        Files.writeString(script, ok("completion", "bash").out());
        String complete = ". " + script
                + "; COMP_WORDS=(longshore stat); COMP_CWORD=1; _complete_longshore; echo ${COMPREPLY[*]}";
        assertThat(Command.of("bash", "-c", complete).run().expectOk().out()).contains("status");
        Files.delete(script);
    }

    @Test
    void context_isThereWhileItRuns_andLeadsToTheEngine() {
        assertThat(docker.ok("context", "ls", "--format", "{{.Name}}")).contains("longshore");
    }

    // ---- ports by hand

    @Test
    void exposedContainerPort_tellsByProxyProtocolWhoCalled() throws Exception {
        String address = echo();
        ok("ports", "expose", "--proxy-protocol", "v1", "127.0.0.1:18095:" + address + ":9000");
        try (Socket s = HostServer.connect(18095)) {
            HostServer.write(s, "hello");
            s.shutdownOutput();
            assertThat(new String(s.getInputStream().readAllBytes(), StandardCharsets.US_ASCII))
                    .isEqualTo("PROXY TCP4 127.0.0.1 127.0.0.1 " + s.getLocalPort() + " 18095\r\nhello");
        } finally {
            ok("ports", "unexpose", "127.0.0.1:18095");
        }
        ok("ports", "expose", "--proxy-protocol", "v2", "127.0.0.1:18095:" + address + ":9000");
        try (Socket s = HostServer.connect(18095)) {
            HostServer.write(s, "hello");
            s.shutdownOutput();
            byte[] echoed = s.getInputStream().readAllBytes();
            assertThat(echoed).startsWith(V2).endsWith("hello".getBytes(StandardCharsets.US_ASCII));
            int port = (echoed[24] & 0xFF) << 8 | (echoed[25] & 0xFF);
            assertThat(port).as("the caller's").isEqualTo(s.getLocalPort());
        } finally {
            ok("ports", "unexpose", "127.0.0.1:18095");
        }
    }

    @Test
    void exposedUnixSocket_leadsIntoAContainer_andGoesWithIt() throws Exception {
        String address = echo();
        Path socket = product.home().resolve("echo.sock");
        ok("ports", "expose", "unix:" + socket + ":" + address + ":9000");
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            channel.write(ByteBuffer.wrap("through a file".getBytes(StandardCharsets.US_ASCII)));
            channel.shutdownOutput();
            assertThat(readAll(channel)).isEqualTo("through a file");
        }
        assertThat(ok("ports", "ls").out()).contains(socket.toString());
        ok("ports", "unexpose", "unix:" + socket);
        assertThat(socket).doesNotExist();
    }

    /** An echo server in a container; its address. */
    private String echo() {
        docker.ok("run", "-d", "--name", "echo", TestImage.NAME, "peer", "tcp-echo", "9000");
        Await.until(
                "the echo server listens", SOON, () -> docker.ok("logs", "echo").contains("ready"));
        return docker.ok("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "echo")
                .strip();
    }

    private static String readAll(SocketChannel channel) throws IOException {
        ByteBuffer into = ByteBuffer.allocate(4096);
        while (channel.read(into) >= 0) {
            assertThat(into.hasRemaining()).isTrue();
        }
        return new String(into.array(), 0, into.position(), StandardCharsets.US_ASCII);
    }
}
