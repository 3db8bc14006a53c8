package dev.longshore.proxy.auth;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Login;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Helpers as shell scripts, well-behaved and others. */
@Timeout(60)
class DockerCredentialHelperTest {
    private static final ProxyAddress PROXY = new ProxyAddress(ProxyAddress.Protocol.HTTP, "proxy.test", 3128, null);

    @TempDir
    Path dir;

    private static @Nullable Login ask(String script, Duration timeout) {
        return new DockerCredentialHelper(
                        "test", Path.of("/nonexistent"), _ -> List.of("/bin/sh", "-c", script), timeout)
                .find(PROXY);
    }

    private static @Nullable Login ask(String script) {
        return ask(script, Duration.ofSeconds(30));
    }

    @Test
    void helper_isToldTheUrl_andItsJsonIsTheLogin() throws Exception {
        Path asked = dir.resolve("asked");
        String script = "cat > " + asked + "; echo '{\"ServerURL\":\"x\",\"Username\":\"bob\",\"Secret\":\"b0b\"}'";
        assertThat(ask(script)).isEqualTo(new Login("bob", "b0b"));
        assertThat(Files.readString(asked)).isEqualTo("http://proxy.test:3128\n");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "exit 1",
                "echo '{\"Username\":\"bob\",\"Secret\":\"s\"}'; exit 3",
                "echo 'credentials not found in native keychain'",
                "echo '[]'",
                "echo '{\"Username\":{\"a\":1}}'",
                "true",
                "cat /dev/zero",
                "yes '{\"Username\":\"bob\",\"Secret\":\"s\"}'",
            })
    void helperThatFails_orSaysNothingUseful_hasNone(String script) {
        assertThat(ask(script)).isNull();
    }

    /** As pass does, for whose passwords gpg starts its agent. */
    @Test
    void agentThatStaysBehind_holdsNobodyUp() {
        String script = "sleep 300 & echo '{\"Username\":\"bob\",\"Secret\":\"b0b\"}'; echo $! > " + dir.resolve("pid");
        try {
            assertThat(ask(script)).isEqualTo(new Login("bob", "b0b"));
        } finally {
            end(dir.resolve("pid"));
        }
    }

    @Test
    void helperThatHangs_isKilled() throws Exception {
        Path pid = dir.resolve("pid");
        assertThat(ask("echo $$ > " + pid + "; exec sleep 300", Duration.ofSeconds(1)))
                .isNull();
        long id = Long.parseLong(Files.readString(pid).strip());
        assertThat(ProcessHandle.of(id).map(h -> h.onExit().orTimeout(30, java.util.concurrent.TimeUnit.SECONDS)))
                .satisfiesAnyOf(
                        gone -> assertThat(gone).isEmpty(),
                        gone -> assertThat(gone.orElseThrow().join()).isNotNull());
    }

    private static void end(Path pid) {
        try {
            ProcessHandle.of(Long.parseLong(Files.readString(pid).strip())).ifPresent(ProcessHandle::destroyForcibly);
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
