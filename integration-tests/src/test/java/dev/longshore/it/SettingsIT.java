package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.Certificates;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Settings changed while the product runs, and an administrator's lock on them. */
@Order(25)
@ExtendWith(SharedProduct.class)
class SettingsIT {
    private static final Duration SOON = Duration.ofSeconds(20);
    private static final String HELLO = "hello from the container\n";
    private static final String ADMIN_FILE = "/usr/share/longshore/admin-settings.json";

    private final Product product;
    private final DockerCli docker;
    private final TestHost testHost;
    private String settings = "";

    SettingsIT(Product product, DockerCli docker, TestHost testHost) {
        this.product = product;
        this.docker = docker;
        this.testHost = testHost;
    }

    @BeforeEach
    void keepSettings() throws IOException {
        settings = Files.readString(file());
    }

    @AfterEach
    void restore() {
        docker.remove("old", "new");
        product.settings(settings);
    }

    private Path file() {
        return product.home().resolve("settings.json");
    }

    private static void runWeb(DockerCli docker, String name, String publish) {
        docker.ok("run", "-d", "--name", name, "-p", publish, TestImage.NAME, "httpd", "-f", "-p", "80", "-h", "/www");
        Await.until("httpd in " + name, SOON, () -> docker.ok("exec", name, "netstat", "-ltn")
                .contains(":80 "));
    }

    private String fromAnotherHost(int port) {
        return testHost.peer("connect", testHost.hostAddress(), String.valueOf(port))
                .run()
                .out();
    }

    /** A port that moves is closed in one place before it is open in the other. */
    private static void awaitWeb(int port) {
        Await.until("a page from " + port, SOON, () -> answers(port));
    }

    private static boolean answers(int port) {
        try {
            return HostServer.get(port).equals(HELLO);
        } catch (IOException e) {
            return false;
        }
    }

    @Test
    void portBinding_setLive_movesPublishedPortsToTheLoopback_andBack() throws Exception {
        runWeb(docker, "old", "18190:80");
        assertThat(fromAnotherHost(18190)).startsWith("connected");

        Command.Result set = product.longshore("settings", "set", "portBindingBehavior", "local-only-port-binding")
                .run()
                .expectOk();

        assertThat(set.out()).isEqualTo("portBindingBehavior = local-only-port-binding\n");
        assertThat(set.err()).contains("takes effect at once");
        Await.until("the old port to leave the other host", SOON, () -> fromAnotherHost(18190)
                .startsWith("Connection refused"));
        awaitWeb(18190);
        runWeb(docker, "new", "0.0.0.0:18191:80");
        assertThat(HostServer.get(18191)).isEqualTo(HELLO);
        assertThat(fromAnotherHost(18191)).startsWith("Connection refused");
        assertThat(product.longshore("ports").run().expectOk().out())
                .contains("127.0.0.1:18190", "127.0.0.1:18191")
                .doesNotContain("0.0.0.0:1819");

        // As an editor does: another file, renamed.
        Path other = Files.writeString(product.home().resolve(".settings.json.swp"), settings);
        Files.move(other, file(), StandardCopyOption.ATOMIC_MOVE);

        Await.until("the ports to be back", SOON, () -> fromAnotherHost(18191).startsWith("connected"));
        awaitWeb(18190);
    }

    @Test
    void badEdit_changesNothing_andIsInTheStatus() throws Exception {
        runWeb(docker, "old", "18190:80");

        product.settings("{\n  \"portBindingBehavior\": \"nowhere\"\n}");

        Await.until("the status to say so", SOON, () -> product.longshore("status")
                .run()
                .out()
                .contains("settings.json: line 2, column 26: portBindingBehavior: must be one of"));
        assertThat(HostServer.get(18190)).isEqualTo(HELLO);
        assertThat(product.longshore("settings", "set", "cpus", "x")
                        .run()
                        .expectExit(2)
                        .err())
                .contains("cpus must be a whole number");
    }

