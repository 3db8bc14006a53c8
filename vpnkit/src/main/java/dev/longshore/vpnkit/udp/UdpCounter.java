package dev.longshore.vpnkit.udp;

import dev.longshore.vpnkit.count.Counted;

/** What the UDP layer counts. */
public enum UdpCounter implements Counted {
    DATAGRAMS_FROM_GUEST("vpnkit.udp.datagrams", "direction=fromGuest", "Datagrams accepted from the guest."),
    DATAGRAMS_TO_GUEST("vpnkit.udp.datagrams", "direction=toGuest", "Datagrams sent to the guest."),
    BYTES_FROM_GUEST("vpnkit.udp.bytes", "direction=fromGuest", "Payload accepted from the guest, in bytes."),
    BYTES_TO_GUEST("vpnkit.udp.bytes", "direction=toGuest", "Payload sent to the guest, in bytes."),
    FLOWS_OPENED("vpnkit.udp.flows.opened", "", "Host sockets opened for the guest's ports."),
    FLOWS_ACTIVE("vpnkit.udp.flows.active", "", "The guest's ports with a host socket now."),
    FLOWS_IDLE("vpnkit.udp.flows.ended", "reason=idle", "Flows closed as nothing came for a while."),
    FLOWS_EVICTED("vpnkit.udp.flows.ended", "reason=evicted", "Flows closed to make room for newer ones."),
    FLOWS_CUT("vpnkit.udp.flows.ended", "reason=policy", "Flows ended by another egress policy."),
    INBOUND_ACTIVE("vpnkit.udp.inbound.active", "", "Remotes of published UDP ports now."),
    REFUSED("vpnkit.udp.refused", "", "Ports unreachable on the host's side, passed on to the guest."),
    ERRORS_PASSED("vpnkit.udp.errors", "", "Other errors of the host's side, passed on to the guest."),
    DROPPED_HEADER("vpnkit.packets.dropped", "layer=udp,reason=header", "Datagrams with impossible lengths or ports."),
    DROPPED_CHECKSUM("vpnkit.packets.dropped", "layer=udp,reason=checksum", "Datagrams with a wrong checksum."),
    DROPPED_NO_CHECKSUM(
            "vpnkit.packets.dropped", "layer=udp,reason=no_checksum", "Datagrams over IPv6 without a checksum."),
    DROPPED_SPOOFED(
            "vpnkit.packets.dropped",
            "layer=udp,reason=spoofed",
            "Datagrams of the host's network that claim to be from the guest's."),
    DROPPED_BROADCAST("vpnkit.packets.dropped", "layer=udp,reason=broadcast", "Broadcasts nobody here takes."),
    DROPPED_CLOSED(
            "vpnkit.packets.dropped", "layer=udp,reason=closed", "Datagrams to ports of ours nobody listens on."),
    DROPPED_FAMILY(
            "vpnkit.packets.dropped", "layer=udp,reason=family", "Datagrams to a family the networking mode lacks."),
    DROPPED_POLICY("vpnkit.packets.dropped", "layer=udp,reason=policy", "Datagrams that the egress policy denies."),
    DROPPED_UNKNOWN_SENDER(
            "vpnkit.packets.dropped",
            "layer=udp,reason=unknown_sender",
            "Datagrams whose container was not known yet, and the egress policy has to know."),
    DROPPED_NO_ROOM("vpnkit.packets.dropped", "layer=udp,reason=no_room", "Datagrams the guest had no room for."),
    DROPPED_HOST_BUSY("vpnkit.packets.dropped", "layer=udp,reason=host_busy", "Datagrams the host had no room for."),
    DROPPED_HOST_FAILED(
            "vpnkit.packets.dropped", "layer=udp,reason=host_failed", "Datagrams no host socket could be had for."),
    DROPPED_TOO_LARGE(
            "vpnkit.packets.dropped",
            "layer=udp,reason=too_large",
            "Datagrams for published ports, larger than IPv4 carries."),
    DROPPED_NO_IPV6(
            "vpnkit.packets.dropped",
            "layer=udp,reason=no_ipv6",
            "Datagrams for an IPv6 address behind a guest that has none."),
    DROPPED_NO_GATEWAY_PORT(
            "vpnkit.packets.dropped",
            "layer=udp,reason=no_gateway_port",
            "Datagrams of more callers of one port than the gateway can stand for.");

    private final String metric;
    private final String tags;
    private final String help;

    UdpCounter(String metric, String tags, String help) {
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
