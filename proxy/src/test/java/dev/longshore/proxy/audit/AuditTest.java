package dev.longshore.proxy.audit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AuditTest {
    @TempDir
    private Path dir;

    private static AuditRecord record(String host, String error) {
        return new AuditRecord(
                Instant.parse("2026-01-02T03:04:05.678Z"),
                12,
                IpAddress.parse("172.17.0.2"),
                "web",
                AuditRecord.Kind.TAKEN_REQUEST,
                "GET",
                host,
                80,
                AuditRecord.Named.HOST,
                "/a",
                "DIRECT",
                "192.0.2.3:80",
                "the rule",
                "Basic",
                200,
                0,
                34,
                error);
    }

    @Test
    void json_isOneLineOfAscii_whateverPeopleSay() {
        assertThat(record("a.test", "").toJson())
                .isEqualTo(
                        "{\"time\":\"2026-01-02T03:04:05.678Z\",\"millis\":12,\"source\":\"172.17.0.2\",\"container\":\"web\","
                                + "\"kind\":\"taken-request\",\"method\":\"GET\",\"host\":\"a.test\",\"port\":80,\"named\":\"host\","
                                + "\"path\":\"/a\",\"route\":\"DIRECT\",\"remote\":\"192.0.2.3:80\",\"rule\":\"the rule\",\"auth\":\"Basic\",\"status\":200,\"fromGuest\":0,\"toGuest\":34}");
        assertThat(record("a", "\"x\\\n\u001b\u00e9\uffff").toJson())
                .endsWith(",\"error\":\"\\\"x\\\\\\u000a\\u001b\\u00e9\\uffff\"}")
                .matches("[ -~]+");
    }

    @Test
    void memory_keepsTheLastOnes() {
        RecentAudit recent = new RecentAudit();
        for (int i = 0; i < RecentAudit.MAX + 5; i++) {
            recent.add(record("h" + i, ""));
        }

        assertThat(recent.total()).isEqualTo(RecentAudit.MAX + 5);
        assertThat(recent.last(2)).extracting(AuditRecord::host).containsExactly("h1003", "h1004");
        assertThat(recent.last(5_000)).hasSize(RecentAudit.MAX);
        assertThat(recent.last(0)).isEmpty();
    }

    @Test
    void file_isForTheUserAlone_andTurnsOver() throws IOException {
        Path file = dir.resolve("audit.json");
        String line = record("a.test", "").toJson();
        try (AuditFile audit = new AuditFile(file, line.length())) {
            audit.add(record("a.test", ""));
        }
        try (AuditFile audit = new AuditFile(file, line.length())) { // it has its size now
            audit.add(record("b.test", ""));
        }

        assertThat(Files.readAllLines(dir.resolve("audit.json.1"))).containsExactly(line);
        assertThat(Files.readAllLines(file))
                .containsExactly(record("b.test", "").toJson());
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-------");
    }

    @Test
    void whatCannotBeWritten_isCounted() throws IOException {
        Path absent = dir.resolve("absent");
        AuditFile audit = new AuditFile(absent.resolve("audit.json"), 1 << 20);
        audit.add(record("a.test", ""));
        audit.close();
        audit.add(record("late.test", ""));
        audit.close();

        assertThat(Files.exists(absent)).isFalse();
        Files.createDirectory(absent);
        try (AuditFile again = new AuditFile(absent.resolve("audit.json"), 1 << 20)) {
            again.add(record("b.test", ""));
        }
        assertThat(Files.readAllLines(absent.resolve("audit.json")))
                .isEqualTo(List.of(record("b.test", "").toJson()));
    }
}