    /** A product of its own, for which a mount namespace has an administrator's file. */
    @Test
    @Timeout(300)
    void lockedSetting_isChangedByNoWayIn(@TempDir Path directory) throws Exception {
        Path top = directory.toRealPath();
        Path allowed = Files.createDirectory(top.resolve("allowed"));
        Path other = Files.createDirectory(top.resolve("other"));
        Path admin = Files.writeString(directory.resolve("admin.json"), """
            {"portBindingBehavior": {"locked": true, "value": "local-only-port-binding"},
             "filesharingAllowedDirectories": [{"path": "%s", "sharedByDefault": true}]}""".formatted(allowed));
        Files.createDirectories(Path.of(ADMIN_FILE).resolveSibling("."));
        try (Product locked = new Product()) {
            locked.settings("{\"PortBindingBehavior\": \"default-port-binding\", \"filesharingDirectories\": [\"/\"]}");
            Command refused = inNamespace(
                    admin, locked.longshore("settings", "set", "portBindingBehavior", "default-port-binding"));
            assertThat(refused.run().expectExit(1).err()).contains("locked by your administrator in " + ADMIN_FILE);

            inNamespace(admin, locked.longshore("up"))
                    .within(Duration.ofMinutes(2))
                    .run()
                    .expectOk();
            TestImage.build(locked.docker(), TestImage.makeContext(directory.resolve("image")));
            runWeb(locked.docker(), "web", "18192:80");

            assertThat(locked.longshore("ports").run().expectOk().out())
                    .contains("127.0.0.1:18192")
                    .doesNotContain("0.0.0.0");
            for (String[] line : new String[][] {
                {"settings", "set", "portBindingBehavior", "default-port-binding"},
                {"settings", "set", "ports.binding", "default-port-binding"},
                {"settings", "unset", "portBindingBehavior"}
            }) {
                assertThat(locked.longshore(line).run().expectExit(1).err()).contains(ADMIN_FILE);
            }
            locked.settings("""
                {"portBindingBehavior": "default-port-binding", "filesharingDirectories": ["%s", "%s"], "vpnKitMTU": 1400}""".formatted(other, allowed));
            Await.until("the file to be read", SOON, () -> locked.longshore("settings", "get", "vpnKitMTU")
                    .run()
                    .text()
                    .equals("1400"));
            assertThat(locked.longshore("settings", "get", "portBindingBehavior")
                            .run()
                            .expectOk()
                            .text())
                    .isEqualTo("local-only-port-binding");
            assertThat(fromAnotherHost(18192)).startsWith("Connection refused");
            Await.until(
                    "a folder that is allowed and wanted",
                    SOON,
                    () -> mount(locked.docker(), allowed).exit() == 0);
            assertThat(allowed.resolve("made")).exists();
            assertThat(mount(locked.docker(), other).expectExit(125).err())
                    .contains("Mounts denied: ", other.toString());
            assertThat(other).isEmptyDirectory();
        }
    }

    private static Command.Result mount(DockerCli docker, Path source) {
        return docker.run("run", "--rm", "-v", source + ":/src", TestImage.NAME, "touch", "/src/made");
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

    /** gRPC's health service, asked by curl: five bytes are an empty message. */
    @Test
    void controlApi_onTcp_isForWhoShowsACertificate(@TempDir Path dir) throws Exception {
        Certificates certificates =
                new Certificates(dir).root("ca").signed("server", "ca").signed("client", "ca");
        Path empty = Files.write(dir.resolve("empty"), new byte[5]);
        set("control.certificate", certificates.certificate("server").toString());
        set("control.key", certificates.key("server").toString());
        set("control.clientCa", certificates.certificate("ca").toString());
        set("control.listen", "127.0.0.1:18195");
        List<String> call = new ArrayList<>(List.of(
                "curl",
                "-sS",
                "--http2",
                "-o",
                dir.resolve("answer").toString(),
                "-w",
                "%{http_code} %{header_json}",
                "-H",
                "content-type: application/grpc",
                "-H",
                "te: trailers",
                "--data-binary",
                "@" + empty,
                "--cacert",
                certificates.certificate("ca").toString(),
                "https://127.0.0.1:18195/grpc.health.v1.Health/Check"));
        List<String> known = new ArrayList<>(call);
        known.addAll(List.of(
                "--cert",
                certificates.certificate("client").toString(),
                "--key",
                certificates.key("client").toString()));

        Await.until("an answer", SOON, () -> Command.of(known).run().out().startsWith("200 "));
        assertThat(Files.readAllBytes(dir.resolve("answer"))).containsExactly(0, 0, 0, 0, 2, 8, 1); // SERVING
        assertThat(Command.of(call).run().exit()).as("without a certificate").isNotZero();

        set("control.listen", "");
        Await.until("nobody to listen", SOON, () -> Command.of(known).run().exit() == 7);
    }

    private void set(String key, String value) {
        product.longshore("settings", "set", key, value).run().expectOk();
    }

    /** The socket's mode keeps other users out; where somebody has opened it, the daemon does. */
    @Test
    void controlSocket_callersOfOtherUsers_areShutOut() throws Exception {
        Path socket = product.home().resolve("run/control.sock");
        List<Path> opened = List.of(product.home(), product.home().resolve("run"), socket);
        try {
            for (Path path : opened) {
                Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxrwxrwx"));
            }
            String greeting = "socat -t 5 - UNIX-CONNECT:" + socket + " < /dev/null | wc -c";
            assertThat(Command.of("setpriv", "--reuid=65534", "--clear-groups", "sh", "-c", greeting)
                            .run()
                            .text())
                    .isEqualTo("0");
            assertThat(Integer.parseInt(Command.of("sh", "-c", greeting).run().text()))
                    .as("of HTTP/2 settings")
                    .isPositive();
        } finally {
            for (Path path : opened.subList(0, 2)) {
                Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwx------"));
            }
            Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
        }
    }
}
