package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The Docker API through our socket: every command that streams, requests in odd forms, and what is refused. */
@Order(12)
@ExtendWith(SharedProduct.class)
class ApiIT {
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final int LONG_POLLS = 1000;

    private final Product product;
    private final DockerCli docker;

    ApiIT(Product product, DockerCli docker) {
        this.product = product;
        this.docker = docker;
    }

    // ---- hijacked connections

    /** {@code script} gives the command a terminal. */
    private Running onTerminal(String command) {
        return Command.of("script", "-qefc", command, "/dev/null")
                .with("DOCKER_HOST", docker.host())
                .with("DOCKER_CONFIG", docker.config().toString())
                .with("TERM", "dumb")
                .start();
    }

    @Test
    void runIt_isInteractive() {
        try (Running sh = onTerminal("docker run -it --rm --name tty " + TestImage.NAME + " sh")) {
            sh.type("tty; echo typed-$((20+3))");
            sh.awaitOut("/dev/pts/", SOON).awaitOut("typed-23", SOON);
            sh.type("exit 9");
            assertThat(sh.result(SOON).exit()).isEqualTo(9);
        }
    }

    @Test
    void execIt_andAttach_shareOneContainer() {
        docker.ok("run", "-dit", "--name", "shared", TestImage.NAME, "sh", "-c", "while read l; do echo got $l; done");
        try (Running attached = onTerminal("docker attach --detach-keys=ctrl-x shared");
                Running exec = onTerminal("docker exec -it shared sh")) {
            attached.type("one");
            attached.awaitOut("got one", SOON);
            exec.type("echo exec-$((40+2))");
            exec.awaitOut("exec-42", SOON);
            exec.type("exit");
            assertThat(exec.result(SOON).exit()).isZero();
            attached.type("two");
            attached.awaitOut("got two", SOON);
            docker.ok("kill", "shared");
            attached.result(SOON);
        } finally {
            docker.remove("shared");
        }
    }

    /** The Engine's way before HTTP upgrades: a client that does not ask for one gets 200 and then the container's bytes. */
    @Test
    void attachWithoutUpgrade_isHijackedAllTheSame() throws IOException {
        docker.ok("create", "-i", "--name", "old", TestImage.NAME, "cat");
        try (SocketChannel api = SocketChannel.open(UnixDomainSocketAddress.of(product.dockerSocket()))) {
            say(api, "POST /v1.24/containers/old/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n");
            InputStream in = Channels.newInputStream(api);
            assertThat(head(in)).startsWith("HTTP/1.1 200 OK\r\n").contains("application/vnd.docker.raw-stream");
            docker.ok("start", "old");
            say(api, "GET / HTTP/1.1\nthis is no request\n");
            api.shutdownOutput();
            byte[] all = in.readAllBytes(); // frames of 8 bytes and what cat says, until it ends
            assertThat(new String(all, StandardCharsets.ISO_8859_1)).contains("GET / HTTP/1.1\nthis is no request\n");
        } finally {
            docker.remove("old");
        }
    }

    // ---- streams

    @Test
    void eventsAndLogs_comeAsTheyHappen() {
        docker.ok("run", "-d", "--name", "slow", TestImage.NAME, "sh", "-c", "while true; do date; sleep 1; done");
        try (Running events = docker.start("events", "--filter", "container=slow");
                Running logs = docker.start("logs", "-f", "--tail", "1", "slow")) {
            logs.awaitOut("\n", SOON);
            docker.ok("pause", "slow");
            events.awaitOut("pause", SOON);
            docker.ok("unpause", "slow");
            events.awaitOut("unpause", SOON);
        } finally {
            docker.remove("slow");
        }
    }

    @Test
    void statsTopAndWait_answer() {
        docker.ok("run", "-d", "--name", "busy", TestImage.NAME, "sleep", "1000");
        try (Running waiting = docker.start("wait", "busy")) {
            assertThat(docker.ok("top", "busy")).contains("sleep 1000");
            assertThat(docker.ok("stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", "busy"))
                    .isEqualTo("busy 1");
            try (Running stats = docker.start("stats", "--format", "{{.Name}}", "busy")) {
                Await.until("two rounds of stats", SOON, () -> stats.out().split("busy", -1).length > 2, stats::out);
            }
            docker.ok("kill", "-s", "KILL", "busy");
            assertThat(waiting.result(SOON).expectOk().text()).isEqualTo("137");
        } finally {
            docker.remove("busy");
        }
    }

