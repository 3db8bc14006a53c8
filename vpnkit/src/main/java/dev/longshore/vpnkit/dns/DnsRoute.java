package dev.longshore.vpnkit.dns;

import java.net.InetSocketAddress;
import java.util.List;

/**
 * Who is asked about a domain and everything below it. Immutable.
 *
 * @param domain in lower case, without a last dot; "" is everything
 * @param servers in the order in which to ask; not empty
 */
public record DnsRoute(String domain, List<InetSocketAddress> servers) {
    public DnsRoute {
        servers = List.copyOf(servers);
        if (servers.isEmpty()) {
            throw new IllegalArgumentException("no server for " + domain);
        }
    }
}
