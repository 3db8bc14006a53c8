package dev.longshore.proxy.route;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One configuration of proxies, wherever it comes from: settings, the environment, a desktop. Immutable; nothing in it prints a
 * password.
 */
public sealed interface ProxyConfig {
    /** Where it comes from, for the user: {@code containersProxy.mode is manual}, {@code environment}. */
    String source();

    /** Everything is direct. */
    record None(String source) implements ProxyConfig {}

    /**
     * Proxies that are named.
     *
     * @param plain for requests that the proxy may read; null if none is named
     * @param tunnel for what is tunnelled, as https is; null if none is named
     * @param exclude what is reached without them
     * @param only what {@code exclude} has is all that goes through them (KDE's reversed list)
     * @param excludeKey what the user calls {@code exclude}
     * @param missing what becomes of a kind of request for which none is named: null for direct, else why it is blocked
     */
    record Fixed(
            String source,
            @Nullable ProxyAddress plain,
            @Nullable ProxyAddress tunnel,
            ExclusionList exclude,
            boolean only,
            String excludeKey,
            @Nullable String missing)
            implements ProxyConfig {}

    /**
     * A script decides.
     *
     * @param location where it is
     * @param closed what becomes of requests while there is no script, and where it says nothing
     */
    record Script(String source, Location location, Closed closed) implements ProxyConfig {}

    /** It can't be understood, and nothing may go round it. */
    record Unusable(String source, String reason) implements ProxyConfig {}

    /**
     * Where a script is.
     *
     * @param url of http, https, file or data, or empty
     * @param text itself, where there is no URL
     * @param shown for people, without secrets
     */
    record Location(String url, String text, String shown) {
        /**
         * The network's own script (WPAD), where a system says no more than that it wants that. The name is looked up as the host's
         * programs look it up, in the search domains that are set, and in none above them.
         */
        public static final Location WPAD =
                new Location("http://wpad/wpad.dat", "", "the network's own script, http://wpad/wpad.dat");

        @Override
        public String toString() {
            return shown;
        }
    }

    /** How much a script's absence holds back. */
    enum Closed {
        /** Nothing: as browsers do with the system's settings. */
        OPEN,
        /** Without a script, or where it fails, everything is blocked; where it names nothing, requests are direct. */
        WITHOUT_SCRIPT,
        /** What an administrator has locked: the same, and where it names nothing, requests are blocked. */
        ALWAYS
    }

    /** What of it can't be understood and is left out; sentences for people. */
    default List<String> notes() {
        if (this instanceof Fixed f && !f.exclude().ignored().isEmpty()) {
            return List.of(f.excludeKey() + " has entries that mean nothing: "
                    + String.join(", ", f.exclude().ignored()));
        }
        return List.of();
    }
}
