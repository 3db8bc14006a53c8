package dev.longshore.cli.log;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.cli.log.LogEntry.Priority;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LogReaderTest {
    @TempDir
    private Path directory;

    @BeforeEach
    void write() throws IOException {
        Files.writeString(directory.resolve("backend.1.log"), """
                2026-01-01T10:00:00.000+01:00 INFO  [main] backend.Main longshore 0.1 on Java 25, pid 1, home /h
                2026-01-01T10:00:01.000+01:00 WARN  [net] vpnkit.tcp.TcpStack odd
                """);
        Files.writeString(directory.resolve("backend.log"), """
                2026-01-02T10:00:00.000Z INFO  [main] backend.Main longshore 0.1 on Java 25, pid 2, home /h
                2026-01-02T10:00:02.000Z ERROR [net] engine.Engine bug
                java.lang.IllegalStateException: here
                \tat somewhere
                2026-01-02T10:00:03.000Z DEBUG [net] engine.Engine detail
                """);
        Files.writeString(directory.resolve("console.log.1"), "2026-01-01T09:00:02.000Z booting once\n");
        Files.writeString(directory.resolve("console.log"), "2026-01-02T10:00:01.500Z [    0.1] booting\n");
        Files.writeString(directory.resolve("backend.out"), "not a log\n");
    }

    @Test
    void boots_areReadWhole_inTheOrderOfTime() throws IOException {
        List<LogEntry> now = LogReader.boot(directory, 0);
        assertThat(now)
                .extracting(LogEntry::unit)
                .containsExactly("backend.Main", "console", "engine.Engine", "engine.Engine");
        assertThat(now)
                .extracting(LogEntry::priority)
                .containsExactly(Priority.INFO, Priority.INFO, Priority.ERROR, Priority.DEBUG);
        assertThat(now.get(2).text()).endsWith("bug\njava.lang.IllegalStateException: here\n\tat somewhere");

        List<LogEntry> before = LogReader.boot(directory, 1);
        assertThat(before).extracting(LogEntry::unit).containsExactly("backend.Main", "vpnkit.tcp.TcpStack", "console");

        assertThat(LogReader.boot(directory, 2)).isEmpty();
    }

    @Test
    void entriesBeforeAnyKnownStart_areOfTheCurrentBoot() throws IOException {
        Files.delete(directory.resolve("backend.1.log"));
        Files.writeString(
                directory.resolve("backend.log"), "2026-01-02T10:00:02.000Z INFO  [net] engine.Engine rolled\n");

        assertThat(LogReader.boot(directory, 0)).hasSize(3);
        assertThat(LogReader.boot(directory, 1)).isEmpty();
    }

    @Test
    void units_areNamedByTheirParts() {
        LogEntry e = new LogEntry(java.time.Instant.EPOCH, Priority.INFO, "vpnkit.tcp.TcpStack", "");

        assertThat(List.of("vpnkit", "vpnkit.tcp", "com.docker.backend.vpnkit", "vpnkit.tcp.TcpStack"))
                .allMatch(e::isOf);
        assertThat(List.of("vpn", "tcp", "console", "")).noneMatch(e::isOf);
    }
}
