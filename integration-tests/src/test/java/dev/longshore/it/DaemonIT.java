package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The daemon seen from outside: its command line, and what it costs while nothing happens. */
@Order(40)
@ExtendWith(SharedProduct.class)
class DaemonIT {
    /** Long enough that one collection of garbage does not decide. */
    private static final Duration WINDOW = Duration.ofSeconds(20);

    private static final double TICKS_PER_SECOND = 100; // USER_HZ, on every Linux

    private final Product product;
    private final DockerCli docker;

    DaemonIT(Product product, DockerCli docker) {
        this.product = product;
        this.docker = docker;
    }

    @Test
    void idleDaemon_costsUnder1PercentCpuAnd200Megabytes() throws Exception {
        assertThat(docker.ok("ps", "-q")).isEmpty();
        long pid = product.daemonPid();
        long before = cpuTicks(pid);
        long begin = System.nanoTime();
        Await.until("the end of the window", WINDOW.plusSeconds(5), () -> System.nanoTime() - begin > WINDOW.toNanos());
        double seconds = (System.nanoTime() - begin) / 1e9;
        double percent = 100 * (cpuTicks(pid) - before) / TICKS_PER_SECOND / seconds;
        Map<String, Long> status = statusKilobytes(pid);
        long guestMemory = status.getOrDefault("RssShmem", 0L); // the guest's pages, mapped by the daemon as well
        long own = status.getOrDefault("VmRSS", 0L) - guestMemory;
        System.out.printf(
                "idle daemon: %.2f %% CPU, %d MB resident, and %d MB of the guest's memory mapped%n",
                percent, own / 1024, guestMemory / 1024);

        assertThat(percent).isLessThan(1.0);
        assertThat(own).isLessThan(200 * 1024);
    }

    /** utime and stime: proc(5), fields 14 and 15. */
    private static long cpuTicks(long pid) throws IOException {
        String stat = Files.readString(Path.of("/proc", String.valueOf(pid), "stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        return Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
    }

    private static Map<String, Long> statusKilobytes(long pid) throws IOException {
        Map<String, Long> found = new HashMap<>();
        for (String line : Files.readAllLines(Path.of("/proc", String.valueOf(pid), "status"))) {
            if (line.endsWith(" kB")) {
                String[] parts = line.split(":\\s*| kB", -1);
                found.put(parts[0], Long.parseLong(parts[1]));
            }
        }
        return found;
    }

    @Test
    void statusJson_saysWhatIsUp() {
        String json =
                product.longshore("status", "--format", "json").run().expectOk().text();

        assertThat(json).contains("\"status\"", "\"dockerHost\"", "\"guest\"", "\"engine\"", "\"network\"");
        assertThat(json).contains("unix://" + product.dockerSocket());
    }

    @Test
    void version_isPrinted() {
        assertThat(product.longshore("version").run().expectOk().out()).containsPattern("[0-9]+\\.[0-9]+");
    }

    @Test
    void ports_areListedExposedAndUnexposed() {
        docker.ok("run", "-d", "--name", "listed", "-p", "18086:80", TestImage.NAME, "sleep", "1000");
        try {
            assertThat(product.longshore("ports", "ls").run().expectOk().out()).contains("18086");
        } finally {
            docker.remove("listed");
        }
        assertThat(product.longshore("ports", "ls").run().expectOk().out()).doesNotContain("18086");
    }

    @Test
    void secondUp_returnsAtOnceAndChangesNothing() {
        long pid = product.daemonPid();

        product.up();

        assertThat(product.daemonPid()).isEqualTo(pid);
    }

    /** Nobody but the owner may talk to the daemon or to the Engine. */
    @Test
    void sockets_areTheOwnersAlone() throws Exception {
        assertThat(Files.getPosixFilePermissions(product.home().resolve("run"))).hasSize(3);
        for (String name : List.of("control.sock", "docker.sock", "net.sock", "vsock.sock")) {
            Path socket = product.home().resolve("run").resolve(name);
            assertThat(Files.getPosixFilePermissions(socket)).as(name).hasSizeLessThanOrEqualTo(2);
        }
    }
}
