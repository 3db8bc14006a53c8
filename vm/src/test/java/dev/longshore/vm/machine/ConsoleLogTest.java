package dev.longshore.vm.machine;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConsoleLogTest {
    private static final Clock CLOCK = Clock.fixed(Instant.parse("2026-11-21T22:00:00Z"), ZoneOffset.UTC);

    @TempDir
    private Path directory;

    @Test
    void lines_areDatedAndAppended() throws Exception {
        print(1000, "first\r\n");
        print(1000, "second");

        assertThat(Files.readAllLines(file()))
                .containsExactly("2026-11-21T22:00:00Z first", "2026-11-21T22:00:00Z second");
    }

    @Test
    void escapeSequences_areMadeHarmless() throws Exception {
        print(1000, "\u001b]0;title\u0007 tab\there \u00e9\n");

        assertThat(Files.readString(file())).endsWith(" ?]0;title? tab\there ?\n");
    }

    @Test
    void fileFull_rotatesAndKeepsTwo() throws Exception {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 100; i++) {
            text.append("line ").append(i).append('\n');
        }
        print(300, text.toString());

        assertThat(Files.size(file())).isBetween(1L, 300L);
        assertThat(Files.size(directory.resolve("console.log.1"))).isBetween(1L, 300L);
        assertThat(Files.readString(file())).endsWith(" line 99\n");
        try (var files = Files.list(directory)) {
            assertThat(files).hasSize(2);
        }
    }

    @Test
    void endlessLine_isCut() throws Exception {
        print(100_000, "x".repeat(50_000) + "\nnext\n");

        assertThat(Files.readAllLines(file())).hasSize(2);
        assertThat(Files.size(file())).isLessThan(3_000);
    }

    @Test
    void lastLines_areTheNewest_andTheFirstFatalWordCounts() throws Exception {
        try (ConsoleLog log = new ConsoleLog(file(), 10_000, CLOCK)) {
            StringBuilder text = new StringBuilder("longshore: fatal: no disk\nlongshore: fatal: later\n");
            for (int i = 0; i < 50; i++) {
                text.append(i).append('\n');
            }
            log.copy(bytes(text.toString()));

            assertThat(log.lastLines()).hasSize(20).startsWith("30").endsWith("49");
            assertThat(log.fatal()).isEqualTo("no disk");
        }
    }

    @Test
    void anyBytes_fileStaysPrintableAndBounded() throws Exception {
        long seed = 42;
        byte[] noise = new byte[200_000];
        new Random(seed).nextBytes(noise);
        try (ConsoleLog log = new ConsoleLog(file(), 20_000, CLOCK)) {
            log.copy(new ByteArrayInputStream(noise));
        }

        assertThat(Files.size(file())).isLessThanOrEqualTo(20_000);
        assertThat(Files.readString(file(), ISO_8859_1)).matches("[\\t\\n -~]*");
    }

    private void print(long limit, String text) throws Exception {
        try (ConsoleLog log = new ConsoleLog(file(), limit, CLOCK)) {
            log.copy(bytes(text));
        }
    }

    private static ByteArrayInputStream bytes(String text) {
        return new ByteArrayInputStream(text.getBytes(ISO_8859_1));
    }

    private Path file() {
        return directory.resolve("console.log");
    }
}
