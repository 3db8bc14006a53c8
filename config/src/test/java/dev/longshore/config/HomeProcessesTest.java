package dev.longshore.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class HomeProcessesTest {
    @Test
    void processes_runUntilTheyEnd() throws Exception {
        Process cat = new ProcessBuilder("cat").start();
        assertThat(HomeProcesses.runs(cat.pid())).isTrue();

        cat.getOutputStream().close();
        assertThat(cat.waitFor()).isZero();

        assertThat(HomeProcesses.runs(cat.pid())).isFalse();
    }

    @Test
    void guests_areThoseThatNameTheHomesSocket() throws Exception {
        Home home = Home.at(Path.of("/nowhere/" + ProcessHandle.current().pid()), Path.of("/c"));
        assertThat(HomeProcesses.guests(home)).isEmpty();
        Process guest = new ProcessBuilder("sh", "-c", "read x", "device=" + home.netSocket() + ":1").start();

        try {
            assertThat(HomeProcesses.guests(home))
                    .extracting(ProcessHandle::pid)
                    .contains(guest.pid());
        } finally {
            guest.destroyForcibly();
        }
    }
}
