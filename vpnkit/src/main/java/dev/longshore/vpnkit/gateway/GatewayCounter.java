package dev.longshore.vpnkit.gateway;

import dev.longshore.vpnkit.count.Counted;

/** What DHCP and router advertisements count. */
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
    ROUTER_ADVERTISEMENTS("vpnkit.ndp.router_advertisements", "", "Router advertisements sent.");

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
