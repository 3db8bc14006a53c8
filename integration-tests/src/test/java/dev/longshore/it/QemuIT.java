package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The same devices in front of another driver: QEMU, its processor emulated, so that no KVM is needed. Slow; only what
 * tells the two front ends apart is tried.
 */
@Order(60)
@BesideTheGuest
class QemuIT {
    @Test
    @Timeout(900)
    void networkCardAndVsock_workWithQemu(@TempDir Path context) throws Exception {
        try (Product product = new Product();
                HostServer small = HostServer.http("from the host");
                HostServer digesting = HostServer.digesting()) {
            product.settings("{\"vm\": {\"kind\": \"qemu\"}}");
            try {
                product.up();
                tryNetAndVsock(product.docker(), context, small, digesting);
                product.down();
                assertThat(product.processes()).isEmpty();
            } catch (Throwable e) {
                System.err.println(product.logs());
                throw e;
            }
        }
    }

    private static void tryNetAndVsock(DockerCli docker, Path context, HostServer small, HostServer digesting)
            throws Exception {
        TestImage.build(docker, TestImage.makeContext(context)); // megabytes through vsock
        assertThat(docker.sh("wget -q -O - http://host.docker.internal:" + small.port() + "/"))
                .isEqualTo("from the host");
        String both = docker.sh("dd if=/dev/urandom of=/f bs=65536 count=320 2>/dev/null; sha256sum < /f;"
                + " nc host.docker.internal " + digesting.port() + " < /f");
        String[] lines = both.split("\n", -1);
        assertThat(lines[0]).startsWith(lines[1]);
        docker.ok(
                "run",
                "-d",
                "--name",
                "web",
                "-p",
                "18088:80",
                TestImage.NAME,
                "httpd",
                "-f",
                "-p",
                "80",
                "-h",
                "/www");
        assertThat(HostServer.get(18088)).isEqualTo("hello from the container\n");
        docker.ok("rm", "-f", "web");
    }
}
