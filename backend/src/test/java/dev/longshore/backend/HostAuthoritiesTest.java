package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostAuthoritiesTest {
    private static final String A = "-----BEGIN CERTIFICATE-----\nAAAA\nAA==\n-----END CERTIFICATE-----\n";
    private static final String B = "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n";

    @TempDir
    private Path dir;

    private Path file(String name, String text) throws IOException {
        return Files.writeString(dir.resolve(name), text);
    }

    private static String text(HostAuthorities.Found found) {
        return String.join("\n", found.lines()) + "\n";
    }

    @Test
    void firstStoreThatIsThere_andTheFilesBehindIt() throws IOException {
        HostAuthorities.Found found = HostAuthorities.read(
                List.of(dir.resolve("absent"), file("store", "# comment\r\n" + A), file("other", B)),
                List.of(file("mine", "subject=x\n" + B + A)));

        assertThat(text(found)).isEqualTo(A + B); // none twice
        assertThat(found.certificates()).isEqualTo(2);
        assertThat(found.problems()).isEmpty();
    }

    @Test
    void keysAndHalfCertificates_areLeftOut() throws IOException {
        HostAuthorities.Found found = HostAuthorities.read(
                List.of(),
                List.of(file(
                        "mine",
                        "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n"
                                + "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n"
                                + A
                                + "-----BEGIN CERTIFICATE-----\nCCCC\n")));

        assertThat(text(found)).isEqualTo(A);
    }

    @Test
    void fileThatIsNoUse_isSaid() throws IOException {
        HostAuthorities.Found found = HostAuthorities.read(
                List.of(),
                List.of(dir.resolve("absent.pem"), file("der", "0\u0082\u0003"), file("twice", A), file("again", A)));

        assertThat(found.problems())
                .hasSize(2)
                .anyMatch(p -> p.contains("absent.pem can't be read"))
                .anyMatch(p -> p.contains("der of certificateAuthorities has no certificate: it must be PEM"));
        assertThat(text(found)).isEqualTo(A);
    }
}
