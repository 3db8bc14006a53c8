package dev.longshore.proxy.auth;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Login;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.ietf.jgss.GSSContext;

/** What a proxy may write: challenges and NTLM messages. How to search: {@code ./longshore fuzz}. */
class AuthFuzzTest {
    private static final Login LOGIN = new Login("us\"er", "pass\\word");

    /** Any Proxy-Authenticate: bounded, never thrown at, and an answer to it is one field value. */
    @FuzzTest(maxDuration = "2m")
    void proxyAuthenticate(byte[] input) {
        String text = new String(input, StandardCharsets.ISO_8859_1).replaceAll("[\r\n]", "");
        List<Challenge> all = Challenge.parse(List.of(text));
        assertThat(all).hasSizeLessThanOrEqualTo(32);
        for (Challenge c : all) {
            assertThat(c.scheme()).matches("[!#$%&'*+.^_`|~0-9a-z-]+");
            assertThat(c.token().isEmpty() || c.parameters().isEmpty()).isTrue();
            try {
                Digest digest = new Digest(LOGIN, c, "cnonce");
                assertThat(digest.answer("GET", "http://a.test/")).doesNotContain("\r", "\n", "\0");
            } catch (AuthFailure e) {
                assertThat(e.text()).doesNotContain("pass");
            }
        }
        assertThat(Challenge.parse(List.of(text, "Basic realm=ok")).stream()
                        .filter(c -> c.scheme().equals("basic"))
                        .count())
                .isGreaterThanOrEqualTo(all.size() < 32 ? 1 : 0);
    }

    /** Any CHALLENGE_MESSAGE: refused, or answered by a message whose fields lie in it. */
    @FuzzTest(maxDuration = "2m")
    void ntlmChallenge(byte[] input) {
        byte[] answer;
        try {
            answer = Ntlm.authenticate(
                    Ntlm.question(input), Ntlm.Account.of("user", "password"), "HTTP/p", new byte[16], new byte[8], 0);
        } catch (AuthFailure e) {
            return;
        }
        assertThat(answer.length).isBetween(88, 3 * 64 * 1024);
        for (int at = 12; at < 60; at += 8) {
            int length = (answer[at] & 0xFF) | (answer[at + 1] & 0xFF) << 8;
            int offset = (answer[at + 4] & 0xFF) | (answer[at + 5] & 0xFF) << 8 | (answer[at + 6] & 0xFF) << 16;
            assertThat(offset + length).isLessThanOrEqualTo(answer.length);
        }
        assertThat(Arrays.copyOf(answer, 7)).isEqualTo("NTLMSSP".getBytes(StandardCharsets.US_ASCII));
    }

    /** Any second token of a proxy, in answer to our first: refused, or there is no more to say. */
    @FuzzTest(maxDuration = "2m")
    void spnegoToken(byte[] input) throws AuthFailure {
        Kerberos.Holder holder = ForgedTickets.of("HTTP/proxy.test");
        GSSContext context = Kerberos.begin(holder, "proxy.test");
        assertThat(Kerberos.next(holder, context, new byte[0])).isNotEmpty();
        try {
            byte[] received = input;
            for (int leg = 0; leg < 3 && !context.isEstablished(); leg++) {
                received = Kerberos.next(holder, context, received);
            }
        } catch (AuthFailure e) {
            assertThat(e.text()).doesNotContain("\n");
        }
    }

    /** Whatever a credential helper prints, and whatever a line of a credential file is: a login or none. */
    @FuzzTest(maxDuration = "1m")
    void credentials(byte[] input) {
        ProxyAddress proxy = new ProxyAddress(ProxyAddress.Protocol.HTTP, "p", 80, null);
        Login said = DockerCredentialHelper.login("test", input);
        assertThat(said == null || !said.user().isEmpty()).isTrue();
        Login found = CredentialFile.login(new String(input, StandardCharsets.UTF_8), proxy);
        assertThat(String.valueOf(found)).isIn("null", "xxxxx");
    }
}
