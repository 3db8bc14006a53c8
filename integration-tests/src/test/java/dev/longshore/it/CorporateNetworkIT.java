package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The product where nothing leaves but through a proxy that wants to know who asks, and certificates are signed by an authority of the
 * company's own. The proxy is squid, on this computer's loopback, as are the servers behind it.
 */
class CorporateNetworkIT {
    private static final int REGISTRY = 15_443;
    private static final int SQUID = 13_128;
    private static final String AT_HOST = "host.docker.internal:" + REGISTRY;

    private static PeerMachine peers;
    private static Running registry;
    private static Running squid;
    private static Product product;
    private static DockerCli docker;
    private static Path files;
    private static Path authority;
    private static Path desktop;

    @BeforeAll
    @Timeout(value = 20, unit = TimeUnit.MINUTES) // the peers' root is made out of packages once
    static void start() throws IOException {
        files = Files.createTempDirectory("lsit-pulls-");
        desktop = Files.createTempDirectory(Path.of("/dev/shm"), "lsit-desktop-");
        peers = PeerRoot.ensure().bootHere();
        makeCertificates();
        peers.write("/lab/registry.yml", """
                version: 0.1
                log: {level: warn}
                storage: {filesystem: {rootdirectory: /lab/images}, delete: {enabled: true}}
                http:
                  addr: 127.0.0.1:%d
                  tls: {certificate: /lab/registry.pem, key: /lab/registry.key}
                """.formatted(REGISTRY));
        registry = peers.serve(REGISTRY, "docker-registry", "serve", "/lab/registry.yml");
        squid = startSquid();
        authority = files.resolve("company.pem");
        Files.copy(peers.path("/lab/company.pem"), authority);
        product = new Product();
        product.settings("{\"certificateAuthorities\": [\"" + authority + "\"]}");
        workAtGnome();
        product.up();
        docker = product.docker();
        TestImage.build(docker, TestImage.makeContext(files.resolve("image")));
    }

    /**
     * The desktop's settings are those of a machine that has one: a real {@code gsettings}, with dconf behind it, whose file is in a place
     * that is the same there as here.
     */
    private static void workAtGnome() throws IOException {
        Path bin = Files.createDirectory(files.resolve("bin"));
        Path gsettings = bin.resolve("gsettings");
        Files.writeString(
                gsettings,
                "#!/bin/sh\nexec " + String.join(" ", peers.line("env", "XDG_CONFIG_HOME=" + desktop, "gsettings"))
                        + " \"$@\"\n");
        Files.setPosixFilePermissions(gsettings, PosixFilePermissions.fromString("rwxr-xr-x"));
        gsettings("set org.gnome.system.proxy mode none"); // dconf makes its directory
        product.environment("XDG_CURRENT_DESKTOP", "ubuntu:GNOME");
        product.environment("XDG_CONFIG_HOME", desktop.toString());
        product.environment("PATH", bin + ":" + System.getenv("PATH"));
    }

    /** As the desktop's own dialogue does it: through dconf's service, on a bus. */
    private static void gsettings(String... commands) {
        StringBuilder script = new StringBuilder("set -e\n");
        for (String command : commands) {
            script.append("gsettings ").append(command).append('\n');
        }
        peers.in("dbus-run-session", "--", "sh", "-c", script.toString())
                .with("XDG_CONFIG_HOME", desktop.toString())
                .run()
                .expectOk();
    }

    private static Running startSquid() {
        peers.write("/etc/hosts", "127.0.0.1 localhost registry.test web.test\n");
        peers.in("htpasswd", "-bc", "/lab/users", "bob", "b0b:pa ss").run().expectOk();
        peers.write("/lab/squid.conf", """
                http_port 127.0.0.1:%d
                visible_hostname squid.test
                auth_param basic program /usr/lib/squid/basic_ncsa_auth /lab/users
                auth_param basic realm lab
                acl known proxy_auth REQUIRED
                http_access allow known
                http_access deny all
                cache deny all
                access_log stdio:/lab/access.log
                logfile_rotate 0
                cache_log /lab/squid.log
                pid_filename /lab/squid.pid
                pinger_enable off
                netdb_filename none
                shutdown_lifetime 1 seconds
                """.formatted(SQUID));
        peers.in("chmod", "777", "/lab").run().expectOk();
        return peers.serve(SQUID, "squid", "-N", "-f", "/lab/squid.conf");
    }

    private static String accessLog() throws IOException {
        Path log = peers.path("/lab/access.log");
        return Files.exists(log) ? Files.readString(log) : "";
    }

    private static void set(String key, String value) {
        product.longshore("settings", "set", "containersProxy." + key, value)
                .run()
                .expectOk();
    }

    private static void behindSquid() {
        String url = "http://bob:b0b%3Apa%20ss@localhost:" + SQUID;
        set("http", url);
        set("https", url);
        set("transparentPorts", "*");
        product.longshore("settings", "set", "proxy.auditLog", "true").run().expectOk();
        set("mode", "manual");
    }

