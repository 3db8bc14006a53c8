package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Whatever happens to the Engine, its containers and their networks: the host listens on what {@code docker} says, no more. */
@Order(21)
@ExtendWith(SharedProduct.class)
class PortsFollowTheEngineIT {
    private static final Duration SOON = Duration.ofSeconds(30);

    /** What was promised for an Engine that was killed, once it answers again. */
    private static final Duration AFTER_A_CRASH = Duration.ofSeconds(5);

    private static final String HELLO = "hello from the container\n";

    private final DockerCli docker;
    private final Product product;
    private final Set<String> before = new TreeSet<>();

    PortsFollowTheEngineIT(DockerCli docker, Product product) {
        this.docker = docker;
        this.product = product;
    }

    @BeforeEach
    void look() {
        before.clear();
        before.addAll(listeners());
    }

    @AfterEach
    void removeContainers() {
        List<String> ids = docker.ok("ps", "-aq").lines().toList();
        docker.remove(ids.toArray(String[]::new));
        docker.run("network", "rm", "follow-a", "follow-b");
        Await.until("no listener is left", SOON, () -> listeners().equals(before), () -> difference());
    }

    private void liveRestore(boolean on) {
        onGuest("/usr/local/lib/longshore/engine-control live-" + (on ? "on" : "off"))
                .expectOk();
        Await.until("live-restore " + on, SOON, () -> docker.ok("info", "-f", "{{.LiveRestoreEnabled}}")
                .equals(String.valueOf(on)));
    }

    private Set<String> listeners() {
        return HostListeners.of(product.daemonPid());
    }

    private String difference() {
        return "listening: " + listeners() + "\nexpected: " + before + " and what is published\n"
                + product.longshore("ports").run().out();
    }

    /** A shell command in the guest itself. */
    private Command.Result onGuest(String script) {
        return docker.run(
                "run",
                "--rm",
                "--privileged",
                "--pid=host",
                "--net=host",
                TestImage.NAME,
                "nsenter",
                "-t",
                "1",
                "-m",
                "-n",
                "/bin/sh",
                "-c",
                "PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin; " + script);
    }

    private void runWeb(String name, String... options) {
        List<String> line = new ArrayList<>(List.of("run", "-d", "--name", name));
        line.addAll(Arrays.asList(options));
        line.addAll(List.of(TestImage.NAME, "httpd", "-f", "-p", "80", "-h", "/www"));
        docker.ok(line.toArray(String[]::new));
    }

    private void awaitWeb(int port) {
        Await.until("a page from " + port, SOON, () -> HostServer.get(port).equals(HELLO), this::difference);
    }

    /** What docker inspect says of all running containers, in the words of {@link HostListeners}. */
    private Set<String> published() {
        Set<String> found = new TreeSet<>();
        List<String> ids = docker.ok("ps", "-q").lines().toList();
        if (ids.isEmpty()) {
            return found;
        }
        List<String> line = new ArrayList<>(List.of("inspect"));
        line.addAll(ids);
        for (JsonNode c : JsonMapper.shared().readTree(docker.ok(line.toArray(String[]::new)))) {
            for (var port : c.path("NetworkSettings").path("Ports").properties()) {
                String protocol = port.getKey().substring(port.getKey().indexOf('/') + 1);
                for (JsonNode at : port.getValue()) {
                    String family = at.path("HostIp").asString("").contains(":") ? "6" : "4";
                    found.add(protocol + family + " " + at.path("HostPort").asString(""));
                }
            }
        }
        return found;
    }

    private void awaitReportedIsReal(String when, Duration limit) {
        Await.until(
                "what docker reports is what the host listens on, " + when,
                limit,
                () -> {
                    Set<String> expected = new TreeSet<>(before);
                    expected.addAll(published());
                    return listeners().equals(expected);
                },
                () -> difference() + "\npublished: " + published());
    }

    @Test
    void restart_pause_andStop_leaveTheRightListeners() {
        runWeb("web", "-p", "18500:80", "-p", "18501:81/udp");
        awaitWeb(18500);

        docker.ok("restart", "-t", "0", "web");
        awaitWeb(18500);
        awaitReportedIsReal("after a restart", SOON);

        docker.ok("pause", "web");
        awaitReportedIsReal("while paused", SOON);
        docker.ok("unpause", "web");
        awaitWeb(18500);

        docker.ok("start", "web"); // it runs already
        awaitReportedIsReal("after a second start", SOON);

        docker.ok("stop", "-t", "0", "web");
        awaitReportedIsReal("after a stop", SOON);
        assertThat(listeners()).isEqualTo(before);
    }

    @Test
    void networksThatComeAndGo_leaveTheRightListeners() {
        docker.ok("network", "create", "follow-a");
        docker.ok("network", "create", "follow-b");
        runWeb("web", "--network", "follow-a", "-p", "18500:80");
        awaitWeb(18500);

        docker.ok("network", "connect", "follow-b", "web");
        awaitReportedIsReal("on two networks", SOON);
        awaitWeb(18500);

        docker.ok("network", "disconnect", "follow-a", "web");
        awaitReportedIsReal("on the other network", SOON);

        docker.ok("network", "disconnect", "follow-b", "web");
        awaitReportedIsReal("on no network", SOON);

        docker.ok("network", "connect", "follow-a", "web");
        awaitReportedIsReal("on the first network again", SOON);
    }

