package dev.longshore.proxy.auth;

import dev.longshore.proxy.route.ProxyAddress;
import org.jspecify.annotations.Nullable;

/**
 * How it stands with one upstream proxy, for observers. Immutable; holds no secret.
 *
 * @param scheme the last one that was accepted; null if none was
 * @param text for the user, of one line
 */
public record ProxyState(
        ProxyAddress proxy, Kind kind, @Nullable Scheme scheme, String text) {
    public enum Kind {
        /** Nothing is known. */
        UNKNOWN,
        /** It asked for no credentials. */
        OPEN,
        ACCEPTED,
        /** It wants credentials, and those that are known were refused or are none. */
        NEEDS_CREDENTIALS
    }
}
