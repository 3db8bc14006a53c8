package dev.longshore.vpnkit.dns;

/** Where an answer came from. */
public enum DnsSource {
    /** Our own names. */
    LOCAL(DnsCounter.LOCAL),
    /** The host's hosts file. */
    HOSTS(DnsCounter.HOSTS),
    CACHE(DnsCounter.CACHED),
    /** The host's resolvers. */
    RESOLVER(DnsCounter.RELAYED),
    /** Resolvers of a route by domain. */
    ROUTE(DnsCounter.ROUTED),
    /** Nobody answered. */
    NONE(DnsCounter.FAILED),
    /** There were too many questions. */
    BUSY(DnsCounter.BUSY),
    /** It is nothing that anybody here answers. */
    MALFORMED(DnsCounter.MALFORMED),
    /** The egress policy. */
    POLICY(DnsCounter.POLICY);

    final DnsCounter counter;

    DnsSource(DnsCounter counter) {
        this.counter = counter;
    }
}