    @Test
    void proxyThatIsKilled_thePortComesBack() {
        runWeb("web", "-p", "18500:80");
        awaitWeb(18500);

        onGuest("pkill -9 docker-proxy").expectOk();

        Await.until(
                "the port is the reconciler's",
                SOON,
                () -> product.longshore("ports").run().out().contains("engine"),
                this::difference);
        awaitWeb(18500);
        docker.ok("restart", "-t", "0", "web");
        awaitWeb(18500);
        awaitReportedIsReal("after a restart", SOON);
    }

    @Test
    void engineThatIsKilled_comesBackWithItsPorts() {
        runWeb("web", "-p", "18500:80", "--restart", "always");
        runWeb("gone", "-p", "18501:80");
        awaitWeb(18500);

        Command.Result _ = onGuest("pkill -9 dockerd");

        Await.until(
                "the Engine answers again",
                Duration.ofSeconds(60),
                () -> docker.run("version").exit() == 0
                        && product.longshore("status").run().out().contains("engine       Docker")
                        && docker.run("inspect", "-f", "{{.State.Running}}", "web")
                                .out()
                                .startsWith("true"));
        awaitReportedIsReal("after a crash", AFTER_A_CRASH);
        awaitWeb(18500);
        assertThat(docker.ok("ps", "--format", "{{.Names}}").lines()).doesNotContain("gone");
    }

    @Test
    void engineThatIsKilled_butRestoresLive_hasItsPortsAgain() {
        liveRestore(true);
        try {
            killAndRestoreLive();
        } finally {
            docker.remove("web");
            liveRestore(false);
        }
    }

    private void killAndRestoreLive() {
        runWeb("web", "-p", "18500:80");
        awaitWeb(18500);
        String started = docker.ok("inspect", "-f", "{{.State.StartedAt}}", "web");

        Command.Result _ = onGuest("pkill -9 dockerd");

        Await.until("the Engine answers again", Duration.ofSeconds(60), () -> docker.run(
                        "inspect", "-f", "{{.State.StartedAt}}", "web")
                .out()
                .strip()
                .equals(started));
        awaitReportedIsReal("restored live", AFTER_A_CRASH);
        awaitWeb(18500);
    }

    @Test
    @Timeout(value = 5, unit = TimeUnit.MINUTES)
    void portsOfASwarmService_areOnTheHost() {
        docker.ok("swarm", "init", "--advertise-addr", "192.168.65.3");
        try {
            docker.ok(
                    "service",
                    "create",
                    "-d",
                    "--no-resolve-image",
                    "--name",
                    "sw",
                    "-p",
                    "18500:80",
                    "-p",
                    "81",
                    TestImage.NAME,
                    "httpd",
                    "-f",
                    "-p",
                    "80",
                    "-h",
                    "/www");
            // swarm asks a registry for the image first, and takes its time to do without
            Await.until(
                    "a page of the service",
                    Duration.ofSeconds(100),
                    () -> HostServer.get(18500).equals(HELLO),
                    () -> difference() + docker.run("service", "ps", "sw").out());
            String assigned =
                    docker.ok("service", "inspect", "-f", "{{range .Endpoint.Ports}}{{.PublishedPort}} {{end}}", "sw");
            Set<String> expected = Arrays.stream(assigned.split(" ", -1))
                    .map(p -> "tcp4 " + p)
                    .collect(Collectors.toCollection(TreeSet::new));
            expected.addAll(before);
            Await.until("both ports", SOON, () -> listeners().equals(expected), this::difference);

            docker.ok("service", "rm", "sw");
            Await.until("none", SOON, () -> listeners().equals(before), this::difference);
        } finally {
            docker.run("swarm", "leave", "--force");
            docker.run("network", "rm", "docker_gwbridge");
        }
    }

    /**
     * Up to sixteen at a time; of User-mode Linux's one processor each takes some seconds, so as many as a busy day has are for
     * {@code ./longshore test -Dlongshore.it.containers=200}.
     */
    @Test
    @Timeout(value = 30, unit = TimeUnit.MINUTES)
    void manyContainers_comeAndGoInAnyOrder_andLeaveNothing() {
        int all = Integer.getInteger("longshore.it.containers", 8);
        Random random = new Random(200);
        List<String> running = new ArrayList<>();
        int made = 0;
        while (made < all || !running.isEmpty()) {
            boolean more = made < all && (running.isEmpty() || (running.size() < 16 && random.nextInt(5) < 3));
            if (more) {
                String name = "many-" + made;
                docker.ok(
                        "run",
                        "-d",
                        "--name",
                        name,
                        "-p",
                        (18600 + made) + ":80",
                        "-p",
                        made % 2 == 0 ? "81" : "127.0.0.1:" + (18600 + made) + ":80/udp",
                        TestImage.NAME,
                        "sleep",
                        "1000");
                running.add(name);
                made++;
            } else {
                docker.ok("rm", "-f", running.remove(random.nextInt(running.size())));
            }
            if (random.nextInt(20) == 0) {
                awaitReportedIsReal("after " + made + " containers", SOON);
            }
        }
        assertThat(listeners()).isEqualTo(before);
    }
}
