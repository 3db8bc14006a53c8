package dev.longshore.vpnkit.dns;

import dev.longshore.vpnkit.count.Counted;

/** What the name server counts. */
public enum DnsCounter implements Counted {
    QUERIES("vpnkit.dns.queries", "", "DNS questions received."),
    LOCAL("vpnkit.dns.answers", "from=local", "Answered here: our own names."),
    HOSTS("vpnkit.dns.answers", "from=hosts", "Answered here: the host's hosts file."),
    CACHED("vpnkit.dns.answers", "from=cache", "Answered here: the cache."),
    RELAYED("vpnkit.dns.answers", "from=resolver", "Answers of the host's resolvers, passed on."),
    ROUTED("vpnkit.dns.answers", "from=route", "Answers of resolvers that a route by domain names, passed on."),
    FAILED("vpnkit.dns.answers", "from=none", "SERVFAIL, since no resolver answered."),
    MALFORMED(
            "vpnkit.dns.answers", "from=malformed", "FORMERR, NOTIMP, BADVERS, and REFUSED of what nobody here does."),
    POLICY("vpnkit.dns.answers", "from=policy", "REFUSED: the egress policy denies the name to everybody."),
    FILTERED("vpnkit.dns.filtered", "", "Answers from which addresses of a family that is left out were taken."),
    TRUNCATED("vpnkit.dns.truncated", "", "Answers too large for the guest's UDP."),
    COALESCED("vpnkit.dns.coalesced", "", "Questions that waited for the answer to the same one, asked before."),
    NOERROR("vpnkit.dns.rcodes", "rcode=noerror", "Answers without an error."),
    NXDOMAIN("vpnkit.dns.rcodes", "rcode=nxdomain", "Answers that a name does not exist."),
    SERVFAIL("vpnkit.dns.rcodes", "rcode=servfail", "Answers that a resolver failed."),
    REFUSED("vpnkit.dns.rcodes", "rcode=refused", "Answers that a resolver refused."),
    FORMERR("vpnkit.dns.rcodes", "rcode=formerr", "Answers that the question made no sense."),
    NOTIMP("vpnkit.dns.rcodes", "rcode=notimp", "Answers that nobody does what was asked."),
    OTHER("vpnkit.dns.rcodes", "rcode=other", "Answers with any other code."),
    RETRIES("vpnkit.dns.retries", "", "Questions asked again, or of another resolver too."),
    ACTIVE("vpnkit.dns.active", "", "Questions waiting for a resolver now."),
    SOCKETS("vpnkit.dns.sockets.active", "", "Sockets to resolvers open now."),
    BUSY("vpnkit.dns.busy", "", "Questions refused as too many were waiting."),
    LOOPS("vpnkit.dns.loops", "", "Resolvers found to ask us what we ask them."),
    CACHE_ENTRIES("vpnkit.dns.cache.entries", "", "Answers in the cache now."),
    CACHE_BYTES("vpnkit.dns.cache.bytes", "", "What these take."),
    CACHE_EVICTED("vpnkit.dns.cache.evicted", "", "Answers that left the cache before their time."),
    CACHE_FLUSHES("vpnkit.dns.cache.flushes", "", "Times the cache was emptied."),
    TCP_EVICTED("vpnkit.dns.tcp.evicted", "", "TCP connections to the name server closed as there were too many."),
    SPOOFED("vpnkit.packets.dropped", "layer=dns,reason=mismatch", "Answers that match no question."),
    NO_ROOM("vpnkit.packets.dropped", "layer=dns,reason=no_room", "DNS answers the guest had no room for."),
    DROPPED("vpnkit.packets.dropped", "layer=dns,reason=bad", "DNS messages that are no question.");

    private final String metric;
    private final String tags;
    private final String help;

    DnsCounter(String metric, String tags, String help) {
        this.metric = metric;
        this.tags = tags;
        this.help = help;
    }

    @Override
    public String metric() {
        return metric;
    }

    @Override
    public String tags() {
        return tags;
    }

    @Override
    public String help() {
        return help;
    }

    /** The counter of a four-bit rcode. */
    static DnsCounter ofRcode(int rcode) {
        return switch (rcode) {
            case 0 -> NOERROR;
            case 1 -> FORMERR;
            case 2 -> SERVFAIL;
            case 3 -> NXDOMAIN;
            case 4 -> NOTIMP;
            case 5 -> REFUSED;
            default -> OTHER;
        };
    }
}