    @Test
    void images_areBuiltSavedLoadedExportedImportedAndCommitted(@TempDir Path dir) throws IOException {
        Files.writeString(dir.resolve("Dockerfile"), "FROM " + TestImage.NAME + "\nCOPY f /f\nRUN cat /f > /g\n");
        Files.writeString(dir.resolve("f"), "in the image\n");
        docker.ok("build", "-q", "-t", "built:1", dir.toString());
        Path saved = dir.resolve("saved.tar");
        docker.ok("save", "-o", saved.toString(), "built:1");
        docker.ok("rmi", "built:1");
        assertThat(docker.ok("load", "-i", saved.toString())).contains("Loaded image: built:1");
        assertThat(docker.ok("run", "--name", "made", "built:1", "sh", "-c", "echo more >> /g; cat /g"))
                .isEqualTo("in the image\nmore");
        assertThat(docker.ok("diff", "made")).contains("/g");
        docker.ok("commit", "-c", "CMD [\"cat\", \"/g\"]", "made", "committed:1");
        assertThat(docker.ok("run", "--rm", "committed:1")).isEqualTo("in the image\nmore");
        Path exported = dir.resolve("exported.tar");
        docker.ok("export", "-o", exported.toString(), "made");
        docker.ok("import", exported.toString(), "imported:1");
        assertThat(docker.ok("run", "--rm", "imported:1", "/bin/cat", "/g")).isEqualTo("in the image\nmore");
        docker.remove("made");
        docker.ok("rmi", "built:1", "committed:1", "imported:1");
    }

    // ---- HTTP in odd forms

    private Command.Result curl(String... arguments) {
        List<String> line = new ArrayList<>(List.of(
                "curl",
                "-sS",
                "-i",
                "--max-time",
                "30",
                "--path-as-is",
                "--unix-socket",
                product.dockerSocket().toString()));
        line.addAll(List.of(arguments));
        return Command.of(line).run();
    }

    @Test
    void oddRequests_areUnderstood() {
        assertThat(curl("http://d/_ping").expectOk().out())
                .contains("HTTP/1.1 200 OK", "Api-Version: ")
                .endsWith("OK");
        assertThat(curl("--http1.0", "http://d/_ping").expectOk().out())
                .contains(" 200 OK")
                .endsWith("OK");
        assertThat(curl("--http2", "http://d/v1.24/_ping").expectOk().out()).contains("HTTP/1.1 200 OK");
        assertThat(curl("-I", "http://d/_ping").expectOk().out()).contains("HTTP/1.1 200 OK");
        assertThat(curl("http://d/_ping", "http://d/v1.45/info", "http://d/nowhere")
                        .expectOk()
                        .out())
                .contains("HTTP/1.1 404 Not Found", "{\"message\":\"page not found\"}");
        String config = "{\"Image\":\"" + TestImage.NAME + "\",\"Cmd\":[\"true\"],\"Labels\":{\"odd\":\"1.50\"}}";
        assertThat(curl(
                                "-H",
                                "Transfer-Encoding: chunked",
                                "-H",
                                "Content-Type: application/json",
                                "-d",
                                config,
                                "http://d/v1.24/containers/create?name=odd")
                        .expectOk()
                        .out())
                .contains("HTTP/1.1 201 Created");
        assertThat(docker.ok("inspect", "-f", "{{.Config.Labels.odd}}", "odd")).isEqualTo("1.50");
        docker.remove("odd");
        assertThat(curl(
                                "-H",
                                "Expect: 100-continue",
                                "-H",
                                "Content-Type: application/json",
                                "-d",
                                config,
                                "http://d//v1.45/%63ontainers/./create?name=odd2")
                        .out())
                .contains("HTTP/1.1 100 Continue")
                .contains("HTTP/1.1 301 "); // the router wants clean paths
    }

    @Test
    void pipelinedRequests_areAnsweredInOrder() throws IOException {
        try (SocketChannel api = SocketChannel.open(UnixDomainSocketAddress.of(product.dockerSocket()))) {
            String refused = "{\"HostConfig\":{\"Binds\":[\"/home:/x\"]}}";
            say(
                    api,
                    "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"
                            + "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
                            + "Content-Length: " + refused.length() + "\r\n\r\n" + refused
                            + "GET /version HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n");
            String all = new String(Channels.newInputStream(api).readAllBytes(), StandardCharsets.UTF_8);
            assertThat(all)
                    .containsSubsequence(
                            "HTTP/1.1 200 OK",
                            "OK",
                            "HTTP/1.1 500 ",
                            "Mounts denied",
                            "HTTP/1.1 200 OK",
                            "MinAPIVersion");
        }
    }

