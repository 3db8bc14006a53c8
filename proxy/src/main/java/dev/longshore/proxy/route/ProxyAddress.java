package dev.longshore.proxy.route;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * An upstream proxy. Immutable; two that are equal may share connections.
 *
 * @param host a name, small letters, or an address literal without brackets; seen from the host: {@code localhost} is its loopback
 * @param port 1..65535
 * @param login what the proxy's own URL gave, or null: then it is looked for elsewhere
 */
public record ProxyAddress(
        Protocol protocol, String host, int port, @Nullable Login login) {
    public ProxyAddress {
        host = host.toLowerCase(Locale.ROOT);
        if (host.isEmpty() || port < 1 || port > 65_535) {
            throw new IllegalArgumentException("not a proxy's address: " + host + ":" + port);
        }
    }

    /** How the proxy is spoken to. */
    public enum Protocol {
        HTTP,
        /** HTTP within TLS to the proxy. */
        HTTPS,
        SOCKS5,
        SOCKS4
    }

    /** Who we are to the proxy; never printed. */
    public record Login(String user, String password) {
        @Override
        public String toString() {
            return "xxxxx";
        }
    }

    /** As a URL without the login. */
    @Override
    public String toString() {
        String h = host.indexOf(':') >= 0 ? "[" + host + "]" : host;
        return protocol.name().toLowerCase(Locale.ROOT) + "://" + h + ":" + port;
    }
}
