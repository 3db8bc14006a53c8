package dev.longshore.vpnkit.ip;

import dev.longshore.vpnkit.count.Counted;

/** What the network layer counts. */
public enum IpCounter implements Counted {
    PACKETS_FROM_GUEST("vpnkit.ip.packets", "direction=fromGuest", "IP packets accepted from the guest, reassembled."),
    PACKETS_TO_GUEST("vpnkit.ip.packets", "direction=toGuest", "IP packets sent to the guest, before fragmentation."),
    FRAGMENTS_FROM_GUEST("vpnkit.ip.fragments", "direction=fromGuest", "Fragments received from the guest."),
    FRAGMENTS_TO_GUEST("vpnkit.ip.fragments", "direction=toGuest", "Fragments sent to the guest."),
    REASSEMBLED("vpnkit.ip.reassembled", "", "Packets put together from fragments."),
    ICMP_ERRORS_SENT("vpnkit.icmp.errors.sent", "", "ICMP errors sent to the guest."),
    ICMP_ERRORS_SUPPRESSED("vpnkit.icmp.errors.suppressed", "", "ICMP errors the rate limit swallowed."),
    DROPPED_HEADER("vpnkit.packets.dropped", "layer=ip,reason=header", "Headers with impossible lengths or version."),
    DROPPED_CHECKSUM("vpnkit.packets.dropped", "layer=ip,reason=checksum", "Headers with a wrong checksum."),
    DROPPED_SOURCE("vpnkit.packets.dropped", "layer=ip,reason=source", "Sources no packet may come from."),
    DROPPED_DESTINATION("vpnkit.packets.dropped", "layer=ip,reason=destination", "Destinations no packet may go to."),
    DROPPED_MULTICAST(
            "vpnkit.packets.dropped", "layer=ip,reason=multicast", "Multicast and broadcast nobody here takes."),
    DROPPED_TTL("vpnkit.packets.dropped", "layer=ip,reason=ttl", "Packets that ended their life at the gateway."),
    DROPPED_SUBNET(
            "vpnkit.packets.dropped", "layer=ip,reason=subnet", "Packets to an address of the subnet nobody has."),
    DROPPED_PROTOCOL("vpnkit.packets.dropped", "layer=ip,reason=protocol", "Protocols other than TCP, UDP and ICMP."),
    DROPPED_FRAGMENT("vpnkit.packets.dropped", "layer=ip,reason=fragment", "Fragments that make no sense or overlap."),
    DROPPED_FRAGMENT_LIMIT(
            "vpnkit.packets.dropped", "layer=ip,reason=fragment_limit", "Incomplete packets given up for newer ones."),
    DROPPED_FRAGMENT_TIMEOUT(
            "vpnkit.packets.dropped", "layer=ip,reason=fragment_timeout", "Incomplete packets given up after 30 s."),
    DROPPED_FRAGMENT_LINK(
            "vpnkit.packets.dropped", "layer=ip,reason=link_down", "Incomplete packets of a guest that went away."),
    DROPPED_EXTENSION(
            "vpnkit.packets.dropped", "layer=ip,reason=extension", "IPv6 extension headers that can't be followed."),
    DROPPED_SCOPE("vpnkit.packets.dropped", "layer=ip,reason=scope", "Link-local sources that want beyond the link."),
    DROPPED_NDP("vpnkit.packets.dropped", "layer=ip,reason=ndp", "Neighbor discovery that is to be discarded."),
    DROPPED_NO_ROOM(
            "vpnkit.packets.dropped",
            "layer=ip,reason=no_room",
            "Fragments and ICMP errors the guest had no room for."),
    DROPPED_FAULT("vpnkit.packets.dropped", "layer=ip,reason=fault", "Packets that hit a bug of ours.");

    private final String metric;
    private final String tags;
    private final String help;

    IpCounter(String metric, String tags, String help) {
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
