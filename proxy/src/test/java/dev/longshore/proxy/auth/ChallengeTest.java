package dev.longshore.proxy.auth;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** RFC 9110 §11.6.1. */
class ChallengeTest {
    @Test
    void severalInOneLineAndInSeveral_areAllRead() {
        List<Challenge> all = Challenge.parse(List.of(
                "Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"",
                "NTLM",
                "Negotiate TlRMTVNTUAAB==",
                "digest Realm=x , , nonce = \"a, b\" ,qop=\"auth,auth-int\""));

        assertThat(all)
                .containsExactly(
                        new Challenge(
                                "newauth", "", Map.of("realm", "apps", "type", "1", "title", "Login to \"apps\"")),
                        new Challenge("basic", "", Map.of("realm", "simple")),
                        new Challenge("ntlm", "", Map.of()),
                        new Challenge("negotiate", "TlRMTVNTUAAB==", Map.of()),
                        new Challenge("digest", "", Map.of("realm", "x", "nonce", "a, b", "qop", "auth,auth-int")));
    }

    @Test
    void schemesWithoutParameters_inOneLine() {
        assertThat(Challenge.parse(List.of("Negotiate, NTLM, Basic realm=\"r\"")))
                .extracting(Challenge::scheme)
                .containsExactly("negotiate", "ntlm", "basic");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ",,,", "=", "\"x\"", "Basic realm=\"open", "Basic@", "a=b", " \t"})
    void nonsense_isNoMoreThanItSays(String line) {
        List<Challenge> all = Challenge.parse(List.of(line, "Basic realm=ok"));

        assertThat(all.getLast()).isEqualTo(new Challenge("basic", "", Map.of("realm", "ok")));
    }

    @Test
    void endless_isBounded() {
        assertThat(Challenge.parse(List.of("Basic,".repeat(1000)))).hasSizeLessThanOrEqualTo(32);
    }
}
