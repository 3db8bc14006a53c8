package dev.longshore.cli.diagnose;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RedactionTest {
    private static final String SECRET = "s3cr3t";

    @ParameterizedTest
    @ValueSource(
            strings = {
                "proxy http://user:s3cr3t@proxy.corp:3128/x",
                "proxy http://s3cr3t@proxy.corp",
                "Proxy-Authorization: Basic s3cr3t",
                "authorization: Bearer s3cr3t more",
                "\"X-Registry-Auth\": \"s3cr3t\"",
                "Set-Cookie: id=s3cr3t; Path=/",
                "POSTGRES_PASSWORD=s3cr3t",
                "\"dbPassword\" : \"s3cr3t with blanks\"",
                "api_key: s3cr3t",
                "AWS_SECRET_ACCESS_KEY=s3cr3t",
                "-----BEGIN RSA PRIVATE KEY-----\ns3cr3t\n-----END RSA PRIVATE KEY-----",
                "-----BEGIN OPENSSH PRIVATE KEY-----\ns3cr3t"
            })
    void secrets_go(String text) {
        assertThat(Redaction.of(text)).doesNotContain(SECRET).contains("***");
    }

    @Test
    void theRest_stays() {
        String text = "2026-01-01T00:00:00Z INFO [net] vpnkit.X GET http://a.b/c?d=e by user@host, 3 tokens\n";
        assertThat(Redaction.of(text)).isEqualTo(text);
        assertThat(Redaction.of("http://u:p@h/ next")).isEqualTo("http://***@h/ next");
    }

    /** A group that is repeated takes a frame of the stack for each character. */
    @Test
    void longWords_areNoTrouble() {
        String text = "a".repeat(200_000) + " password=s3cr3t";
        assertThat(Redaction.of(text)).endsWith("a password=***");
    }
}
