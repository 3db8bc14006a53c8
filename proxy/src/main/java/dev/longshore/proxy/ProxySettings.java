package dev.longshore.proxy;

import dev.longshore.proxy.message.Chars;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import java.time.Duration;

/**
 * What the proxy must know of the network it serves. Immutable.
 *
 * @param pseudonym our name in Via and Proxy-Status, a token; differs between instances so that two may be chained
 * @param own of our network nothing is reachable through the proxy but the aliases of the host's loopback
 * @param headTimeout from the first byte of a request's head to its last
 * @param idleTimeout of a connection between two requests, on either side
 */
public record ProxySettings(String pseudonym, OwnAddresses own, Duration headTimeout, Duration idleTimeout) {
    /** The name guests know us by. */
    static final String PROXY_NAME = "http.docker.internal";

    static final String HOST_NAME = "host.docker.internal";
    static final String OWN_DOMAIN = ".docker.internal";

    public ProxySettings {
        if (!Chars.isToken(pseudonym)) {
            throw new IllegalArgumentException("not a token: '" + pseudonym + "'");
        }
    }

    /** With the time-outs that fit everybody. */
    public static ProxySettings of(String pseudonym, OwnAddresses own) {
        return new ProxySettings(pseudonym, own, Duration.ofSeconds(60), Duration.ofMinutes(10));
    }
}
