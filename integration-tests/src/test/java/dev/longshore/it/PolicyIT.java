package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The egress policy as containers and their user meet it. */
@Order(32)
@ExtendWith(SharedProduct.class)
class PolicyIT {
    private static final Duration SOON = Duration.ofSeconds(20);
    private static final String HOST = "host.docker.internal";
    private static final String ADMIN_FILE = "/usr/share/longshore/admin-settings.json";

    /** ICMP's word, or RST's, if ICMP came while connect() still held the socket (Linux' tcp_v4_err); at once. */
    private static final String REFUSED = "(No route to host|Connection refused) after \\d{1,3} ms";

    private final Product product;
    private final DockerCli docker;
    private final TestHost testHost;

    PolicyIT(Product product, DockerCli docker, TestHost testHost) {
        this.product = product;
        this.docker = docker;
        this.testHost = testHost;
    }

    @BeforeEach
    void twoContainers() {
        for (String name : List.of("web", "db")) {
            docker.ok("run", "-d", "--name", name, TestImage.NAME, "sleep", "1000000");
        }
    }

    @AfterEach
    void restore() {
        docker.remove("web", "db", "hold");
        product.longshore("settings", "unset", "egressPolicy").run().expectOk();
    }

    private void obey(String json) {
        product.longshore("settings", "set", "egressPolicy", json.replace('\'', '"'))
                .run()
                .expectOk();
    }

    private String in(String container, String... command) {
        List<String> line = new ArrayList<>(List.of("exec", container));
        line.addAll(List.of(command));
        return docker.run(line.toArray(String[]::new)).out().strip();
    }

    private String policy() {
        return product.longshore("policy", "show").run().expectOk().out();
    }

    @Test
    void network_denied_refusesAtOnce_andIsExplained_andComesBackWithAnotherPolicy() {
        String address = testHost.address();
        try (Running server = testHost.peer("tcp-echo", "8000").start()) {
            server.awaitOut("ready", Duration.ofSeconds(10));
            assertThat(in("web", "peer", "connect", address, "8000")).startsWith("connected");

            obey("{'rules': [{'name': 'lab', 'action': 'deny', 'to': '" + address + "/32'}]}");

            assertThat(in("web", "peer", "connect", address, "8000")).matches(REFUSED);
            assertThat(in("web", "ping", "-c", "1", "-W", "2", address)).contains("0 packets received");
            assertThat(policy()).containsPattern("lab +deny +[2-9] ");
            Command.Result explained = product.longshore("policy", "explain", "--container", "web", address + ":8000")
                    .run()
                    .expectExit(3);
            assertThat(explained.out()).contains("denied: tcp container web -> " + address + ":8000", "by rule 'lab'");
            assertThat(product.longshore(
                                    "policy", "explain", "--container", "web", "10.255.0.1:8000", "--format", "json")
                            .run()
                            .expectOk()
                            .out())
                    .contains("\"verdict\" : \"allow\"", "\"why\" : \"another destination\"");
            assertThat(product.longshore("policy", "explain", "--container", "nobody", "10.255.0.1:1")
                            .run()
                            .expectExit(1)
                            .err())
                    .contains("nobody");
            assertThat(product.longshore("policy", "explain", "nowhere").run().exit())
                    .isEqualTo(2);
            Await.until("the log to have it", SOON, () -> product.longshore("logs")
                    .run()
                    .out()
                    .contains("denied: tcp container web -> " + address + ":8000: by rule 'lab'"));

            product.longshore("settings", "unset", "egressPolicy").run().expectOk();
            assertThat(in("web", "peer", "connect", address, "8000")).startsWith("connected");
        }
    }