    @Test
    void ambiguousRequests_areRefused() throws IOException {
        for (String bad : List.of(
                "GET /_ping HTTP/1.1\nHost: d\n\n",
                "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
                "GET /_ping HTTP/1.1\r\nHost : d\r\n\r\n",
                "GET /_ping HTTP/1.1\r\nHost: d\r\n folded\r\n\r\n",
                "POST /build HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\n")) {
            try (SocketChannel api = SocketChannel.open(UnixDomainSocketAddress.of(product.dockerSocket()))) {
                say(api, bad);
                String answer = new String(Channels.newInputStream(api).readAllBytes(), StandardCharsets.UTF_8);
                assertThat(answer)
                        .as(bad)
                        .startsWith("HTTP/1.1 400 Bad Request\r\n")
                        .contains("{\"message\":\"");
            }
        }
    }

    @Test
    void manyLongPolls_areAnsweredWithTheirContainer() throws IOException {
        docker.ok("run", "-d", "--name", "awaited", TestImage.NAME, "sleep", "1000");
        List<SocketChannel> polls = new ArrayList<>();
        try {
            for (int i = 0; i < LONG_POLLS; i++) {
                SocketChannel api = SocketChannel.open(UnixDomainSocketAddress.of(product.dockerSocket()));
                polls.add(api);
                say(
                        api,
                        "POST /containers/awaited/wait HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
            assertThat(docker.ok("ps", "-q")).isNotEmpty();
            docker.ok("kill", "awaited");
            for (SocketChannel api : polls) {
                String answer = new String(Channels.newInputStream(api).readAllBytes(), StandardCharsets.UTF_8);
                assertThat(answer).startsWith("HTTP/1.1 200 OK\r\n").contains("\"StatusCode\":137");
            }
        } finally {
            for (SocketChannel api : polls) {
                api.close();
            }
            docker.remove("awaited");
        }
    }

    // ---- what is decided on the way

    @Test
    void hostPaths_areDenied_andNothingIsLeft() {
        for (List<String> mount : List.of(
                List.of("-v", "/home/user/project:/p"),
                List.of("-v", "/etc:/e:ro"),
                List.of("--mount", "type=bind,src=/srv,dst=/s"),
                List.of(
                        "--mount",
                        "type=volume,dst=/s,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/srv"))) {
            List<String> line = new ArrayList<>(List.of("run", "--name", "denied"));
            line.addAll(mount);
            line.addAll(List.of(TestImage.NAME, "true"));
            Command.Result run = docker.run(line.toArray(String[]::new)).expectExit(125);
            assertThat(run.err())
                    .contains("Error response from daemon: Mounts denied: ")
                    .containsPattern("The path /\\S+ is not shared from the host and is not known to Docker\\.");
        }
        docker.run("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=/srv", "denied")
                .expectExit(1);
        assertThat(docker.ok("ps", "-aq", "--filter", "name=denied")).isEmpty();
        assertThat(docker.ok("volume", "ls", "-q", "--filter", "name=denied")).isEmpty();
    }

    @Test
    void theGuestsOwnPaths_areMounted() {
        assertThat(docker.ok(
                        "run",
                        "--rm",
                        "-v",
                        "/var/run/docker.sock:/engine.sock",
                        "-v",
                        product.dockerSocket() + ":/ours.sock",
                        "-v",
                        "/sys/fs/cgroup:/cg:ro",
                        TestImage.NAME,
                        "sh",
                        "-c",
                        "test -S /engine.sock && test -S /ours.sock && test -e /cg/cgroup.procs && echo all"))
                .isEqualTo("all");
    }

    @Test
    void boundAddresses_areWhatDockerSays() {
        docker.ok("run", "-d", "--name", "where", "-p", "18290:80", "-p", "80", TestImage.NAME, "sleep", "1000");
        try {
            assertThat(docker.ok("port", "where", "80")).contains("0.0.0.0:18290");
            product.longshore("settings", "set", "portBindingBehavior", "local-only-port-binding")
                    .run()
                    .expectOk();
            assertThat(docker.ok("port", "where", "80"))
                    .contains("127.0.0.1:18290")
                    .doesNotContain("0.0.0.0", "[::]");
            assertThat(docker.ok("ps", "--filter", "name=where", "--format", "{{.Ports}}"))
                    .contains("127.0.0.1:18290->80/tcp")
                    .doesNotContain("0.0.0.0");
        } finally {
            product.longshore("settings", "unset", "portBindingBehavior").run();
            docker.remove("where");
        }
    }

    private static void say(SocketChannel to, String text) throws IOException {
        ByteBuffer b = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (b.hasRemaining()) {
            to.write(b);
        }
    }

    private static String head(InputStream in) throws IOException {
        StringBuilder text = new StringBuilder();
        while (text.indexOf("\r\n\r\n") < 0) {
            int c = in.read();
            if (c < 0) {
                break;
            }
            text.append((char) c);
        }
        return text.toString();
    }
}
