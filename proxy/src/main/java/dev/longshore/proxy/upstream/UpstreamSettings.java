package dev.longshore.proxy.upstream;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Immutable.
 *
 * @param pseudonym our name in Via, a token
 * @param saysVia whether messages that pass get a Via (RFC 9110 §7.6.3)
 * @param passAuthorization whether a guest's own Proxy-Authorization goes on to upstream proxies, and their 407 back to it
 * @param answerTimeout how long a proxy may take to open a tunnel
 * @param tunnelIdle after how long a tunnel ends through which nothing comes; zero for never
 */
public record UpstreamSettings(
        String pseudonym, boolean saysVia, boolean passAuthorization, Duration answerTimeout, Duration tunnelIdle) {
    /** A proxy waits for a dead origin as long as its TCP does: two minutes. */
    private static final Duration ANSWER = Duration.ofSeconds(150);

    public static UpstreamSettings of(String pseudonym, boolean passAuthorization) {
        return new UpstreamSettings(pseudonym, true, passAuthorization, ANSWER, Duration.ZERO);
    }

    /** The same with other wishes of the user. */
    public UpstreamSettings with(boolean via, boolean passes, Duration idle) {
        return new UpstreamSettings(pseudonym, via, passes, answerTimeout, idle);
    }

    /**
     * What a message that passes says in Via; null if it says nothing.
     *
     * @param version of the message as it came, as in {@code 1.1}
     */
    public @Nullable String via(String version) {
        return saysVia ? version + " " + pseudonym : null;
    }
}
