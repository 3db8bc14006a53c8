package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Containers and the sockets between guest and daemon. An ordinary container gets no AF_VSOCK socket at all; one that runs
 * without the Engine's seccomp profile does, and finds that neither side has anything for it.
 */
@Order(15)
@ExtendWith(SharedProduct.class)
class VsockIsolationIT {
    private static final String HOST_CID = "2";
    private static final String PORT_PUBLISH = "4098";

    /** What the guest's docker-proxy would say, but for the key. */
    private static final String EXPOSE = "EXPOSE tcp 127.0.0.1 18099 127.0.0.1 80";

    private final Product product;
    private final DockerCli docker;

    VsockIsolationIT(Product product, DockerCli docker) {
        this.product = product;
        this.docker = docker;
    }

    @Test
    void ordinaryContainer_runsUnderTheEnginesSeccompProfile() {
        assertThat(docker.sh("grep Seccomp: /proc/self/status").split("\\s+")).containsExactly("Seccomp:", "2");
        assertThat(docker.ok("info", "--format", "{{.SecurityOptions}}")).contains("name=seccomp,profile=builtin");
    }

    /** The daemon's port; the agent's two, by the guest's own address; vsock's loopback. */
    @ParameterizedTest
    @CsvSource({"2, 4098", "2, 2375", "3, 2375", "3, 4100", "1, 4100"})
    void ordinaryContainer_opensAVsockSocket_isRefused(String cid, String port) {
        assertThat(docker.ok("run", "--rm", TestImage.NAME, "peer", "vsock", cid, port, EXPOSE))
                .isEqualTo("socket: Operation not permitted");
    }

    /** Every capability there is, but not the right to the address family. */
    @Test
    void containerWithAllCapabilities_opensAVsockSocket_isRefused() {
        assertThat(docker.ok(
                        "run",
                        "--rm",
                        "--cap-add",
                        "ALL",
                        TestImage.NAME,
                        "peer",
                        "vsock",
                        HOST_CID,
                        PORT_PUBLISH,
                        EXPOSE))
                .isEqualTo("socket: Operation not permitted");
    }

    @Test
    void unconfinedContainer_asksForAHostPort_isRefusedForWantOfTheKey() {
        String before = product.longshore("ports", "ls").run().expectOk().out();

        assertThat(unconfined(HOST_CID, PORT_PUBLISH, EXPOSE))
                .startsWith("ERR not allowed")
                .endsWith("end");
        assertThat(unconfined(HOST_CID, PORT_PUBLISH, "KEY 00000000000000000000000000000000 " + EXPOSE))
                .startsWith("ERR not allowed");
        assertThat(product.longshore("ports", "ls").run().expectOk().out()).isEqualTo(before);
    }

    /** The agent answers the daemon alone, whichever way a container reaches it. */
    @ParameterizedTest
    @CsvSource({"3, 2375", "3, 4100", "1, 2375", "1, 4100"})
    void unconfinedContainer_callsTheAgent_isClosedUnread(String cid, String port) {
        assertThat(unconfined(cid, port, "ping"))
                .doesNotContain("ok", "HTTP")
                .containsAnyOf("end", "reset", "refused", "connect:");
    }

    @Test
    void unconfinedContainer_looksForTheKey_findsNone() {
        assertThat(docker.ok(
                        "run",
                        "--rm",
                        "--security-opt",
                        "seccomp=unconfined",
                        TestImage.NAME,
                        "sh",
                        "-c",
                        "ls /run/longshore 2>&1; cat /proc/1/root/run/longshore/publish-key 2>&1; true"))
                .contains("No such file")
                .doesNotContainPattern("[0-9a-f]{32}");
    }

    private String unconfined(String cid, String port, String text) {
        return docker.ok(
                "run",
                "--rm",
                "--security-opt",
                "seccomp=unconfined",
                TestImage.NAME,
                "peer",
                "vsock",
                cid,
                port,
                text);
    }
}
