package dev.longshore.proxy.auth;

import dev.longshore.proxy.route.ProxyAddress.Login;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * One server nonce and its use by all connections to a proxy: RFC 7616, with the quality of protection {@code auth} or, for proxies of
 * old, none (RFC 2069). Thread-safe: synchronized, since each request has a count of its own.
 */
final class Digest {
    /** RFC 7616 §6.1; their names in the JDK. */
    private enum Algorithm {
        MD5("md5", "MD5"),
        SHA_256("sha-256", "SHA-256"),
        SHA_512_256("sha-512-256", "SHA-512/256");

        private final String token;
        private final String jdk;

        Algorithm(String token, String jdk) {
            this.token = token;
            this.jdk = jdk;
        }
    }

    private final String user; // it and all others: a character for each byte that is sent
    private final String password;
    private final String realm;
    private final String nonce;
    private final @Nullable String opaque;
    private final @Nullable String algorithmAsSent;
    private final Algorithm algorithm;
    private final boolean session;
    private final boolean quality;
    private final boolean userHash;
    private final String cnonce;
    private int count;

    /** @param cnonce ours, of at least 64 random bits in printable ASCII without quotes */
    Digest(Login login, Challenge challenge, String cnonce) throws AuthFailure {
        this.cnonce = cnonce;
        this.realm = Objects.requireNonNullElse(challenge.parameter("realm"), "");
        this.opaque = challenge.parameter("opaque");
        this.algorithmAsSent = challenge.parameter("algorithm");
        this.algorithm = algorithm(challenge);
        this.session = isSession(challenge);
        this.userHash = "true".equalsIgnoreCase(challenge.parameter("userhash"));
        Charset charset = "utf-8".equalsIgnoreCase(challenge.parameter("charset")) || !isLatin1(login)
                ? StandardCharsets.UTF_8
                : StandardCharsets.ISO_8859_1;
        this.user = bytes(login.user(), charset);
        this.password = bytes(login.password(), charset);
        String qop = challenge.parameter("qop");
        this.quality = qop != null;
        if (qop != null
                && Stream.of(qop.split(",", -1)).noneMatch(q -> q.strip().equalsIgnoreCase("auth"))) {
            throw new AuthFailure("Digest without the quality of protection 'auth'");
        }
        String given = challenge.parameter("nonce");
        if (given == null) {
            throw new AuthFailure("Digest without a nonce");
        }
        this.nonce = given;
        for (String text : List.of(user, realm, nonce, Objects.requireNonNullElse(opaque, ""))) {
            if (text.chars().anyMatch(c -> c < ' ' || c == 0x7F)) {
                throw new AuthFailure("control characters in a Digest parameter");
            }
        }
    }

    private static boolean isLatin1(Login login) {
        return StandardCharsets.ISO_8859_1.newEncoder().canEncode(login.user() + login.password());
    }

    private static String algorithmToken(Challenge challenge) {
        return Objects.requireNonNullElse(challenge.parameter("algorithm"), "md5")
                .toLowerCase(Locale.ROOT);
    }

    private static boolean isSession(Challenge challenge) {
        return algorithmToken(challenge).endsWith("-sess");
    }

    private static Algorithm algorithm(Challenge challenge) throws AuthFailure {
        Algorithm a = known(challenge);
        if (a == null) {
            throw new AuthFailure("an unknown Digest algorithm");
        }
        return a;
    }

    private static @Nullable Algorithm known(Challenge challenge) {
        String token = algorithmToken(challenge).replaceFirst("-sess$", "");
        for (Algorithm a : Algorithm.values()) {
            if (a.token.equals(token)) {
                return a;
            }
        }
        return null;
    }

    /** True if {@code challenge} is answered by a digest that is not broken. */
    static boolean isStrong(Challenge challenge) {
        Algorithm a = known(challenge);
        return a != null && a != Algorithm.MD5;
    }

    /** The same by one that is. */
    static boolean isWeak(Challenge challenge) {
        return known(challenge) == Algorithm.MD5;
    }

    static boolean isStale(Challenge challenge) {
        return "true".equalsIgnoreCase(challenge.parameter("stale"));
    }

    String nonce() {
        return nonce;
    }

    /** For one request: it uses up a nonce count. */
    synchronized String answer(String method, String uri) {
        String nc = String.format("%08x", ++count);
        String a1 = h(user + ":" + realm + ":" + password);
        if (session) {
            a1 = h(a1 + ":" + nonce + ":" + cnonce); // §3.4.2
        }
        String a2 = h(method + ":" + uri);
        String response = quality
                ? h(a1 + ":" + nonce + ":" + nc + ":" + cnonce + ":auth:" + a2)
                : h(a1 + ":" + nonce + ":" + a2);
        StringBuilder answer = new StringBuilder("Digest username=");
        quote(answer, userHash ? h(user + ":" + realm) : user);
        quote(answer.append(", realm="), realm);
        quote(answer.append(", nonce="), nonce);
        quote(answer.append(", uri="), uri);
        quote(answer.append(", response="), response);
        if (algorithmAsSent != null) {
            answer.append(", algorithm=").append(algorithmAsSent);
        }
        if (opaque != null) {
            quote(answer.append(", opaque="), opaque);
        }
        if (quality || session) {
            quote(answer.append(", cnonce="), cnonce);
        }
        if (quality) {
            answer.append(", qop=auth, nc=").append(nc);
        }
        if (userHash) {
            answer.append(", userhash=true");
        }
        return answer.toString();
    }

    private String h(String text) {
        return Digests.hex(algorithm.jdk, text, StandardCharsets.ISO_8859_1);
    }

    /** Field values are read and written one byte a character, so what the proxy sent is that already, in whatever charset. */
    private static String bytes(String text, Charset charset) {
        return new String(text.getBytes(charset), StandardCharsets.ISO_8859_1);
    }

    private static void quote(StringBuilder out, String text) {
        out.append('"');
        text.chars().forEach(c -> {
            if (c == '"' || c == '\\') {
                out.append('\\');
            }
            out.append((char) c);
        });
        out.append('"');
    }

    @Override
    public String toString() {
        return "Digest " + algorithm;
    }
}