    @Test
    void name_denied_holdsForItsAddress_andNameAllowed_onlyForAddressesThatWereTold() {
        try (TestResolver resolver = new TestResolver()) {
            assertThat(resolver).isNotNull();
            obey("{'default': 'deny', 'rules': [{'name': 'one', 'action': 'allow', 'to': 'policy.test'}]}");
            assertThat(in("web", "peer", "connect", "192.0.2.201", "80")).matches(REFUSED);
            assertThat(in("web", "nslookup", "-type=a", "policy.test")).contains("192.0.2.201");
            String _ = in("web", "timeout", "1", "peer", "connect", "192.0.2.201", "80"); // there is nobody
            assertThat(policy()).containsPattern("one +allow +1 ");
            assertThat(in("web", "peer", "connect", "192.0.2.202", "80")).matches(REFUSED);

            obey("{'rules': [{'name': 'not-one', 'action': 'deny', 'to': '*.test'}]}");
            assertThat(in("web", "peer", "connect", "192.0.2.201", "80")).matches(REFUSED);
            assertThat(policy()).containsPattern("not-one +deny +1 ");
        }
    }

    @Test
    void container_denied_isThatOneAlone_alsoThroughTheProxy() {
        try (HostServer server = HostServer.http("from the host")) {
            String url = "http://" + HOST + ":" + server.port() + "/";
            obey("{'rules': [{'name': 'no-host', 'action': 'deny', 'from': {'container': 'web'}, 'to': '" + HOST
                    + "'}]}");
            assertThat(in("db", "wget", "-q", "-O", "-", url)).isEqualTo("from the host");
            assertThat(in("web", "peer", "connect", HOST, String.valueOf(server.port())))
                    .matches(REFUSED);
            String connect = "printf 'CONNECT " + HOST + ":" + server.port()
                    + " HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' | nc http.docker.internal 3128";
            assertThat(in("web", "sh", "-c", connect))
                    .startsWith("HTTP/1.1 403 ")
                    .contains("Proxy-Status: ", "by rule 'no-host'");
            assertThat(in("db", "sh", "-c", connect)).startsWith("HTTP/1.1 200 ");
        }
    }

    /** What starts is known by the time it speaks. */
    @Test
    void containerThatSpeaksAtOnce_isJudgedByItsName() {
        try (HostServer server = HostServer.http("from the host")) {
            obey("{'default': 'deny', 'rules': [{'action': 'allow', 'from': {'container': 'good-*'}, 'to': '" + HOST
                    + "'}]}");
            String port = String.valueOf(server.port());
            for (int i = 0; i < 3; i++) {
                assertThat(docker.run(
                                        "run",
                                        "--rm",
                                        "--name",
                                        "good-" + i,
                                        TestImage.NAME,
                                        "peer",
                                        "connect",
                                        HOST,
                                        port)
                                .out())
                        .startsWith("connected");
                assertThat(docker.run(
                                        "run",
                                        "--rm",
                                        "--name",
                                        "bad-" + i,
                                        TestImage.NAME,
                                        "peer",
                                        "connect",
                                        HOST,
                                        port)
                                .out()
                                .strip())
                        .matches(REFUSED);
            }
        }
    }

    @Test
    void pulls_areTheGuestsOwn() {
        obey("{'rules': [{'name': 'no-pulls', 'action': 'deny', 'from': 'guest', 'to': '*.example'}]}");
        Command.Result pull = docker.run("pull", "registry.example/image");
        assertThat(pull.exit()).isNotZero();
        assertThat(pull.err()).contains("Forbidden");
        assertThat(policy()).containsPattern("no-pulls +deny +[1-9]");
    }

    @Test
    void dryRun_deniesNothing_andTells() {
        try (HostServer server = HostServer.http("from the host")) {
            obey("{'mode': 'dry-run', 'default': 'deny'}");
            assertThat(in("web", "wget", "-q", "-O", "-", "http://" + HOST + ":" + server.port() + "/"))
                    .isEqualTo("from the host");
            Await.until("the log to have it", SOON, () -> product.longshore("logs")
                    .run()
                    .out()
                    .contains("dry run, would be denied: tcp container web -> " + HOST + ":" + server.port()));
            assertThat(product.longshore("metrics").run().expectOk().out())
                    .containsPattern("policy_decisions_total\\{reason=\"deny\",verdict=\"dry_run\"\\} [1-9]");
        }
    }

