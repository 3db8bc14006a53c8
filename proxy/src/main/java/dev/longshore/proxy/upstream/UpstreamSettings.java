package dev.longshore.proxy.upstream;

import java.time.Duration;

/**
 * Immutable.
 *
 * @param pseudonym our name in Via, a token
 * @param passAuthorization whether a guest's own Proxy-Authorization goes on to upstream proxies, and their 407 back to it
 * @param answerTimeout how long a proxy may take to open a tunnel
 */
public record UpstreamSettings(String pseudonym, boolean passAuthorization, Duration answerTimeout) {
    /** A proxy waits for a dead origin as long as its TCP does: two minutes. */
    private static final Duration ANSWER = Duration.ofSeconds(150);

    public static UpstreamSettings of(String pseudonym, boolean passAuthorization) {
        return new UpstreamSettings(pseudonym, passAuthorization, ANSWER);
    }
}
