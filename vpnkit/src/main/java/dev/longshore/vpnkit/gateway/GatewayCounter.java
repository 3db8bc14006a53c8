package dev.longshore.vpnkit.gateway;

import dev.longshore.vpnkit.count.Counted;

/** What DHCP and DNS count. */
public enum GatewayCounter implements Counted {
    DHCP_OFFERS("vpnkit.dhcp.answers", "type=offer", "DHCP offers sent."),
    DHCP_ACKS("vpnkit.dhcp.answers", "type=ack", "DHCP acknowledgements sent."),
    DHCP_NAKS("vpnkit.dhcp.answers", "type=nak", "DHCP refusals sent."),
    DHCP_LEASES("vpnkit.dhcp.leases", "", "Addresses leased now."),
    DHCP_DECLINED("vpnkit.dhcp.declined", "", "Addresses a guest found in use."),
    DHCP_DROPPED(
            "vpnkit.packets.dropped", "layer=dhcp,reason=bad", "DHCP messages that make no sense or need no answer."),
    DHCP_NO_ROOM("vpnkit.packets.dropped", "layer=dhcp,reason=no_room", "DHCP answers the guest had no room for."),
    DHCP_EXHAUSTED("vpnkit.packets.dropped", "layer=dhcp,reason=exhausted", "DHCP questions with no address left."),
    DHCPV6_REPLIES("vpnkit.dhcpv6.answers", "", "DHCPv6 messages answered."),
    DHCPV6_LEASES("vpnkit.dhcpv6.leases", "", "IPv6 addresses leased now."),
    ROUTER_ADVERTISEMENTS("vpnkit.ndp.router_advertisements", "", "Router advertisements sent."),
    DNS_QUERIES("vpnkit.dns.queries", "", "DNS questions received."),
    DNS_LOCAL("vpnkit.dns.answers", "from=local", "Answered here: our own names."),
    DNS_RELAYED("vpnkit.dns.answers", "from=resolver", "Answers of the host's resolvers, passed on."),
    DNS_FILTERED("vpnkit.dns.answers", "from=filter", "Answered with nothing: addresses of a family that is left out."),
    DNS_FAILED("vpnkit.dns.answers", "from=none", "SERVFAIL, since no resolver answered."),
    DNS_REFUSED("vpnkit.dns.answers", "from=malformed", "FORMERR and NOTIMP."),
    DNS_RETRIES("vpnkit.dns.retries", "", "Questions asked again, of another resolver."),
    DNS_ACTIVE("vpnkit.dns.active", "", "Questions waiting for a resolver now."),
    DNS_SOCKETS("vpnkit.dns.sockets.active", "", "Sockets of questions that wait for a resolver now."),
    DNS_BUSY("vpnkit.dns.busy", "", "Questions refused as too many were waiting."),
    DNS_TCP_EVICTED("vpnkit.dns.tcp.evicted", "", "TCP connections to the name server closed as there were too many."),
    DNS_SPOOFED("vpnkit.packets.dropped", "layer=dns,reason=mismatch", "Answers that match no question."),
    DNS_NO_ROOM("vpnkit.packets.dropped", "layer=dns,reason=no_room", "DNS answers the guest had no room for."),
    DNS_DROPPED("vpnkit.packets.dropped", "layer=dns,reason=bad", "DNS messages that are no question.");

    private final String metric;
    private final String tags;
    private final String help;

    GatewayCounter(String metric, String tags, String help) {
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
}
