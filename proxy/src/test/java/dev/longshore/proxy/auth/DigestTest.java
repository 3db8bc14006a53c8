package dev.longshore.proxy.auth;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.proxy.route.ProxyAddress.Login;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

/** RFC 7616 §3.9 and RFC 2617 §3.5: their examples. */
class DigestTest {
    private static final Login MUFASA = new Login("Mufasa", "Circle of Life");
    private static final String CHALLENGE =
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=%s,"
                    + " nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
    private static final String CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

    private static Digest digest(Login login, String challenge, String cnonce) throws AuthFailure {
        return new Digest(login, Challenge.parse(List.of(challenge)).getFirst(), cnonce);
    }

    @Test
    void rfc7616_md5() throws AuthFailure {
        assertThat(digest(MUFASA, CHALLENGE.formatted("MD5"), CNONCE).answer("GET", "/dir/index.html"))
                .contains("response=\"8ca523f5e9506fed4657c9700eebdbec\"")
                .contains("username=\"Mufasa\"")
                .contains("nc=00000001")
                .contains("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"");
    }

    @Test
    void rfc7616_sha256() throws AuthFailure {
        assertThat(digest(MUFASA, CHALLENGE.formatted("SHA-256"), CNONCE).answer("GET", "/dir/index.html"))
                .contains("response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"");
    }

    /** §3.9.2, with the user's name hashed. */
    @Test
    void rfc7616_sha512_256_userhash() throws AuthFailure {
        String challenge = "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256,"
                + " nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\","
                + " opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", charset=UTF-8, userhash=true";
        Login login = new Login("J\u00e4s\u00f8n Doe", "Secret, or not?");

        String answer =
                digest(login, challenge, "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm").answer("GET", "/doe.json");

        assertThat(answer).contains("userhash=true").matches(".*username=\"[0-9a-f]{64}\".*");
    }

    @Test
    void rfc2617_withoutQuality_isRfc2069() throws AuthFailure {
        assertThat(digest(new Login("u", "p"), "Digest realm=r, nonce=n", "c").answer("GET", "/"))
                .doesNotContain("qop")
                .doesNotContain("cnonce")
                .doesNotContain("algorithm");
    }

    @Test
    void eachRequest_countsUp() throws AuthFailure {
        Digest d = digest(MUFASA, CHALLENGE.formatted("MD5-sess"), CNONCE);

        assertThat(d.answer("GET", "/")).contains("nc=00000001").contains("algorithm=MD5-sess");
        assertThat(d.answer("GET", "/")).contains("nc=00000002");
    }

    @Test
    void whatCannotBeAnsweredSafely_isRefused() {
        for (String challenge : List.of(
                "Digest realm=r, nonce=n, qop=\"auth-int\"",
                "Digest realm=r, nonce=n, algorithm=SHA-3",
                "Digest realm=r")) {
            assertThatThrownBy(() -> digest(MUFASA, challenge, "c")).isInstanceOf(AuthFailure.class);
        }
        assertThatThrownBy(() -> digest(new Login("a\r\nX: y", "p"), "Digest realm=r, nonce=n", "c"))
                .isInstanceOf(AuthFailure.class);
    }

    @Test
    void quotesInNames_areEscaped() throws AuthFailure {
        assertThat(digest(new Login("a\"b\\c", "p"), "Digest realm=r, nonce=n", "c")
                        .answer("GET", "/"))
                .contains("username=\"a\\\"b\\\\c\"");
    }

    /** The realm is bytes of the proxy's, and the user's name is ours: in UTF-8, both are hashed and sent as that, once. */
    @Test
    void realmBeyondAscii_isHashedAsItCame() throws Exception {
        String sent = new String("B\u00fccher".getBytes(UTF_8), ISO_8859_1);
        Login login = new Login("J\u00e4s\u00f8n", "p\u00e4ss");

        String answer = digest(login, "Digest realm=\"" + sent + "\", nonce=n, qop=auth, charset=UTF-8", "c")
                .answer("GET", "/");

        String a1 = md5("J\u00e4s\u00f8n:B\u00fccher:p\u00e4ss");
        assertThat(answer)
                .contains("realm=\"" + sent + "\"")
                .contains("username=\"" + new String("J\u00e4s\u00f8n".getBytes(UTF_8), ISO_8859_1) + "\"")
                .contains("response=\"" + md5(a1 + ":n:00000001:c:auth:" + md5("GET:/")) + "\"");
    }

    private static String md5(String text) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(text.getBytes(UTF_8)));
    }
}
