package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.Settings;
import dev.longshore.config.SettingsFiles;
import dev.longshore.config.SettingsResult;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.audit.AuditRecord;
import dev.longshore.vpnkit.count.Counters.Reading;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the proxy's records come to: lines of a file, some of them, and numbers. */
class AuditPartTest {
    @TempDir
    private Path dir;

    private static AuditRecord record(String host, int status, String error) {
        return new AuditRecord(
                Instant.parse("2026-01-02T03:04:05Z"),
                1,
                IpAddress.parse("172.17.0.2"),
                "web",
                AuditRecord.Kind.CONNECT,
                "CONNECT",
                host,
                443,
                AuditRecord.Named.CONNECT,
                "",
                "DIRECT",
                "192.0.2.3:443",
                "",
                "Digest",
                status,
                2,
                3,
                error);
    }

    private Settings settings(String proxy) throws IOException {
        Path user = Files.writeString(dir.resolve("settings.json"), "{\"proxy\": " + proxy + "}");
        return ((SettingsResult.Usable) new SettingsFiles(user, dir.resolve("none")).read()).settings();
    }

    @Test
    void sample_leavesOutWhatWentWell_andNothingElse() throws IOException {
        Path file = dir.resolve("audit.jsonl");
        try (AuditPart audit = new AuditPart(file)) {
            audit.apply(settings("{\"auditLog\": true, \"auditSample\": 3}"));
            for (int i = 0; i < 7; i++) {
                audit.add(record("well" + i, 200, ""));
            }
            audit.add(record("refused", 403, "by rule 7"));
            audit.add(record("broken", 200, "reset"));
            audit.add(record("missing", 404, ""));

            assertThat(audit.last(1000)).as("in memory").hasSize(10);
            assertThat(value(audit.readings(), "kind=connect,outcome=well")).isEqualTo(7);
            assertThat(value(audit.readings(), "kind=connect,outcome=failed")).isEqualTo(3);
            assertThat(value(audit.readings(), "direction=toGuest")).isEqualTo(30);
            assertThat(audit.readings())
                    .filteredOn(r -> r.metric().equals("proxy.requests.authenticated"))
                    .extracting(Reading::value)
                    .containsExactly(10L);
        }

        assertThat(Files.readAllLines(file))
                .extracting(line -> line.replaceFirst(".*\"host\":\"", "").replaceFirst("\".*", ""))
                .containsExactly("well0", "well3", "well6", "refused", "broken", "missing");
    }

    @Test
    void whatIsUnderWay_isCountedUntilItHasEnded() {
        try (AuditPart audit = new AuditPart(null)) {
            audit.begun(AuditRecord.Kind.CONNECT);
            audit.begun(AuditRecord.Kind.CONNECT);
            audit.begun(AuditRecord.Kind.REQUEST);
            audit.add(record("well", 200, ""));

            assertThat(value(audit.readings(), "kind=connect")).isEqualTo(1);
            assertThat(value(audit.readings(), "kind=request")).isEqualTo(1);
            assertThat(value(audit.readings(), "kind=taken-tunnel")).isZero();
        }
    }

    private static long value(List<Reading> readings, String tags) {
        return readings.stream()
                .filter(r -> r.tags().equals(tags))
                .mapToLong(Reading::value)
                .sum();
    }
}