    @Test
    void openConnection_isCut_whenItIsDenied() throws Exception {
        CountDownLatch accepted = new CountDownLatch(1);
        CountDownLatch ended = new CountDownLatch(1);
        try (HostServer server = new HostServer(s -> {
            accepted.countDown();
            try {
                int _ = s.getInputStream().read();
            } catch (IOException e) {
                ended.countDown();
            }
        })) {
            docker.ok(
                    "run",
                    "-d",
                    "--name",
                    "hold",
                    TestImage.NAME,
                    "sh",
                    "-c",
                    "sleep 1000 | nc " + HOST + " " + server.port());
            assertThat(accepted.await(10, TimeUnit.SECONDS)).isTrue();

            obey("{'rules': [{'action': 'deny', 'from': {'container': 'hold'}}]}");

            assertThat(ended.await(10, TimeUnit.SECONDS))
                    .as("reset at the host")
                    .isTrue();
        }
    }

    @Test
    void badPolicy_isRefused_andTheOneFromBeforeHolds() throws Exception {
        obey("{'rules': [{'name': 'lab', 'action': 'deny', 'to': '192.0.2.0/24'}]}");
        assertThat(product.longshore(
                                "settings", "set", "egressPolicy", "{\"rules\": [{\"action\": \"deny\", \"port\": 1}]}")
                        .run()
                        .expectExit(2)
                        .err())
                .contains("egressPolicy.rules[0]: unknown key 'port'; did you mean ports?");
        Path file = product.home().resolve("settings.json");
        String good = Files.readString(file);
        product.settings("{\n  \"egressPolicy\": {\n    \"default\": \"never\"\n  }\n}");
        Await.until("the status to say so", SOON, () -> product.longshore("status")
                .run()
                .out()
                .contains("settings.json: line 3, column 16: egressPolicy.default: must be one of allow, deny"));
        assertThat(in("web", "peer", "connect", "192.0.2.1", "80")).matches(REFUSED);
        product.settings(good);
        Await.until(
                "the status to be well",
                SOON,
                () -> !product.longshore("status").run().out().contains("egressPolicy"));
    }

    /** A product of its own, for which a mount namespace has an administrator's file. */
    @Test
    @Timeout(300)
    void lockedPolicy_isObeyed_whateverTheUserSays(@TempDir Path directory) throws Exception {
        Path admin = Files.writeString(directory.resolve("admin.json"), """
                {"egressPolicy": {"locked": true, "value":
                  {"rules": [{"name": "it", "action": "deny", "to": "host.docker.internal"}]}}}
                """);
        Files.createDirectories(Path.of(ADMIN_FILE).resolveSibling("."));
        try (Product locked = new Product();
                HostServer server = HostServer.http("from the host")) {
            locked.settings("{\"egressPolicy\": {\"mode\": \"off\"}}");
            inNamespace(admin, locked.longshore("up"))
                    .within(Duration.ofMinutes(2))
                    .run()
                    .expectOk();
            TestImage.build(locked.docker(), TestImage.makeContext(directory.resolve("image")));
            String port = String.valueOf(server.port());
            assertThat(locked.docker()
                            .run("run", "--rm", TestImage.NAME, "peer", "connect", HOST, port)
                            .out()
                            .strip())
                    .matches(REFUSED);
            assertThat(locked.longshore("settings", "set", "egressPolicy", "{}")
                            .run()
                            .expectExit(1)
                            .err())
                    .contains(ADMIN_FILE);
            assertThat(locked.longshore("policy", "explain", HOST + ":" + port)
                            .run()
                            .expectExit(3)
                            .out())
                    .contains("by rule 'it'");
        }
    }

    private static Command inNamespace(Path admin, Command command) {
        List<String> line = new ArrayList<>(List.of(
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                "mount -t tmpfs none /usr/share/longshore && cp \"$0\" " + ADMIN_FILE + " && exec \"$@\"",
                admin.toString()));
        line.addAll(command.line());
        return Command.of(line).with(command.environment());
    }
}