    @AfterEach
    void direct() {
        product.longshore("settings", "set", "containersProxy.mode", "none")
                .run()
                .expectOk();
    }

    private static void makeCertificates() {
        peers.write("/lab/names", "subjectAltName=DNS:host.docker.internal,DNS:registry.test\n");
        for (List<String> line : List.of(
                List.of(
                        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=Company -keyout company.key -out company.pem"),
                List.of("req -newkey rsa:2048 -nodes -subj /CN=registry -keyout registry.key -out registry.csr"),
                List.of("x509 -req -days 2 -in registry.csr -CA company.pem -CAkey company.key -CAcreateserial"
                        + " -extfile names -out registry.pem"))) {
            peers.in("sh", "-c", "cd /lab && openssl " + line.getFirst()).run().expectOk();
        }
    }

    @AfterAll
    static void stop() {
        if (product != null) {
            product.close();
        }
        for (Running server : new Running[] {registry, squid}) {
            if (server != null) {
                server.close();
            }
        }
        if (peers != null) {
            peers.close();
        }
        Product.deleteTree(files);
        Product.deleteTree(desktop);
    }

    @Test
    void companysAuthority_isTrustedByTheEngine() {
        String image = AT_HOST + "/team/app:1";
        docker.ok("tag", TestImage.NAME, image);
        docker.ok("push", image);
        docker.ok("rmi", image);

        docker.ok("pull", image);

        assertThat(docker.ok("run", "--rm", image, "cat", "/www/index.html")).contains("hello from the container");
        assertThat(product.longshore("logs").run().expectOk().out())
                .containsPattern("the guest has the host's [0-9]+ certificate authorities");
    }

    /**
     * The company's authority changes while a container runs that somebody talks to: the Engine knows the new one, and neither the
     * container nor the connection has noticed.
     */
    @Test
    void authorityThatChanges_isTrustedWithoutARestart_ofContainersOrPorts() throws Exception {
        int port = REGISTRY + 1;
        String image = "host.docker.internal:" + port + "/team/app:1";
        makeOtherCompany(port);
        docker.ok("tag", TestImage.NAME, image);
        docker.ok("run", "-d", "--name", "echo", "-p", "18086:9000", TestImage.NAME, "peer", "tcp-echo", "9000");
        Await.until("the container", Duration.ofSeconds(20), () -> docker.ok("logs", "echo")
                .contains("ready"));
        String started = docker.ok("inspect", "-f", "{{.State.StartedAt}} {{.State.Pid}}", "echo");
        String before = Files.readString(authority);
        try (Running _ = peers.serve(port, "docker-registry", "serve", "/lab/other.yml");
                Socket kept = HostServer.connect(18086)) {
            echoes(kept);
            assertThat(docker.run("push", image).toString()).contains("certificate signed by unknown authority");

            Files.writeString(authority, before + Files.readString(peers.path("/lab/other.pem")));
            echoesUntilTheEngineWasRestarted(kept);

            docker.ok("push", image);
            echoes(kept);
            assertThat(docker.ok("inspect", "-f", "{{.State.StartedAt}} {{.State.Pid}}", "echo"))
                    .isEqualTo(started);
            assertThat(docker.ok("info", "-f", "{{.LiveRestoreEnabled}}")).contains("false"); // a swarm could be made
            docker.ok("rm", "-f", "echo");
            Await.until(
                    "the port's release",
                    Duration.ofSeconds(20),
                    () -> !product.longshore("ports").run().expectOk().out().contains("18086"));
        } finally {
            docker.remove("echo");
        }
    }

    /** All the time, by new connections too: the port is never closed. */
    private static void echoesUntilTheEngineWasRestarted(Socket kept) {
        Await.until("the Engine's restart", Duration.ofMinutes(2), () -> {
            try (Socket fresh = HostServer.connect(18086)) {
                echoes(kept);
                echoes(fresh);
            } catch (IOException e) {
                throw new AssertionError("the container could not be reached all the time", e);
            }
            return product.longshore("logs").run().expectOk().out().contains("it was restarted under its containers");
        });
    }

    private static void echoes(Socket socket) throws IOException {
        socket.setSoTimeout(20_000);
        socket.getOutputStream().write('x');
        assertThat(socket.getInputStream().read()).isEqualTo('x');
    }

    private static void makeOtherCompany(int port) {
        peers.write("/lab/other.yml", """
                version: 0.1
                log: {level: warn}
                storage: {filesystem: {rootdirectory: /lab/other-images}}
                http:
                  addr: 127.0.0.1:%d
                  tls: {certificate: /lab/server.pem, key: /lab/server.key}
                """.formatted(port));
        for (String line : List.of(
                "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=Other -keyout other.key -out other.pem",
                "req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr",
                "x509 -req -days 2 -in server.csr -CA other.pem -CAkey other.key -CAcreateserial -extfile names"
                        + " -out server.pem")) {
            peers.in("sh", "-c", "cd /lab && openssl " + line).run().expectOk();
        }
    }

    /** Docker pulls by a name that only the proxy can look up, and squid sees who asks. */
    @Test
    void pull_goesThroughTheProxyThatWantsAPassword() throws IOException {
        String image = "registry.test:" + REGISTRY + "/team/app:2";
        docker.ok("tag", TestImage.NAME, image);
        behindSquid();

        docker.ok("push", image);
        docker.ok("rmi", image);
        docker.ok("pull", image);

        assertThat(accessLog()).contains("CONNECT registry.test:" + REGISTRY + " bob ");
        isInTheAudit("\"method\":\"CONNECT\",\"host\":\"registry.test\",\"port\":" + REGISTRY, "\"status\":200");
    }

    /** On the terminal and in the file, with the way and without what is secret. */
    private static void isInTheAudit(String request, String more) throws IOException {
        Path file = product.home().resolve("log/proxy-audit.jsonl");
        Await.until("a record of " + request, Duration.ofSeconds(20), () -> Files.readString(file)
                .contains(request));
        assertThat(Files.readAllLines(file)).anySatisfy(line -> assertThat(line)
                .contains(request, more, "\"route\":\"http://localhost:" + SQUID + "\"", "\"millis\":"));
        assertThat(file).content().doesNotContain("b0b", "secret");
        assertThat(product.longshore("proxy", "log", "--format", "json")
                        .run()
                        .expectOk()
                        .out())
                .contains(request)
                .doesNotContain("b0b", "secret");
    }

    /** A container that knows nothing of proxies, and whose address for the name is good for nothing. */
    @Test
    void containersRequest_isTakenThroughTheProxy() throws IOException {
        behindSquid();
        try (HostServer server = HostServer.http("from behind the proxy")) {
            String url = "http://web.test:" + server.port() + "/page?secret=1";

            assertThat(docker.ok(
                            "run",
                            "--rm",
                            "--add-host",
                            "web.test:203.0.113.9",
                            TestImage.NAME,
                            "wget",
                            "-q",
                            "-O",
                            "-",
                            url))
                    .contains("from behind the proxy");

            assertThat(accessLog()).contains("GET http://web.test:" + server.port() + "/page");
            isInTheAudit(
                    "\"method\":\"GET\",\"host\":\"web.test\",\"port\":" + server.port(), "\"kind\":\"taken-request\"");
        }
    }

    /** The user opens the settings of his network and enters a proxy, and later takes it out again. */
    @Test
    void desktopsProxy_isFollowedWhileTheDaemonRuns() throws IOException {
        set("transparentPorts", "*");
        set("mode", "system");
        String http = "org.gnome.system.proxy.http ";
        try (HostServer server = HostServer.http("from behind the proxy")) {
            String url = "http://web.test:" + server.port() + "/desktop";
            assertThat(proxies()).contains("GNOME's settings").doesNotContain("localhost:" + SQUID);

            gsettings(
                    "set " + http + "host localhost",
                    "set " + http + "port " + SQUID,
                    "set " + http + "use-authentication true",
                    "set " + http + "authentication-user bob",
                    "set " + http + "authentication-password 'b0b:pa ss'",
                    "set org.gnome.system.proxy mode manual");

            Await.until("the desktop's proxy", Duration.ofSeconds(30), () -> proxies()
                    .contains("localhost:" + SQUID));
            assertThat(docker.ok(
                            "run",
                            "--rm",
                            "--add-host",
                            "web.test:203.0.113.9",
                            TestImage.NAME,
                            "wget",
                            "-q",
                            "-O",
                            "-",
                            url))
                    .contains("from behind the proxy");
            assertThat(accessLog()).contains("GET http://web.test:" + server.port() + "/desktop");
            assertThat(proxies()).doesNotContain("b0b:");

            gsettings("set org.gnome.system.proxy mode none");

            Await.until("no proxy", Duration.ofSeconds(30), () -> !proxies().contains("localhost:" + SQUID));
        }
    }

    private static String proxies() {
        return product.longshore("proxy", "show").run().expectOk().out();
    }

    /** The host's own services are nobody else's, and what is refused there is refused. */
    @Test
    void hostsServices_areNeverBehindTheProxy() throws IOException {
        behindSquid();
        try (HostServer server = HostServer.http("from the host")) {
            String url = "http://host.docker.internal:" + server.port() + "/";

            assertThat(docker.ok("run", "--rm", TestImage.NAME, "wget", "-q", "-O", "-", url))
                    .contains("from the host");

            assertThat(accessLog()).doesNotContain(":" + server.port() + "/");
        }
        assertThat(docker.run(
                                "run",
                                "--rm",
                                TestImage.NAME,
                                "sh",
                                "-c",
                                "wget -O - http://host.docker.internal:1/ 2>&1")
                        .text())
                .contains("refused");
    }
}
